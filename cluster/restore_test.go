package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"skerry/cluster"
	"skerry/cluster/archive"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

// saved is a file of a site with cuts of readings and frames and an open head,
// and how many readings there were when it was asked for.
func saved(tb testing.TB) (file []byte, acked uint64) {
	tb.Helper()
	s := clustertest.Open(tb, 3, nil)
	m := s.Followers()[0]
	for i := range 3 {
		post(tb, s, i*10, 10)
		m.MustPropose(pictureOf(byte(i + 1)))
		if i < 2 {
			m.MustPropose(fsm.CutCommand{})
		}
	}
	acked = 30
	var b bytes.Buffer
	if err := m.Save(tb.Context(), &b); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes(), acked
}

// founder starts a node on a restored directory.
func founder(tb testing.TB, dir string) *cluster.Node {
	tb.Helper()
	n, err := cluster.Open(cluster.Config{
		Name: "n9", Site: "test", Dir: dir, Cluster: "127.0.0.1:0", Gossip: "127.0.0.1:0", Advertise: "127.0.0.1", BootstrapExpect: 3,
	})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- n.Run(ctx) }()
	tb.Cleanup(func() {
		stop()
		if err := errors.Join(<-ran, n.Close()); err != nil {
			tb.Error(err)
		}
	})
	for end := time.Now().Add(time.Minute); !n.Status().Ready || n.Status().State != "leader"; <-time.After(10 * time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("the restored node does not lead: %+v", n.Status())
		}
	}
	return n
}

func TestASiteIsRestoredFromItsFile(t *testing.T) {
	file, acked := saved(t)
	was, err := cluster.Inspect(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	if was.Site != "test" || was.FirstSeq != 1 || was.LastSeq != acked || was.LastFrame != 3 || was.Incarnation != 1 || was.OpenFrames != 1 {
		t.Errorf("the file says of itself %+v", was)
	}
	dir := filepath.Join(t.TempDir(), "n9")
	m, err := cluster.Restore(bytes.NewReader(file), int64(len(file)), cluster.RestoreConfig{Dir: dir, Name: "n9", Site: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if m.Incarnation != 2 || m.Lineage == was.Lineage || m.Digest == was.Digest {
		t.Errorf("the restored history is %+v, want the next incarnation with a lineage of its own", m)
	}
	n := founder(t, dir)
	view, err := n.View(t.Context(), cluster.Linearizable)
	if err != nil {
		t.Fatal(err)
	}
	got, err := view.After(t.Context(), 0, 1000)
	if err != nil || uint64(len(got)) != acked {
		t.Fatalf("%d readings came back (%v), want %d", len(got), err, acked)
	}
	for i, r := range got {
		if r.Seq != fsm.Seq(i+1) {
			t.Errorf("reading %d has seq %d", i+1, r.Seq)
		}
	}
	for i := 1; i <= 3; i++ {
		if jpeg, err := view.JPEG(t.Context(), fsm.Seq(i)); err != nil || !bytes.Equal(jpeg, pictureOf(byte(i)).JPEG) {
			t.Errorf("frame %d came back as %q (%v)", i, jpeg, err)
		}
	}
	r, err := n.Propose(t.Context(), clustertest.Reading(t, "d", "r", 1, 1))
	if err != nil || r.Outcomes[0].First != fsm.Seq(acked+1) {
		t.Errorf("the next reading is %+v (%v), want seq %d", r, err, acked+1)
	}
	if st := n.Status(); st.Missing != 0 {
		t.Errorf("%d cuts are missing", st.Missing)
	}
}

func TestARestoreThatIsRefusedTouchesNothing(t *testing.T) {
	file, _ := saved(t)
	flipped := bytes.Clone(file)
	flipped[len(flipped)/2] ^= 1
	newer := bytes.Clone(file)
	newer[8]++
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, dir, site string
		file            []byte
		err             error
		advice          string
	}{
		{"cut short", "", "", file[:len(file)-1], archive.ErrDamaged, "take another copy"},
		{"with a flipped bit", "", "", flipped, archive.ErrDamaged, "take another copy"},
		{"of a newer version", "", "", newer, archive.ErrNewer, "use that version"},
		{"something else", "", "", []byte("not this one at all"), archive.ErrNot, "not a snapshot file"},
		{"of another site", "", "other", file, nil, `is of site "test", not "other"`},
		{"into a directory in use", full, "", file, nil, "is not empty: name another --data"},
	} {
		t.Run(c.name, func(t *testing.T) {
			parent := t.TempDir()
			dir := c.dir
			if dir == "" {
				dir = filepath.Join(parent, "data")
			}
			_, err := cluster.Restore(bytes.NewReader(c.file), int64(len(c.file)), cluster.RestoreConfig{Dir: dir, Name: "n9", Site: c.site})
			if err == nil || !strings.Contains(err.Error(), c.advice) || c.err != nil && !errors.Is(err, c.err) {
				t.Errorf("err = %v, want %q", err, c.advice)
			}
			if names, _ := os.ReadDir(parent); len(names) != 0 {
				t.Errorf("it left %v", names)
			}
		})
	}
}

func TestEveryFlippedByteOfASnapshotFileIsFound(t *testing.T) {
	file, _ := saved(t)
	step := max(1, len(file)/500)
	for i := 0; i < len(file); i += step {
		file[i] ^= 0x10
		if _, err := cluster.Inspect(bytes.NewReader(file), int64(len(file))); err == nil {
			t.Errorf("byte %d of %d is flipped and nothing is found", i, len(file))
		}
		file[i] ^= 0x10
	}
}
