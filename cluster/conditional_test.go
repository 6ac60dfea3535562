package cluster_test

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

// only is a reading of d/r under a condition on that series.
func only(tb testing.TB, value float64, c fsm.Condition) *fsm.ConditionalBatch {
	tb.Helper()
	c.Device, c.Resource = "d", "r"
	return &fsm.ConditionalBatch{If: c, Batch: *clustertest.Reading(tb, "d", "r", int64(value+1)*1e6, value)}
}

func TestAMessageWithAConditionIsStoredOnceAtWhicheverNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		c := only(t, 1, fsm.Condition{Missing: true})
		first := s.Nodes[0].MustPropose(c).Outcomes[0]
		for _, m := range s.Nodes {
			if again := m.MustPropose(c).Outcomes[0]; !again.Known || again.First != first.First {
				t.Errorf("%s answers %+v, want the first answer %+v as known", m.Name, again, first)
			}
			if code := refused(t, m, only(t, 2, fsm.Condition{Missing: true})); code != fsm.Precondition {
				t.Errorf("%s answers another message with code %d, want %d", m.Name, code, fsm.Precondition)
			}
		}
		wantCount(t, s, 1)
	})
}

// count adds one to the last reading of d/r, again and again, each time only if
// that is still the last. It returns how often that was acknowledged, and how
// often its outcome is not known.
func count(ctx context.Context, tb testing.TB, n *cluster.Node, times int) (acked, unknown int) {
	for acked+unknown < times {
		view, err := n.View(ctx, cluster.Linearizable)
		if err != nil {
			continue
		}
		last, _ := view.Latest("d", "r")
		r, err := n.Propose(ctx, only(tb, last.Value.Number+1, fsm.Condition{Seqs: []fsm.Seq{last.Seq}}))
		switch {
		case errors.Is(err, cluster.ErrUnknown):
			unknown++
		case err == nil && r.Outcomes[0].Code == fsm.Stored:
			acked++
		}
	}
	return acked, unknown
}

func TestNoUpdateUnderAConditionIsLostWhenLeadersCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		for _, m := range s.Nodes {
			m.SlowLog(func() time.Duration { return 2 * time.Millisecond })
		}
		s.Leader().MustPropose(only(t, 0, fsm.Condition{Missing: true}))
		const times = 40
		var mu sync.Mutex
		acked, unknown := 0, 0
		for range 3 {
			lead := s.Leader()
			var wg sync.WaitGroup
			for _, m := range s.Followers() {
				node := m.Node
				wg.Go(func() {
					a, u := count(t.Context(), t, node, times)
					mu.Lock()
					defer mu.Unlock()
					acked, unknown = acked+a, unknown+u
				})
			}
			<-time.After(101 * time.Millisecond)
			lead.Crash()
			lead.Start(3)
			wg.Wait()
		}
		view, err := s.Leader().View(t.Context(), cluster.Linearizable)
		if err != nil {
			t.Fatal(err)
		}
		last, _ := view.Latest("d", "r")
		if got := int(last.Value.Number); got < acked || got > acked+unknown {
			t.Errorf("it counted to %d, want %d and at most %d more", got, acked, unknown)
		}
		if got := int(last.Seq) - 1; got != int(last.Value.Number) {
			t.Errorf("%d readings count to %v: one was stored twice", got, last.Value)
		}
	})
}

// A copy whose fate is not known may yet come in. Where it would then be stored,
// the refusal of a later copy is not the answer.
func TestARefusedConditionIsTheAnswerOnlyIfAnEarlierCopyIsRefusedToo(t *testing.T) {
	for _, tt := range []struct {
		name   string
		c      fsm.Condition
		copies int // that are sent to the leader that refuses all but the first, at least
		want   fsm.Code
	}{
		{"a series that has a reading will not be without one", fsm.Condition{Missing: true}, 2, fsm.Precondition},
		{"a seq that is not the last will not be", fsm.Condition{Seqs: []fsm.Seq{7}}, 2, fsm.Precondition},
		{"a series without a reading may get one", fsm.Condition{Exists: true}, 3, fsm.Stored},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := clustertest.Open(t, 3, nil)
				copies := 0
				follower, restore := replaced(t, s, func(_ context.Context, method string, body []byte) ([]byte, error) {
					if method != "propose" {
						return nil, errors.New("not asked for here")
					}
					if copies++; copies == 1 {
						return nil, wireCode("unknown")
					}
					answer := binary.LittleEndian.AppendUint64(nil, binary.LittleEndian.Uint64(body[10:])) // its born
					answer = binary.LittleEndian.AppendUint64(answer, 1000)
					return binary.LittleEndian.AppendUint64(append(answer, byte(fsm.Precondition), 0), 0), nil
				})
				got := refused(t, follower, only(t, 5, tt.c))
				if got != tt.want || copies < tt.copies {
					t.Errorf("got code %d after %d copies, want %d after at least %d", got, copies, tt.want, tt.copies)
				}
				restore()
			})
		})
	}
}
