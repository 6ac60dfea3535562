package cluster_test

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/cluster/disk"
	"skerry/internal/clustertest"
)

// cardReplaced has a follower's card replaced by an empty one, and returns an image of
// the first, made before.
func cardReplaced(t *testing.T) (s *clustertest.Site, m *clustertest.Member, first clustertest.Image) {
	s = clustertest.Open(t, 3, nil)
	post(t, s, 0, 3)
	noted(s)
	s.Agree()
	m = s.Followers()[0]
	m.Crash()
	first = m.Image()
	m.Disk = disk.NewMemory()
	m.Start(3)
	s.Wait("new server in its place", inPlace(s, m))
	post(t, s, 3, 3)
	s.Agree()
	return s, m, first
}

// The card that was replaced is put back.
func TestARemovedServerThatComesBackEntersAsANewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, m, first := cardReplaced(t)
		m.Crash()
		m.Put(first)
		for range 2 { // the same once more: its starts are counted anew each time
			m.Start(3)
			wantRemoved(t, m)
			m.Crash()
			m.Start(3)
			s.Wait("new server in its place", inPlace(s, m))
			s.Agree()
			wantCount(t, s, 6)
			m.Crash()
			m.Put(first)
		}
		m.Disk = disk.NewMemory()
		m.Start(3)
	})
}

// A node is cut off, and another one takes its name and goes; the first was running
// all the time.
func TestAServerThatIsRemovedWhileItRunsEntersAsANewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		post(t, s, 0, 3)
		s.Agree()
		<-time.After(time.Second) // all have told that they are in the site
		cut := s.Followers()[0]
		was := id(t, cut)
		s.Network.Isolate(cut.Address, true)
		if err := s.Leader().Remove(was); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute) // it cannot ask, and nobody adds it
		for _, m := range s.Leader().Members() {
			if m.ID == string(was) && m.Role != "joining" {
				t.Errorf("the removed server is a %s of the site", m.Role)
			}
		}
		s.Network.Isolate(cut.Address, false)
		wantRemoved(t, cut)
		cut.Crash()
		cut.Start(3)
		s.Wait("new server in its place", inPlace(s, cut))
		if now := id(t, cut); now == was {
			t.Errorf("it is still %s", was)
		}
		wantCount(t, s, 3)
	})
}

func wantRemoved(t *testing.T, m *clustertest.Member) {
	t.Helper()
	if err := m.Failed(); !errors.Is(err, cluster.ErrQuarantined) || !strings.Contains(err.Error(), "has removed this server") {
		t.Fatalf("a server that its site removed ended with %v, want that it is set aside", err)
	}
}

func inPlace(s *clustertest.Site, m *clustertest.Member) func() bool {
	return func() bool { return voters(s) == 3 && m.Status().Missing == 0 && m.Status().LastSeq > 0 }
}

// voters are those of the leader's configuration.
func voters(s *clustertest.Site) (n int) {
	for _, m := range s.Leader().Members() {
		if m.Role == "voter" || m.Role == "leader" {
			n++
		}
	}
	return n
}

// A site is restored on one node while another still has its directory of before.
func TestADirectoryOfAnotherHistoryOfTheSiteIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		post(t, s, 0, 3)
		first, old, last := s.Nodes[0], s.Nodes[1], s.Nodes[2]
		if err := old.Snapshot(); err != nil {
			t.Fatal(err)
		}
		var file bytes.Buffer
		if err := first.Save(t.Context(), &file); err != nil {
			t.Fatal(err)
		}
		post(t, s, 3, 3) // which the file does not have
		for _, m := range s.Nodes {
			m.Crash()
		}
		beginFrom(t, s, first, &file, dir)
		before := unlogged(t, old)
		old.Start(3)
		if err := old.Failed(); !errors.Is(err, cluster.ErrOtherHistory) {
			t.Errorf("a directory of before ended with %v, want ErrOtherHistory", err)
		}
		old.Crash()
		for name, was := range unlogged(t, old) {
			if was != before[name] {
				t.Errorf("it was refused and has changed %s", name)
			}
		}
		for _, m := range []*clustertest.Member{old, last} {
			m.Disk = disk.NewMemory()
			m.Start(3)
		}
		s.Wait("three nodes", inPlace(s, last))
		wantCount(t, s, 3)
	})
}

// beginFrom restores a file to a member that is down, by way of a directory, and waits
// until that leads.
func beginFrom(t *testing.T, s *clustertest.Site, m *clustertest.Member, file *bytes.Buffer, dir string) {
	t.Helper()
	if _, err := cluster.Restore(bytes.NewReader(file.Bytes()), int64(file.Len()), cluster.RestoreConfig{Dir: dir, Name: m.Name}); err != nil {
		t.Fatal(err)
	}
	m.Disk = loaded(t, dir)
	m.Start(3)
	s.Wait("restored site", func() bool { return m.Status().Ready })
}

// loaded is a disk that holds what a directory does.
func loaded(t *testing.T, dir string) *disk.Memory {
	t.Helper()
	from, to := disk.NewOS(dir), disk.NewMemory()
	names, err := disk.Walk(from, ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := disk.ReadFile(from, name, 1<<30)
		if err == nil {
			err = disk.WriteFile(to, name, func(w io.Writer) error { _, err := w.Write(b); return err })
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}
