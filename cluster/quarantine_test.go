package cluster_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/cluster/disk"
	"skerry/internal/clustertest"
)

func TestAServerThatIsNotTrustedComesBackAsAnotherByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		post(t, s, 0, 30)
		m := s.Followers()[0]
		was := id(t, m)
		m.Quarantine(errors.New("for a test"))
		if err := m.Failed(); !errors.Is(err, cluster.ErrQuarantined) {
			t.Errorf("it ends with %v, want ErrQuarantined", err)
		}
		m.Crash()
		m.Start(3)
		s.Wait("another server in its place", func() bool {
			members := s.Leader().Members()
			for _, member := range members {
				if member.ID == string(was) || (member.Role != "voter" && member.Role != "leader") {
					return false
				}
			}
			return len(members) == 3
		})
		if now := id(t, m); now == was {
			t.Errorf("it is still %s", was)
		}
		wantCount(t, s, 30)
		if got := m.Disk.Names("aside/" + string(was) + "/"); len(got) == 0 {
			t.Error("nothing was set aside")
		}

		// A second one takes the place of the first in the aside directory, and stays
		// out of the site for a minute.
		m.Quarantine(errors.New("for a test, again"))
		_ = m.Failed()
		m.Crash()
		m.Start(3)
		for range 55 {
			<-time.After(time.Second)
			if st := m.Status(); st.State != "waiting" {
				t.Fatalf("a server that was replaced twice is %s within a minute, want it waiting", st.State)
			}
		}
		s.Wait("three members", func() bool { return len(s.Leader().Members()) == 3 && m.Status().LastSeq == 30 })
		if got := m.Disk.Names("aside/" + string(was) + "/"); len(got) != 0 {
			t.Errorf("two servers are set aside, one of them with %v", got)
		}
	})
}

func TestTheWaitGrowsWithEachReplacementWithinADayOfTheOneBefore(t *testing.T) {
	day := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	never := time.Unix(1000, 0) // a clock that was never set
	for _, c := range []struct {
		name string
		at   []time.Time
		want time.Duration
	}{
		{"never", nil, 0},
		{"once", []time.Time{day}, 0},
		{"twice", []time.Time{day, day.Add(time.Minute)}, time.Minute},
		{"four times", []time.Time{day, day, day, day}, 4 * time.Minute},
		{"seven times", []time.Time{day, day, day, day, day, day, day}, 32 * time.Minute},
		{"a hundred times", slices.Repeat([]time.Time{day}, 100), time.Hour},
		{"again after more than a day", []time.Time{day, day, day, day.Add(25 * time.Hour)}, 0},
		{"twice by a clock that was never set", []time.Time{never, never}, time.Minute},
		{"twice, the clock stepped back", []time.Time{day, day.Add(-48 * time.Hour)}, time.Minute},
		{"once before the clock was set and once after", []time.Time{never, day}, 0},
	} {
		if got := cluster.ReplaceWait(c.at); got != c.want {
			t.Errorf("replaced %s: the wait is %s, want %s", c.name, got, c.want)
		}
	}
}

func TestTheOnlyServerOfASiteIsNotSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 1, nil)
		post(t, s, 0, 3)
		m := s.Nodes[0]
		m.Quarantine(errors.New("for a test"))
		if err := m.Failed(); errors.Is(err, cluster.ErrQuarantined) || !strings.Contains(err.Error(), "only node of its site") {
			t.Errorf("it ends with %v, want that it is the only node", err)
		}
		m.Crash()
		m.Start(1)
		s.Leader()
		wantCount(t, s, 3)
	})
}

// A power cut may come at any step of setting aside: the next start ends it, and
// nothing of the old server is left in the new one's place, or lost.
func TestSettingAsideSurvivesAPowerCutAtAnyStep(t *testing.T) {
	files := map[string]string{"raft/log": "entries", "segments/readings/1-9.parquet": "rows", "seen.json": "[]"}
	for step := 1; ; step++ {
		d := disk.NewMemory()
		put := func(name, text string) {
			t.Helper()
			if err := disk.WriteFile(d, name, func(w io.Writer) error {
				_, err := io.WriteString(w, text)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		for name, text := range files {
			put(name, text)
		}
		put("node.json", `{"format":1,"site":"demo","name":"n1","id":"n1.old","in_site":true}`)
		put("quarantine.json", `{"site":"demo","name":"n1","server":"n1.old","reason":"test"}`)
		cut := &cutAfter{Memory: d}
		cut.left.Store(int64(step))
		if n, err := cluster.Open(inMemory(cut)); err == nil {
			_ = n.Close()
		}
		d.Cut()
		n, err := cluster.Open(inMemory(d))
		if err != nil {
			t.Fatalf("cut at step %d: %v", step, err)
		}
		for name, text := range files {
			b, err := disk.ReadFile(d, "aside/n1.old/"+name, 1<<10)
			if err != nil || string(b) != text {
				t.Errorf("cut at step %d: %s is set aside as %q (%v), want %q", step, name, b, err, text)
			}
			if name == "seen.json" {
				continue // the new server may have one
			}
			if _, err := disk.ReadFile(d, name, 1<<10); err == nil {
				t.Errorf("cut at step %d: %s is still in place", step, name)
			}
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		if cut.left.Load() > 0 {
			return // it came to its end
		}
	}
}

// cutAfter is a disk whose power goes after so many changes.
type cutAfter struct {
	*disk.Memory
	left atomic.Int64
}

var errCut = errors.New("the power was cut")

func (c *cutAfter) step() error {
	if c.left.Add(-1) < 0 {
		return errCut
	}
	return nil
}

func (c *cutAfter) Create(name string) (disk.File, error) {
	if err := c.step(); err != nil {
		return nil, err
	}
	return c.Memory.Create(name)
}

func (c *cutAfter) Rename(from, to string) error { return errors.Join(c.step(), c.rename(from, to)) }

func (c *cutAfter) rename(from, to string) error {
	if c.left.Load() < 0 {
		return nil
	}
	return c.Memory.Rename(from, to)
}

func (c *cutAfter) Remove(name string) error {
	if err := c.step(); err != nil {
		return err
	}
	return c.Memory.Remove(name)
}

func (c *cutAfter) SyncDir(dir string) error {
	if err := c.step(); err != nil {
		return err
	}
	return c.Memory.SyncDir(dir)
}

func TestAMarkedDirectoryOfAnotherIsRefusedAndNotTouched(t *testing.T) {
	for _, c := range []struct{ name, node, mark, advice string }{
		{"of another node", `{"format":1,"site":"demo","name":"n2","id":"n2.1"}`, `{"site":"demo","name":"n2","server":"n2.1"}`, "check --data"},
		{"of another site", `{"format":1,"site":"other","name":"n1","id":"n1.1"}`, `{"site":"other","name":"n1","server":"n1.1"}`, "check --data"},
		{"of a newer format", `{"format":99,"site":"demo","name":"n1","id":"n1.1"}`, `{"site":"demo","name":"n1","server":"n1.1"}`, "upgrade this node"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := disk.NewMemory()
			for name, text := range map[string]string{"node.json": c.node, "quarantine.json": c.mark} {
				if err := disk.WriteFile(d, name, func(w io.Writer) error { _, err := io.WriteString(w, text); return err }); err != nil {
					t.Fatal(err)
				}
			}
			wantRefused(t, inMemory(d), c.advice)
			if got := d.Names(""); len(got) != 2 {
				t.Errorf("the directory has %v, want what it had", got)
			}
		})
	}
}
