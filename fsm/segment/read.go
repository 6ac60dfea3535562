package segment

import (
	"bytes"
	"hash/crc32"
	"math"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// groupReader reads pages of one row group, for one caller. It keeps the
// dictionaries it met and the last page of each column.
type groupReader struct {
	s       *Segment
	g       *group
	columns []chunkReader

	strict bool   // compare each page header with what the writer makes
	packed []byte // the page read last, header and body
}

// chunkReader is what a groupReader knows of one column.
type chunkReader struct {
	bounds format.ColumnIndex // of indexed columns
	pages  []format.PageLocation
	dict   *values // nil before the first page
	held   int     // 1 + the page that vector holds, 0 for none
	vector vector  // shares memory with body
	body   []byte
}

// reader reads the row group's indexes.
func (s *Segment) reader(g *group) (*groupReader, error) {
	r := &groupReader{s: s, g: g, columns: make([]chunkReader, len(s.columns))}
	bounds, err := r.piece(g.columnSum, func(k *format.ColumnChunk) (int64, int32) { return k.ColumnIndexOffset, k.ColumnIndexLength })
	if err != nil {
		return nil, err
	}
	offsets, err := r.piece(g.offsetSum, func(k *format.ColumnChunk) (int64, int32) { return k.OffsetIndexOffset, k.OffsetIndexLength })
	if err != nil {
		return nil, err
	}
	for i := range r.columns {
		c := &r.columns[i]
		if s.columns[i].indexed {
			if err := unmarshal(bounds[i], &c.bounds); err != nil {
				return nil, err
			}
		}
		var index format.OffsetIndex
		if err := unmarshal(offsets[i], &index); err != nil {
			return nil, err
		}
		c.pages = index.PageLocations
		if err := r.check(i); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// piece reads the part of the file that holds the columns' indexes of one
// sort, where tells their offsets and lengths, and cuts it up by column after
// its checksum held.
func (r *groupReader) piece(sum uint32, where func(k *format.ColumnChunk) (int64, int32)) ([][]byte, error) {
	start, end := int64(math.MaxInt64), int64(0)
	for i := range r.g.chunks {
		if off, n := where(&r.g.chunks[i]); n > 0 {
			start, end = min(start, off), max(end, off+int64(n))
		}
	}
	if start < 0 || end < start || end-start > maxIndex {
		return nil, damaged("indexes from byte %d to %d", start, end)
	}
	b := make([]byte, end-start)
	if err := readAt(r.s.r, b, start); err != nil {
		return nil, err
	}
	if crc32.Checksum(b, castagnoli) != sum {
		return nil, damaged("indexes at byte %d do not have their checksum", start)
	}
	cut := make([][]byte, len(r.g.chunks))
	for i := range cut {
		if off, n := where(&r.g.chunks[i]); n > 0 {
			cut[i] = b[off-start:][:n]
		}
	}
	return cut, nil
}

// check looks for what the rest of the code relies on: a column's pages hold
// the row group's rows in order.
func (r *groupReader) check(c int) error {
	pages, bounds := r.columns[c].pages, &r.columns[c].bounds
	if len(pages) == 0 || pages[0].FirstRowIndex != 0 {
		return damaged("%s has no first page", r.s.columns[c].name)
	}
	for i := range pages {
		if n := r.rows(c, i); n < 1 || n > groupRows {
			return damaged("page %d of %s has %d rows", i, r.s.columns[c].name, n)
		}
	}
	if r.s.columns[c].indexed && (len(bounds.MinValues) != len(pages) || len(bounds.MaxValues) != len(pages)) {
		return damaged("%s has %d pages and the bounds of %d", r.s.columns[c].name, len(pages), len(bounds.MinValues))
	}
	return nil
}

// rows is the number of rows of a column's page.
func (r *groupReader) rows(c, page int) int {
	pages := r.columns[c].pages
	end := int64(r.g.rows)
	if page+1 < len(pages) {
		end = pages[page+1].FirstRowIndex
	}
	return int(end - pages[page].FirstRowIndex)
}

// empty tells that all rows of the column are null; its pages need no reading.
func (r *groupReader) empty(c int) bool {
	return r.g.chunks[c].MetaData.Statistics.NullCount == int64(r.g.rows)
}

// page reads and decodes a page of a column. The vector is valid until the
// column's next page is read.
func (r *groupReader) page(c, page int) (*vector, error) {
	k, col, chunk := &r.columns[c], &r.s.columns[c], &r.g.chunks[c].MetaData
	if k.held == page+1 {
		return &k.vector, nil
	}
	k.held = 0
	if chunk.DictionaryPageOffset > 0 && k.dict == nil {
		h, err := r.fetch(c, chunk.DictionaryPageOffset, chunk.DataPageOffset-chunk.DictionaryPageOffset)
		if err != nil {
			return nil, err
		}
		if h.kind != int64(format.DictionaryPage) || h.encoding != int64(format.Plain) || h.values < 1 || h.values > groupRows {
			return nil, damaged("dictionary of %s", col.name)
		}
		if k.dict, err = decodeValues(col, int(h.values), k.body); err != nil {
			return nil, err
		}
		if err := r.compare(&h, dictionaryHeader(int(h.values))); err != nil {
			return nil, err
		}
	}
	at := k.pages[page]
	h, err := r.fetch(c, at.Offset, int64(at.CompressedPageSize))
	if err != nil {
		return nil, err
	}
	encoding := format.Plain
	if k.dict != nil {
		encoding = format.RLEDictionary
	}
	n := r.rows(c, page)
	if h.kind != int64(format.DataPage) || h.encoding != int64(encoding) || h.values != int64(n) {
		return nil, damaged("page %d of %s is not the one its index names", page, col.name)
	}
	if err := k.vector.decode(col, k.dict, n, k.body); err != nil {
		return nil, err
	}
	if err := r.compare(&h, dataHeader(n, k.vector.nulls, encoding)); err != nil {
		return nil, err
	}
	k.held = page + 1
	return &k.vector, nil
}

// compare finds, when the reader is strict, damage of a page header that
// changes no value but may keep others from reading the file.
func (r *groupReader) compare(h *pageHeader, want format.PageHeader) error {
	if !r.strict {
		return nil
	}
	want.UncompressedPageSize, want.CompressedPageSize, want.CRC = int32(h.unpacked), int32(h.packed), int32(h.crc)
	b, err := thrift.Marshal(new(thrift.CompactProtocol), &want)
	if err != nil {
		return err
	}
	if !bytes.Equal(b, r.packed[:len(r.packed)-int(h.packed)]) {
		return damaged("page header")
	}
	return nil
}

// fetch reads a page of size bytes at off and unpacks it into the column's body.
func (r *groupReader) fetch(c int, off, size int64) (pageHeader, error) {
	k, col := &r.columns[c], &r.s.columns[c]
	if off < 0 || size < 1 || size > maxPage {
		return pageHeader{}, damaged("page of %d bytes at byte %d", size, off)
	}
	r.packed = resize(r.packed, int(size))
	if err := readAt(r.s.r, r.packed, off); err != nil {
		return pageHeader{}, err
	}
	h, body, err := parsePageHeader(r.packed)
	if err != nil {
		return h, err
	}
	if h.packed != int64(len(body)) || h.unpacked < 0 || h.unpacked > maxPage {
		return h, damaged("page of %d bytes says it has %d, unpacked %d", len(body), h.packed, h.unpacked)
	}
	if crc32.ChecksumIEEE(body) != h.crc {
		return h, damaged("page of %s at byte %d does not have its checksum", col.name, off)
	}
	k.body = resize(k.body, int(h.unpacked))
	if col.raw {
		if len(body) != len(k.body) {
			return h, damaged("page of %d bytes says it has %d", len(body), len(k.body))
		}
		copy(k.body, body)
		return h, nil
	}
	out, err := unpacker().DecodeAll(body, k.body[:0])
	if err != nil || len(out) != int(h.unpacked) {
		return h, damaged("page of %s at byte %d does not unpack: %v", col.name, off, err)
	}
	k.body = out
	return h, nil
}
