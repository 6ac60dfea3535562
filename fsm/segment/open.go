package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"

	"github.com/parquet-go/parquet-go/format"

	"skerry/fsm"
)

// Segment reads one file. Its methods may be called at the same time. It holds
// the footer; everything else is read when asked for. An error that is not
// ErrDamaged comes from the io.ReaderAt or a context.
type Segment struct {
	r       io.ReaderAt
	meta    Meta
	stats   Stats
	check   uint32 // CRC32C of the footer
	columns []column
	groups  []group
}

// group is a row group as the footer describes it.
type group struct {
	rows   int
	chunks []format.ColumnChunk
	stats  Stats
	// CRC32C of its column indexes and of its offset indexes
	columnSum, offsetSum uint32
}

// Open reads the footer of a file of size bytes. Errors: ErrForeign, ErrNewer,
// ErrDamaged, errors of r.
func Open(r io.ReaderAt, size int64) (s *Segment, err error) {
	defer rescue(&err)
	footer, check, err := readFooter(r, size)
	if err != nil {
		return nil, err
	}
	var m format.FileMetaData
	if err := unmarshal(footer, &m); err != nil {
		return nil, err
	}
	s = &Segment{r: r, check: check}
	if s.meta, err = parseMeta(m.KeyValueMetadata); err != nil {
		return nil, err
	}
	s.columns = readingColumns
	if s.meta.Stream == fsm.Frames {
		s.columns = frameColumns
	}
	sums := ""
	for _, p := range m.KeyValueMetadata {
		if p.Key == keyIndexes {
			sums = p.Value
		}
	}
	list, err := parseSums(sums, 2*len(m.RowGroups))
	if err != nil {
		return nil, err
	}
	for i := range m.RowGroups {
		g, err := s.openGroup(&m.RowGroups[i], size)
		if err != nil {
			return nil, fmt.Errorf("row group %d: %w", i, err)
		}
		g.columnSum, g.offsetSum = list[i], list[len(m.RowGroups)+i]
		s.groups = append(s.groups, g)
		s.stats.add(g.stats)
	}
	s.stats.Size = size
	if s.stats.Rows != s.meta.Cut.Rows() {
		return nil, damaged("%d rows for a cut of %d", s.stats.Rows, s.meta.Cut.Rows())
	}
	return s, nil
}

// parseSums reads n checksums of 8 hex digits each.
func parseSums(s string, n int) ([]uint32, error) {
	if len(s) != 8*n {
		return nil, damaged("%d checksums of %d indexes", len(s)/8, n)
	}
	list := make([]uint32, n)
	for i := range list {
		sum, err := strconv.ParseUint(s[8*i:][:8], 16, 32)
		if err != nil {
			return nil, damaged("%s: %v", keyIndexes, err)
		}
		list[i] = uint32(sum)
	}
	return list, nil
}

// readFooter returns the footer and its checksum after that held.
func readFooter(r io.ReaderAt, size int64) ([]byte, uint32, error) {
	const tail = 4 + len(magic)
	if size < int64(len(magic)+tail) {
		return nil, 0, damaged("%d bytes are no file", size)
	}
	var end [tail]byte
	if err := readAt(r, end[:], size-int64(tail)); err != nil {
		return nil, 0, err
	}
	if string(end[4:]) != magic {
		return nil, 0, damaged("it does not end as a Parquet file")
	}
	n := int64(binary.LittleEndian.Uint32(end[:4]))
	if n > maxFooter || n > size-int64(len(magic)+tail) {
		return nil, 0, damaged("footer of %d bytes", n)
	}
	footer := make([]byte, n)
	if err := readAt(r, footer, size-int64(tail)-n); err != nil {
		return nil, 0, err
	}
	at := checkAt(footer)
	if at < 0 {
		return nil, 0, fmt.Errorf("%w, or %w: its footer has no %s", ErrForeign, ErrDamaged, keyCheck)
	}
	want := string(footer[at:][:len(noCheck)])
	copy(footer[at:], noCheck)
	check := crc32.Checksum(footer, castagnoli)
	if got := fmt.Sprintf("%08x", check); got != want {
		return nil, 0, damaged("footer has checksum %s, not %s", got, want)
	}
	return footer, check, nil
}

// readAt fills b. A file that ends too early is damaged.
func readAt(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return damaged("it ends before byte %d", off+int64(len(b)))
	}
	return err
}

func (s *Segment) openGroup(m *format.RowGroup, size int64) (group, error) {
	g := group{rows: int(m.NumRows), chunks: m.Columns}
	if m.NumRows < 1 || m.NumRows > groupRows || len(m.Columns) != len(s.columns) {
		return g, damaged("%d rows in %d columns", m.NumRows, len(m.Columns))
	}
	for i := range g.chunks {
		c, col := &g.chunks[i].MetaData, &s.columns[i]
		if c.Type != col.typ || len(c.PathInSchema) != 1 || c.PathInSchema[0] != col.name || c.Codec != col.codec() || c.NumValues != m.NumRows {
			return g, damaged("column %d is not %s", i, col.name)
		}
		if c.DataPageOffset < 0 || c.DictionaryPageOffset < 0 || c.TotalCompressedSize < 0 || c.TotalCompressedSize > size {
			return g, damaged("column %s lies outside the file", col.name)
		}
	}
	g.stats = Stats{
		Rows:     g.rows,
		Seq:      g.rangeOf(colSeq),
		Time:     g.rangeOf(s.column("time")),
		Received: g.rangeOf(s.column("received")),
		Device:   g.namesOf(colDevice),
		Resource: g.namesOf(colResource),
	}
	return g, nil
}

// column is the position of a column that both streams have.
func (s *Segment) column(name string) int {
	for i := range s.columns {
		if s.columns[i].name == name {
			return i
		}
	}
	panic("segment: no column " + name)
}

func (g *group) rangeOf(c int) Range {
	st := &g.chunks[c].MetaData.Statistics
	return Range{int64Of(st.MinValue), int64Of(st.MaxValue)}
}

func (g *group) namesOf(c int) NameRange {
	st := &g.chunks[c].MetaData.Statistics
	return NameRange{string(st.MinValue), string(st.MaxValue)}
}

// int64Of panics when b has not 8 bytes; Open turns that into ErrDamaged.
func int64Of(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b[:8:8])) }

// Meta is what the footer says: site, stream and cut.
func (s *Segment) Meta() Meta { return s.meta }

// Cut is the cut whose rows the file holds, as its footer says; see Verify.
func (s *Segment) Cut() fsm.Cut { return s.meta.Cut }

// Stream is Readings or Frames.
func (s *Segment) Stream() fsm.Stream { return s.meta.Stream }

// Check is the checksum of the footer: files of one cut and size with the same
// Check were written alike.
func (s *Segment) Check() uint32 { return s.check }

// Stats comes from the footer; no row is read.
func (s *Segment) Stats() Stats { return s.stats }
