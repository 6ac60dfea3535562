package cloudsync

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"skerry/cloudsync/delta"
	"skerry/cloudsync/target"
	"skerry/cluster"
	"skerry/cluster/gentle"
	"skerry/fsm"
	"skerry/fsm/segment"
)

// file is a file of rows on its way into a table.
type file struct {
	path     string // on this machine
	name     string // in the table
	size     int64
	sum      string // SHA-256 in hexadecimal
	modified int64  // milliseconds since 1970 UTC
	first    fsm.Seq
	last     fsm.Seq
	digest   string // of the rows, see delta.TagDigest; "" in gaps
	stats    *delta.Stats
}

// segmentFile describes a node's own segment of a cut. It reads every row, so
// that what a disk has let rot does not become the cloud's only copy, and
// refuses a file that does not hold the cut's rows.
func segmentFile(ctx context.Context, path string, stream fsm.Stream, cut fsm.Cut) (*file, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	r := gentle.Begin(ctx, nil).Reader(f)
	seg, err := segment.Open(r, info.Size())
	if err != nil {
		return nil, fmt.Errorf("segment %s: %w", path, err)
	}
	if seg.Stream() != stream || seg.Cut() != cut {
		return nil, fmt.Errorf("segment %s holds other rows than %s %d to %d", path, stream, cut.First, cut.Last)
	}
	if err := seg.Verify(cut); err != nil {
		return nil, fmt.Errorf("segment %s is not shipped: %w: this node reads it again and gets the rows from another one", path, err)
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(r, 0, info.Size())); err != nil {
		return nil, err
	}
	out := &file{
		path: path, size: info.Size(), sum: hex.EncodeToString(h.Sum(nil)), modified: info.ModTime().UnixMilli(),
		first: cut.First, last: cut.Last, digest: digestString(cut.Digest), stats: segmentStats(seg.Stats()),
	}
	out.name = fileName(cut.Date()+"/", cut.First, cut.Last, out.sum)
	return out, nil
}

// takeOut writes a file of a cut whose rows lie in one with others', and returns
// its path; it is the caller's. errNoFile: the rows are not here yet.
func takeOut(ctx context.Context, node Node, stream fsm.Stream, cut fsm.Cut) (path string, err error) {
	f, err := os.CreateTemp("", "skerry-cut-*.parquet")
	if err != nil {
		return "", err
	}
	err = node.WriteSegment(ctx, stream, cut, gentle.Begin(ctx, nil).Writer(f))
	if err = errors.Join(err, f.Close()); err == nil {
		return f.Name(), nil
	}
	if errors.Is(err, cluster.ErrMissing) {
		err = errNoFile
	}
	_ = os.Remove(f.Name()) // it lies where such files are cleared away
	return "", err
}

// fileName is the name of a file in its table; dir is its date and '/', or "".
func fileName(dir string, first, last fsm.Seq, sum string) string {
	return fmt.Sprintf("data/%s%d-%d-%s.parquet", dir, first, last, sum[:16])
}

func digestString(d fsm.RowDigest) string { return fmt.Sprintf("%016x%016x", d[0], d[1]) }

func segmentStats(s segment.Stats) *delta.Stats {
	out := delta.NewStats(int64(s.Rows))
	out.Set("seq", s.Seq.Min, s.Seq.Max)
	out.Set("device", s.Device.Min, s.Device.Max)
	out.Set("resource", s.Resource.Min, s.Resource.Max)
	out.SetTime("time", s.Time.Min, s.Time.Max)
	out.SetTime("received", s.Received.Min, s.Received.Max)
	return out
}

// add is the file as a commit adds it.
func (f *file) add() (delta.Add, error) {
	stats, err := f.stats.Encode()
	if err != nil {
		return delta.Add{}, err
	}
	tags := map[string]string{delta.TagSHA256: f.sum}
	if f.digest != "" {
		tags[delta.TagDigest] = f.digest
	}
	return delta.Add{
		Path: f.name, PartitionValues: map[string]string{}, Size: f.size, ModificationTime: f.modified,
		DataChange: true, Stats: stats, Tags: tags,
	}, nil
}

// upload puts the file's bytes under its name. A file that is there already
// has the same bytes, because its name holds their sum.
func (f *file) upload(ctx context.Context, bucket target.Target, prefix string) error {
	body, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer body.Close()
	checked := &checkedReader{r: body, left: f.size, sum: f.sum, h: sha256.New()}
	err = bucket.PutIfAbsent(ctx, prefix+f.name, checked, f.size)
	if !errors.Is(err, target.ErrExists) {
		return err
	}
	size, err := bucket.Size(ctx, prefix+f.name)
	if err == nil && size != f.size {
		err = fmt.Errorf("%s%s has %d bytes in the bucket, %d were expected: delete it there, no commit names it", prefix, f.name, size, f.size)
	}
	return err
}

// checkedReader fails on its last byte unless all bytes have the sum, so that a
// file that changed under our hands is not put under another's name.
type checkedReader struct {
	r    io.Reader
	left int64
	sum  string
	h    hash.Hash
}

func (c *checkedReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.h.Write(b[:n])
	if c.left -= int64(n); c.left <= 0 && n > 0 && hex.EncodeToString(c.h.Sum(nil)) != c.sum {
		return 0, errors.New("the file changed while it was shipped")
	}
	return n, err
}
