package cluster_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

func pictureOf(key byte) *fsm.FrameCommand {
	return &fsm.FrameCommand{
		Key: fsm.Key{key}, Device: "gate", Resource: "frame", Width: 8, Height: 8, JPEG: fmt.Appendf(nil, "picture %d", key),
	}
}

// wantFrames reads frames 1..n of every member from its own files.
func wantFrames(tb testing.TB, s *clustertest.Site, n int) {
	tb.Helper()
	for _, m := range s.Up() {
		view, err := m.View(context.Background(), cluster.Local)
		if err != nil {
			tb.Fatal(err)
		}
		for i := 1; i <= n; i++ {
			want := pictureOf(byte(i)).JPEG
			if got, err := view.JPEG(context.Background(), fsm.Seq(i)); err != nil || !bytes.Equal(got, want) {
				tb.Errorf("%s has frame %d as %q (%v), want %q", m.Name, i, got, err, want)
			}
		}
	}
}

// The first frame of a day comes in the very entry that cuts the day before.
func TestTheFirstFrameOfADayOutlivesASnapshotAndACrashOfAllNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		s.Leader().MustPropose(pictureOf(1))
		for _, m := range s.Nodes {
			m.StepClock(24 * time.Hour)
		}
		s.Leader().MustPropose(pictureOf(2))
		s.Leader().MustPropose(pictureOf(3))
		s.Agree()
		for _, m := range s.Nodes {
			if err := m.Snapshot(); err != nil {
				t.Fatal(err)
			}
		}
		for _, m := range s.Nodes {
			m.Crash()
		}
		for _, m := range s.Nodes {
			m.Start(3)
		}
		s.Leader()
		s.Agree()
		wantFrames(t, s, 3)
	})
}
