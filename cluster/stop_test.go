package cluster_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

// raft's main loop waits until its notifications are taken. A node that wins an
// election while its work ends must take them until the end, or whoever still
// asks raft for something never returns.
func TestANodeThatWinsAnElectionWhileItStopsComesToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := clustertest.Open(t, 3, func(m *clustertest.Member) []cluster.Duty {
			node := m.Node
			return []cluster.Duty{func(ctx context.Context, _ *cluster.Lead) {
				<-ctx.Done()
				<-release
				_ = node.Snapshot() // asks raft's main loop
			}}
		})
		lead := s.Leader()
		stopped := make(chan struct{})
		go func() {
			lead.Stop()
			close(stopped)
		}()
		next := elected(s, lead)
		nextStopped := make(chan struct{})
		go func() { // hands the lead to one of the others
			next.Stop()
			close(nextStopped)
		}()
		<-time.After(2 * time.Second)
		close(release)
		for _, c := range []chan struct{}{stopped, nextStopped} {
			select {
			case <-c:
			case <-time.After(time.Minute):
				t.Fatalf("a node did not stop within a minute%s", lead.Describe())
			}
		}
		lead.Start(3)
		next.Start(3)
	})
}

// Full nodes take no entries that do not fit into what their logs have taken of
// the disk, and go on answering heartbeats: what their leader has proposed is under
// way for as long as it leads.
func TestALeaderStopsWhileAProposalIsUnderWayThatNobodyTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		s.Agree()
		fillDisks(t, s)
		lead := s.Leader()
		for tries := 0; ; tries++ {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			_, err := lead.Propose(ctx, fsm.CutCommand{})
			cancel()
			if errors.Is(err, cluster.ErrUnknown) {
				break // it is under way
			}
			if err != nil || tries == 2000 {
				t.Fatalf("proposal %d ended with %v, want one that nobody takes", tries, err)
			}
		}
		start := time.Now()
		lead.Stop()
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("it took %s to stop, want 10 s at most", took)
		}
		for _, m := range s.Nodes {
			m.Disk.SetCapacity(0)
		}
		lead.Start(3)
		s.Agree()
	})
}

// raft's main loop hangs in a write while it is asked to hand the lead on and takes
// no proposals: when the disk goes on it is to answer both before it ends.
func TestALeaderStopsWhoseDiskStallsMeanwhile(t *testing.T) {
	for range 4 {
		synctest.Test(t, func(t *testing.T) {
			s := clustertest.Open(t, 3, nil, func(c *cluster.Config) { c.Profile = "sdcard" })
			s.Agree()
			lead := s.Leader()
			resume := lead.StallLog()
			for i := range uint64(4) {
				go func() {
					ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
					defer cancel()
					_, _ = lead.Propose(ctx, clustertest.Reading(t, "pump-7", "temperature", int64(10e6+i), 1)) // its fate is unknown
				}()
				<-time.After(100 * time.Millisecond) // else they share an entry
			}
			stopped := make(chan struct{})
			go func() {
				lead.Stop()
				close(stopped)
			}()
			<-time.After(8 * time.Second) // the watchdog would end it after 10 s
			resume()
			select {
			case <-stopped:
			case <-time.After(10 * time.Second):
				t.Fatalf("it did not stop within 10 s after its disk went on%s", lead.Describe())
			}
			lead.Start(3)
			s.Agree()
		})
	}
}
