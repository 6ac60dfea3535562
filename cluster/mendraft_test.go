package cluster_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"skerry/cluster"
	"skerry/cluster/disk"
	"skerry/internal/clustertest"
)

// swept is a site of three of which one follower holds two snapshots and log.
func swept(t *testing.T) *sweep {
	w := &sweep{t: t, s: clustertest.Open(t, 3, nil)}
	w.m = w.s.Followers()[0]
	w.fill()
	return w
}

// flip flips a bit in the middle of a file.
func flip(tb testing.TB, m *clustertest.Member, name string) {
	tb.Helper()
	if !m.Disk.Corrupt(name, int64(len(content(tb, m, name))/2), 3) {
		tb.Fatalf("%s was not damaged", name)
	}
}

func TestANodeThatFellBackFromARottenSnapshotSurvivesTheNextOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := swept(t)
		server := id(t, w.m)
		for range 4 { // each time the newest rots
			w.m.Stop()
			names := w.m.Disk.Names(snapshotFiles)
			slices.SortFunc(names, func(a, b string) int { return len(a) - len(b) })
			newest := names[len(names)-1]
			flip(t, w.m, newest)
			w.m.Start(3)
			w.s.Wait("repair", func() bool {
				r := w.m.Status().Scrub.Rot.Snapshots
				return r == cluster.RotCount{Found: 1, Repaired: 1} && len(w.m.Disk.Names(snapshotFiles)) == 2
			})
			if slices.Contains(w.m.Disk.Names(snapshotFiles), newest) {
				t.Errorf("%s is still there", newest)
			}
			if now := id(t, w.m); now != server {
				t.Fatalf("the node came back as another server: %s", w.m.Said())
			}
		}
	})
}

func TestANodeWhoseOnlySnapshotRottedStartsFromAWholeLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLone(t)
		l.mustOpen()
		l.post(20)
		l.snapshot()
		l.post(20)
		l.stop()
		l.rot()
		l.mustOpen()
		if got := l.node.Status().LastSeq; got != 40 {
			t.Errorf("the node came back with %d readings, want 40", got)
		}
		l.stop()
	})
}

func TestAnInstalledSnapshotIsSoonKeptTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		m := s.Followers()[0]
		m.Stop()
		for i := range 3 {
			post(t, s, 300*i, 300)
			for _, up := range s.Up() {
				if err := up.Snapshot(); err != nil {
					t.Fatal(err)
				}
			}
		}
		m.Disk = disk.NewMemory()
		m.Start(3)
		s.Wait("a new server with two snapshots", func() bool { return m.Status().LastSeq == 900 && len(m.Disk.Names(snapshotFiles)) == 2 })
		s.Wait("a voter", func() bool { return m.Status().State == "follower" })
		server := id(t, m)
		m.Stop()
		names := m.Disk.Names(snapshotFiles)
		flip(t, m, names[1])
		m.Start(3)
		s.Wait("all readings", func() bool { return m.Status().LastSeq == 900 && m.Status().Ready })
		if now := id(t, m); now != server {
			t.Errorf("the node came back as another server: %s", m.Said())
		}
	})
}

// A snapshot holds what the damaged entry did, so nothing is missing.
func TestRotBeforeTheNewestSnapshotMakesNobodyConvalescent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := swept(t)
		w.m.Stop()
		if !w.m.Disk.Corrupt("raft/log/0000000000000001.log", 8192+100, 1) {
			t.Fatal("the log was not damaged")
		}
		for _, m := range w.s.Up() { // nobody is there to heal it
			m.Stop()
		}
		w.m.Start(3)
		first := w.m.Status().Scrub.Rot.Log
		if first != (cluster.RotCount{Found: 1, Repaired: 1}) {
			t.Errorf("of the log %+v, want one find and one repair", first)
		}
		for _, m := range w.s.Nodes {
			if m.Node == nil {
				m.Start(3)
			}
		}
		w.s.Leader()
		w.settled("the log")
		w.m.Stop()
		w.m.Start(3)
		w.s.Leader()
		if again := w.m.Status().Scrub.Rot.Log; again.Found != 0 {
			t.Errorf("the next start finds it again: %+v", again)
		}
	})
}
