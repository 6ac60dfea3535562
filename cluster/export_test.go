package cluster

import (
	"skerry/cluster/disk"
	"skerry/fsm"
)

// What tests of the inside are given.
const (
	FetchChunk  = fetchChunk
	FrameHeader = frameHeader
)

var (
	AppendResult         = appendResult
	ParseResult          = parseResult
	AppendSegmentRequest = appendSegmentRequest
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

// Drop forgets frames.
func (f FrameStore) Drop(first, last fsm.Seq) error { return f.s.drop(first, last) }

// CloseHead ends the file.
func (f FrameStore) CloseHead() { f.s.closeHead() }

// Sync makes all durable.
func (f FrameStore) Sync() error { return f.s.sync() }

// ServeSegment answers a request for a piece of a segment.
func (n *Node) ServeSegment(b []byte) ([]byte, error) { return n.serveSegment(b) }
