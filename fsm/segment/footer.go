package segment

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// close writes indexes and footer. pairs is the key-value metadata before
// skerry.indexes and skerry.check.
func (f *file) close(pairs []format.KeyValue) error {
	var sums strings.Builder
	meta := format.FileMetaData{Version: 1, Schema: schema(f.columns), RowGroups: f.groups, CreatedBy: "skerry version 1.0.0 (build 1)"}
	for i := range f.groups {
		sum, err := f.columnIndexes(i)
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%08x", sum)
		meta.NumRows += f.groups[i].NumRows
	}
	for i := range f.groups {
		sum, err := f.offsetIndexes(i)
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%08x", sum)
	}
	for range f.columns {
		meta.ColumnOrders = append(meta.ColumnOrders, format.ColumnOrder{Value: &format.TypeDefinedOrder{}})
	}
	meta.KeyValueMetadata = append(pairs,
		format.KeyValue{Key: keyIndexes, Value: sums.String()}, format.KeyValue{Key: keyCheck, Value: noCheck})
	footer, err := thrift.Marshal(new(thrift.CompactProtocol), &meta)
	if err != nil {
		return err
	}
	if len(footer) > maxFooter && !f.foreign {
		return fmt.Errorf("footer has %d bytes, at most %d can be read back", len(footer), maxFooter)
	}
	at := checkAt(footer)
	copy(footer[at:], fmt.Sprintf("%08x", crc32.Checksum(footer, castagnoli)))
	footer = binary.LittleEndian.AppendUint32(footer, uint32(len(footer)))
	return f.write(append(footer, magic...))
}

// columnIndexes writes the column indexes of a row group in one piece and
// returns its CRC32C.
func (f *file) columnIndexes(g int) (uint32, error) {
	var piece []byte
	for i := range f.columns {
		if !f.columns[i].indexed {
			continue
		}
		b, err := thrift.Marshal(new(thrift.CompactProtocol), &f.indexes[g][i].columns)
		if err != nil {
			return 0, err
		}
		c := &f.groups[g].Columns[i]
		c.ColumnIndexOffset, c.ColumnIndexLength = f.off+int64(len(piece)), int32(len(b))
		piece = append(piece, b...)
	}
	return crc32.Checksum(piece, castagnoli), f.write(piece)
}

// offsetIndexes does the same with the offset indexes.
func (f *file) offsetIndexes(g int) (uint32, error) {
	var piece []byte
	for i := range f.columns {
		b, err := thrift.Marshal(new(thrift.CompactProtocol), &f.indexes[g][i].offsets)
		if err != nil {
			return 0, err
		}
		c := &f.groups[g].Columns[i]
		c.OffsetIndexOffset, c.OffsetIndexLength = f.off+int64(len(piece)), int32(len(b))
		piece = append(piece, b...)
	}
	return crc32.Checksum(piece, castagnoli), f.write(piece)
}

// checkAt is where the 8 hex digits of skerry.check stand in a footer, -1 when
// there are none. Key and value are 8 bytes of Thrift strings apart: a field
// header and a length.
func checkAt(footer []byte) int {
	at := bytes.LastIndex(footer, []byte(keyCheck))
	if at < 0 || at+len(keyCheck)+2+len(noCheck) > len(footer) {
		return -1
	}
	return at + len(keyCheck) + 2
}
