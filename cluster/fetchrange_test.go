package cluster_test

import (
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/cluster/disk"
	"skerry/fsm"
	"skerry/fsm/segment"
	"skerry/internal/clustertest"
)

// A new node gets merged files as they are, and single cuts out of them where
// it has the others.
func TestANewNodeFetchesMergedFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		cutUp(t, s, 0, 8, 10)
		<-time.After(2 * time.Minute)
		snapshots(t, s)
		added := s.Add("n4")
		s.Wait("all rows", func() bool { return added.Status().LastSeq == 80+posted && added.Status().Missing == 0 })
		if got := segmentFiles(added, "readings"); !slices.Contains(got, fileName(1, 80)) {
			t.Errorf("files are %q, want the merged one", got)
		}
		s.Agree()
		if got := len(history(t, added, cluster.Local)); got != 80+posted {
			t.Errorf("%d readings, want %d", got, 80+posted)
		}
	})
}

func TestOfAPeersLargerFileOnlyWhatIsMissingIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keeps := ""
		s := clustertest.Open(t, 3, nil, func(c *cluster.Config) { c.Seams.Unmerged = c.Name == keeps })
		cutUp(t, s, 0, 8, 10) // merged everywhere, to 1-80
		<-time.After(2 * time.Minute)
		cutUp(t, s, 80, 1, 10)
		for range 3 {
			for _, m := range s.Up() {
				if err := m.Snapshot(); err != nil {
					t.Fatal(err)
				}
			}
			post(t, s, 90, 300)
		}
		// n1 has other files of the same rows, and one cut not at all.
		m := s.Nodes[0]
		keeps = m.Name
		m.Stop()
		other := s.Nodes[1]
		replace(t, other, m, [][2]int{{1, 30}, {41, 90}})
		m.Start(3)
		s.Leader()
		s.Wait("the missing cut", func() bool { return m.Status().Missing == 0 })
		want := []string{fileName(1, 30), fileName(31, 40), fileName(41, 90)}
		if got := segmentFiles(m, "readings"); !slices.Equal(got, want) {
			t.Errorf("files are %q, want %q", got, want)
		}
		s.Agree()
		if got := len(history(t, m, cluster.Local)); got != 90+900 {
			t.Errorf("%d readings, want %d", got, 90+900)
		}
	})
}

// replace puts files of these rows in the place of those that a member has, which
// is down. Another one has the rows.
func replace(tb testing.TB, of, on *clustertest.Member, parts [][2]int) {
	tb.Helper()
	const dir = "segments/readings/"
	view, err := of.View(tb.Context(), cluster.Local)
	if err != nil {
		tb.Fatal(err)
	}
	for _, name := range segmentFiles(on, "readings") {
		if err := on.Disk.Remove(dir + name); err != nil {
			tb.Fatal(err)
		}
	}
	for _, p := range parts {
		var span fsm.Cut
		for _, c := range view.Cuts(fsm.Readings, fsm.Seq(p[0])) {
			if span.First == 0 {
				span = c
			} else if c.Last <= fsm.Seq(p[1]) {
				span.Last = c.Last
				span.Digest.Add(c.Digest)
			}
		}
		rows, err := view.After(tb.Context(), span.First-1, span.Rows())
		if err != nil {
			tb.Fatal(err)
		}
		err = disk.WriteFile(on.Disk, dir+fileName(p[0], p[1]), func(w io.Writer) error {
			_, err := segment.WriteReadings(w, "test", span, rows)
			return err
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
}
