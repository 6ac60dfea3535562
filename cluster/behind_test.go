package cluster_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

// A node that starts from a snapshot has files of cuts that it has not applied
// again yet. Rows that its state has open, or does not have, are not read from
// them.
func TestAFileThatIsAheadOfTheStateIsReadAsFarAsTheState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		m := s.Followers()[0]
		frame := func(i int) {
			s.Leader().MustPropose(&fsm.FrameCommand{Key: fsm.Key{byte(i)}, Device: "gate", Resource: "frame", Width: 8, Height: 8, JPEG: fmt.Appendf(nil, "picture %d", i)})
		}
		for i := range 3 {
			frame(i)
			cutUp(t, s, 10*i, 1, 10)
		}
		post(t, s, 30, 5)
		frame(3)
		s.Agree()
		if err := m.Snapshot(); err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			frame(4 + i)
			cutUp(t, s, 35+10*i, 1, 10)
		}
		s.Wait("one file", func() bool {
			return slices.Contains(segmentFiles(m, "readings"), fileName(1, 85)) && slices.Contains(segmentFiles(m, "frames"), fileName(1, 9))
		})
		<-time.After(2 * time.Minute)

		m.Crash()
		s.Network.Isolate(m.Address, true) // so that it applies nothing more
		m.Start(3)
		if got := len(history(t, m, cluster.Local)); got != 35 {
			t.Errorf("%d readings after the start, want 35", got)
		}
		view, err := m.View(context.Background(), cluster.Local)
		if err != nil {
			t.Fatal(err)
		}
		page, err := view.Range(context.Background(), cluster.Query{Device: "pump-7", Resource: "temperature", From: 0, To: math.MaxInt64, Limit: 100})
		if err != nil || len(page.Readings) != 35 {
			t.Errorf("the series has %d readings (%v), want 35", len(page.Readings), err)
		}
		scan := view.Scan(cluster.ScanQuery{From: math.MinInt64, To: math.MaxInt64})
		defer scan.Close()
		if got := drain(t, scan, 35, 100, 10); len(got) != 35 || got[34] != 35 {
			t.Errorf("the scan gives %v, want 1 to 35", got)
		}
		if frames, err := view.FramesAfter(context.Background(), 0, 100); err != nil || len(frames) != 4 {
			t.Errorf("%d frames (%v), want 4", len(frames), err)
		}
		s.Network.Isolate(m.Address, false)
		s.Agree()
		wantCount(t, s, 85)
	})
}
