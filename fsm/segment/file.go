package segment

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"skerry/fsm"
)

const magic = "PAR1"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// packer and unpacker keep no state between calls and serve all segments.
var (
	packer = sync.OnceValue(func() *zstd.Encoder {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true),
			zstd.WithWindowSize(pageBytes), zstd.WithEncoderCRC(false), zstd.WithEncoderLevel(zstd.SpeedDefault))
		if err != nil {
			panic(err)
		}
		return e
	})
	unpacker = sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxMemory(maxPage))
		if err != nil {
			panic(err)
		}
		return d
	})
)

// chunk is one column of one row group, ready to be encoded.
type chunk struct {
	def   []byte      // for each row 1, or 0 where it is null; nil when the column is required
	dict  *dictionary // nil for PLAIN pages
	ids   []int32     // for each row, with dict
	pages []int       // the row after each page
	// put appends the PLAIN values of rows lo to hi that are not null; used without dict.
	put func(dst []byte, lo, hi int) ([]byte, error)
	// bounds is the least and the greatest value of rows lo to hi, both nil
	// where they are not kept.
	bounds func(lo, hi int) (least, greatest []byte)
}

// dictionary is the content of a dictionary page.
type dictionary struct {
	plain []byte
	count int
}

// restRows are so many rows that work on one of their columns rests after.
const restRows = pageRows

// file writes a Parquet file front to back.
type file struct {
	w       io.Writer
	off     int64
	columns []column
	groups  []format.RowGroup
	indexes [][]index // by row group, by column
	foreign bool      // nobody reads it back here: no bound of readers counts

	body, runs, packed []byte // scratch
	levels             []int32

	rest func() // see fsm.Rester
}

// index is what a chunk adds to the page index.
type index struct {
	columns format.ColumnIndex
	offsets format.OffsetIndex
}

func create(w io.Writer, columns []column) (*file, error) {
	f := &file{w: w, columns: columns, rest: fsm.RestOf(w)}
	return f, f.write([]byte(magic))
}

func (f *file) write(b []byte) error {
	n, err := f.w.Write(b)
	f.off += int64(n)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}

// begin starts a row group of rows; chunks of all columns follow, in order.
func (f *file) begin(rows int) {
	sorting := make([]format.SortingColumn, 0, 4)
	for _, name := range []string{"device", "resource", "time", "seq"} {
		for i := range f.columns {
			if f.columns[i].name == name {
				sorting = append(sorting, format.SortingColumn{ColumnIdx: int32(i)})
			}
		}
	}
	f.groups = append(f.groups, format.RowGroup{
		NumRows: int64(rows), FileOffset: f.off, Ordinal: int16(len(f.groups)), SortingColumns: sorting,
	})
	f.indexes = append(f.indexes, nil)
}

// chunk writes the next column of the row group.
func (f *file) chunk(c *chunk) error {
	g := &f.groups[len(f.groups)-1]
	col := &f.columns[len(g.Columns)]
	start := f.off
	m := format.ColumnMetaData{
		Type: col.typ, PathInSchema: []string{col.name}, Codec: col.codec(),
		Encoding: []format.Encoding{format.Plain, format.RLE}, NumValues: g.NumRows,
	}
	if c.dict != nil {
		m.Encoding = append(m.Encoding, format.RLEDictionary)
		m.DictionaryPageOffset = start
		header := dictionaryHeader(c.dict.count)
		if err := f.page(col, &header, c.dict.plain, &m); err != nil {
			return err
		}
	}
	m.DataPageOffset = f.off
	ix, err := f.dataPages(col, c, &m)
	if err != nil {
		return err
	}
	if c.bounds != nil {
		m.Statistics.MinValue, m.Statistics.MaxValue = c.bounds(0, int(g.NumRows))
	}
	m.TotalCompressedSize = f.off - start
	g.TotalByteSize += m.TotalUncompressedSize
	g.TotalCompressedSize += m.TotalCompressedSize
	g.Columns = append(g.Columns, format.ColumnChunk{FileOffset: start, MetaData: m})
	f.indexes[len(f.groups)-1] = append(f.indexes[len(f.groups)-1], ix)
	return nil
}

// dataPages writes the chunk's data pages and returns their index.
func (f *file) dataPages(col *column, c *chunk, m *format.ColumnMetaData) (ix index, err error) {
	encoding := format.Plain
	if c.dict != nil {
		encoding = format.RLEDictionary
	}
	lo := 0
	for _, hi := range c.pages {
		nulls, err := f.encode(c, lo, hi)
		if err != nil {
			return ix, err
		}
		header := dataHeader(hi-lo, nulls, encoding)
		at := f.off
		if err := f.page(col, &header, f.body, m); err != nil {
			return ix, err
		}
		ix.offsets.PageLocations = append(ix.offsets.PageLocations, format.PageLocation{
			Offset: at, CompressedPageSize: int32(f.off - at), FirstRowIndex: int64(lo)})
		if col.indexed {
			least, greatest := c.bounds(lo, hi)
			ix.columns.NullPages = append(ix.columns.NullPages, false)
			ix.columns.MinValues = append(ix.columns.MinValues, least)
			ix.columns.MaxValues = append(ix.columns.MaxValues, greatest)
			ix.columns.NullCounts = append(ix.columns.NullCounts, 0)
		}
		m.Statistics.NullCount += int64(nulls)
		lo = hi
	}
	return ix, nil
}

func (c *column) codec() format.CompressionCodec {
	if c.raw {
		return format.Uncompressed
	}
	return format.Zstd
}

// encode puts the unpacked body of a data page into f.body.
func (f *file) encode(c *chunk, lo, hi int) (nulls int, err error) {
	f.body = f.body[:0]
	if c.def != nil {
		for _, d := range c.def[lo:hi] {
			nulls += 1 - int(d)
		}
		if f.runs, err = (&rle.Encoding{BitWidth: 1}).EncodeLevels(f.runs, c.def[lo:hi]); err != nil {
			return 0, err
		}
		f.body = binary.LittleEndian.AppendUint32(f.body, uint32(len(f.runs)))
		f.body = append(f.body, f.runs...)
	}
	if c.dict == nil {
		f.body, err = c.put(f.body, lo, hi)
		return nulls, err
	}
	ids := c.ids[lo:hi]
	if nulls > 0 {
		f.levels = f.levels[:0]
		for i, id := range ids {
			if c.def[lo+i] != 0 {
				f.levels = append(f.levels, id)
			}
		}
		ids = f.levels
	}
	width := idWidth(c.dict.count)
	if f.runs, err = (&rle.Encoding{BitWidth: width}).EncodeInt32(f.runs, ids); err != nil {
		return 0, err
	}
	f.body = append(append(f.body, byte(width)), f.runs...)
	return nulls, nil
}

// idWidth is the bits of a dictionary's ids: whole bytes, since zstd finds
// nothing in values that straddle bytes.
func idWidth(count int) int { return max((bits.Len(uint(count-1))+7)/8*8, 8) }

func dictionaryHeader(values int) format.PageHeader {
	return format.PageHeader{Type: format.DictionaryPage, DictionaryPageHeader: thrift.New(
		format.DictionaryPageHeader{NumValues: int32(values), Encoding: format.Plain})}
}

func dataHeader(rows, nulls int, encoding format.Encoding) format.PageHeader {
	return format.PageHeader{Type: format.DataPage, DataPageHeader: thrift.New(format.DataPageHeader{
		NumValues: int32(rows), Encoding: encoding,
		DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE,
		Statistics: format.Statistics{NullCount: int64(nulls)},
	})}
}

// page packs a body, completes its header and writes both.
func (f *file) page(col *column, header *format.PageHeader, body []byte, m *format.ColumnMetaData) error {
	if len(body) > maxPage {
		return fmt.Errorf("page of %s has %d bytes, at most %d can be read back", col.name, len(body), maxPage)
	}
	header.UncompressedPageSize = int32(len(body))
	f.rest()
	if !col.raw {
		f.packed = packer().EncodeAll(body, f.packed[:0])
		body = f.packed
	}
	header.CompressedPageSize = int32(len(body))
	header.CRC = int32(crc32.ChecksumIEEE(body))
	head, err := thrift.Marshal(new(thrift.CompactProtocol), header)
	if err != nil {
		return err
	}
	m.EncodingStats = countPage(m.EncodingStats, header)
	m.TotalUncompressedSize += int64(len(head)) + int64(header.UncompressedPageSize)
	if err := f.write(head); err != nil {
		return err
	}
	return f.write(body)
}

// countPage adds a page to the counts by type and encoding.
func countPage(counts []format.PageEncodingStats, h *format.PageHeader) []format.PageEncodingStats {
	encoding := format.Plain
	if h.Type == format.DataPage {
		encoding = h.DataPageHeader.V.Encoding
	}
	if n := len(counts) - 1; n >= 0 && counts[n].PageType == h.Type {
		counts[n].Count++
		return counts
	}
	return append(counts, format.PageEncodingStats{PageType: h.Type, Encoding: encoding, Count: 1})
}
