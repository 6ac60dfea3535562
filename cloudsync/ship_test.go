package cloudsync_test

import (
	"testing"

	"skerry/fsm"
)

func TestSyncerShipsWhatIsClosed(t *testing.T) {
	s := newSite(t)
	bucket, _ := bucketIn(t)
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
}
