package cluster

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
	"skerry/fsm"
	"skerry/fsm/segment"
)

// What tests of the inside are given.
const (
	FetchChunk  = fetchChunk
	FrameHeader = frameHeader
	FileIDSize  = fileIDSize
)

var (
	AppendResult = appendResult
	ParseResult  = parseResult
)

// FrameStore is the store of open frames' bytes.
type FrameStore struct{ s *frameStore }

// NewFrameStore returns the store on d.
func NewFrameStore(d disk.Disk) FrameStore { return FrameStore{newFrameStore(d)} }

// Put appends a frame.
func (f FrameStore) Put(seq fsm.Seq, jpeg []byte) error { return f.s.put(seq, jpeg) }

// Restore reads back the open frames.
func (f FrameStore) Restore(open []fsm.Frame) ([]fsm.Frame, error) { return f.s.restore(open) }

// JPEG returns a frame.
func (f FrameStore) JPEG(seq fsm.Seq) ([]byte, error) { return f.s.jpeg(seq) }

// Drop forgets frames, and removes files.
func (f FrameStore) Drop(first, last fsm.Seq) error {
	f.s.drop(first, last)
	return f.s.sweep()
}

// Forget forgets frames; their file is still to be removed.
func (f FrameStore) Forget(first, last fsm.Seq) { f.s.drop(first, last) }

// CloseHead ends the file.
func (f FrameStore) CloseHead() { f.s.closeHead() }

// Sync makes all durable.
func (f FrameStore) Sync() error { return f.s.sync() }

// ServeFile answers a request for a piece of a file.
func (n *Node) ServeFile(b []byte) ([]byte, error) { return n.serveFile(b) }

// Replica is a raft.FSM whose segments nobody writes.
type Replica struct{ *replica }

// NewReplica returns one on d; failed takes why it cannot go on.
func NewReplica(d disk.Disk, failed func(error)) (Replica, error) {
	segs, err := newSegments(d, "test")
	return Replica{newReplica(slog.New(slog.DiscardHandler), segs, newFrameStore(d), fsm.NewestLevel, failed)}, err
}

// EndWriting says that nobody will.
func (r Replica) EndWriting() { r.endWriting() }

// Started has a snapshot that is restored be a leader's; installed is called
// before it replaces the state.
func (r Replica) Started(installed func() error) { r.started(installed, nil) }

// Cut is one of its state's.
func (r Replica) Cut(s fsm.Stream, i int) fsm.Cut { return r.state.Cuts(s)[i] }

// Adopts reports that its disk has the rows of a cut.
func (r Replica) Adopts(s fsm.Stream, c fsm.Cut) bool { return r.segments.adopt(s, c) }

// Behind reports that its cuts come in faster than they are written.
func (r Replica) Behind() bool { return r.behind() }

// Missing is how many cuts and frames it lacks.
func (r Replica) Missing() int { return r.missingCount() }

// Digest is of the state.
func (r Replica) Digest() string { return r.state.DigestString() }

// Fail ends Run with a reason.
func (n *Node) Fail(err error) { n.fail(err) }

// HandLeadOn hands the lead to a voter, "" for any.
func (n *Node) HandLeadOn(ctx context.Context, to raft.ServerID) error { return n.handLeadOn(ctx, to) }

// ErrTransferStuck is of a node whose transfer of the lead never ended.
var ErrTransferStuck = errTransferStuck

// SeenServers is how many servers the site remembers.
func (n *Node) SeenServers() int { return len(n.replica.seen()) }

// FileID is an encoded fileID.
func FileID(first, last fsm.Seq, size int64, check uint32) []byte {
	return fileID{first, last, size, check}.append(nil)
}

// AppendFileRequest encodes a request; begun is an encoded fileID, nil for none.
func AppendFileRequest(b []byte, s fsm.Stream, seq fsm.Seq, begun []byte, offset int64) []byte {
	q := fileRequest{stream: s, seq: seq, offset: offset}
	if begun != nil {
		q.begun = parseFileID(begun)
	}
	return q.append(b)
}

// Quarantine marks the node's directory, and ends it.
func (n *Node) Quarantine(reason error) { n.fail(n.quarantine(reason)) }

// WriteFile writes a file of a cut as whoever makes one does.
func (n *Node) WriteFile(s fsm.Stream, c fsm.Cut, write func(io.Writer) error) error {
	return n.replica.segments.write(s, c, write)
}

// DropWhileWriting writes a file of readings, and while it is written drops all
// that comes before a seq.
func DropWhileWriting(d disk.Disk, rows []fsm.Reading, c fsm.Cut, before fsm.Seq) (listed bool, err error) {
	s, err := newSegments(d, "test")
	if err != nil {
		return false, err
	}
	err = s.write(fsm.Readings, c, func(w io.Writer) error {
		_, err := segment.WriteReadings(w, "test", c, rows)
		return errors.Join(err, s.drop(fsm.Readings, before))
	})
	if err != nil {
		return false, err
	}
	err = s.drop(fsm.Readings, before)
	return s.has(fsm.Readings, c), err
}

// ReplaceWait is how long a directory stays out that was replaced at these times.
func ReplaceWait(at []time.Time) time.Duration {
	var r replaced
	for _, t := range at {
		r = r.again(t)
	}
	return r.wait()
}

// Remove takes a server out of the configuration, on the leader.
func (n *Node) Remove(id raft.ServerID) error {
	return n.raft.RemoveServer(id, 0, memberTimeout).Error()
}
