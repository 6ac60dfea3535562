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

// Memberlist is Gossip over UDP and TCP (SWIM, Das, Gupta, Motivala 2002), for
// the nodes of one site. memberlist itself forgets a dead peer after half a minute
// and never asks for it again; see search.
type Memberlist struct {
	list    *memberlist.Memberlist
	log     *log.Logger
	site    string
	address string        // host:port told to the others
	changed chan struct{} // has room for one
	missed  chan struct{} // has room for one: a peer went
	cancel  context.CancelFunc
	wg      sync.WaitGroup

	mu   sync.Mutex
	self Peer
	seen map[string]sighting // by ID: alive, this node too
	dead []sighting          // at most maxDead, the one longest gone first
}

// sighting is a peer, and the host:port where it gossips.
type sighting struct {
	Peer
	at string // "" if not known
}

func sighted(p Peer, n *memberlist.Node) sighting {
	s := sighting{Peer: p}
	if len(n.Addr) > 0 {
		s.at = n.Address()
	}
	return s
}

// Open binds and starts to gossip. Peers that are missing are asked again and
// again: those in cfg.Join that are not heard of, and those that went.
func Open(cfg Config) (*Memberlist, error) { return open(cfg, defaultPace, nil) }

// open is Open with another pace, and with what a test wants of memberlist.
func open(cfg Config, p pace, tune func(*memberlist.Config)) (*Memberlist, error) {
	host, port, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("gossip address %q: %w", cfg.Listen, err)
	}
	number, err := strconv.Atoi(port)
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
	if _, err := cfg.Self.encode(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &Memberlist{
		log: log.New(cfg.Log, "", 0), site: cfg.Self.Site, cancel: cancel,
		changed: make(chan struct{}, 1), missed: make(chan struct{}, 1),
		self: cfg.Self, seen: map[string]sighting{},
	}
	t, err := listen(ctx, host, number, m.log)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("gossip address %s: %w: choose another with --gossip", cfg.Listen, err)
	}
	c := m.config(t)
	c.BindAddr, c.BindPort = host, t.GetAutoBindPort()
	c.AdvertiseAddr, c.AdvertisePort = advertise, c.BindPort
	if tune != nil {
		tune(c)
	}
	if m.list, err = memberlist.Create(c); err != nil {
		cancel()
		return nil, fmt.Errorf("gossip address %s: %w: choose another with --gossip", cfg.Listen, err)
	}
	m.address = m.list.LocalNode().Address()
	s := &search{pace: p, port: strconv.Itoa(c.BindPort), missed: m.missed, missing: m.missing, ask: m.ask, log: m.log}
	m.wg.Go(func() { s.run(ctx, cfg.Join) })
	return m, nil
}

func (m *Memberlist) config(t memberlist.Transport) *memberlist.Config {
	c := memberlist.DefaultLANConfig()
	c.Name = m.self.ID
	c.Transport = t
	c.Delegate, c.Events, c.Alive = (*delegate)(m), (*events)(m), (*border)(m)
	c.Logger = m.log
	c.Label = "skerry"
	// A site is small: hear of a death in about two seconds.
	c.ProbeInterval, c.ProbeTimeout, c.SuspicionMult = 500*time.Millisecond, 250*time.Millisecond, 3
	// A node that was killed may come back with another address.
	c.DeadNodeReclaimTime = time.Second
	return c
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
func (m *Memberlist) Address() string { return m.address }

// Peers is Gossip's.
func (m *Memberlist) Peers() []Peer {
	m.mu.Lock()
	defer m.mu.Unlock()
	self := m.self
	self.Alive = true
	peers := []Peer{self}
	for id, s := range m.seen {
		if id != self.ID {
			s.Alive = true
			peers = append(peers, s.Peer)
		}
	}
	for _, s := range m.dead {
		s.Alive = false
		peers = append(peers, s.Peer)
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

// Close ends what is being asked, tells the others that this node goes, and
// stops. Others that do not hear it in time, as they go too, find out by themselves.
func (m *Memberlist) Close() error {
	m.cancel()
	m.wg.Wait()
	_ = m.list.Leave(leaveTimeout)
	return m.list.Shutdown()
}

func (m *Memberlist) signal() { poke(m.changed) }

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
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
	e.seen[p.ID] = sighted(p, n)
	e.dead = slices.DeleteFunc(e.dead, func(d sighting) bool { return d.ID == p.ID })
	e.mu.Unlock()
	(*Memberlist)(e).signal()
}

func (e *events) NotifyLeave(n *memberlist.Node) {
	e.mu.Lock()
	if s, ok := e.seen[n.Name]; ok {
		delete(e.seen, n.Name)
		e.dead = append(e.dead, sighted(s.Peer, n))
		if len(e.dead) > maxDead {
			e.dead = slices.Delete(e.dead, 0, len(e.dead)-maxDead)
		}
	}
	e.mu.Unlock()
	(*Memberlist)(e).signal()
	poke(e.missed)
}

// border keeps a site's gossip to itself, also where an address that is asked has
// become that of another site.
type border Memberlist

// NotifyAlive is memberlist's: with an error the peer is not taken in.
func (b *border) NotifyAlive(n *memberlist.Node) error {
	if p, err := decodePeer(n.Meta); err == nil && p.Site != b.site {
		return fmt.Errorf("it is of site %q and not of %q", p.Site, b.site)
	}
	return nil
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
