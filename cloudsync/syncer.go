package cloudsync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"skerry/cloudsync/delta"
	"skerry/cloudsync/target"
	"skerry/cluster"
	"skerry/fsm"
)

// Pauses of the duty.
const (
	retryFirst = 500 * time.Millisecond // after the first error in a row
	retryMost  = time.Minute            // after many
	stopRetry  = 5 * time.Minute        // after an error that somebody must mend
	roundPause = 100 * time.Millisecond // between two looks at the state
	fileWait   = 250 * time.Millisecond // for a segment that is being written
)

// Config says where a site's tables are.
type Config struct {
	URL     string // as target.Open takes it
	Version string // of this program, for the tables' history
	Log     *slog.Logger
}

// Syncer ships a site's closed rows while its node leads.
type Syncer struct {
	cfg    Config
	node   Node
	bucket target.Target
	kick   chan struct{} // one waiting wish to look again now
	probed bool          // the duty's own, as the next
	// sweepers look for orphans, by stream; new in each term.
	sweepers [3]sweeper

	mu       sync.Mutex
	progress progress // guarded by mu
	changed  chan struct{}
}

// Open returns the syncer of a node for the bucket at cfg.URL. It does not
// touch the bucket; the duty does, and reports what is wrong with it.
func Open(cfg Config, node Node) (*Syncer, error) {
	bucket, err := target.Open(cfg.URL)
	if err != nil {
		return nil, err
	}
	return New(cfg, node, bucket), nil
}

// New is Open for a bucket that is open.
func New(cfg Config, node Node, bucket target.Target) *Syncer {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Syncer{
		cfg: cfg, node: node, bucket: bucket, kick: make(chan struct{}, 1),
		progress: progress{state: Following}, changed: make(chan struct{}),
	}
}

// Duty ships while this node leads. It is a cluster.Duty.
func (s *Syncer) Duty(ctx context.Context, lead *cluster.Lead) { s.Lead(ctx, lead.Term, lead) }

// Lead is Duty with the term's parts by themselves. It returns when ctx is done.
func (s *Syncer) Lead(ctx context.Context, term uint64, lead Proposer) {
	defer s.follow()
	for stream := range s.sweepers {
		s.sweepers[stream] = sweeper{due: time.Now().Add(sweepFirst)}
	}
	pause := retryFirst
	for ctx.Err() == nil {
		worked, err := s.session(ctx, term, lead)
		if ctx.Err() != nil {
			return
		}
		if worked {
			pause = retryFirst
		}
		switch {
		case termIsOver(err):
			s.failed(Stopped, err)
			<-ctx.Done()
		case needsPeople(err):
			s.failed(Stopped, err)
			s.sleep(ctx, stopRetry)
		default:
			s.failed(Retrying, err)
			// Between half of it and all of it, so that sites which lost the
			// same bucket do not come back at the same moment.
			s.sleep(ctx, pause/2+rand.N(pause/2))
			pause = min(2*pause, retryMost)
		}
	}
}

// termIsOver reports whether an error means that another node leads.
func termIsOver(err error) bool {
	return errors.Is(err, ErrFenced) || errors.Is(err, cluster.ErrNotLeader) ||
		errors.Is(err, cluster.ErrClosed) || errors.Is(err, fsm.Refusal(fsm.WrongTerm))
}

// needsPeople reports whether an error stays until somebody mends its cause.
func needsPeople(err error) bool {
	for _, e := range []error{ErrHistory, ErrParted, ErrForeign, ErrGone, ErrLog, ErrAhead, target.ErrUnsafe, delta.ErrNewer, cluster.ErrDiverged} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// session claims the tables and ships until something fails. worked tells
// whether it came to look at all tables at least once.
func (s *Syncer) session(ctx context.Context, term uint64, lead Proposer) (worked bool, err error) {
	s.enter(Claiming)
	x, err := s.begin(ctx, term, lead)
	if err != nil {
		return false, err
	}
	for {
		applied := s.node.Applied()
		err := x.round(ctx)
		if err != nil && !errors.Is(err, errNoFile) {
			return worked, err
		}
		worked = true
		if err != nil {
			s.enter(Waiting)
			s.wait(ctx, applied, fileWait)
		} else {
			s.enter(Idle)
			next, err := x.sweep(ctx)
			if err != nil {
				return worked, err
			}
			s.wait(ctx, applied, next)
		}
		if ctx.Err() != nil {
			return worked, ctx.Err()
		}
	}
}

// begin tries the store once in a life, and opens and claims the three tables.
func (s *Syncer) begin(ctx context.Context, term uint64, lead Proposer) (*session, error) {
	if !s.probed {
		if err := target.Probe(ctx, s.bucket); err != nil {
			return nil, fmt.Errorf("bucket %s: %w", s.cfg.URL, err)
		}
		s.probed = true
	}
	view, err := s.node.View(ctx, cluster.Local)
	if err != nil {
		return nil, err
	}
	epoch, ok := epochOf(view, term)
	if !ok {
		return nil, fsm.Refusal(fsm.NoGenesis)
	}
	me := writer{site: s.node.Site(), node: s.node.Name(), engine: "skerry/" + s.cfg.Version, epoch: epoch, shared: view.SharedUpTo}
	x := &session{s: s, lead: lead}
	for stream := range x.tables {
		stream := fsm.Stream(stream)
		synced, version := view.Synced(stream)
		t, err := openTable(ctx, s.bucket, stream, me, synced, version)
		if err != nil {
			return nil, err
		}
		x.tables[stream] = t
	}
	for _, t := range x.tables { // once all of them are found to be this site's
		if err := t.claim(ctx, time.Now()); err != nil {
			return nil, err
		}
		s.shipped(t)
	}
	s.cfg.Log.Info("shipping to the bucket", "url", s.cfg.URL, "node", me.node, "term", term)
	return x, nil
}

// wait returns at the next wish or application of a command, after roundPause
// at the earliest and about most at the latest.
func (s *Syncer) wait(ctx context.Context, applied <-chan struct{}, most time.Duration) {
	least := time.NewTimer(roundPause)
	defer least.Stop()
	select {
	case <-ctx.Done():
		return
	case <-s.kick:
		return
	case <-least.C:
	}
	end := time.NewTimer(most)
	defer end.Stop()
	select {
	case <-ctx.Done():
	case <-s.kick:
	case <-applied:
	case <-end.C:
	}
}

// sleep returns after d, or at a wish.
func (s *Syncer) sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-s.kick:
	case <-timer.C:
	}
}

// wish makes a sleeping duty look again now.
func (s *Syncer) wish() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}
