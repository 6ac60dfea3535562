package cloudsync

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"

	"skerry/cloudsync/delta"
	"skerry/cloudsync/target"
	"skerry/fsm"
	"skerry/fsm/segment"
)

// readFiles reads every file in the table.
func (a *audit) readFiles(ctx context.Context) error {
	for _, name := range a.paths() {
		add := a.log.Files[name]
		a.bytes += add.Size
		ok, err := a.readFile(ctx, &add)
		if err != nil {
			return err
		}
		a.broken = a.broken || !ok
	}
	return nil
}

// readFile checks one file: its size, its sum, its rows, and what the commit
// says of them. ok is false when its rows could not be counted.
func (a *audit) readFile(ctx context.Context, add *delta.Add) (ok bool, err error) {
	body, err := fetch(ctx, a.bucket, a.prefix+add.Path)
	if errors.Is(err, target.ErrNotFound) {
		a.find(MissingFile, add.Path, "the log names it and it is not there")
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer body.Close()
	if body.size != add.Size {
		a.find(ChangedFile, add.Path, "it has %d bytes, the log says %d", body.size, add.Size)
		return false, nil
	}
	parts, own := parseFileName(add.Path)
	if !own {
		return a.foreignFile(add, body), nil
	}
	if want, tagged := add.Tags[delta.TagSHA256]; !strings.HasPrefix(body.sum, parts.sum) || tagged && want != body.sum {
		a.find(ChangedFile, add.Path, "its SHA-256 is %s, not the one in its name", body.sum)
		return false, nil
	}
	var count uint64
	var stats *delta.Stats
	if a.stream == fsm.Gaps {
		count, stats, err = a.gapsFile(body, parts)
	} else {
		count, stats, err = a.segment(body, parts, add)
	}
	if err != nil {
		a.find(ChangedFile, add.Path, "%v", err)
		return false, nil
	}
	a.rows += count
	a.compare(add, stats)
	return true, nil
}

// segment reads all rows of a segment and compares them with its cut.
func (a *audit) segment(body *object, parts fileParts, add *delta.Add) (rows uint64, stats *delta.Stats, err error) {
	seg, err := segment.Open(body, body.size)
	if err != nil {
		return 0, nil, err
	}
	cut := fsm.Cut{First: parts.rows.First, Last: parts.rows.Last, Digest: seg.Cut().Digest}
	day, err := time.Parse(time.DateOnly, parts.date)
	if err != nil {
		return 0, nil, err
	}
	cut.Day = int32(day.Unix() / 86400)
	if want, tagged := add.Tags[delta.TagDigest]; tagged && want != digestString(cut.Digest) {
		return 0, nil, fmt.Errorf("its rows have digest %s, the log says %s", digestString(cut.Digest), want)
	}
	if seg.Stream() != a.stream {
		return 0, nil, fmt.Errorf("it holds %s", seg.Stream())
	}
	if err := seg.Verify(cut); err != nil {
		return 0, nil, err
	}
	return uint64(seg.Stats().Rows), segmentStats(seg.Stats()), nil
}

// gapsFile reads a file of gaps and keeps them for tile.
func (a *audit) gapsFile(body *object, parts fileParts) (rows uint64, stats *delta.Stats, err error) {
	gaps, err := readGaps(body, body.size)
	if err != nil {
		return 0, nil, err
	}
	if len(gaps) == 0 || gaps[0].Seq != parts.rows.First || gaps[len(gaps)-1].Seq != parts.rows.Last {
		return 0, nil, fmt.Errorf("it holds other gaps than %d to %d", parts.rows.First, parts.rows.Last)
	}
	for i, g := range gaps {
		if g.Seq != parts.rows.First+fsm.Seq(i) || g.First < 1 || g.First > g.Last {
			return 0, nil, fmt.Errorf("gap %d is out of order or empty", g.Seq)
		}
	}
	a.gaps = append(a.gaps, gaps...)
	return uint64(len(gaps)), gapStats(gaps), nil
}

// foreignFile counts the rows of a file that another engine wrote, as a
// compaction does.
func (a *audit) foreignFile(add *delta.Add, body *object) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			a.find(ChangedFile, add.Path, "it is not Parquet: %v", p)
			ok = false
		}
	}()
	f, err := parquet.OpenFile(body, body.size)
	if err != nil {
		a.find(ChangedFile, add.Path, "it is not Parquet: %v", err)
		return false
	}
	a.rows += uint64(f.NumRows())
	return true
}

// compare checks a commit's statistics against those of the rows.
func (a *audit) compare(add *delta.Add, want *delta.Stats) {
	got, err := delta.DecodeStats(add.Stats)
	if err != nil {
		a.find(ChangedStats, add.Path, "%v", err)
		return
	}
	if got.NumRecords != want.NumRecords {
		a.find(ChangedCount, add.Path, "the log counts %d rows, the file holds %d", got.NumRecords, want.NumRecords)
	}
	for _, side := range []struct {
		word      string
		got, want map[string]any
	}{{"least", got.MinValues, want.MinValues}, {"greatest", got.MaxValues, want.MaxValues}} {
		for column, value := range side.got {
			if w, ok := side.want[column]; ok && fmt.Sprint(w) != fmt.Sprint(value) {
				a.find(ChangedStats, add.Path, "the log says the %s %s is %v, it is %v", side.word, column, value, w)
			}
		}
	}
}

// object is a whole object at hand: its bytes, size and SHA-256.
type object struct {
	randomReader
	size int64
	sum  string
}

type randomReader interface {
	io.ReadCloser
	io.ReaderAt
}

// fetch opens an object and reads it once for its sum.
func fetch(ctx context.Context, bucket target.Target, name string) (*object, error) {
	r, err := bucket.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	whole, ok := r.(randomReader)
	if !ok {
		if whole, err = spool(r); err != nil {
			return nil, fmt.Errorf("get %s: %w", name, err)
		}
	}
	h := sha256.New()
	size, err := io.Copy(h, whole)
	if err != nil {
		_ = whole.Close()
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	return &object{randomReader: whole, size: size, sum: hex.EncodeToString(h.Sum(nil))}, nil
}

// spool keeps in a temporary file what can only be read front to back. It
// closes r.
func spool(r io.ReadCloser) (randomReader, error) {
	defer r.Close()
	f, err := os.CreateTemp("", "skerry-verify-")
	if err != nil {
		return nil, err
	}
	t := tempFile{f}
	if _, err = io.Copy(f, r); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		_ = t.Close()
		return nil, err
	}
	return t, nil
}

// tempFile is gone when it is closed.
type tempFile struct{ *os.File }

// Close also removes the file.
func (t tempFile) Close() error {
	return errors.Join(t.File.Close(), os.Remove(t.Name()))
}
