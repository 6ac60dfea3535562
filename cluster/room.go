package cluster

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
	"skerry/fsm"
)

// A node judges the room on its disk by the size R of its reserve:
//
//	ok      what is free beside the reserve is R or more
//	short   it is less, until it is 2 R again: the leader is to send no more
//	        readings once a majority is short
//	full    the reserve is given up and less than R/4 is free, until R/2 is:
//	        the node takes no entries, as if it were down
//
// The reserve is given up when less than R/4 is free, or when a write finds no
// room, and made again when 2 R are free.
type roomState uint8

const (
	roomOK roomState = iota
	roomShort
	roomFull
)

func (s roomState) String() string { return [...]string{"ok", "short", "full"}[s] }

const (
	roomEvery = time.Second // between two looks at the disk
	// reserveShare bounds the reserve to so much of the disk: a small one would
	// be all reserve.
	reserveShare = 32
	growthEvery  = 10 * time.Minute // between two samples of what is stored
	growthKept   = 36               // samples: six hours
	growthLeast  = time.Hour        // of samples, for a prediction
)

// room is what a node knows of its disk.
type room struct {
	mu      sync.Mutex
	state   roomState
	space   disk.Space
	samples []stored
}

// stored is how much of history lay in files at one moment.
type stored struct {
	at    time.Time
	bytes int64
}

// reserveSize is the reserve of a disk: as configured, or the profile's within
// reserveShare.
func reserveSize(cfg *Config, p *profile, d disk.Disk) int64 {
	if cfg.Reserve != 0 || cfg.Seams.Disk != nil {
		return max(cfg.Reserve, 0)
	}
	size := p.reserveBytes
	if space, err := d.Space(); err == nil {
		size = min(size, space.Total/reserveShare)
	}
	return size
}

// lookAtRoom judges the disk anew, and gives up or makes the reserve.
func (n *Node) lookAtRoom() roomState {
	space, err := n.reserve.Space()
	if err != nil {
		return n.room.get() // as it was: a write will tell
	}
	size := n.reserve.Size()
	if n.reserve.Held() && space.Free < size/4 && n.reserve.GiveUp() {
		n.log.Warn("the disk is full: the reserve is given up", "bytes", size)
		space.Free += size
	}
	if !n.reserve.Held() && size > 0 && space.Free >= 2*size {
		if err := n.reserve.Hold(); err != nil {
			n.log.Warn("the reserve was not made", "err", err)
		} else {
			space.Free -= size
		}
	}
	n.room.mu.Lock()
	was := n.room.state
	now := judgeRoom(was, space.Free, size, n.reserve.Held())
	n.room.state, n.room.space = now, space
	n.room.mu.Unlock()
	if now != was {
		n.log.Info("room on the disk", "was", was, "is", now, "free", space.Free, "total", space.Total)
		n.replica.closing.notify() // who waits for room
	}
	return now
}

// judgeRoom is the state that follows from what is free.
func judgeRoom(was roomState, free, reserve int64, held bool) roomState {
	beside := free
	if !held {
		beside -= reserve
	}
	switch {
	case reserve <= 0:
		return roomOK
	case !held && (free < reserve/4 || was == roomFull && free < reserve/2):
		return roomFull
	case beside < reserve || was != roomOK && beside < 2*reserve:
		return roomShort
	}
	return roomOK
}

// fits tells whether bytes of what the node lacks fit on the disk beside the
// reserve. They may leave it short of room, which is better than to lack rows.
func (n *Node) fits(bytes int64) error {
	space, err := n.reserve.Space()
	if err != nil {
		return err
	}
	beside := space.Free - n.reserve.Size()
	if !n.reserve.Held() {
		beside -= n.reserve.Size()
	}
	if beside < bytes {
		return fmt.Errorf("%d bytes are free on the disk beside the reserve, and %d are needed: it waits for room", max(beside, 0), bytes)
	}
	return nil
}

func (r *room) get() roomState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

func (r *room) last() (roomState, disk.Space) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state, r.space
}

// roomFor reports whether so many bytes may be written of what can wait, without
// making the node short of room.
func (n *Node) roomFor(bytes int64) bool {
	if n.room.get() != roomOK {
		return false
	}
	space, err := n.disk.Space()
	return err == nil && space.Free-bytes >= n.reserve.Size()
}

// describeRoom says in a standing how much room there is.
func (n *Node) describeRoom(st *standing) {
	state, space := n.room.last()
	st.Room, st.Reserve, st.Beside = state, n.reserve.Size(), space.Free
	if !n.reserve.Held() {
		st.Beside -= st.Reserve
	}
	for _, s := range dropStreams {
		st.Bytes[s] = n.replica.segments.bytesOf(s)
	}
	if n.replica.ahead() {
		st.Missing++ // it is not whole, though its own state is content
	}
}

// mindRoom looks at the disk again and again until ctx is done.
func (n *Node) mindRoom(ctx context.Context) {
	tick := time.NewTicker(roomEvery)
	defer tick.Stop()
	for {
		state := n.lookAtRoom()
		n.room.sample(time.Now(), n.replica.segments.bytesOf(fsm.Readings)+n.replica.segments.bytesOf(fsm.Frames))
		if state != roomOK {
			n.askForFloors(ctx)
		}
		n.replica.minding(state)
		n.writeWaitingFrames()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// writeWaitingFrames tries again to write frames that found no room.
func (n *Node) writeWaitingFrames() {
	frames := n.replica.frames
	if frames.waiting() == 0 {
		return
	}
	switch err := frames.flush(); {
	case err == nil:
		n.replica.closing.notify()
	case !disk.IsFull(err):
		n.fail(err)
	}
}

// sample notes what is stored.
func (r *room) sample(now time.Time, bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := len(r.samples); k > 0 && now.Sub(r.samples[k-1].at) < growthEvery {
		return
	}
	r.samples = append(r.samples, stored{now, bytes})
	if len(r.samples) > growthKept {
		r.samples = append([]stored(nil), r.samples[1:]...)
	}
}

// daysUntilFull predicts from the growth of what is stored over the last hours.
// known is false until there is an hour of it, or while nothing grows.
func (r *room) daysUntilFull(reserve int64) (days float64, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.samples) < 2 {
		return 0, false
	}
	first, last := r.samples[0], r.samples[len(r.samples)-1]
	span, grown := last.at.Sub(first.at), last.bytes-first.bytes
	if span < growthLeast || grown <= 0 {
		return 0, false
	}
	perDay := float64(grown) / span.Hours() * 24
	return max(0, float64(r.space.Free-reserve)) / perDay, true
}

// admit is asked before this node takes entries or a snapshot of a leader: a
// disk that is full takes none but those that make room. What the leader then
// hears makes it try again later, as with a node that is down.
func (n *Node) admit(command any) error {
	var size int64
	switch c := command.(type) {
	case *raft.AppendEntriesRequest:
		if len(c.Entries) == 0 || n.frees(c.Entries) {
			return nil
		}
	case *raft.InstallSnapshotRequest:
		size = c.Size
	default:
		return nil
	}
	state, space := n.room.last()
	if state == roomOK && size == 0 {
		return nil
	}
	if state = n.lookAtRoom(); state == roomFull {
		return fmt.Errorf("%w: it takes no entries until there is room", errNodeFull)
	}
	if reserve := n.reserve.Size(); reserve > 0 && size > 0 && size > space.Free-reserve/4 {
		return fmt.Errorf("%w: a snapshot of %d bytes does not fit into the %d that are free", errNodeFull, size, space.Free)
	}
	return nil
}

// recordBytes is what an entry takes in the log beside its data, at most.
const recordBytes = 256

// frees reports that entries fill nothing and fit into what the log has taken of
// the disk already: where all nodes are full, a drop must still be agreed on.
func (n *Node) frees(entries []*raft.Log) bool {
	room := n.logs.Log.Reserved()
	for _, e := range entries {
		if room -= int64(len(e.Data)) + recordBytes; room < 0 {
			return false
		}
		if e.Type != raft.LogCommand {
			continue
		}
		h, _, err := fsm.DecodeHeader(e.Data)
		if err != nil || fills(h.Op) {
			return false
		}
	}
	return true
}
