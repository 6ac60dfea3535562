package snapshots

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/crc64"

	"github.com/hashicorp/raft"
)

const (
	magic    = "skerrysn"
	version  = 1
	headSize = 44

	// MaxDescription bounds the description, in bytes: servers and addresses.
	MaxDescription = 1 << 20
)

var (
	// ErrRotten: a snapshot is not what was written.
	ErrRotten = errors.New("the snapshot is damaged on disk")
	// ErrNewer: a snapshot was written by a newer skerry.
	ErrNewer = errors.New("the snapshot was written by a newer skerry: upgrade this node")

	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	ecma       = crc64.MakeTable(crc64.ECMA)
)

// head is what a file begins with.
type head struct {
	description    int // length
	data           int64
	dataSum        uint64
	descriptionSum uint32
}

func (h head) encode() []byte {
	b, le := make([]byte, headSize), binary.LittleEndian
	copy(b, magic)
	le.PutUint32(b[8:], version)
	le.PutUint32(b[12:], uint32(h.description))
	le.PutUint64(b[16:], uint64(h.data))
	le.PutUint64(b[24:], h.dataSum)
	le.PutUint32(b[32:], h.descriptionSum)
	le.PutUint32(b[40:], crc32.Checksum(b[:40], castagnoli))
	return b
}

// decodeHead reads the head of a file of size bytes.
func decodeHead(b []byte, size int64) (h head, err error) {
	le := binary.LittleEndian
	if len(b) < headSize || string(b[:8]) != magic || crc32.Checksum(b[:40], castagnoli) != le.Uint32(b[40:]) {
		return head{}, ErrRotten
	}
	if v := le.Uint32(b[8:]); v != version {
		return head{}, fmt.Errorf("version %d: %w", v, ErrNewer)
	}
	n, data := le.Uint32(b[12:]), le.Uint64(b[16:])
	if n > MaxDescription || data > uint64(size) || headSize+int64(n)+int64(data) != size {
		return head{}, ErrRotten
	}
	return head{description: int(n), data: int64(data), dataSum: le.Uint64(b[24:]), descriptionSum: le.Uint32(b[32:])}, nil
}

// decodeMeta reads the description that h is the head of.
func (h head) decodeMeta(b []byte) (*raft.SnapshotMeta, error) {
	if crc32.Checksum(b, castagnoli) != h.descriptionSum {
		return nil, ErrRotten
	}
	m := new(raft.SnapshotMeta)
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRotten, err)
	}
	m.Size = h.data
	return m, nil
}
