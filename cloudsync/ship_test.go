package cloudsync_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"skerry/cloudsync"
	"skerry/cloudsync/delta"
	"skerry/fsm"
)

func TestSyncerShipsWhatIsClosed(t *testing.T) {
	s := newSite(t)
	bucket, root := bucketIn(t)
	y := newSyncer(s, "n1", bucket)
	leading(s, y)
	for range 3 {
		s.post(100)
		s.snap(2)
		synced(t, y)
	}
	for _, c := range []struct {
		stream fsm.Stream
		want   fsm.Seq
	}{{fsm.Readings, 300}, {fsm.Frames, 6}, {fsm.Gaps, 0}} {
		if got, _ := s.marks(c.stream); got.Prefix() != c.want {
			t.Errorf("%s are synced up to %d, want %d", c.stream, got.Prefix(), c.want)
		}
	}
	sound(t, root)
}

func TestSegmentsGoUpUnchanged(t *testing.T) {
	s := newSite(t)
	bucket, root := bucketIn(t)
	y := newSyncer(s, "n1", bucket)
	leading(s, y)
	s.post(100)
	s.snap(3)
	synced(t, y)
	for _, c := range []struct{ local, shipped string }{
		{"readings-1-100.parquet", "demo/readings/data/2026-11-21/1-100-*.parquet"},
		{"frames-1-3.parquet", "demo/frames/data/2026-11-21/1-3-*.parquet"},
	} {
		want, err := os.ReadFile(filepath.Join(s.dir, c.local))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(only(t, root, c.shipped))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not the node's own %s", c.shipped, c.local)
		}
	}
}

func TestFirstClaimDescribesTheTables(t *testing.T) {
	s := newSite(t)
	bucket, root := bucketIn(t)
	y := newSyncer(s, "n1", bucket)
	leading(s, y)
	waitFor(t, y, "the claim", inState(cloudsync.Idle))
	for table, column := range map[string]string{"readings": "received", "frames": "height", "gaps": "reason"} {
		b, err := os.ReadFile(filepath.Join(root, "demo", table, delta.Name(0)))
		if err != nil {
			t.Fatal(err)
		}
		c, err := delta.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if c.Protocol == nil || c.MetaData == nil || !strings.Contains(c.MetaData.SchemaString, column) {
			t.Errorf("commit 0 of %s = %s, want protocol and a schema with %s", table, b, column)
		}
		if own := c.Own(); own.Range != nil || own.Epoch.Term != 1 || own.Node != "n1" {
			t.Errorf("commit 0 of %s is by %+v, want n1's claim of term 1", table, own)
		}
	}
}

// order records the commits of tables with rows in the order they are made.
func order(names *[]string) func(string, func() error) error {
	return func(name string, put func() error) error {
		if table, _, ok := strings.Cut(strings.TrimPrefix(name, "demo/"), "/_delta_log/"); ok && !strings.HasSuffix(name, delta.Name(0)) {
			*names = append(*names, table)
		}
		return put()
	}
}

func TestGapsOfFramesAreOfTheirOwnSequence(t *testing.T) {
	s := newSite(t)
	bucket, root := bucketIn(t)
	y := newSyncer(s, "n1", bucket)
	s.post(10)
	s.snap(4)
	s.cut()
	s.snap(2)
	s.cut()
	s.dropOf(fsm.Frames, 1, 4, "disk full")
	leading(s, y)
	synced(t, y)
	r := sound(t, root)
	if got := r.Tables[fsm.Frames].Rows; got != 2 || r.DroppedFrames != 4 || r.Dropped != 0 || r.Tables[fsm.Readings].Rows != 10 {
		t.Errorf("%d frames, %d dropped, %d readings with %d dropped: want 2, 4, 10 and 0", got, r.DroppedFrames, r.Tables[fsm.Readings].Rows, r.Dropped)
	}
	table, err := y.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range table.Tables {
		if x.BacklogRows != 0 {
			t.Errorf("%s has a backlog of %d rows, want none", x.Table, x.BacklogRows)
		}
	}
}

func TestGapsAreShippedBeforeTheReadingsAfterThem(t *testing.T) {
	s := newSite(t)
	bucket, root := bucketIn(t)
	var commits []string
	y := newSyncer(s, "n1", seam{bucket, order(&commits)})
	for range 3 {
		s.post(10)
		s.cut()
	}
	s.drop(11, 20, "disk full")
	leading(s, y)
	synced(t, y)
	if want := []string{"gaps", "readings", "readings"}; !slices.Equal(commits, want) {
		t.Errorf("commits = %v, want %v", commits, want)
	}
	if r := sound(t, root); r.Tables[fsm.Readings].Rows != 20 || r.Dropped != 10 {
		t.Errorf("%d rows and %d dropped, want 20 and 10", r.Tables[fsm.Readings].Rows, r.Dropped)
	}
	type row struct {
		Seq      int64  `parquet:"seq"`
		Sequence string `parquet:"sequence"`
		First    int64  `parquet:"first"`
		Last     int64  `parquet:"last"`
		Count    int64  `parquet:"count"`
		Reason   string `parquet:"reason"`
	}
	got, err := parquet.ReadFile[row](only(t, root, "demo/gaps/data/1-1-*.parquet"))
	if want := (row{Seq: 1, First: 11, Last: 20, Count: 10, Sequence: "readings", Reason: "disk full"}); err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("gaps = %+v, %v, want %+v", got, err, want)
	}
}

func TestSyncWaitsForTheLeaderElsewhere(t *testing.T) {
	s := newSite(t)
	bucket, _ := bucketIn(t)
	follower := newSyncer(s, "n2", bucket)
	s.post(10)
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := follower.Sync(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Sync without a leader = %v, want the deadline", err)
	}
	leading(s, newSyncer(s, "n1", bucket))
	synced(t, follower)
	if got, _ := s.marks(fsm.Readings); got.Prefix() != 10 {
		t.Errorf("synced up to %d when the follower's Sync returned, want 10", got.Prefix())
	}
}

func TestStatusCountsTheBacklog(t *testing.T) {
	s := newSite(t)
	bucket, _ := bucketIn(t)
	y := newSyncer(s, "n1", bucket)
	stop := leading(s, y)
	s.post(10)
	synced(t, y)
	st := waitFor(t, y, "rest", inState(cloudsync.Idle))
	if r := st.Tables[0]; r.Synced != 10 || r.Commit != 1 || r.LastCommit == nil || r.LagSeconds != 0 {
		t.Errorf("table = %+v, want 10 rows in commit 1", r)
	}
	stop()
	s.post(5)
	s.cut()
	s.post(5)
	received := time.UnixMicro(s.readings[10].Received)
	st, err := y.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(s.dir, "readings-11-15.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	r := st.Tables[0]
	if st.State != cloudsync.Following || r.Last != 20 || r.BacklogRows != 10 || r.BacklogBytes != info.Size() {
		t.Errorf("status = %+v, want following, 10 rows and %d bytes to go", st, info.Size())
	}
	if lag := max(0, time.Since(received).Seconds()); r.LagSeconds > lag {
		t.Errorf("lag = %g s, want at most %g", r.LagSeconds, lag)
	}
}
