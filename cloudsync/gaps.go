package cloudsync

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/parquet-go/parquet-go"

	"skerry/cloudsync/delta"
	"skerry/fsm"
)

// maxGaps bounds the gaps of one file.
const maxGaps = 10_000

// gapRow is one row of the gaps table.
type gapRow struct {
	Seq      int64  `parquet:"seq,plain,zstd"`
	Sequence string `parquet:"sequence,plain,zstd"`
	First    int64  `parquet:"first,plain,zstd"`
	Last     int64  `parquet:"last,plain,zstd"`
	Count    int64  `parquet:"count,plain,zstd"`
	Reason   string `parquet:"reason,plain,zstd"`
}

// gapsFile writes gaps, at least one, into a temporary file that the caller
// removes. The same gaps give the same bytes.
func gapsFile(gaps []fsm.Gap, now time.Time) (*file, error) {
	table := make([]gapRow, len(gaps))
	for i, g := range gaps {
		table[i] = gapRow{
			Seq: int64(g.Seq), Sequence: g.Stream.String(),
			First: int64(g.First), Last: int64(g.Last), Count: int64(g.Count), Reason: g.Reason,
		}
	}
	f, err := os.CreateTemp("", "skerry-gaps-*.parquet")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	if err := writeGaps(f, h, table); err != nil {
		_ = os.Remove(f.Name())
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		_ = os.Remove(f.Name())
		return nil, err
	}
	first, last := gaps[0].Seq, gaps[len(gaps)-1].Seq
	out := &file{
		path: f.Name(), size: info.Size(), sum: hex.EncodeToString(h.Sum(nil)), modified: now.UnixMilli(),
		first: first, last: last, stats: gapStats(gaps),
	}
	out.name = fileName("", first, last, out.sum)
	return out, nil
}

// writeGaps writes the rows as Parquet to both writers.
func writeGaps(f, sum io.Writer, table []gapRow) error {
	w := parquet.NewGenericWriter[gapRow](io.MultiWriter(f, sum), parquet.CreatedBy("skerry", "1.0.0", "1"))
	if _, err := w.Write(table); err != nil {
		return err
	}
	return w.Close()
}

// readGaps reads a file that writeGaps wrote.
func readGaps(r io.ReaderAt, size int64) (gaps []fsm.Gap, err error) {
	defer func() {
		if p := recover(); p != nil { // the decoder met bytes that nobody wrote
			err = fmt.Errorf("not a file of gaps: %v", p)
		}
	}()
	f, err := parquet.OpenFile(r, size)
	if err != nil {
		return nil, err
	}
	if f.NumRows() > maxGaps {
		return nil, fmt.Errorf("it holds %d gaps, at most %d are written", f.NumRows(), maxGaps)
	}
	rows := make([]gapRow, f.NumRows())
	reader := parquet.NewGenericReader[gapRow](f)
	defer reader.Close()
	n, err := reader.Read(rows)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	for _, row := range rows[:n] {
		of, ok := sequenceOf(row.Sequence)
		if !ok {
			return nil, fmt.Errorf("gap %d is of %q, which is no sequence", row.Seq, row.Sequence)
		}
		gaps = append(gaps, fsm.Gap{
			Seq: fsm.Seq(row.Seq), Stream: of, First: fsm.Seq(row.First), Last: fsm.Seq(row.Last), Count: uint64(row.Count), Reason: row.Reason,
		})
	}
	return gaps, nil
}

// sequenceOf is the stream whose rows a gap drops.
func sequenceOf(name string) (fsm.Stream, bool) {
	for _, s := range []fsm.Stream{fsm.Readings, fsm.Frames} {
		if s.String() == name {
			return s, true
		}
	}
	return 0, false
}

// droppedOf are the rows of a stream that gaps drop.
func droppedOf(gaps []fsm.Gap, of fsm.Stream) (rows fsm.IntervalSet) {
	for _, g := range gaps {
		if g.Stream == of {
			rows = rows.With(fsm.Interval{First: g.First, Last: g.Last})
		}
	}
	return rows
}

// gapStats are the statistics of gaps, at least one.
func gapStats(gaps []fsm.Gap) *delta.Stats {
	least, most := gaps[0], gaps[0]
	names := []string{}
	for _, g := range gaps {
		names = append(names, g.Stream.String())
		least.First, most.First = min(least.First, g.First), max(most.First, g.First)
		least.Last, most.Last = min(least.Last, g.Last), max(most.Last, g.Last)
		least.Count, most.Count = min(least.Count, g.Count), max(most.Count, g.Count)
	}
	s := delta.NewStats(int64(len(gaps)))
	s.Set("seq", int64(gaps[0].Seq), int64(gaps[len(gaps)-1].Seq))
	s.Set("sequence", slices.Min(names), slices.Max(names))
	s.Set("first", int64(least.First), int64(most.First))
	s.Set("last", int64(least.Last), int64(most.Last))
	s.Set("count", int64(least.Count), int64(most.Count))
	return s
}
