package cluster_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"

	"skerry/cluster"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

func TestAResultGoesOverTheWireAndBack(t *testing.T) {
	want := fsm.Result{Index: 3, Outcomes: []fsm.Outcome{
		{Code: fsm.Stored, First: 0x0102}, {Code: fsm.Conflict}, {Code: fsm.Stored, First: 5, Known: true},
	}}
	b := cluster.AppendResult(nil, 7, want)
	const golden = "0700000000000000" + "0300000000000000" +
		"01000201000000000000" + "02000000000000000000" + "01010500000000000000"
	if got := hex.EncodeToString(b); got != golden {
		t.Errorf("bytes %s, want %s", got, golden)
	}
	got, lt, err := cluster.ParseResult(b)
	if err != nil || lt != 7 || !reflect.DeepEqual(got, want) {
		t.Errorf("back come %+v at %d (%v), want %+v at 7", got, lt, err, want)
	}
	for _, n := range []int{0, 15, 17, len(b) - 1} {
		if _, _, err := cluster.ParseResult(b[:n]); err == nil {
			t.Errorf("%d bytes are taken for a result", n)
		}
	}
}

func FuzzParseResult(f *testing.F) {
	f.Add([]byte{})
	f.Add(cluster.AppendResult(nil, 1, fsm.Result{Index: 2}))
	f.Add(cluster.AppendResult(nil, 1, fsm.Result{Index: 2, Outcomes: []fsm.Outcome{{Code: fsm.Stored, First: 9, Known: true}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, lt, err := cluster.ParseResult(b)
		if err != nil {
			return
		}
		again, lt2, err := cluster.ParseResult(cluster.AppendResult(nil, lt, r))
		if err != nil || lt2 != lt || !reflect.DeepEqual(again, r) {
			t.Errorf("%+v at %d becomes %+v at %d (%v)", r, lt, again, lt2, err)
		}
	})
}

// segmentSite is a node with one cut of ten readings.
func segmentSite(tb testing.TB) (*clustertest.Member, fsm.Cut) {
	tb.Helper()
	s := clustertest.Open(tb, 1, nil)
	post(tb, s, 0, 10)
	m := s.Nodes[0]
	m.MustPropose(&fsm.CutCommand{})
	view, err := m.View(tb.Context(), cluster.Local)
	if err != nil {
		tb.Fatal(err)
	}
	cut := view.Cuts(fsm.Readings, 1)[0]
	s.Wait("segment", func() bool { return len(m.Disk.Names("segments/readings/")) == 1 })
	return m, cut
}

func TestAFileIsServedFromAnyOffsetAndForAnySeqOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, cut := segmentSite(t)
		ask := func(seq fsm.Seq, begun []byte, offset int64) ([]byte, error) {
			return m.ServeFile(cluster.AppendFileRequest(nil, fsm.Readings, seq, begun, offset))
		}
		var whole []byte
		m.Of().Wait("an answer", func() bool {
			b, err := ask(cut.First, nil, 0)
			whole = b
			return err == nil
		})
		id, file := whole[:cluster.FileIDSize], whole[cluster.FileIDSize:]
		size := int64(len(file))
		for offset, want := range map[int64]int64{0: size, 4: size - 4, size: 0, size + 1: 0, 1 << 62: 0, -1: 0} {
			b, err := ask(cut.Last, id, offset)
			if err != nil || !bytes.Equal(b[:cluster.FileIDSize], id) || !bytes.Equal(b[cluster.FileIDSize:], file[size-want:]) {
				t.Errorf("from %d on come %d bytes (%v), want the last %d", offset, len(b)-cluster.FileIDSize, err, want)
			}
		}
		other := bytes.Clone(id)
		other[len(other)-1]++
		if b, err := ask(cut.First, other, 4); err != nil || !bytes.Equal(b, whole) {
			t.Errorf("who began with another file hears %d bytes (%v), want it from its beginning", len(b), err)
		}
		if b, err := ask(cut.Last+1, nil, 0); !errors.Is(err, cluster.ErrMissing) {
			t.Errorf("a seq that is in no file is answered with %d bytes (%v)", len(b), err)
		}
	})
}

func TestTheRequestForAFileHasTheseBytes(t *testing.T) {
	begun := cluster.FileID(0x0102, 0x0304, 0x0506, 0x0708)
	got := hex.EncodeToString(cluster.AppendFileRequest(nil, fsm.Frames, 0x1112, begun, 0x1314))
	want := "01" + "1211000000000000" + "0201000000000000" + "0403000000000000" + "0605000000000000" + "08070000" + "1413000000000000"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func FuzzServeFile(f *testing.F) {
	m, cut := segmentSite(f)
	f.Add([]byte{})
	f.Add(cluster.AppendFileRequest(nil, fsm.Readings, cut.First, nil, 0))
	f.Add(cluster.AppendFileRequest(nil, fsm.Frames, cut.First, nil, 1<<40))
	f.Add(cluster.AppendFileRequest(nil, 255, 0, nil, -1))
	f.Fuzz(func(t *testing.T, b []byte) {
		answer, err := m.ServeFile(b)
		if err == nil && (len(answer) < cluster.FileIDSize || len(answer) > cluster.FileIDSize+cluster.FetchChunk) {
			t.Errorf("an answer of %d bytes", len(answer))
		}
	})
}
