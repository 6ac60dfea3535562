package cluster_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/cluster/disk"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

// content is a whole file.
func content(tb testing.TB, m *clustertest.Member, name string) []byte {
	tb.Helper()
	b, err := disk.ReadFile(m.Disk, name, 1<<20)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// oneFile is a site of three with one cut, and the name of its file.
func oneFile(tb testing.TB, s *clustertest.Site) string {
	tb.Helper()
	post(tb, s, 0, 3)
	s.Leader().MustPropose(&fsm.CutCommand{})
	name := "segments/readings/" + fileName(1, 3)
	for _, m := range s.Up() {
		s.Wait("file", func() bool { return slices.Contains(m.Disk.Names("segments/"), name) })
	}
	synctest.Wait()
	return name
}

func TestEveryFlippedBitOfAFileIsFoundAndRepaired(t *testing.T) {
	step := 1 // bits
	if testing.Short() {
		step = 29
	}
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		name := oneFile(t, s)
		want := content(t, s.Nodes[0], name)
		flips, finds := 0, 0
		for bit := 0; bit < 8*len(want); bit += step {
			m := s.Nodes[bit%3]
			m.Disk.Corrupt(name, int64(bit/8), uint(bit%8))
			flips++
			n, err := m.Scrub(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			finds += n
			s.Wait("repair", func() bool { return m.Status().Missing == 0 })
			if !bytes.Equal(content(t, m, name), want) {
				t.Fatalf("bit %d of %s is not repaired", bit, m.Name)
			}
		}
		if finds != flips {
			t.Errorf("%d flips, %d finds", flips, finds)
		}
		t.Logf("%d flips, %d finds, all repaired", flips, finds)
		wantCount(t, s, 3)
		for _, m := range s.Up() {
			for _, name := range m.Disk.Names("segments/") {
				if strings.HasSuffix(name, ".rotten") || strings.HasSuffix(name, ".part") {
					t.Errorf("%s has %s left", m.Name, name)
				}
			}
		}
	})
}

func TestAReadThatMeetsRotHasItRepaired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		name := oneFile(t, s)
		m := s.Nodes[1]
		m.Disk.Corrupt(name, 100, 3)
		view, err := m.View(t.Context(), cluster.Local)
		if err != nil {
			t.Fatal(err)
		}
		s.Wait("all readings", func() bool {
			got, err := view.After(t.Context(), 0, 3)
			return err == nil && len(got) == 3 && m.Status().Scrub.Found == 1
		})
		wantCount(t, s, 3)
	})
}

func TestTheScrubFindsRotByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		name := oneFile(t, s)
		want := content(t, s.Nodes[2], name)
		m := s.Nodes[2]
		m.Stop()
		m.Disk.Corrupt(name, 100, 3)
		m.Start(3) // a round begins
		<-time.After(time.Minute)
		if !bytes.Equal(content(t, m, name), want) {
			t.Error("a flipped bit is still there")
		}
	})
}

func TestAPeerThatServesRotIsNotBelievedAndLooksAtItsFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		name := oneFile(t, s)
		want := content(t, s.Nodes[0], name)
		s.Nodes[0].Disk.Corrupt(name, 50, 3)
		s.Nodes[1].Disk.Corrupt(name, 60, 3)
		s.Network.Isolate(s.Nodes[2].Address, true) // nobody else is to be asked
		if _, err := s.Nodes[1].Scrub(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-time.After(10 * time.Second)
		s.Network.Isolate(s.Nodes[2].Address, false)
		<-time.After(time.Minute)
		for _, m := range s.Up() {
			if !bytes.Equal(content(t, m, name), want) {
				t.Errorf("%s has other bytes", m.Name)
			}
		}
	})
}

func TestANodeAloneKeepsADamagedFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 1, nil)
		m := s.Nodes[0]
		name := oneFile(t, s)
		m.Disk.Corrupt(name, 50, 3)
		if n, err := m.Scrub(t.Context()); n != 1 || err != nil {
			t.Errorf("%d finds (%v), want 1", n, err)
		}
		if got := m.Disk.Names("segments/"); !slices.Equal(got, []string{name}) {
			t.Errorf("files are %q", got)
		}
	})
}

func TestARottenOpenFrameComesFromAPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		for i, text := range []string{"one", "two", "three"} {
			s.Leader().MustPropose(&fsm.FrameCommand{Key: fsm.Key{byte(i)}, Device: "gate", Resource: "frame", Width: 8, Height: 8, JPEG: []byte(text)})
		}
		s.Agree()
		m := s.Followers()[0]
		m.Disk.Corrupt(m.Disk.Names("frames/")[0], cluster.FrameHeader+1, 0)
		if n, err := m.Scrub(t.Context()); n != 1 || err != nil {
			t.Errorf("%d finds (%v), want 1", n, err)
		}
		s.Wait("the frame", func() bool { return m.Status().Missing == 0 })
		view, err := m.View(context.Background(), cluster.Local)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{"one", "two", "three"} {
			if got, err := view.JPEG(t.Context(), fsm.Seq(i+1)); err != nil || string(got) != want {
				t.Errorf("frame %d is %q (%v)", i+1, got, err)
			}
		}
	})
}
