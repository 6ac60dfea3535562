package cloudsync

import (
	"crypto/sha256"
	"encoding/hex"
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
	firsts, lasts, counts := make([]int64, len(gaps)), make([]int64, len(gaps)), make([]int64, len(gaps))
	for i, g := range gaps {
		table[i] = gapRow{
			Seq: int64(g.Seq), Sequence: fsm.Readings.String(),
			First: int64(g.First), Last: int64(g.Last), Count: int64(g.Count), Reason: g.Reason,
		}
		firsts[i], lasts[i], counts[i] = int64(g.First), int64(g.Last), int64(g.Count)
	}
	f, err := os.CreateTemp("", "skerry-gaps-*.parquet")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	if err := writeGaps(f, h, table); err != nil {
		os.Remove(f.Name())
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		os.Remove(f.Name())
		return nil, err
	}
	first, last := gaps[0].Seq, gaps[len(gaps)-1].Seq
	stats := delta.NewStats(int64(len(gaps)))
	stats.Set("seq", int64(first), int64(last))
	stats.Set("sequence", fsm.Readings.String(), fsm.Readings.String())
	setBounds(stats, "first", firsts)
	setBounds(stats, "last", lasts)
	setBounds(stats, "count", counts)
	out := &file{
		path: f.Name(), size: info.Size(), sum: hex.EncodeToString(h.Sum(nil)), modified: now.UnixMilli(),
		first: first, last: last, stats: stats,
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

func setBounds(s *delta.Stats, column string, values []int64) {
	s.Set(column, slices.Min(values), slices.Max(values))
}
