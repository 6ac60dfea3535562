package gossip

import (
	"fmt"
	"sync"

	"github.com/fxamacker/cbor/v2"
)

// maxMeta is memberlist's bound of a node's metadata, in bytes.
const maxMeta = 512

// Peer is what a node tells about itself.
type Peer struct {
	ID       string `cbor:"1,keyasint"` // raft ServerID
	Name     string `cbor:"2,keyasint"`
	Site     string `cbor:"3,keyasint"`
	Cluster  string `cbor:"4,keyasint"` // host:port
	HTTP     string `cbor:"5,keyasint"`
	CoAP     string `cbor:"6,keyasint"`
	HasState bool   `cbor:"7,keyasint"` // its raft log is not empty
	Version  string `cbor:"8,keyasint"`
	Level    uint32 `cbor:"9,keyasint,omitempty"` // fsm.Level of the site as it knows it
	Alive    bool   `cbor:"-"`
}

func (p Peer) encode() ([]byte, error) {
	b, err := cbor.Marshal(p)
	if err == nil && len(b) > maxMeta {
		err = fmt.Errorf("what a node tells of itself takes %d bytes, at most %d are carried: use shorter names", len(b), maxMeta)
	}
	return b, err
}

func decodePeer(b []byte) (Peer, error) {
	var p Peer
	err := cbor.Unmarshal(b, &p)
	return p, err
}

// Gossip is a node's view of the peers it can hear of.
type Gossip interface {
	// Peers are all peers heard of, this node included. One that stopped or
	// died stays, with Alive false, while the memory for those lasts.
	Peers() []Peer
	// Update tells the others a new version of this node's own Peer.
	Update(Peer) error
	// Changed has a value after Peers may have changed.
	Changed() <-chan struct{}
	Close() error
}

// Memory is gossip inside one process: all that join hear of each other.
type Memory struct {
	mu    sync.Mutex
	ends  map[string]*memoryEnd // by ID
	order []string
}

// NewMemory returns gossip with no peers.
func NewMemory() *Memory { return &Memory{ends: map[string]*memoryEnd{}} }

type memoryEnd struct {
	m       *Memory
	self    Peer
	changed chan struct{}
}

// Join adds a node. A new identity under the same name leaves the old one dead.
func (m *Memory) Join(self Peer) Gossip {
	m.mu.Lock()
	defer m.mu.Unlock()
	self.Alive = true
	e := &memoryEnd{m: m, self: self, changed: make(chan struct{}, 1)}
	if _, ok := m.ends[self.ID]; !ok {
		m.order = append(m.order, self.ID)
	}
	m.ends[self.ID] = e
	m.notify()
	return e
}

func (m *Memory) notify() {
	for _, e := range m.ends {
		select {
		case e.changed <- struct{}{}:
		default:
		}
	}
}

func (e *memoryEnd) Peers() []Peer {
	e.m.mu.Lock()
	defer e.m.mu.Unlock()
	var peers []Peer
	for _, id := range e.m.order {
		peers = append(peers, e.m.ends[id].self)
	}
	return peers
}

func (e *memoryEnd) Update(p Peer) error {
	e.m.mu.Lock()
	defer e.m.mu.Unlock()
	p.Alive = true
	e.self = p
	e.m.notify()
	return nil
}

func (e *memoryEnd) Changed() <-chan struct{} { return e.changed }

func (e *memoryEnd) Close() error {
	e.m.mu.Lock()
	defer e.m.mu.Unlock()
	e.self.Alive = false
	e.m.notify()
	return nil
}
