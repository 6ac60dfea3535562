package fsm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// EntryVersion is the newest format of an entry that this program reads, and
// the one it writes.
const EntryVersion = 1

// headerSize is the size of an entry's header in bytes; see the package doc
// for its layout.
const headerSize = 24

const flagClockUnknown = 1

// Errors of decoders. They are wrapped with what was wrong.
var (
	// ErrNewer: the bytes were written by a later version of skerry.
	ErrNewer = errors.New("made by a newer skerry: upgrade this node")
	// ErrCorrupt: the bytes are not what a skerry wrote.
	ErrCorrupt = errors.New("damaged")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Header is what the leader stamps on a command when it appends it.
type Header struct {
	Op           Op
	ClockUnknown bool    // the leader did not know the time
	LogTime      LogTime // the leader's log time
	Received     int64   // the leader's wall clock, microseconds since 1970 UTC
}

// AppendEntry appends one entry to b. OpReadings takes any number of bodies,
// each one sub-batch as its proposer encoded it; every other op takes one. The
// bodies are copied as they are: Check them first.
func AppendEntry(b []byte, h Header, bodies ...[]byte) []byte {
	start := len(b)
	var flags byte
	if h.ClockUnknown {
		flags |= flagClockUnknown
	}
	b = append(b, EntryVersion, byte(h.Op), flags, 0, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.LogTime))
	b = binary.LittleEndian.AppendUint64(b, uint64(h.Received))
	for _, body := range bodies {
		if h.Op == OpReadings {
			b = binary.AppendUvarint(b, uint64(len(body)))
		}
		b = append(b, body...)
	}
	binary.LittleEndian.PutUint32(b[start+4:], entryCRC(b[start:]))
	return b
}

// DecodeHeader checks an entry's version and checksum and returns its header
// and body. The body shares memory with the entry. Errors: ErrNewer, ErrCorrupt.
func DecodeHeader(entry []byte) (Header, []byte, error) {
	if len(entry) < headerSize {
		return Header{}, nil, fmt.Errorf("entry of %d bytes is too short: %w", len(entry), ErrCorrupt)
	}
	if entry[0] > EntryVersion {
		return Header{}, nil, fmt.Errorf("entry has format %d, this program reads up to %d: %w", entry[0], EntryVersion, ErrNewer)
	}
	if entry[0] != EntryVersion || entry[2]&^flagClockUnknown != 0 || entry[3] != 0 {
		return Header{}, nil, fmt.Errorf("entry header % x: %w", entry[:4], ErrCorrupt)
	}
	if got, want := entryCRC(entry), binary.LittleEndian.Uint32(entry[4:]); got != want {
		return Header{}, nil, fmt.Errorf("entry checksum is %08x and should be %08x: %w", got, want, ErrCorrupt)
	}
	return Header{
		Op:           Op(entry[1]),
		ClockUnknown: entry[2]&flagClockUnknown != 0,
		LogTime:      LogTime(binary.LittleEndian.Uint64(entry[8:])),
		Received:     int64(binary.LittleEndian.Uint64(entry[16:])),
	}, entry[headerSize:], nil
}

// entryCRC is the CRC32C of the entry with the four bytes of the checksum zero.
func entryCRC(entry []byte) uint32 {
	var zero [4]byte
	crc := crc32.Update(0, castagnoli, entry[:4])
	crc = crc32.Update(crc, castagnoli, zero[:])
	return crc32.Update(crc, castagnoli, entry[8:])
}

// nextSubBatch takes one sub-batch off the body of an OpReadings entry.
func nextSubBatch(body []byte) (sub, rest []byte, err error) {
	n, k := binary.Uvarint(body)
	if k <= 0 || n > uint64(len(body)-k) {
		return nil, nil, fmt.Errorf("sub-batch runs over the end of its entry: %w", ErrCorrupt)
	}
	return body[k : k+int(n)], body[k+int(n):], nil
}
