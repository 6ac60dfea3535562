package cluster

import (
	"context"
	"io"
	"slices"
	"time"

	"skerry/cluster/gentle"
	"skerry/fsm"
	"skerry/fsm/segment"
)

// Bounds of merging. A row is written again only into a file at least twice as
// large as the one it lay in, so at most log2(maxMergedRows) times; a file of
// more than half of the bounds stays as it is.
const (
	maxMergedRows   = 1 << 20
	maxMergedFrames = 1 << 12
	maxMergedBytes  = 16 << 20
	// mergeFiles are so many that a date which is not over is worth a merge,
	// and mergeMost the most at once: each needs a page of every column.
	mergeFiles = 8
	mergeMost  = 32
	// unshippedKept are so many of the newest files that the bucket lacks and
	// that stay as they are, so that they can go up as they are.
	unshippedKept = 512
	mergePause    = 10 * time.Second // after an error, as of a disk without room
	// mergeEvery is how often is looked whether the bucket has more.
	mergeEvery = time.Minute
)

// mergeSegments makes few files of many until ctx is done, one at a time, and
// removes those that were merged.
func (n *Node) mergeSegments(ctx context.Context) {
	for {
		changed := n.replica.closing.wait()
		now := time.Now()
		if n.room.get() != roomOK {
			now = now.Add(retiredFor) // their room is needed more
		}
		next, err := n.replica.segments.reap(now)
		if err != nil {
			n.log.Warn("merged files were not removed", "err", err)
		}
		n.replica.dropRotten()
		merged, err := n.mergeOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			n.log.Warn("small files were not merged", "err", err)
			next = time.Now().Add(mergePause)
		}
		if merged {
			continue
		}
		if !awaitMergeWork(ctx, changed, next, err != nil) {
			return
		}
	}
}

// awaitMergeWork waits for a change or for a time, after an error for the time
// alone; until may be zero.
func awaitMergeWork(ctx context.Context, changed <-chan struct{}, until time.Time, failed bool) bool {
	if failed {
		changed = nil
	}
	wait := mergeEvery
	if !until.IsZero() {
		wait = min(wait, time.Until(until))
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-changed:
	case <-t.C:
	case <-ctx.Done():
		return false
	}
	return true
}

// mergeOnce merges the oldest files that are worth it.
func (n *Node) mergeOnce(ctx context.Context) (merged bool, err error) {
	for _, s := range []fsm.Stream{fsm.Readings, fsm.Frames} {
		files := n.replica.mergeable(s)
		if len(files) == 0 || n.cfg.Seams.Unmerged {
			continue
		}
		done, err := n.merge(ctx, s, files)
		if err != nil {
			return false, err
		}
		merged = merged || done
	}
	return merged, nil
}

// merge makes one file of neighbours. done is false where there is no room for it.
func (n *Node) merge(ctx context.Context, s fsm.Stream, files []*held) (done bool, err error) {
	r := n.replica
	var cut fsm.Cut
	var bytes int64
	var open []*segment.Segment
	for i, h := range files {
		seg, release, err := r.segments.useHeld(h)
		if err != nil {
			if isRot(err) {
				r.rotten(h, err)
			}
			return false, err
		}
		defer release()
		if c := seg.Cut(); i == 0 {
			cut = c
		} else {
			cut = joined(cut, c)
		}
		bytes += seg.size
		open = append(open, seg.Segment)
	}
	if !n.roomFor(bytes) {
		return false, nil
	}
	err = r.segments.write(s, cut, func(w io.Writer) error {
		return mergeInto(ctx, gentle.Begin(ctx, nil).Writer(&pacedWriter{ctx, w, n.mergePace}), n.cfg.Site, s, cut, open)
	})
	if err != nil {
		n.lookAgain(ctx, files)
		return false, err
	}
	r.scrubbed.merged.Add(uint64(len(files)))
	r.closing.notify()
	return true, nil
}

// mergeInto writes a file of a cut's rows from files that hold them.
func mergeInto(ctx context.Context, w io.Writer, site string, s fsm.Stream, c fsm.Cut, files []*segment.Segment) (err error) {
	if s == fsm.Frames {
		_, err = segment.MergeFrames(ctx, w, site, c, files)
	} else {
		_, err = segment.Merge(ctx, w, site, c, files)
	}
	return err
}

// lookAgain finds out which of the files kept a merge from its end.
func (n *Node) lookAgain(ctx context.Context, files []*held) {
	for _, h := range files {
		if ctx.Err() == nil {
			_ = n.verify(ctx, h, newPace(0)) // what it finds it tells
		}
	}
}

// pacedWriter writes no faster than its pace.
type pacedWriter struct {
	ctx  context.Context
	w    io.Writer
	pace *pace
}

func (p *pacedWriter) Write(b []byte) (int, error) {
	if err := p.pace.take(p.ctx, len(b)); err != nil {
		return 0, err
	}
	return p.w.Write(b)
}

// mergeable are neighbours that are worth one file, the oldest ones; none when
// there are none.
func (r *replica) mergeable(s fsm.Stream) []*held {
	r.mu.RLock()
	synced := slices.Clone(r.state.Synced(s))
	ships := len(synced) > 0
	r.mu.RUnlock()
	files := r.segments.sized(s)
	// The newest of those that wait for the bucket are left alone.
	kept := len(files)
	for waiting := 0; ships && kept > 0 && waiting < unshippedKept; kept-- {
		if f := files[kept-1]; !synced.Contains(fsm.Interval{First: f.first, Last: f.last}) {
			waiting++
		}
	}
	may := func(i int) bool {
		f := &files[i]
		return f.known && 2*f.bytes <= maxMergedBytes && 2*f.rows() <= maxRowsOf(s) &&
			(!ships || i < kept || synced.Contains(fsm.Interval{First: f.first, Last: f.last}))
	}
	for i := range files {
		least := mergeFiles
		if files[i].day != files[len(files)-1].day {
			least = 2 // its date is over
		}
		if run := runFrom(files, i, s, may); len(run) >= least {
			return run
		}
	}
	return nil
}

func maxRowsOf(s fsm.Stream) int {
	if s == fsm.Frames {
		return maxMergedFrames
	}
	return maxMergedRows
}

// runFrom are the neighbours from i on, of one date, that fit into one file;
// none where that would write the largest of them again for little.
func runFrom(files []sizedFile, i int, s fsm.Stream, may func(int) bool) []*held {
	rows, bytes, largest := 0, int64(0), 0
	var run []*held
	for j := i; j < len(files) && len(run) < mergeMost && may(j); j++ {
		f := &files[j]
		if j > i && (f.first != files[j-1].last+1 || f.day != files[i].day) {
			break
		}
		if rows+f.rows() > maxRowsOf(s) || bytes+f.bytes > maxMergedBytes {
			break
		}
		rows, bytes, largest = rows+f.rows(), bytes+f.bytes, max(largest, f.rows())
		run = append(run, f.held)
	}
	if len(run) < 2 || 2*largest > rows {
		return nil
	}
	return run
}

// sizedFile is a file with what its footer says, as of one moment.
type sizedFile struct {
	*held
	known bool
	bytes int64
	day   int32
}

func (f *sizedFile) rows() int { return int(f.last - f.first + 1) }

// sized are all files of a stream.
func (s *segments) sized(stream fsm.Stream) []sizedFile {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]sizedFile, len(s.lists[stream]))
	for i, h := range s.lists[stream] {
		list[i] = sizedFile{held: h, known: h.known, bytes: h.stats.Size, day: h.cut.Day}
	}
	return list
}
