package cluster_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

// posted is how many readings snapshots posts.
const posted = 3 * 300

// snapshots makes every member drop the log of all that is applied: it is kept
// back to the snapshot before the last, and some entries more.
func snapshots(tb testing.TB, s *clustertest.Site) {
	tb.Helper()
	for range 3 {
		s.Agree()
		for _, m := range s.Up() {
			if err := m.Snapshot(); err != nil {
				tb.Fatal(err)
			}
		}
		post(tb, s, 0, posted/3)
	}
	s.Agree()
}

func TestFetchingASegmentGoesOnWhereACutLinkEndedIt(t *testing.T) {
	const seed = 1
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		random := rand.NewChaCha8([32]byte{seed})
		const pictures, size, cut = 4, 900_000, 7
		var want [][]byte
		for i := range pictures {
			jpeg := make([]byte, size)
			_, _ = random.Read(jpeg) // it never fails
			want = append(want, jpeg)
			s.Leader().MustPropose(&fsm.FrameCommand{Key: fsm.Key{byte(i)}, Device: "gate", Resource: "frame", Width: 8, Height: 8, JPEG: jpeg})
		}
		s.Leader().MustPropose(&fsm.CutCommand{})
		snapshots(t, s)

		var calls atomic.Int32
		pieces := func(bytes int) int32 { return int32((bytes + cluster.FetchChunk - 1) / cluster.FetchChunk) }
		s.Network.Watch(func(from, _ raft.ServerAddress, method string) {
			if method != "file" || from != "n4:7420" {
				return
			}
			if calls.Add(1) == cut {
				s.Network.Isolate(from, true)
			}
		})
		added := s.Add("n4")
		s.Wait("cut link", func() bool { return calls.Load() == cut })
		<-time.After(10 * time.Second)
		if n := calls.Load(); n != cut {
			t.Errorf("%d calls over a cut link, want %d", n, cut)
		}
		if got := parts(added); len(got) == 0 {
			t.Errorf("nothing is kept of the first pieces; files are %q", added.Disk.Names(""))
		}
		s.Network.Isolate(added.Address, false)
		s.Wait("all segments", func() bool { return added.Status().LastFrame == pictures && added.Status().Missing == 0 })
		// Some pieces came before the cut and one was lost in it.
		if most := pieces(pictures*size+100_000) + 1; calls.Load() > most {
			t.Errorf("%d calls for one segment, want at most %d: it began again", calls.Load(), most)
		}
		if got := parts(added); len(got) != 0 {
			t.Errorf("%q are left over", got)
		}
		view, err := added.View(t.Context(), cluster.Local)
		if err != nil {
			t.Fatal(err)
		}
		for i, jpeg := range want {
			if got, err := view.JPEG(t.Context(), fsm.Seq(i+1)); err != nil || !bytes.Equal(got, jpeg) {
				t.Errorf("frame %d has %d bytes (%v), not those of the camera", i+1, len(got), err)
			}
		}
		s.Network.Watch(nil)
	})
}

// parts are the files in which a member gathers segments.
func parts(m *clustertest.Member) (names []string) {
	for _, name := range m.Disk.Names("segments/") {
		if strings.HasSuffix(name, ".part") {
			names = append(names, name)
		}
	}
	return names
}
