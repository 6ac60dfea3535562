package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"testing"
	"time"

	"skerry/cluster"
	"skerry/cluster/logstore"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

// real is a node on real sockets and files.
type real struct {
	*cluster.Node
	cfg    cluster.Config
	cancel context.CancelFunc
	ran    chan error
}

func (r *real) start(tb testing.TB) {
	tb.Helper()
	n, err := cluster.Open(r.cfg)
	if err != nil {
		tb.Fatalf("start %s: %v", r.cfg.Name, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.Node, r.cancel, r.ran = n, cancel, make(chan error, 1)
	go func() { r.ran <- n.Run(ctx) }()
}

func (r *real) stop(tb testing.TB) {
	tb.Helper()
	if r.Node == nil {
		return
	}
	r.cancel()
	if err := errors.Join(<-r.ran, r.Close()); err != nil {
		tb.Errorf("stop %s: %v", r.cfg.Name, err)
	}
	r.Node = nil
}

// freePorts are addresses of the loopback that nobody listens on.
func freePorts(tb testing.TB, n int) (addresses []string) {
	tb.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		addresses = append(addresses, l.Addr().String())
		defer func() { _ = l.Close() }()
	}
	return addresses
}

// soon waits for a condition in real time.
func soon(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	timeout, tick := time.After(30*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-timeout:
			tb.Fatalf("no %s in 30 s", what)
		}
	}
}

// agree waits until all nodes are ready, have applied the same and hold last
// readings, and compares their digests.
func agree(tb testing.TB, nodes []*real, last uint64) {
	tb.Helper()
	soon(tb, "agreement", func() bool {
		first := nodes[0].Status()
		for _, n := range nodes {
			if st := n.Status(); !st.Ready || st.LastSeq != last || st.AppliedIndex != first.AppliedIndex {
				return false
			}
		}
		return true
	})
	want := nodes[0].Status().Digest
	for _, n := range nodes {
		if got := n.Status().Digest; got != want {
			tb.Errorf("%s has digest %s, %s has %s", n.cfg.Name, got, nodes[0].cfg.Name, want)
		}
	}
}

func TestThreeNodesOnRealSocketsAndFilesComeBackAsTheyWere(t *testing.T) {
	for _, kind := range logstore.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			addresses := freePorts(t, 6)
			clusters, gossips := addresses[:3], addresses[3:]
			var nodes []*real
			for i, address := range gossips {
				name := fmt.Sprintf("n%d", i+1)
				nodes = append(nodes, &real{cfg: cluster.Config{
					Name: name, Site: "demo", Dir: filepath.Join(dir, name), Cluster: clusters[i],
					Gossip: address, BootstrapExpect: 3, Join: gossips, LogStore: kind,
				}})
			}
			startAll := func() {
				for _, n := range nodes {
					n.start(t)
				}
			}
			stopAll := func() {
				for _, n := range nodes {
					n.stop(t)
				}
			}
			defer stopAll()
			startAll()
			propose := func(at *real, cmd fsm.Command) {
				t.Helper()
				ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
				defer cancel()
				if r, err := at.Propose(ctx, cmd); err != nil || r.Outcomes[0].Code != fsm.Stored {
					t.Fatalf("propose on %s: %+v (%v)", at.cfg.Name, r, err)
				}
			}
			soon(t, "site", func() bool { return nodes[0].Status().Ready && nodes[1].Status().Ready && nodes[2].Status().Ready })
			for i := range 30 {
				propose(nodes[i%3], clustertest.Reading(t, "pump-7", "temperature", int64(i+1)*1e6, float64(i)))
				if i == 15 {
					propose(nodes[0], &fsm.CutCommand{})
				}
			}
			agree(t, nodes, 30)
			stopAll()

			startAll()
			agree(t, nodes, 30)
			propose(nodes[2], clustertest.Reading(t, "pump-7", "temperature", 31e6, 30))
			agree(t, nodes, 31)
			for _, n := range nodes {
				view, err := n.View(context.Background(), cluster.Linearizable)
				if err != nil {
					t.Fatal(err)
				}
				list, err := view.After(context.Background(), 0, cluster.MaxLimit)
				if err != nil || len(list) != 31 {
					t.Errorf("%s has %d readings (%v), want 31", n.cfg.Name, len(list), err)
				}
			}
		})
	}
}
