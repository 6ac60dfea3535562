// Package clustertest runs n nodes of a site over a network that a test can
// cut, with disks that forget what was not synced. Nothing in it touches a
// real socket or file, so the same test runs in real time or, under
// testing/synctest, in virtual time. Every test ends by comparing digests.
package clustertest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster"
	"skerry/cluster/disk"
	"skerry/cluster/gossip"
	"skerry/cluster/transport"
	"skerry/fsm"
)

// settleTimeout bounds the waits for a condition.
const settleTimeout = 30 * time.Second

// Reserve is what each member keeps back of its disk, once that is bounded.
const Reserve = 64 << 10

// segmentBytes makes segments of the log small, so that there are many.
const segmentBytes = 64 << 10

// Site is n nodes.
type Site struct {
	tb      testing.TB
	Network *transport.Memory
	Nodes   []*Member
	gossip  *gossip.Memory
	duties  func(m *Member) []cluster.Duty
	change  []func(*cluster.Config)
}

// Member is one node of a site through its lives.
type Member struct {
	*cluster.Node // nil while it is down
	Name          string
	Address       raft.ServerAddress
	Disk          *disk.Memory
	Level         fsm.Level // that the member knows when it is started; 0 is the newest
	// Wrap, where it is set, stands around raft's transport from the next Start
	// on.
	Wrap     func(raft.Transport) raft.Transport
	site     *Site
	life     *life // of the log, while it is up
	warnings warnings
	onStore  func(entry []byte)
	walls    sync.Mutex
	wall     time.Duration // the wall clock is this far ahead
	cancel   context.CancelFunc
	ran      chan error
}

// Open starts a site of n nodes and waits until it leads and has begun. Duties
// may be nil; change changes what each node is told. The cleanup waits until all nodes that are up agree, compares
// their digests and closes them.
func Open(tb testing.TB, n int, duties func(m *Member) []cluster.Duty, change ...func(*cluster.Config)) *Site {
	tb.Helper()
	return OpenAt(tb, n, 0, duties, change...)
}

// OpenAt is Open with nodes that know a level, 0 for the newest.
func OpenAt(tb testing.TB, n int, level fsm.Level, duties func(m *Member) []cluster.Duty, change ...func(*cluster.Config)) *Site {
	tb.Helper()
	s := &Site{tb: tb, Network: transport.NewMemory(), gossip: gossip.NewMemory(), duties: duties, change: change}
	for i := range n {
		m := s.member(fmt.Sprintf("n%d", i+1))
		m.Level = level
		s.Nodes = append(s.Nodes, m)
	}
	for _, m := range s.Nodes {
		m.Start(n)
	}
	tb.Cleanup(s.close)
	s.Leader()
	return s
}

func (s *Site) member(name string) *Member {
	return &Member{
		Name: name, Address: raft.ServerAddress(name + ":7420"), site: s,
		Disk: disk.NewMemory(),
	}
}

// Add starts one more node, which the leader is to add.
func (s *Site) Add(name string) *Member {
	s.tb.Helper()
	return s.AddAt(name, 0)
}

// AddAt is Add of a node that knows a level, 0 for the newest.
func (s *Site) AddAt(name string, level fsm.Level) *Member {
	s.tb.Helper()
	m := s.member(name)
	m.Level = level
	s.Nodes = append(s.Nodes, m)
	m.Start(len(s.Nodes))
	return m
}

// Start starts a member that is down, with what its disk and log hold.
func (m *Member) Start(expect int) {
	m.site.tb.Helper()
	var out slog.Handler = slog.NewTextHandler(&m.warnings, &slog.HandlerOptions{Level: slog.LevelWarn})
	if os.Getenv("SKERRY_TEST_LOG") != "" {
		out = slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})
	}
	m.begin()
	node, err := cluster.Open(m.config(expect, slog.New(out)))
	if err != nil {
		m.site.tb.Fatalf("start %s: %v", m.Name, err)
	}
	m.Node = node
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel, m.ran = cancel, make(chan error, 1)
	var duties []cluster.Duty
	if m.site.duties != nil {
		duties = m.site.duties(m)
	}
	go func() { m.ran <- node.Run(ctx, duties...) }()
}

// Refused is the error with which a member that is down does not start.
func (m *Member) Refused() error {
	m.begin()
	node, err := cluster.Open(m.config(len(m.site.Nodes), slog.New(slog.DiscardHandler)))
	if err == nil {
		_ = node.Close()
	}
	return err
}

// begin begins a life of the member's disk.
func (m *Member) begin() {
	m.life = &life{over: make(chan struct{})}
	m.Disk.OnSync(m.life.sync)
}

func (m *Member) config(expect int, logger *slog.Logger) cluster.Config {
	config := cluster.Config{
		Name: m.Name, Site: "test", BootstrapExpect: expect, Logger: logger, Reserve: Reserve,
		Seams: cluster.Seams{
			Disk: m.Disk, SegmentBytes: segmentBytes,
			Network: func(id raft.ServerID) (transport.Network, error) {
				return m.wrapped(m.site.Network.Join(id, m.Address)), nil
			},
			Gossip: func(self gossip.Peer) (gossip.Gossip, error) { return m.site.gossip.Join(self), nil },
			Wall:   m.clock,
			Level:  m.Level,
			Log:    m.log,
		},
	}
	for _, change := range m.site.change {
		change(&config)
	}
	return config
}

// LeaveRoom bounds the member's disk so that free bytes are left now.
func (m *Member) LeaveRoom(free int64) {
	m.site.tb.Helper()
	space, err := m.Disk.Space()
	if err != nil {
		m.site.tb.Fatal(err)
	}
	m.Disk.SetCapacity(space.Total - space.Free + free)
}

func (m *Member) clock() time.Time {
	m.walls.Lock()
	defer m.walls.Unlock()
	return time.Now().Add(m.wall)
}

// StepClock moves the member's wall clock.
func (m *Member) StepClock(by time.Duration) {
	m.walls.Lock()
	defer m.walls.Unlock()
	m.wall += by
}

// Stop ends a member cleanly.
func (m *Member) Stop() {
	m.site.tb.Helper()
	m.cancel()
	if err := errors.Join(<-m.ran, m.Node.Close()); err != nil {
		m.site.tb.Errorf("stop %s: %v", m.Name, err)
	}
	m.Node = nil
}

// Crash ends a member as kill -9 and a power cut do: it answers nobody any
// more, hands nothing over, and its disk forgets what was not synced.
func (m *Member) Crash() {
	m.site.tb.Helper()
	m.site.Network.Isolate(m.Address, true)
	close(m.life.over)
	m.Disk.Cut()
	m.cancel()
	<-m.ran // its error is the disk's
	_ = m.Node.Close()
	m.Node = nil
	m.site.Network.Isolate(m.Address, false)
}

// Leader waits until a member leads and takes proposals, and returns it.
func (s *Site) Leader() *Member {
	s.tb.Helper()
	var leader *Member
	s.Wait("a leader", func() bool {
		for _, m := range s.Up() {
			if st := m.Status(); st.State == "leader" && st.Ready && s.agreed(m.Name) {
				leader = m
				return true
			}
		}
		return false
	})
	return leader
}

// agreed reports that a majority of the members follow name.
func (s *Site) agreed(name string) bool {
	follow := 0
	for _, m := range s.Up() {
		if m.Status().Leader == name {
			follow++
		}
	}
	return follow > len(s.Nodes)/2
}

// Followers are the members that are up and do not lead.
func (s *Site) Followers() []*Member {
	s.tb.Helper()
	lead := s.Leader()
	var list []*Member
	for _, m := range s.Up() {
		if m != lead {
			list = append(list, m)
		}
	}
	return list
}

// Up are the members that run.
func (s *Site) Up() []*Member {
	var up []*Member
	for _, m := range s.Nodes {
		if m.Node != nil {
			up = append(up, m)
		}
	}
	return up
}

// Wait waits for a condition.
func (s *Site) Wait(what string, ok func() bool) {
	s.tb.Helper()
	for end := time.Now().Add(settleTimeout); !ok(); {
		if time.Now().After(end) {
			s.tb.Fatalf("no %s within %s: %s", what, settleTimeout, s.describe())
		}
		<-time.After(5 * time.Millisecond)
	}
}

// Of is the site that the member is of.
func (m *Member) Of() *Site { return m.site }

// Describe tells how all members stand.
func (m *Member) Describe() string { return m.site.describe() }

func (s *Site) describe() string {
	text := ""
	for _, m := range s.Nodes {
		if m.Node == nil {
			text += fmt.Sprintf("\n  %s is down", m.Name)
			continue
		}
		st := m.Status()
		text += fmt.Sprintf("\n  %s: %s of term %d, leader %q, applied %d of %d, last seq %d, missing %d, digest %s",
			m.Name, st.State, st.Term, st.Leader, st.AppliedIndex, st.CommitIndex, st.LastSeq, st.Missing, st.Digest)
	}
	return text
}

// Agree waits until all members that are up have applied the same, and
// compares their digests.
func (s *Site) Agree() {
	s.tb.Helper()
	var digests []string
	s.Wait("agreement", func() bool {
		digests = nil
		var index uint64
		for i, m := range s.Up() { // a leader may store something of its own at any time
			st := m.Status()
			if i > 0 && st.AppliedIndex != index {
				return false
			}
			index = st.AppliedIndex
			digests = append(digests, st.Digest)
		}
		return true
	})
	for _, digest := range digests {
		if digest != digests[0] {
			s.tb.Errorf("digests differ:%s", s.describe())
			return
		}
	}
}

func (s *Site) close() {
	s.tb.Helper()
	if !s.tb.Failed() && len(s.Up()) > len(s.Nodes)/2 {
		s.Leader()
		s.Agree()
	}
	for _, m := range s.Up() {
		m.Stop()
	}
	// A bubble may not end before raft's goroutines of a transfer of the lead, which
	// outlive it by the transport's bound. Its clock begins in the year 2000.
	if time.Now().Year() < 2020 {
		<-time.After(callsEnd)
	}
}

// callsEnd is more than a call of raft's transport in memory takes at most.
const callsEnd = 6 * time.Second

// Reading is a batch of one reading under a random key.
func Reading(tb testing.TB, device, resource string, micros int64, value float64) *fsm.Batch {
	tb.Helper()
	return Valued(tb, device, resource, micros, fsm.NumberValue(value))
}

// Valued is Reading with a value of any kind.
func Valued(tb testing.TB, device, resource string, micros int64, value fsm.Value) *fsm.Batch {
	tb.Helper()
	var key fsm.Key
	if _, err := rand.Read(key[:]); err != nil {
		tb.Fatal(err)
	}
	return &fsm.Batch{Items: []fsm.Item{{Key: key, Records: []fsm.Record{{
		Device: device, Resource: resource, Time: micros, Value: value,
	}}}}}
}

// MustPropose proposes on a member and fails the test unless all is stored.
func (m *Member) MustPropose(cmd fsm.Command) fsm.Result {
	m.site.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
	defer cancel()
	r, err := m.Propose(ctx, cmd)
	if err != nil {
		m.site.tb.Fatalf("propose on %s: %v%s", m.Name, err, m.site.describe())
	}
	for _, o := range r.Outcomes {
		if err := o.Code.Err(); err != nil {
			m.site.tb.Fatalf("propose on %s: %v", m.Name, err)
		}
	}
	return r
}
