package cluster_test

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster"
	"skerry/cluster/transport"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

// crashes posts at all nodes while the leader loses its power again and again,
// between the append of an entry and its answer as often as not: writes take
// some milliseconds.
func crashes(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 0))
	var mu sync.Mutex
	upTo := func(d time.Duration) time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return time.Duration(random.Int64N(int64(d)))
	}
	s := clustertest.Open(t, 3, nil)
	slow := func(m *clustertest.Member) {
		m.SlowLog(func() time.Duration { return time.Millisecond + upTo(4*time.Millisecond) })
	}
	for _, m := range s.Nodes {
		slow(m)
	}
	const rounds, clients = 3, 6
	acked, posted := map[float64]bool{}, 0
	for range rounds {
		lead := s.Leader()
		var wg sync.WaitGroup
		for i := range clients {
			at, value := s.Nodes[i%len(s.Nodes)].Node, float64(posted+i)
			wg.Go(func() {
				<-time.After(upTo(20 * time.Millisecond))
				b := clustertest.Reading(t, "d", "r", int64(value+1)*1e6, value)
				r, err := at.Propose(context.Background(), b)
				mu.Lock()
				defer mu.Unlock()
				if err == nil && r.Outcomes[0].Code == fsm.Stored {
					acked[value] = true
				}
			})
		}
		posted += clients
		<-time.After(upTo(25 * time.Millisecond))
		lead.Crash()
		lead.Start(3)
		slow(lead)
		wg.Wait()
	}
	times := map[float64]int{}
	for _, r := range history(t, s.Leader(), cluster.Linearizable) {
		times[r.Value.Number]++
	}
	for i := range posted {
		value := float64(i)
		if n := times[value]; n > 1 || (acked[value] && n == 0) {
			t.Errorf("seed %d: reading %v was stored %d times, acknowledged %t", seed, value, n, acked[value])
		}
	}
	// Those who posted at a node that stayed up waited for the next leader.
	if least := rounds * clients * 2 / 3; len(acked) < least {
		t.Errorf("seed %d: %d of %d readings were acknowledged, want at least %d", seed, len(acked), posted, least)
	}
}

func TestALeaderThatCrashesBeforeItAnswersStoresOnce(t *testing.T) {
	first, seeds := rand.Uint64()>>16, 30
	t.Logf("seeds %d to %d", first, first+uint64(seeds)-1)
	for i := range seeds {
		synctest.Test(t, func(t *testing.T) { crashes(t, first+uint64(i)) })
	}
}

func TestAProposalLeavesASilentLeaderForTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		old, at := s.Leader(), s.Followers()[0]
		s.Network.Watch(func(from, to raft.ServerAddress, method string) {
			if method == "propose" && to == old.Address {
				s.Network.Isolate(to, true) // it hears the proposal and is not heard
			}
		})
		start := time.Now()
		at.MustPropose(clustertest.Reading(t, "d", "r", 1e6, 1))
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("it took %s to leave a leader that is silent", took)
		}
		s.Network.Watch(nil)
		s.Network.Isolate(old.Address, false)
		s.Wait("the old leader's history", func() bool { return old.Status().LastSeq == 1 })
		wantCount(t, s, 1)
	})
}

// proposal is the body of a forwarded proposal of one reading.
func proposal(tb testing.TB, term uint64, born fsm.LogTime) []byte {
	tb.Helper()
	b := clustertest.Reading(tb, "d", "r", 1e6, 1)
	b.Born = born
	op, cmd := fsm.Encode(b)
	return append(append(binary.LittleEndian.AppendUint64(nil, term), byte(op)), cmd...)
}

func TestACopyThatSatInAPausedNodeIsNotStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		lead := s.Leader()
		post(t, s, 0, 1)
		view, err := lead.View(t.Context(), cluster.Local)
		if err != nil {
			t.Fatal(err)
		}
		born := view.LogTime()
		to := transport.Peer{ID: raft.ServerID(memberID(lead)), Address: lead.Address}
		paused := s.Network.Join("x.1", "x:1")
		defer func() { _ = paused.Close() }()
		// call sends a copy and returns what became of it.
		call := func(term uint64) (fsm.Code, error) {
			b, err := paused.Call(t.Context(), to, "propose", proposal(t, term, born))
			if err != nil {
				return 0, err
			}
			r, _, err := cluster.ParseResult(b)
			if err != nil {
				t.Fatal(err)
			}
			return r.Outcomes[0].Code, nil
		}
		term := lead.Status().Term
		var remote *transport.RemoteError
		if _, err := call(term - 1); !errors.As(err, &remote) || remote.Code != "not-leader" {
			t.Errorf("a copy for an earlier term: %v, want not-leader", err)
		}
		if code, err := call(term); err != nil || code != fsm.Stored {
			t.Errorf("a fresh copy: %v (%v), want stored", code, err)
		}
		<-time.After(3 * time.Minute)
		if lead.Status().Term != term {
			t.Fatal("the leader changed: the copy would be refused for its term")
		}
		if code, err := call(term); err != nil || code != fsm.Expired {
			t.Errorf("a copy three minutes old: %v (%v), want expired", code, err)
		}
		wantCount(t, s, 2)
	})
}

// memberID is a member's raft ServerID.
func memberID(m *clustertest.Member) string {
	for _, x := range m.Members() {
		if x.Name == m.Name {
			return x.ID
		}
	}
	return ""
}
