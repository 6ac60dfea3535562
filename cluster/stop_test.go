package cluster_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
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
