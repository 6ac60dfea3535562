package cluster

import (
	"encoding/binary"
	"errors"
	"io"

	"skerry/fsm"
)

// fetchChunk is how many bytes of a file are asked for at once: few enough for
// a slow link to bring within callTimeout.
const fetchChunk = 256 << 10

// fileID tells a segment file from others of the same rows: a node that goes on
// with a file at another peer must get the rest of the same bytes. As 28 bytes,
// little-endian: first u64, last u64, size u64, checksum of the footer u32.
type fileID struct {
	first, last fsm.Seq
	size        int64
	check       uint32
}

const fileIDSize = 3*8 + 4

func (id fileID) append(b []byte) []byte {
	for _, v := range []uint64{uint64(id.first), uint64(id.last), uint64(id.size)} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return binary.LittleEndian.AppendUint32(b, id.check)
}

func parseFileID(b []byte) fileID {
	u := func(at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }
	return fileID{fsm.Seq(u(0)), fsm.Seq(u(8)), int64(u(16)), binary.LittleEndian.Uint32(b[24:])}
}

// fileRequest is the body of callFile: stream u8, a seq that the file is to
// hold u64, the fileID that was begun with (zeros for none), and the offset u64
// from which on its bytes are wanted. The answer is the fileID of the peer's
// file and up to fetchChunk of its bytes: from offset if it is the file begun
// with, else from its beginning.
type fileRequest struct {
	stream fsm.Stream
	seq    fsm.Seq
	begun  fileID
	offset int64
}

const fileRequestSize = 1 + 8 + fileIDSize + 8

func (q fileRequest) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(append(b, byte(q.stream)), uint64(q.seq))
	return binary.LittleEndian.AppendUint64(q.begun.append(b), uint64(q.offset))
}

var errStreamName = errors.New("the call names a stream that has no files")

func parseFileRequest(b []byte) (q fileRequest, err error) {
	if len(b) != fileRequestSize {
		return q, errShort
	}
	q = fileRequest{
		stream: fsm.Stream(b[0]), seq: fsm.Seq(binary.LittleEndian.Uint64(b[1:])),
		begun: parseFileID(b[9:]), offset: int64(binary.LittleEndian.Uint64(b[9+fileIDSize:])),
	}
	if q.stream > fsm.Frames {
		return q, errStreamName
	}
	return q, nil
}

// serveFile answers with a piece of the file that holds a seq.
func (n *Node) serveFile(b []byte) ([]byte, error) {
	q, err := parseFileRequest(b)
	if err != nil {
		return nil, err
	}
	h := n.replica.segments.covering(q.stream, fsm.Cut{First: q.seq, Last: q.seq})
	if h == nil {
		return nil, ErrMissing
	}
	var answer []byte
	err = n.replica.withHeld(h, func(seg *openSegment) error {
		id := fileID{h.first, h.last, seg.size, seg.Check()}
		offset := q.offset
		if q.begun != id {
			offset = 0
		}
		if offset < 0 || offset > seg.size {
			offset = seg.size
		}
		chunk := make([]byte, min(fetchChunk, seg.size-offset))
		answer = id.append(make([]byte, 0, fileIDSize+len(chunk)))
		if _, err := io.ReadFull(io.NewSectionReader(seg.file, offset, int64(len(chunk))), chunk); err != nil {
			return err
		}
		answer = append(answer, chunk...)
		return nil
	})
	return answer, err
}
