package cluster_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"skerry/fsm"
	"skerry/internal/clustertest"
)

// TestAnOfferIsAnsweredOnceWhateverEndsFirst ends the context of offers about
// when they are decided, at a node that leads and at one that does not.
func TestAnOfferIsAnsweredOnceWhateverEndsFirst(t *testing.T) {
	const offers = 150 // to each node
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		chance := rand.New(rand.NewPCG(seed, 0))
		for _, m := range s.Up() {
			m.SlowLog(func() time.Duration { return time.Millisecond })
		}
		var mu sync.Mutex
		answers, stored := map[fsm.Key]int{}, map[fsm.Key]bool{}
		for i, m := range s.Up() {
			for j := range offers {
				b := clustertest.Reading(t, fmt.Sprintf("d%d", i), "r", int64(j+1)*1e6, 1)
				k := b.Items[0].Key
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(chance.IntN(6_000))*time.Microsecond)
				defer cancel()
				m.Offer(ctx, b, func(r fsm.Result, err error) {
					mu.Lock()
					defer mu.Unlock()
					answers[k]++
					stored[k] = err == nil && r.Outcomes[0].Code == fsm.Stored
				})
			}
		}
		s.Wait("all answers", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(answers) == 3*offers
		})
		time.Sleep(70 * time.Second) // of the test's own clock: nothing is on its way any more
		s.Agree()
		yes := 0
		for k, n := range answers {
			if n != 1 {
				t.Errorf("an offer was answered %d times", n)
			}
			if !stored[k] {
				continue
			}
			yes++
			if _, ok := s.Leader().Known(k, 0); !ok {
				t.Error("an offer was answered as stored, and is not there")
			}
		}
		t.Logf("%d of %d offers were answered as stored, %d are", yes, len(answers), s.Leader().Status().LastSeq)
	})
}
