package faultlab

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"skerry/fsm"
	"skerry/internal/faultlab/flash"
	"skerry/internal/faultlab/wire"
)

// trouble is one kind of fault and how often it is had. What it begins is over
// with undo, which is called after a time, or at the end of the faults.
type trouble struct {
	name   string
	weight int
	do     func(s *site, r *rand.Rand) (what string, undo func(), lasts time.Duration)
}

// troubles are the kinds of faults by mode. None destroys what a majority holds.
var troubles = map[Mode][]trouble{
	All: {
		{"kill -9", 10, kill},
		{"power cut of one", 10, cutOne},
		{"power cut of all", 4, cutAll},
		{"power cut in a write", 10, cutInWrite},
		{"power cut after snapshots", 4, cutAfterSnapshots},
		{"clean stop", 4, cleanStop},
		{"pause", 8, pauseOne},
		{"one node cut off", 7, cutOff},
		{"one-way cut", 8, oneWay},
		{"partition", 5, partition},
		{"bad weather", 6, weather},
		{"buffers of minutes", 4, buffers},
		{"fsync error", 3, fsyncError},
		{"write error", 3, writeError},
		{"read error", 2, readError},
		{"fsync stall", 6, stall},
		{"slow disk", 5, slowDisk},
		{"disk full", 3, diskFull},
		{"clock jump", 5, clockJump},
		{"clock drift", 3, clockDrift},
		{"wiped card", 2, wipe},
		{"old card", 2, oldCard},
		{"cloud away", 4, cloudAway},
		{"cloud fails", 4, cloudFails},
	},
	Rot: {
		{"bit flips", 20, rot},
		{"kill -9", 3, kill},
		{"power cut of one", 3, cutOne},
		{"power cut of all", 1, cutAll},
	},
	PowerCuts: {
		{"power cut of one", 4, cutOne},
		{"power cut of all", 10, cutAll},
		{"power cut in a write", 6, cutInWrite},
		{"power cut after snapshots", 2, cutAfterSnapshots},
	},
}

// trouble makes faults until ctx is done.
func (s *site) trouble(ctx context.Context, r *rand.Rand) {
	kinds := troubles[s.plan.Mode]
	sum := 0
	if s.bucket == nil {
		kinds = slices.DeleteFunc(slices.Clone(kinds), func(k trouble) bool { return strings.HasPrefix(k.name, "cloud ") })
	}
	for _, k := range kinds {
		sum += k.weight
	}
	pace := pick(r, 3*time.Second, 6*time.Second, 10*time.Second, 20*time.Second, 90*time.Second)
	if s.plan.Mode == PowerCuts {
		pace = 15 * time.Second
	}
	for ctx.Err() == nil {
		sleep(ctx, time.Duration(r.ExpFloat64()*float64(pace)))
		if ctx.Err() != nil {
			return
		}
		left := r.IntN(sum)
		for _, k := range kinds {
			if left -= k.weight; left >= 0 {
				continue
			}
			what, undo, lasts := k.do(s, r)
			s.faults.add(k.name)
			s.trace.add("FAULT", "%s: %s", k.name, what)
			if undo != nil {
				context.AfterFunc(after(ctx, lasts), undo)
			}
			break
		}
	}
}

// after is a context that is done after a time, or when ctx is.
func after(ctx context.Context, d time.Duration) context.Context {
	c, cancel := context.WithTimeout(ctx, d)
	context.AfterFunc(c, cancel) // lets go of its timer
	return c
}

func (s *site) box(r *rand.Rand) *box { return pick(r, s.boxes...) }

func tear(r *rand.Rand) flash.Tear {
	t := flash.Tear{Lost: 1, Block: pick(r, int64(512), 4096)}
	if r.IntN(3) > 0 {
		t.Lost = r.Float64()
	}
	return t
}

// downFor is how long a node is down: often short, so that many are met while
// they start.
func downFor(r *rand.Rand) time.Duration { return within(r, 0, 90*time.Second) }

func kill(s *site, r *rand.Rand) (string, func(), time.Duration) {
	b, d := s.box(r), downFor(r)
	b.kill(d)
	return fmt.Sprintf("%s for %s", b.name, d), nil, 0
}

func cutOne(s *site, r *rand.Rand) (string, func(), time.Duration) {
	b, d, t := s.box(r), downFor(r), tear(r)
	b.cut(t, d)
	return fmt.Sprintf("%s for %s, %+v", b.name, d, t), nil, 0
}

func cutAll(s *site, r *rand.Rand) (string, func(), time.Duration) {
	t, what := tear(r), ""
	for _, b := range s.boxes {
		b.silence(0)
	}
	for _, b := range s.boxes {
		d := within(r, 0, 20*time.Second)
		b.cut(t, d)
		what += fmt.Sprintf(" %s for %s", b.name, d)
	}
	return fmt.Sprintf("%+v%s", t, what), nil, 0
}

func cutInWrite(s *site, r *rand.Rand) (string, func(), time.Duration) {
	b, k, t := s.box(r), 1+r.IntN(60), tear(r)
	b.trip(k, t)
	return fmt.Sprintf("%s at step %d, %+v", b.name, k, t), nil, 0
}

// snapshotsThen is how many snapshots each node takes before the power is cut.
const snapshotsThen = 3

// cutAfterSnapshots cuts the power of all while their snapshots, and the
// segments that these wait for, are being written. Half of the time segments take
// so long that all snapshots would be first.
func cutAfterSnapshots(s *site, r *rand.Rand) (string, func(), time.Duration) {
	after, rest := within(r, 0, 100*time.Millisecond), rand.New(rand.NewPCG(r.Uint64(), 0))
	slow, most := func(string) bool { return true }, 50*time.Millisecond
	if r.IntN(2) == 0 {
		after, slow, most = within(r, time.Second, 4*time.Second), isSegment, time.Hour
	}
	for _, b := range s.boxes {
		b.disk.Slow(func(name string) time.Duration {
			if !slow(name) {
				return 0
			}
			return within(b.random, 0, most)
		})
		if l := b.present(); l != nil {
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
				defer cancel()
				_, _ = l.node.Propose(ctx, fsm.CutCommand{}) // one of them will do, and a later snapshot has it
				for range snapshotsThen {
					_ = l.node.Snapshot() // the cut of the power may be first
					sleep(ctx, 300*time.Millisecond)
				}
			}()
		}
	}
	return fmt.Sprintf("after %s, syncs take up to %s", after, most), func() {
		cutAll(s, rest)
		for _, b := range s.boxes {
			b.slow(usualSync)
		}
	}, after
}

func cleanStop(s *site, r *rand.Rand) (string, func(), time.Duration) {
	b, d := s.box(r), downFor(r)
	b.stop(d)
	return fmt.Sprintf("%s for %s", b.name, d), nil, 0
}

func pauseOne(s *site, r *rand.Rand) (string, func(), time.Duration) {
	b, d := s.box(r), within(r, 100*time.Millisecond, time.Minute)
	s.net.Pause(b.address)
	resume := b.disk.Stall()
	return fmt.Sprintf("%s for %s", b.name, d), func() { resume(); s.net.Resume(b.address) }, d
}

func cutOff(s *site, r *rand.Rand) (string, func(), time.Duration) {
	b, d := s.box(r), within(r, time.Second, time.Minute)
	set := func(cut bool) {
		for _, o := range s.boxes {
			if o != b {
				s.net.Cut(o.address, b.address, cut)
				s.net.Cut(b.address, o.address, cut)
			}
		}
	}
	set(true)
	return fmt.Sprintf("%s for %s", b.name, d), func() { set(false) }, d
}

func oneWay(s *site, r *rand.Rand) (string, func(), time.Duration) {
	from, to, d := s.box(r), s.box(r), within(r, time.Second, time.Minute)
	if from == to {
		to = s.boxes[(r.IntN(len(s.boxes)))]
	}
	s.net.Cut(from.address, to.address, true)
	return fmt.Sprintf("%s to %s for %s", from.name, to.name, d), func() { s.net.Cut(from.address, to.address, false) }, d
}

func partition(s *site, r *rand.Rand) (string, func(), time.Duration) {
	sides := make([][]raft.ServerAddress, 2+r.IntN(2))
	for _, b := range s.boxes {
		i := r.IntN(len(sides))
		sides[i] = append(sides[i], b.address)
	}
	d := within(r, time.Second, time.Minute)
	s.net.Split(sides...)
	return fmt.Sprintf("%v for %s", sides, d), func() {
		for _, a := range s.boxes {
			for _, b := range s.boxes {
				s.net.Cut(a.address, b.address, false)
			}
		}
	}, d
}

func weather(s *site, r *rand.Rand) (string, func(), time.Duration) {
	w := wire.Weather{
		Lost: r.Float64() * 0.2, Late: r.Float64() * 0.05, Twice: r.Float64() * 0.1, Broken: r.Float64() * 0.5,
		Delay: within(r, time.Millisecond, 300*time.Millisecond), LateBy: within(r, time.Second, 10*time.Minute),
	}
	d := within(r, time.Second, time.Minute)
	s.net.Weather(w)
	return fmt.Sprintf("%+v for %s", w, d), func() { s.net.Weather(wire.Weather{}) }, d
}

func fsyncError(s *site, r *rand.Rand) (string, func(), time.Duration) {
	b := s.box(r)
	b.disk.Fail(flash.Sync, 1+r.IntN(2), "")
	return b.name, nil, 0
}

func writeError(s *site, r *rand.Rand) (string, func(), time.Duration) {
	b := s.box(r)
	b.disk.Fail(flash.Write, 1+r.IntN(2), "")
	return b.name, nil, 0
}

func readError(s *site, r *rand.Rand) (string, func(), time.Duration) {
	b := s.box(r)
	b.disk.Fail(flash.Read, 1+r.IntN(2), "")
	return b.name, nil, 0
}

func stall(s *site, r *rand.Rand) (string, func(), time.Duration) {
	b, d := s.box(r), within(r, 100*time.Millisecond, 30*time.Second)
	return fmt.Sprintf("%s for %s", b.name, d), b.disk.Stall(), d
}

func slowDisk(s *site, r *rand.Rand) (string, func(), time.Duration) {
	b, d, most := s.box(r), within(r, time.Second, time.Minute), within(r, 5*time.Millisecond, 2*time.Second)
	b.slow(most)
	return fmt.Sprintf("%s for %s: a sync takes up to %s", b.name, d, most), func() { b.slow(usualSync) }, d
}

func diskFull(s *site, r *rand.Rand) (string, func(), time.Duration) {
	b, d, free := s.box(r), within(r, time.Second, time.Minute), r.Int64N(64<<10)
	b.disk.Capacity(free)
	return fmt.Sprintf("%s for %s: %d bytes left", b.name, d, free), func() { b.disk.Capacity(-1) }, d
}

func clockJump(s *site, r *rand.Rand) (string, func(), time.Duration) {
	by := pick(r, time.Second, time.Minute, time.Hour, 24*time.Hour, 10*365*24*time.Hour)
	b, by := s.box(r), time.Duration((r.Float64()*2-1)*float64(by))
	if r.IntN(5) == 0 {
		by = -56 * 365 * 24 * time.Hour // 1970
	}
	b.turnClock(by, 0)
	return fmt.Sprintf("%s by %s", b.name, by), nil, 0
}

func clockDrift(s *site, r *rand.Rand) (string, func(), time.Duration) {
	b, drift := s.box(r), (r.Float64()-0.5)*0.2
	b.turnClock(0, drift)
	return fmt.Sprintf("%s gains %.1f%%", b.name, drift*100), nil, 0
}

func cloudAway(s *site, r *rand.Rand) (string, func(), time.Duration) {
	c, d := s.bucket.cloud, within(r, time.Second, 4*time.Minute)
	set := func(away bool) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.away = away
	}
	set(true)
	return fmt.Sprintf("for %s", d), func() { set(false) }, d
}

func cloudFails(s *site, r *rand.Rand) (string, func(), time.Duration) {
	c, d := s.bucket.cloud, within(r, time.Second, 2*time.Minute)
	set := func(flaky float64, slow time.Duration) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.flaky, c.slow = flaky, slow
	}
	flaky, slow := r.Float64()*0.5, within(r, time.Millisecond, 5*time.Second)
	set(flaky, slow)
	return fmt.Sprintf("%.0f%% of calls for %s, which take up to %s", 100*flaky, d, slow), func() { set(0, 0) }, d
}
