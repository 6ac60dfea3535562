package archive

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// Version is the newest format that this program reads, and the one it writes.
const Version = 1

const (
	magic      = "skerry\x00A"
	headerSize = 1 + 8 + 8 + 8 + 4
	// maxManifest bounds a manifest, in bytes.
	maxManifest = 1 << 20
	// MaxSection bounds the body of any section, in bytes.
	MaxSection = 16 << 30
)

// Errors of a reader. They are wrapped with what was wrong.
var (
	// ErrDamaged: the file is cut short, or a bit of it is not as it was written.
	ErrDamaged = errors.New("the snapshot file is damaged or cut short: take another copy of it")
	// ErrNewer: a later version of skerry wrote the file.
	ErrNewer = errors.New("the snapshot file was written by a newer skerry: use that version")
	// ErrNot: the file is something else.
	ErrNot = errors.New("this is not a snapshot file of skerry")
)

// Kind tells what a section holds. The numbers are on disk: append-only.
type Kind uint8

const (
	Manifest Kind = 1 + iota
	State
	Readings // a segment of readings
	Frames   // a segment of frames
	Frame    // an open frame

	End Kind = 255
)

// Section is the head of a section.
type Section struct {
	Kind        Kind
	First, Last uint64
	Size        int64
}

// Summary is the manifest: who the file is of, and how much there is.
type Summary struct {
	Site        string `json:"site"`
	Lineage     string `json:"lineage"` // hex
	Incarnation uint64 `json:"incarnation"`
	Level       uint32 `json:"level"`  // fsm.Level that a program must know to use it
	Digest      string `json:"digest"` // index:hex of the state
	Node        string `json:"node"`   // that wrote it
	Version     string `json:"version"`
	Created     string `json:"created"` // by the node's clock, RFC 3339
	FirstSeq    uint64 `json:"first_seq"`
	LastSeq     uint64 `json:"last_seq"`
	LastFrame   uint64 `json:"last_frame"`
	Series      int    `json:"series"`
	Devices     int    `json:"devices"` // registered
	Gaps        int    `json:"gaps"`
	Segments    int    `json:"segments"`    // of readings and frames
	OpenFrames  int    `json:"open_frames"` // beside the segments
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (s Section) encode() []byte {
	b := make([]byte, 0, headerSize)
	b = append(b, byte(s.Kind))
	b = binary.LittleEndian.AppendUint64(b, s.First)
	b = binary.LittleEndian.AppendUint64(b, s.Last)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.Size))
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func decodeSection(b []byte) (s Section, ok bool) {
	if crc32.Checksum(b[:headerSize-4], castagnoli) != binary.LittleEndian.Uint32(b[headerSize-4:]) {
		return Section{}, false
	}
	s = Section{
		Kind: Kind(b[0]), First: binary.LittleEndian.Uint64(b[1:]), Last: binary.LittleEndian.Uint64(b[9:]),
		Size: int64(binary.LittleEndian.Uint64(b[17:])),
	}
	return s, s.Size >= 0 && s.Size <= MaxSection
}
