package site

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

const (
	// MaxNodes bounds a site on one machine.
	MaxNodes = 9
	// startTimeout is how long a new site may take until it has a leader.
	startTimeout = 60 * time.Second
	pollEvery    = 50 * time.Millisecond
	// programName is what a child is called, whatever the binary's file is.
	programName = "skerry"
)

// Config describes a site to start.
type Config struct {
	Dir      string // holds a data directory and a log for each node; made when it is missing
	Nodes    int    // 1 to MaxNodes, named n1, n2, ...
	Site     string
	Cloud    string              // URL of the bucket, "" for none
	Args     []string            // flags of every agent beside those this package gives
	NodeArgs map[string][]string // further flags of one node, by name
}

// Site is a running site.
type Site struct {
	Nodes   []*Node
	spawner *spawner
	failed  chan error
}

// Failed gives the first end of a process that nobody had asked for.
func (s *Site) Failed() <-chan error { return s.failed }

// Start starts the processes and returns when all are ready and agree on a
// leader. On an error everything is stopped again.
func Start(ctx context.Context, cfg Config) (*Site, error) {
	if cfg.Nodes < 1 || cfg.Nodes > MaxNodes {
		return nil, fmt.Errorf("%d nodes are out of range: 1 to %d", cfg.Nodes, MaxNodes)
	}
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	addresses, err := FreeAddresses(cfg.Nodes)
	if err != nil {
		return nil, err
	}
	s := &Site{spawner: newSpawner(), failed: make(chan error, 1)}
	for i := range cfg.Nodes {
		n, err := newNode(cfg, i, addresses, exe, s)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.Nodes = append(s.Nodes, n)
	}
	if err := s.begin(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// begin starts all nodes and waits for a leader.
func (s *Site) begin(ctx context.Context) error {
	for _, n := range s.Nodes {
		if err := n.Start(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for _, n := range s.Nodes {
		if err := n.WaitReady(ctx); err != nil {
			return err
		}
	}
	if err := poll(ctx, func() (bool, error) { return s.agreed(ctx), nil }); err != nil {
		return fmt.Errorf("the nodes did not agree on a leader: %w", err)
	}
	return nil
}

// agreed reports whether every node names the same leader.
func (s *Site) agreed(ctx context.Context) bool {
	leader := ""
	for _, n := range s.Nodes {
		st, err := n.client.Status(ctx)
		if err != nil || st.Leader == "" || (leader != "" && st.Leader != leader) {
			return false
		}
		leader = st.Leader
	}
	return true
}

// Leader is the node that leads by its own word, nil when none does now.
func (s *Site) Leader(ctx context.Context) *Node {
	var leader *Node
	term := uint64(0)
	for _, n := range s.Nodes {
		st, err := n.client.Status(ctx)
		if err == nil && st.Leader == n.Name && st.Term >= term {
			leader, term = n, st.Term
		}
	}
	return leader
}

// WaitLeader returns the leader as soon as there is one.
func (s *Site) WaitLeader(ctx context.Context) (*Node, error) {
	var leader *Node
	err := poll(ctx, func() (bool, error) {
		leader = s.Leader(ctx)
		return leader != nil, nil
	})
	return leader, err
}

// PIDs are the ids of the processes that run.
func (s *Site) PIDs() []int {
	var pids []int
	for _, n := range s.Nodes {
		if pid := n.PID(); pid != 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Close stops all nodes, cleanly where they can, and returns when they are gone.
func (s *Site) Close() error {
	errs := make([]error, len(s.Nodes))
	var wg sync.WaitGroup
	for i, n := range s.Nodes {
		wg.Go(func() { errs[i] = n.Stop() })
	}
	wg.Wait()
	s.spawner.close()
	return errors.Join(errs...)
}

// poll calls done until it says so, with a pause between calls. It returns
// ctx's error when that comes first.
func poll(ctx context.Context, done func() (bool, error)) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}
