package cluster_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

func TestAFullQueueRefusesForCertainAndLosesNothingItTook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 1, nil)
		m := s.Nodes[0]
		resume := m.StallLog()
		defer resume()
		// More than a queue of 16 MiB holds, each with much in it.
		const n, records = 1000, 8
		text := fsm.TextValue(strings.Repeat("x", 4<<10))
		var mu sync.Mutex
		acked, overloaded := 0, 0
		var wg sync.WaitGroup
		for i := range n {
			b := clustertest.Reading(t, "d", "r", int64(i+1)*1e6, 0)
			item := &b.Items[0]
			item.Records[0].Value = text
			for j := 1; j < records; j++ {
				r := item.Records[0]
				r.Time += int64(j)
				item.Records = append(item.Records, r)
			}
			wg.Go(func() {
				_, err := m.Propose(context.Background(), b)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					acked++
				case errors.Is(err, cluster.ErrOverloaded):
					overloaded++
				default:
					t.Errorf("err = %v, want none or ErrOverloaded", err)
				}
			})
		}
		synctest.Wait()
		if overloaded == 0 || acked != 0 {
			t.Errorf("%d are refused and %d acknowledged while the log stalls, want some and none", overloaded, acked)
		}
		<-time.After(time.Second)
		resume()
		wg.Wait()
		if acked+overloaded != n || acked == 0 {
			t.Errorf("%d acknowledged and %d refused of %d", acked, overloaded, n)
		}
		if got := m.Status().LastSeq; got != uint64(acked*records) {
			t.Errorf("%d readings are stored, want the %d acknowledged", got, acked*records)
		}
		m.MustPropose(clustertest.Reading(t, "d", "r", 1, 1)) // there is room again
	})
}

func TestAfterItsEndANodeRefusesForCertain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 1, nil)
		node := s.Nodes[0].Node
		s.Nodes[0].Stop()
		start := time.Now()
		if _, err := node.Propose(context.Background(), clustertest.Reading(t, "d", "r", 1e6, 1)); err == nil || errors.Is(err, cluster.ErrUnknown) {
			t.Errorf("a proposal: %v, want a certain refusal", err)
		}
		if _, err := node.View(context.Background(), cluster.Linearizable); err == nil {
			t.Error("a linearizable view of a node that ended")
		}
		if took := time.Since(start); took > time.Minute {
			t.Errorf("the refusals took %s", took)
		}
	})
}
