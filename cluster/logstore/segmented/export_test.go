package segmented

import (
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
)

// SetVersion makes a segment one of another version of the format.
func SetVersion(tb testing.TB, d disk.Disk, name string, v uint32) {
	tb.Helper()
	f, err := d.Open(name)
	if err != nil {
		tb.Fatal(err)
	}
	b := make([]byte, headSize)
	if _, err := f.ReadAt(b, 0); err != nil {
		tb.Fatal(err)
	}
	binary.LittleEndian.PutUint32(b[8:], v)
	binary.LittleEndian.PutUint32(b[44:], crc32.Checksum(b[:44], castagnoli))
	for _, at := range []int64{0, headCopy} {
		if _, err := f.WriteAt(b, at); err != nil {
			tb.Fatal(err)
		}
	}
}

// Encode is the bytes of a record.
func Encode(salt uint64, batch uint32, last bool, e *raft.Log) []byte {
	return appendRecord(nil, salt, batch, last, e)
}

// Decode reads a record.
func Decode(b []byte, salt uint64) (e raft.Log, batch uint32, last, ok bool) {
	r, ok := parseRecord(b, salt)
	return r.entry, r.batch, r.last, ok
}

// EncodeHead is the bytes of a segment's head.
func EncodeHead(serial, salt, first uint64, alone bool) []byte {
	return head{serial, salt, first, alone}.encode()
}

// DecodeHead reads a head.
func DecodeHead(b []byte) (serial, salt, first uint64, alone bool, err error) {
	h, err := decodeHead(b)
	return h.serial, h.salt, h.first, h.alone, err
}
