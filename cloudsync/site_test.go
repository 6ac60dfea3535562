package cloudsync_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"skerry/cloudsync"
	"skerry/cloudsync/target"
	"skerry/cluster"
	"skerry/fsm"
	"skerry/fsm/segment"
)

// TestMain writes and reads a segment once, so that the channels inside the
// shared compressor are made outside of any test's synctest bubble.
func TestMain(m *testing.M) {
	rows := []fsm.Reading{{Seq: 1, Device: "d", Resource: "r", Value: fsm.NumberValue(1)}}
	cut := fsm.Cut{First: 1, Last: 1, Digest: fsm.HashReading(&rows[0])}
	var b bytes.Buffer
	if _, err := segment.WriteReadings(&b, "demo", cut, rows); err != nil {
		panic(err)
	}
	seg, err := segment.Open(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		panic(err)
	}
	if err := seg.Verify(cut); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// site is a whole site in memory: what its nodes have agreed on, with real
// segment files. It stands in for the cluster and its state.
type site struct {
	tb      testing.TB
	dir     string
	genesis fsm.Genesis

	mu          sync.Mutex
	incarnation uint64
	origins     map[uint64][3]fsm.Seq // last seqs of these incarnations when the next began
	term        uint64
	readings    []fsm.Reading
	frames      []fsm.Frame
	jpegs       [][]byte
	cuts        [2][]fsm.Cut
	gaps        []fsm.Gap
	synced      [3]fsm.IntervalSet
	version     [3]uint64
	applied     chan struct{}
	noFiles     bool      // segment files are not there yet
	merged      bool      // they are merged into larger ones
	suspects    []fsm.Cut // whose files were found damaged
	alarm       error     // why nothing may be shipped
	noLeader    bool      // nobody leads
}

// start is the wall clock of a site's first reading: a minute before midnight.
var start = time.Date(2026, 11, 21, 23, 59, 0, 0, time.UTC)

func newSite(tb testing.TB) *site {
	return &site{
		tb: tb, dir: tb.TempDir(), incarnation: 1, term: 1, applied: make(chan struct{}),
		genesis: fsm.Genesis{Site: "demo", Lineage: [16]byte{0xab, 0xcd}},
	}
}

// changed tells waiters. The caller holds s.mu.
func (s *site) changed() {
	close(s.applied)
	s.applied = make(chan struct{})
}

// post adds n readings of some devices and kinds.
func (s *site) post(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		i := len(s.readings)
		at := start.Add(time.Duration(i) * time.Millisecond).UnixMicro()
		r := fsm.Reading{
			Seq: fsm.Seq(i + 1), Device: fmt.Sprintf("pump-%d", i%3), Resource: "temperature", Unit: "Cel",
			Time: at - 1500, Received: at, Value: fsm.NumberValue(20 + float64(i%100)/10),
		}
		switch i % 10 {
		case 7:
			r.Resource, r.Unit, r.Value = "door", "", fsm.FlagValue(i%20 == 7)
		case 8:
			r.Resource, r.Unit, r.Value = "state", "", fsm.TextValue("läuft, \"gut\"")
		case 9:
			r.Resource, r.Unit, r.Value = "raw", "", fsm.DataValue([]byte{0, byte(i)})
		}
		s.readings = append(s.readings, r)
	}
	s.changed()
}

// snap adds n frames.
func (s *site) snap(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		i := len(s.frames)
		jpeg := append([]byte{0xff, 0xd8}, bytes.Repeat([]byte{byte(i)}, 1000)...)
		at := start.Add(time.Duration(i) * time.Millisecond).UnixMicro()
		s.frames = append(s.frames, fsm.Frame{
			Seq: fsm.Seq(i + 1), Device: "gate", Resource: "frame", Time: at, Received: at,
			Width: 64, Height: 48, Size: uint32(len(jpeg)), SHA256: sha256.Sum256(jpeg),
		})
		s.jpegs = append(s.jpegs, jpeg)
	}
	s.changed()
}

// cut closes what is open, as fsm.CutCommand does, and writes the segments.
func (s *site) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cutReadings()
	s.cutFrames()
	s.changed()
}

func end(cuts []fsm.Cut) int {
	if len(cuts) == 0 {
		return 0
	}
	return int(cuts[len(cuts)-1].Last)
}

func (s *site) cutReadings() {
	open := s.readings[end(s.cuts[fsm.Readings]):]
	if len(open) == 0 {
		return
	}
	cut := fsm.Cut{First: open[0].Seq, Last: open[len(open)-1].Seq, Day: int32(open[0].Received / 86400e6)}
	for i := range open {
		cut.Digest.Add(fsm.HashReading(&open[i]))
	}
	s.write(fsm.Readings, cut, func(f *os.File) error {
		_, err := segment.WriteReadings(f, s.genesis.Site, cut, slices.Clone(open))
		return err
	})
}

func (s *site) cutFrames() {
	from := end(s.cuts[fsm.Frames])
	open := s.frames[from:]
	if len(open) == 0 {
		return
	}
	cut := fsm.Cut{First: open[0].Seq, Last: open[len(open)-1].Seq, Day: int32(open[0].Received / 86400e6)}
	for i := range open {
		cut.Digest.Add(fsm.HashFrame(&open[i]))
	}
	s.write(fsm.Frames, cut, func(f *os.File) error {
		_, err := segment.WriteFrames(f, s.genesis.Site, cut, slices.Clone(open), func(i int) ([]byte, error) { return s.jpegs[from+i], nil })
		return err
	})
}

func (s *site) write(stream fsm.Stream, cut fsm.Cut, write func(*os.File) error) {
	f, err := os.Create(s.file(stream, cut))
	if err != nil {
		s.tb.Error(err)
		return
	}
	defer f.Close()
	if err := write(f); err != nil {
		s.tb.Errorf("write segment: %v", err)
	}
	s.cuts[stream] = append(s.cuts[stream], cut)
}

func (s *site) file(stream fsm.Stream, cut fsm.Cut) string {
	return filepath.Join(s.dir, fmt.Sprintf("%s-%d-%d.parquet", stream, cut.First, cut.Last))
}

// drop gives up readings on purpose.
func (s *site) drop(first, last fsm.Seq, reason string) { s.dropOf(fsm.Readings, first, last, reason) }

// dropOf gives up rows of a stream on purpose.
func (s *site) dropOf(stream fsm.Stream, first, last fsm.Seq, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gaps = append(s.gaps, fsm.Gap{
		Seq: fsm.Seq(len(s.gaps) + 1), Stream: stream, First: first, Last: last, Count: uint64(last - first + 1), Reason: reason,
	})
	s.changed()
}

// elect begins a new term and returns it.
func (s *site) elect() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.term++
	return s.term
}

func (s *site) propose(term uint64, cmd fsm.Command) (fsm.Result, error) {
	switch c := cmd.(type) {
	case fsm.CutCommand:
		s.cut()
	case fsm.SyncedCommand:
		s.mu.Lock()
		defer s.mu.Unlock()
		if term != s.term {
			return fsm.Result{Outcomes: []fsm.Outcome{{Code: fsm.WrongTerm}}}, nil
		}
		closed := len(s.gaps)
		if c.Stream != fsm.Gaps {
			closed = end(s.cuts[c.Stream])
		}
		if c.First < 1 || c.First > c.Last || int(c.Last) > closed {
			return fsm.Result{Outcomes: []fsm.Outcome{{Code: fsm.BadRange}}}, nil
		}
		s.synced[c.Stream] = s.synced[c.Stream].With(fsm.Interval{First: c.First, Last: c.Last})
		s.version[c.Stream] = max(s.version[c.Stream], c.Version)
		s.changed()
	default:
		return fsm.Result{}, fmt.Errorf("the test's site does not know %T", cmd)
	}
	return fsm.Result{Outcomes: []fsm.Outcome{{Code: fsm.Stored}}}, nil
}

// marks is what the site believes that a table has.
func (s *site) marks(stream fsm.Stream) (fsm.IntervalSet, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.synced[stream], s.version[stream]
}

// forget takes the site's mark back, as if it had not been committed.
func (s *site) forget(stream fsm.Stream, synced fsm.IntervalSet, version uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.synced[stream], s.version[stream] = synced, version
}

// node is one member's way to the site.
type node struct {
	*site
	name string
}

func (n node) Name() string { return n.name }
func (n node) Site() string { return n.genesis.Site }

func (n node) Propose(ctx context.Context, cmd fsm.Command) (fsm.Result, error) {
	return n.propose(0, cmd)
}

func (n node) Applied() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.applied
}

func (n node) SegmentFile(stream fsm.Stream, cut fsm.Cut) (string, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.file(stream, cut), !n.noFiles && !n.merged
}

func (n node) Alarm() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.alarm
}

func (n node) SuspectSegment(_ fsm.Stream, cut fsm.Cut) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.suspects = append(n.suspects, cut)
}

func (n node) WriteSegment(_ context.Context, stream fsm.Stream, cut fsm.Cut, w io.Writer) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.noFiles {
		return cluster.ErrMissing
	}
	f, err := os.Open(n.file(stream, cut))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

func (n node) View(ctx context.Context, c cluster.Consistency) (cloudsync.View, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.noLeader && c != cluster.Local {
		return nil, cluster.ErrNoLeader
	}
	return view{n.site}, ctx.Err()
}

// lead is one term of leading.
type lead struct {
	*site
	term uint64
}

func (l lead) Propose(ctx context.Context, cmd fsm.Command) (fsm.Result, error) {
	return l.propose(l.term, cmd)
}

type view struct{ s *site }

func (v view) Site() (fsm.Genesis, bool) { return v.s.genesis, true }

func (v view) Incarnation() uint64 {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	return v.s.incarnation
}

func (v view) SharedUpTo(incarnation uint64, stream fsm.Stream) fsm.Seq {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	if incarnation == v.s.incarnation {
		return math.MaxUint64
	}
	return v.s.origins[incarnation][stream]
}

func (v view) Last(stream fsm.Stream) fsm.Seq {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	return fsm.Seq([...]int{len(v.s.readings), len(v.s.frames), len(v.s.gaps)}[stream])
}

func (v view) Cuts(stream fsm.Stream, from fsm.Seq) []fsm.Cut {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	all := v.s.cuts[stream]
	i := slices.IndexFunc(all, func(c fsm.Cut) bool { return c.Last >= from })
	if i < 0 {
		return nil
	}
	return slices.Clone(all[i:])
}

func (v view) Synced(stream fsm.Stream) ([]fsm.Interval, uint64) { return v.s.marks(stream) }

func (v view) Gaps(after fsm.Seq) []fsm.Gap {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	return slices.Clone(v.s.gaps[min(int(after), len(v.s.gaps)):])
}

func (v view) After(_ context.Context, after fsm.Seq, limit int) ([]fsm.Reading, error) {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	rest := v.s.readings[min(int(after), len(v.s.readings)):]
	return slices.Clone(rest[:min(limit, len(rest))]), nil
}

func (v view) FramesAfter(_ context.Context, after fsm.Seq, limit int) ([]fsm.Frame, error) {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	rest := v.s.frames[min(int(after), len(v.s.frames)):]
	return slices.Clone(rest[:min(limit, len(rest))]), nil
}

// bucketIn is a bucket in a folder of its own.
func bucketIn(tb testing.TB) (target.Target, string) {
	tb.Helper()
	root := filepath.Join(tb.TempDir(), "bucket")
	b, err := target.OpenDir(root)
	if err != nil {
		tb.Fatal(err)
	}
	return b, root
}

func newSyncer(s *site, name string, bucket target.Target) *cloudsync.Syncer {
	cfg := cloudsync.Config{URL: "file:///test", Version: "1.2.3", Log: slog.New(slog.DiscardHandler)}
	return cloudsync.New(cfg, node{s, name}, bucket)
}

// leading runs a syncer's duty in the site's present term until stop is called.
func leading(s *site, y *cloudsync.Syncer) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	l := lead{s, s.term}
	go func() {
		defer close(done)
		y.Lead(ctx, l.term, l)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	s.tb.Cleanup(stop)
	return stop
}

// synced waits until y has shipped all that was posted.
func synced(tb testing.TB, y *cloudsync.Syncer) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Second)
	defer cancel()
	if err := y.Sync(ctx); err != nil {
		tb.Fatalf("Sync: %v", err)
	}
}
