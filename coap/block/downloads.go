package block

import (
	"container/list"
	"errors"
	"sync"
	"time"
)

// downloadCost is what keeping a representation takes beside its body.
const downloadCost = 512

// DownloadLimits bound what clients can make Downloads hold.
type DownloadLimits struct {
	Bytes     int           // of all representations
	PeerBytes int           // of one peer's
	Idle      time.Duration // after its last block was read a representation is forgotten
}

// DefaultDownloadLimits suit a gateway with 512 MB of RAM.
func DefaultDownloadLimits() DownloadLimits {
	return DownloadLimits{Bytes: 5 << 20, PeerBytes: 5 << 18, Idle: time.Minute}
}

// Validate tells which rule the limits break.
func (l *DownloadLimits) Validate() error {
	if l.PeerBytes < 1 || l.Bytes < l.PeerBytes || l.Idle <= 0 {
		return errors.New("block: PeerBytes must be at least 1 and at most Bytes, Idle above 0")
	}
	return nil
}

// Representation is an answer that is read in blocks.
type Representation struct {
	Body   []byte // never changed
	Format uint16 // content format
	ETag   []byte // 1 to 8 bytes: what says that the blocks are of one body
}

// Downloads keeps representations while their blocks are read, so that all
// blocks are of the same one. It is a cache: what is forgotten is made anew, and
// its ETag tells the client whether it is the same. It is safe for concurrent
// use.
type Downloads struct {
	limits DownloadLimits

	mu    sync.Mutex
	kept  map[ID]*download
	idle  list.List // of *download, the longest unread first
	peers map[Peer]*reading
	bytes int // of all, bytes <= limits.Bytes
}

type download struct {
	Representation
	id     ID
	peer   Peer
	read   time.Time
	place  *list.Element // in Downloads.idle
	beside *list.Element // in reading
}

func (d *download) cost() int { return downloadCost + len(d.Body) }

// reading is a peer that reads representations.
type reading struct {
	idle  list.List // of *download, the longest unread first
	bytes int       // bytes <= limits.PeerBytes
}

// NewDownloads returns an empty Downloads. It panics where the limits break a
// rule.
func NewDownloads(l DownloadLimits) *Downloads {
	if err := l.Validate(); err != nil {
		panic(err)
	}
	return &Downloads{limits: l, kept: map[ID]*download{}, peers: map[Peer]*reading{}}
}

// Put keeps a representation that was begun to be read at now, in the place of
// one with the same name. Where it does not fit, the longest unread are
// forgotten: the peer's own, then any. What is larger than one peer may have is
// not kept.
func (d *Downloads) Put(now time.Time, id ID, peer Peer, r Representation) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if same := d.kept[id]; same != nil {
		d.drop(same)
	}
	d.expire(now)
	n := &download{Representation: r, id: id, peer: peer, read: now}
	if n.cost() > d.limits.PeerBytes {
		return
	}
	for own := d.peers[peer]; own != nil && own.bytes+n.cost() > d.limits.PeerBytes; {
		d.drop(own.idle.Front().Value.(*download))
	}
	for d.bytes+n.cost() > d.limits.Bytes {
		d.drop(d.idle.Front().Value.(*download))
	}
	own := d.peers[peer]
	if own == nil {
		own = &reading{}
		d.peers[peer] = own
	}
	d.kept[id] = n
	n.place, n.beside = d.idle.PushBack(n), own.idle.PushBack(n)
	d.bytes += n.cost()
	own.bytes += n.cost()
}

// Get is what Put kept; ok is false where it is forgotten.
func (d *Downloads) Get(now time.Time, id ID) (r Representation, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.expire(now)
	known := d.kept[id]
	if known == nil {
		return r, false
	}
	known.read = now
	d.idle.MoveToBack(known.place)
	d.peers[known.peer].idle.MoveToBack(known.beside)
	return known.Representation, true
}

// Expire forgets what was not read for too long. Put and Get do so too.
func (d *Downloads) Expire(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.expire(now)
}

func (d *Downloads) expire(now time.Time) {
	for e := d.idle.Front(); e != nil; e = d.idle.Front() {
		oldest := e.Value.(*download)
		if now.Sub(oldest.read) < d.limits.Idle {
			return
		}
		d.drop(oldest)
	}
}

func (d *Downloads) drop(old *download) {
	delete(d.kept, old.id)
	d.idle.Remove(old.place)
	d.bytes -= old.cost()
	own := d.peers[old.peer]
	own.idle.Remove(old.beside)
	own.bytes -= old.cost()
	if own.bytes == 0 {
		delete(d.peers, old.peer)
	}
}

// Load is how many representations are kept, and what they take in bytes.
func (d *Downloads) Load() (representations, bytes int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.kept), d.bytes
}
