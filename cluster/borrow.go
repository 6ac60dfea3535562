package cluster

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"skerry/cluster/transport"
	"skerry/fsm"
	"skerry/fsm/segment"
)

// A node answers from rows that it lacks, because they are still on their way
// or because its disk was full: it borrows a cut's file from a peer, in memory.
const (
	// maxBorrowed bounds a file that is borrowed.
	maxBorrowed = 32 << 20
	// borrowsKept is how many of the last are kept: pages come one after the other.
	borrowsKept = 2
	// borrowWait bounds the time that a borrowing takes.
	borrowWait = 10 * time.Second
	// maxBorrowedStats bounds what is remembered of files that were borrowed, so
	// that a query of a long history borrows only those that it needs.
	maxBorrowedStats = 1 << 10
)

// borrows are files of peers, in memory. Each is of one cut.
type borrows struct {
	lend func(ctx context.Context, s fsm.Stream, c fsm.Cut) ([]byte, error) // nil where there are no peers

	turn turn       // held while borrowing: one at a time bounds the memory
	last []borrowed // of the one that has the turn; the newest first

	mu    sync.Mutex
	stats map[fsm.Seq]borrowedStats
}

type borrowed struct {
	stream fsm.Stream
	cut    fsm.Cut
	seg    *segment.Segment
}

type borrowedStats struct {
	cut   fsm.Cut
	stats segment.Stats
}

// get borrows the file of a cut. ErrMissing: no peer has it.
func (b *borrows) get(s fsm.Stream, c fsm.Cut) (*segment.Segment, error) {
	if b.lend == nil {
		return nil, ErrMissing
	}
	b.turn.Lock()
	defer b.turn.Unlock()
	for _, have := range b.last {
		if have.stream == s && have.cut == c {
			return have.seg, nil
		}
	}
	b.last = b.last[:min(len(b.last), borrowsKept-1)] // the room is needed now
	ctx, cancel := context.WithTimeout(context.Background(), borrowWait)
	defer cancel()
	file, err := b.lend(ctx, s, c)
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrMissing, err)
	}
	seg, err := segment.Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, err
	}
	b.last = append([]borrowed{{s, c, seg}}, b.last...)
	if s == fsm.Readings {
		b.remember(c, seg.Stats())
	}
	return seg, nil
}

func (b *borrows) remember(c fsm.Cut, s segment.Stats) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stats == nil || len(b.stats) >= maxBorrowedStats {
		b.stats = map[fsm.Seq]borrowedStats{}
	}
	b.stats[c.First] = borrowedStats{c, s}
}

// statsOf is what the file of a cut of readings may hold.
func (b *borrows) statsOf(c fsm.Cut) (segment.Stats, error) {
	b.mu.Lock()
	known, ok := b.stats[c.First]
	b.mu.Unlock()
	if ok && known.cut == c {
		return known.stats, nil
	}
	seg, err := b.get(fsm.Readings, c)
	if err != nil {
		return segment.Stats{}, err
	}
	return seg.Stats(), nil
}

// lend gets a file of just this cut from any peer, and has made sure of its rows.
func (n *Node) lend(ctx context.Context, s fsm.Stream, c fsm.Cut) (file []byte, err error) {
	err = ErrMissing
	for _, p := range n.otherServers() {
		if file, err = n.lendFrom(ctx, p, s, c); err == nil {
			return file, nil
		}
	}
	return nil, err
}

func (n *Node) lendFrom(ctx context.Context, p transport.Peer, s fsm.Stream, c fsm.Cut) ([]byte, error) {
	var id fileID
	var file []byte
	for first := true; first || int64(len(file)) < id.size; first = false {
		q := fileRequest{stream: s, seq: c.First, begun: id, offset: int64(len(file))}
		b, err := n.call(ctx, p, callFile, q.append(nil))
		if err != nil {
			return nil, err
		}
		if len(b) <= fileIDSize {
			return nil, errShort
		}
		if now := parseFileID(b); now != id { // the first piece, or it merged meanwhile
			id, file = now, file[:0]
		}
		if file = append(file, b[fileIDSize:]...); id.size > maxBorrowed || int64(len(file)) > id.size {
			return nil, fmt.Errorf("a file of %d bytes is too large to be borrowed: at most %d", id.size, maxBorrowed)
		}
	}
	seg, err := segment.Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, err
	}
	if seg.Cut() == c {
		return file, seg.Verify(c)
	}
	var own bytes.Buffer
	err = mergeInto(ctx, &own, n.cfg.Site, s, c, []*segment.Segment{seg})
	return own.Bytes(), err
}
