package segmented

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/hashicorp/raft"
)

const (
	recordHead = 40
	align      = 8 // records begin at multiples of it

	// MaxData bounds the data of an entry, in bytes.
	MaxData = 16 << 20
	maxExt  = 1<<16 - 1

	flagLast = 1 // the last record of its batch
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// record is an entry as it lies in a segment.
type record struct {
	entry raft.Log // Data and Extensions point into what was parsed
	batch uint32   // which StoreLogs of the segment wrote it, from 1
	last  bool     // of its batch
	size  int      // with padding
}

// recordSize is what an entry takes, in bytes.
func recordSize(e *raft.Log) int64 {
	n := recordHead + len(e.Data) + len(e.Extensions)
	return int64((n + align - 1) / align * align)
}

// checkSize refuses an entry that no record can hold.
func checkSize(e *raft.Log) error {
	if len(e.Data) > MaxData || len(e.Extensions) > maxExt {
		return fmt.Errorf("entry %d has %d bytes and %d of extensions, at most %d and %d are stored", e.Index, len(e.Data), len(e.Extensions), MaxData, maxExt)
	}
	return nil
}

// appendRecord appends an entry to b.
func appendRecord(b []byte, salt uint64, batch uint32, last bool, e *raft.Log) []byte {
	from := len(b)
	b = append(b, make([]byte, recordHead)...)
	b = append(b, e.Data...)
	b = append(b, e.Extensions...)
	h, le := b[from:], binary.LittleEndian
	le.PutUint32(h[4:], uint32(len(e.Data)))
	le.PutUint64(h[8:], e.Index)
	le.PutUint64(h[16:], e.Term)
	if !e.AppendedAt.IsZero() {
		le.PutUint64(h[24:], uint64(e.AppendedAt.UnixNano()))
	}
	le.PutUint32(h[32:], batch)
	le.PutUint16(h[36:], uint16(len(e.Extensions)))
	h[38] = byte(e.Type)
	if last {
		h[39] = flagLast
	}
	le.PutUint32(h, checksum(salt, h[4:]))
	for len(b)%align != from%align {
		b = append(b, 0)
	}
	return b
}

// recordSpan is how many bytes the record at the beginning of b claims to take,
// and for which entry; 0 if there is none.
func recordSpan(b []byte) (index uint64, size int) {
	if len(b) < recordHead {
		return 0, 0
	}
	le := binary.LittleEndian
	data, ext := int64(le.Uint32(b[4:])), int64(le.Uint16(b[36:]))
	index = le.Uint64(b[8:])
	if index == 0 || data > MaxData {
		return 0, 0
	}
	return index, int((recordHead + data + ext + align - 1) / align * align)
}

// parseRecord reads the record at the beginning of b; ok is false if there is
// no whole and undamaged one.
func parseRecord(b []byte, salt uint64) (r record, ok bool) {
	index, size := recordSpan(b)
	if size == 0 {
		return record{}, false
	}
	le := binary.LittleEndian
	data, ext := int(le.Uint32(b[4:])), int(le.Uint16(b[36:]))
	end := recordHead + data + ext
	if end > len(b) || checksum(salt, b[4:end]) != le.Uint32(b) {
		return record{}, false
	}
	r = record{batch: le.Uint32(b[32:]), last: b[39]&flagLast != 0, size: size}
	r.entry = raft.Log{Index: index, Term: le.Uint64(b[16:]), Type: raft.LogType(b[38]), Data: b[recordHead : recordHead+data : recordHead+data]}
	if ext > 0 {
		r.entry.Extensions = b[recordHead+data : end : end]
	}
	if at := int64(le.Uint64(b[24:])); at != 0 {
		r.entry.AppendedAt = time.Unix(0, at)
	}
	return r, true
}

// checksum is the CRC32C of the salt and b.
func checksum(salt uint64, b []byte) uint32 {
	var s [8]byte
	binary.LittleEndian.PutUint64(s[:], salt)
	return crc32.Update(crc32.Checksum(s[:], castagnoli), castagnoli, b)
}
