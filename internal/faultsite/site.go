package faultsite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"skerry/cluster"
	"skerry/internal/faultfs"
)

const (
	siteName = "faults"
	// startTimeout is how long a site, or a node, may take from its start until
	// it serves.
	startTimeout = 60 * time.Second
	pollEvery    = 50 * time.Millisecond
	gossipPort   = ":7421"
	// syncTime is what an fsync takes on the laboratory's disks: long enough that
	// a cut finds some under way.
	syncTime = 3 * time.Millisecond
)

// Config is a site to break.
type Config struct {
	Binary string // skerry's
	Dir    string // for the logs, the bucket and the mounts; made if missing
	Nodes  int
	Args   []string // further flags of every agent
	Kind   bool     // the disks are as kind with names as ext4
	Seed   uint64
	// Folder gives node i (0 and up) a folder on another filesystem instead of a
	// disk of faultfs. It may be nil.
	Folder func(i int) (string, error)
	// Groups gives node i its cgroups, as their folders, once it has its disk.
	Groups func(i int) ([]string, error)
}

// Site is a running site.
type Site struct {
	Nodes  []*Node
	Bucket string // folder
	Draw   *rand.Rand
	Lost   faultfs.Loss // by all cuts so far
	// Dropped and Gone count readings that the site no longer keeps, and those
	// among them that the bucket does not have either, once the oracles were asked.
	Dropped, Gone uint64

	dir string
	cfg Config
}

// Start starts a site and waits until it has a leader.
func Start(ctx context.Context, cfg Config) (*Site, error) {
	s := &Site{
		Bucket: filepath.Join(cfg.Dir, "bucket"), Draw: rand.New(rand.NewPCG(cfg.Seed, 1)), dir: cfg.Dir, cfg: cfg,
	}
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return nil, err
	}
	for i := range cfg.Nodes {
		n, err := s.newNode(i)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.Nodes = append(s.Nodes, n)
	}
	for _, n := range s.Nodes {
		if err := n.Start(); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	if err := s.WaitReady(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// newNode prepares node i, which gets the machine number i+1.
func (s *Site) newNode(i int) (*Node, error) {
	m, err := machineOf(i + 1)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprint("n", i+1)
	n := &Node{
		Name: name, machine: m, binary: s.cfg.Binary, join: gossipAt(s.cfg.Nodes),
		log: filepath.Join(s.dir, name+".log"), dir: filepath.Join(s.dir, name),
		http: &http.Client{Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: time.Second}).DialContext,
			MaxIdleConnsPerHost: 32,
		}},
	}
	if s.cfg.Folder != nil {
		if n.dir, err = s.cfg.Folder(i); err != nil {
			return nil, err
		}
	} else {
		n.Disk = faultfs.New()
		if s.cfg.Kind {
			n.Disk.Journal()
		}
		n.Disk.Inject(faultfs.Fault{Op: faultfs.Sync, Delay: syncTime})
		if err := n.Disk.Mount(n.dir); err != nil {
			return nil, err
		}
	}
	if s.cfg.Groups != nil {
		if n.groups, err = s.cfg.Groups(i); err != nil {
			return nil, err
		}
	}
	n.flags = append([]string{"--dev", "--dev-unsafe-addresses",
		"--name", name, "--site", siteName, "--data", n.Data(),
		"--bootstrap-expect", fmt.Sprint(s.cfg.Nodes), "--cloud", "file://" + s.Bucket,
	}, s.cfg.Args...)
	return n, nil
}

// gossipAt are the gossip addresses of the machines 1 to n.
func gossipAt(n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprint(subnet, i+1, gossipPort))
	}
	return all
}

// Machines from firstFresh on have the addresses that nodes come to.
const firstFresh, lastMachine = 11, 253

// machines are made once for each number and used by one site after the other.
var machines struct {
	mu  sync.Mutex
	all map[int]*machine
}

func machineOf(i int) (*machine, error) {
	machines.mu.Lock()
	defer machines.mu.Unlock()
	return machineLocked(i)
}

// newestMachine is one whose address nobody had before.
func newestMachine() (*machine, error) {
	machines.mu.Lock()
	defer machines.mu.Unlock()
	i := firstFresh
	for machines.all[i] != nil {
		i++
	}
	if i > lastMachine {
		return nil, fmt.Errorf("the laboratory has no more addresses than %d: ask for fewer faults", lastMachine)
	}
	return machineLocked(i)
}

// machineLocked is called with machines.mu held.
func machineLocked(i int) (*machine, error) {
	if m := machines.all[i]; m != nil {
		return m, nil
	}
	m, err := newMachine(i)
	if err != nil {
		return nil, err
	}
	if machines.all == nil {
		machines.all = map[int]*machine{}
	}
	machines.all[i] = m
	return m, nil
}

// until looks again and again until there is nothing to complain of. It returns
// the last complaint when the time is over.
func until(ctx context.Context, timeout time.Duration, look func() error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		err := look()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("after %s: %w", timeout, err)
		case <-ticker.C:
		}
	}
}

// WaitReady waits until all nodes serve and name one leader.
func (s *Site) WaitReady(ctx context.Context) error {
	return until(ctx, startTimeout, func() error {
		_, err := s.agreed(ctx, s.Nodes)
		return err
	})
}

// agreed returns the statuses of nodes that are ready under one leader.
func (s *Site) agreed(ctx context.Context, nodes []*Node) ([]cluster.Status, error) {
	var all []cluster.Status
	for _, n := range nodes {
		st, err := n.Status(ctx)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s: %w: it said %s", n.Name, err, n.Said(1))
		case !st.Ready:
			return nil, fmt.Errorf("%s is not ready: state %s, leader %q", n.Name, st.State, st.Leader)
		case len(all) > 0 && st.Leader != all[0].Leader:
			return nil, fmt.Errorf("%s says that %s leads, %s says %s", n.Name, st.Leader, nodes[0].Name, all[0].Leader)
		}
		all = append(all, st)
	}
	return all, nil
}

// Leader is the node that leads by its own word in the highest term, nil where
// none does.
func (s *Site) Leader(ctx context.Context) *Node {
	var leader *Node
	term := uint64(0)
	for _, n := range s.Nodes {
		st, err := n.Status(ctx)
		if err == nil && st.State == "leader" && st.Term >= term {
			leader, term = n, st.Term
		}
	}
	return leader
}

// WaitLeader waits for a leader other than not, which may be nil.
func (s *Site) WaitLeader(ctx context.Context, timeout time.Duration, not *Node) (*Node, error) {
	var leader *Node
	err := until(ctx, timeout, func() error {
		if leader = s.Leader(ctx); leader == nil || leader == not {
			return errors.New("there is no new leader")
		}
		return nil
	})
	return leader, err
}

// Cut takes the power of some nodes away at one moment and gives it back.
func (s *Site) Cut(how faultfs.Spare, nodes ...*Node) error {
	for _, n := range nodes {
		n.Disk.Freeze()
	}
	for _, n := range nodes {
		n.Down()
	}
	for _, n := range nodes {
		lost, err := n.Disk.Cut(s.Draw, how)
		if err != nil {
			return err
		}
		s.Lost.Add(lost)
		n.Gone()
		if err := n.Disk.Mount(n.dir); err != nil {
			return err
		}
	}
	for _, n := range nodes {
		if err := n.Start(); err != nil {
			return err
		}
	}
	return nil
}

// Partition cuts the network between two groups of nodes: in both directions, or
// so that deaf no longer hears the others, who hear it.
func (s *Site) Partition(deaf, others []*Node, bothWays bool) error {
	for _, a := range deaf {
		for _, b := range others {
			err := a.at().deafen(b.at())
			if bothWays {
				err = errors.Join(err, b.at().deafen(a.at()))
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// Heal ends all partitions.
func (s *Site) Heal() error {
	var err error
	for _, n := range s.Nodes {
		err = errors.Join(err, n.at().hear())
	}
	return err
}

// others are all nodes but one.
func (s *Site) others(not *Node) []*Node {
	var rest []*Node
	for _, n := range s.Nodes {
		if n != not {
			rest = append(rest, n)
		}
	}
	return rest
}

// Close kills all nodes and takes their disks away.
func (s *Site) Close() error {
	err := s.Heal()
	for _, n := range s.Nodes {
		n.Resume()
		n.Down()
	}
	for _, n := range s.Nodes {
		if n.Disk != nil { // requests that wait in it would hold the process
			n.Disk.LiftAll()
		}
		n.Gone()
		err = errors.Join(err, n.unmount())
	}
	return err
}
