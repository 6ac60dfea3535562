package gossip

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	rejoinEvery  = 5 * time.Second
	leaveTimeout = time.Second
	updateLimit  = 2 * time.Second
	// maxDead bounds the peers that are remembered after they went. A site has
	// a few; more come only from what is started with new directories again
	// and again, or from a hostile network. The one longest gone is forgotten.
	maxDead = 64
)

// Config tells where a node gossips and whom it asks first.
type Config struct {
	Listen    string   // host:port, UDP and TCP
	Advertise string   // host told to others, "" for the one bound
	Join      []string // host:port of any peers
	Self      Peer
	Log       io.Writer // memberlist's own lines, "[LEVEL] ..."
}

// Memberlist is Gossip over UDP and TCP (SWIM, Das, Gupta, Motivala 2002).
type Memberlist struct {
	list    *memberlist.Memberlist
	changed chan struct{}
	cancel  context.CancelFunc
	wg      sync.WaitGroup

	mu   sync.Mutex
	self Peer
	seen map[string]Peer // by ID: alive
	dead []Peer          // at most maxDead, the one longest gone first
}

// Open binds and starts to gossip. Peers in cfg.Join that do not answer are
// asked again for as long as the node has no live peer.
func Open(cfg Config) (*Memberlist, error) {
	host, port, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("gossip address %q: %w", cfg.Listen, err)
	}
	p, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("gossip address %q: port: %w", cfg.Listen, err)
	}
	if host == "" {
		host = "0.0.0.0"
	}
	// memberlist takes a name for any address.
	if host, err = resolve(host); err != nil {
		return nil, fmt.Errorf("gossip address %q: %w", cfg.Listen, err)
	}
	advertise, err := resolve(cfg.Advertise)
	if err != nil {
		return nil, fmt.Errorf("advertised host %q: %w", cfg.Advertise, err)
	}
	m := &Memberlist{changed: make(chan struct{}, 1), self: cfg.Self, seen: map[string]Peer{}}
	c := memberlist.DefaultLANConfig()
	c.Name = cfg.Self.ID
	c.BindAddr, c.BindPort = host, p
	c.AdvertiseAddr, c.AdvertisePort = advertise, p
	c.Delegate, c.Events = (*delegate)(m), (*events)(m)
	c.Logger = log.New(cfg.Log, "", 0)
	c.Label = "skerry"
	// A site is small: hear of a death in about two seconds.
	c.ProbeInterval, c.ProbeTimeout, c.SuspicionMult = 500*time.Millisecond, 250*time.Millisecond, 3
	// A node that was killed may come back with another address.
	c.DeadNodeReclaimTime = time.Second
	if _, err := cfg.Self.encode(); err != nil {
		return nil, err
	}
	if m.list, err = memberlist.Create(c); err != nil {
		return nil, fmt.Errorf("gossip address %s: %w: choose another with --gossip", cfg.Listen, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	m.wg.Go(func() { m.keepJoined(ctx, cfg.Join) })
	return m, nil
}

// resolve is the IP address of a host, "" for none.
func resolve(host string) (string, error) {
	if host == "" {
		return "", nil
	}
	a, err := net.ResolveIPAddr("ip", host)
	if err != nil {
		return "", err
	}
	return a.String(), nil
}

// Address is where this node gossips.
func (m *Memberlist) Address() string {
	n := m.list.LocalNode()
	return net.JoinHostPort(n.Addr.String(), strconv.Itoa(int(n.Port)))
}

func (m *Memberlist) keepJoined(ctx context.Context, join []string) {
	if len(join) == 0 {
		return
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if m.list.NumMembers() < 2 {
			_, _ = m.list.Join(join) // memberlist logs who did not answer
		}
		wait := rejoinEvery
		if m.list.NumMembers() < 2 {
			wait = time.Second
		}
		timer.Reset(wait)
	}
}

// Peers is Gossip's.
func (m *Memberlist) Peers() []Peer {
	m.mu.Lock()
	defer m.mu.Unlock()
	self := m.self
	self.Alive = true
	peers := []Peer{self}
	for id, p := range m.seen {
		if id != self.ID {
			p.Alive = true
			peers = append(peers, p)
		}
	}
	for _, p := range m.dead {
		p.Alive = false
		peers = append(peers, p)
	}
	return peers
}

// Update is Gossip's.
func (m *Memberlist) Update(p Peer) error {
	if _, err := p.encode(); err != nil {
		return err
	}
	m.mu.Lock()
	m.self = p
	m.mu.Unlock()
	m.signal()
	return m.list.UpdateNode(updateLimit)
}

// Changed is Gossip's.
func (m *Memberlist) Changed() <-chan struct{} { return m.changed }

// Close tells the others that this node goes, and stops. Others that do not
// hear it in time, as they go too, find out by themselves.
func (m *Memberlist) Close() error {
	m.cancel()
	m.wg.Wait()
	_ = m.list.Leave(leaveTimeout)
	return m.list.Shutdown()
}

func (m *Memberlist) signal() {
	select {
	case m.changed <- struct{}{}:
	default:
	}
}

// events takes memberlist's callbacks, which must not block.
type events Memberlist

func (e *events) NotifyJoin(n *memberlist.Node)   { e.alive(n) }
func (e *events) NotifyUpdate(n *memberlist.Node) { e.alive(n) }

func (e *events) alive(n *memberlist.Node) {
	p, err := decodePeer(n.Meta)
	if err != nil || p.ID != n.Name {
		return // another program's gossip
	}
	e.mu.Lock()
	e.seen[p.ID] = p
	e.dead = slices.DeleteFunc(e.dead, func(d Peer) bool { return d.ID == p.ID })
	e.mu.Unlock()
	(*Memberlist)(e).signal()
}

func (e *events) NotifyLeave(n *memberlist.Node) {
	e.mu.Lock()
	if p, ok := e.seen[n.Name]; ok {
		delete(e.seen, n.Name)
		e.dead = append(e.dead, p)
		if len(e.dead) > maxDead {
			e.dead = slices.Delete(e.dead, 0, len(e.dead)-maxDead)
		}
	}
	e.mu.Unlock()
	(*Memberlist)(e).signal()
}

// delegate gives memberlist this node's metadata.
type delegate Memberlist

func (d *delegate) NodeMeta(limit int) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	b, err := d.self.encode()
	if err != nil || len(b) > limit {
		return nil
	}
	return b
}
func (d *delegate) NotifyMsg([]byte)                {}
func (d *delegate) GetBroadcasts(int, int) [][]byte { return nil }
func (d *delegate) LocalState(bool) []byte          { return nil }
func (d *delegate) MergeRemoteState([]byte, bool)   {}
