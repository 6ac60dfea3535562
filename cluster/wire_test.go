package cluster_test

import (
	"encoding/hex"
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

func TestASegmentIsServedFromAnyOffset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, cut := segmentSite(t)
		var whole []byte
		m.Of().Wait("an answer", func() bool {
			b, err := m.ServeSegment(cluster.AppendSegmentRequest(nil, fsm.Readings, cut, 0))
			if err == nil {
				whole = b
			}
			return err == nil
		})
		size := int64(len(whole) - 8)
		for offset, want := range map[int64]int64{0: size, 4: size - 4, size: 0, size + 1: 0, 1 << 62: 0, -1: 0} {
			b, err := m.ServeSegment(cluster.AppendSegmentRequest(nil, fsm.Readings, cut, offset))
			if err != nil || int64(len(b)-8) != want || string(b[8:]) != string(whole[8+size-want:]) {
				t.Errorf("from %d on come %d bytes (%v), want the last %d", offset, len(b)-8, err, want)
			}
		}
		other := cut
		other.Digest[0]++
		if b, err := m.ServeSegment(cluster.AppendSegmentRequest(nil, fsm.Readings, other, 0)); err == nil {
			t.Errorf("a cut that it does not have is answered with %d bytes", len(b))
		}
	})
}

func FuzzServeSegment(f *testing.F) {
	m, cut := segmentSite(f)
	f.Add([]byte{})
	f.Add(cluster.AppendSegmentRequest(nil, fsm.Readings, cut, 0))
	f.Add(cluster.AppendSegmentRequest(nil, fsm.Frames, cut, 1<<40))
	f.Add(cluster.AppendSegmentRequest(nil, 255, cut, -1))
	f.Fuzz(func(t *testing.T, b []byte) {
		answer, err := m.ServeSegment(b)
		if err == nil && (len(answer) < 8 || len(answer) > 8+cluster.FetchChunk) {
			t.Errorf("an answer of %d bytes", len(answer))
		}
	})
}
