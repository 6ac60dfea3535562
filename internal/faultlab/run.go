package faultlab

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/fsm"
)

// Epochs.
const (
	roughLeast, roughMost = 3 * time.Minute, 9 * time.Minute
	calm                  = 5 * time.Second // with load, after all is well
	clients               = 4
)

// Run runs a site as planned, in virtual time.
func Run(t *testing.T, p Plan) Report {
	t.Helper()
	begun := time.Now()
	var s *site
	synctest.Test(t, func(t *testing.T) {
		s = newSite(p, t.TempDir())
		s.run(t.Context(), p.Virtual)
	})
	s.truth.linearizable() // outside: porcupine's time-outs are of real time
	r := Report{
		Seed: p.Seed, Mode: p.Mode, Nodes: len(s.boxes), Profile: s.profile, Virtual: s.ran, Wall: time.Since(begun),
		Faults: s.faults.of, Counts: s.counts.of, Violations: s.truth.violations,
	}
	r.Counts["messages"] = int(s.net.Counts().Sent)
	if len(r.Violations) > 0 && p.Out != "" {
		r.Trace = filepath.Join(p.Out, fmt.Sprintf("trace-%s-%d.txt", p.Mode, p.Seed))
		if err := s.trace.save(r.Trace, r.String()); err != nil {
			r.Violations = append(r.Violations, err.Error())
		}
	}
	return r
}

// run is the site's whole life.
func (s *site) run(ctx context.Context, virtual time.Duration) {
	begun := time.Now()
	ctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for _, b := range s.boxes {
		wg.Go(func() { b.run(ctx) })
	}
	s.settle(ctx)
	for epoch := 1; time.Since(begun) < virtual && !s.truth.isBroken(); epoch++ {
		s.epoch(ctx, epoch)
	}
	s.ran = time.Since(begun)
	stop()
	for _, b := range s.boxes {
		if l := b.present(); l != nil {
			l.cancel()
		}
	}
	wg.Wait()
}

// epoch is some minutes of faults and load, and a quiet time to come back in.
func (s *site) epoch(ctx context.Context, number int) {
	r := s.source(fmt.Sprintf("epoch %d", number))
	loading, quit := context.WithCancel(ctx)
	var load sync.WaitGroup
	for i := range clients {
		c := &client{
			s: s, name: fmt.Sprintf("c%d", i), random: s.source(fmt.Sprintf("client %d of epoch %d", i, number)),
			pause: s.plan.pause(r), given: 1000 * number, // calls of an epoch may be read in the next
		}
		load.Go(func() { c.run(loading) })
		load.Go(func() { s.registers(loading, number, i) })
	}
	s.chooseVictims(r)
	if s.plan.Mode == All {
		s.oldCalls(ctx, r)
	}
	rough, end := context.WithTimeout(ctx, within(r, roughLeast, roughMost))
	go func() {
		select {
		case <-s.truth.broken:
			end()
		case <-rough.Done():
		}
	}()
	for _, b := range s.boxes {
		b.slow(s.plan.sync(r))
	}
	var rotting sync.WaitGroup
	if s.plan.Mode == All {
		rotting.Go(func() { s.rots(rough, number) })
	}
	s.trouble(rough, r)
	end()
	rotting.Wait()
	s.trace.add("LAB", "epoch %d: all faults end", number)
	s.heal()
	s.settle(ctx)
	s.examine(ctx)
	sleep(ctx, calm)
	quit()
	load.Wait()
	if s.truth.isBroken() {
		return
	}
	if s.bucket != nil {
		s.bucket.check(ctx)
	}
	s.settle(ctx)
	s.check(ctx)
	s.takeImages(r)
	s.trace.add("LAB", "epoch %d: checked", number)
}

// check reads all that every node holds.
func (s *site) check(ctx context.Context) {
	for _, b := range s.boxes {
		l := b.present()
		if l == nil {
			s.truth.violation("%s went down in a quiet time", b.name)
			return
		}
		view, err := l.node.View(ctx, cluster.Local)
		if err != nil {
			s.truth.violation("%s cannot be read: %v", b.name, err)
			return
		}
		last := fsm.Seq(0)
		for {
			page, err := view.After(ctx, last, pageRows)
			if err != nil {
				s.truth.violation("the history of %s cannot be read after seq %d: %v", b.name, last, err)
				return
			}
			s.truth.read(b.name, last, page)
			last += fsm.Seq(len(page))
			if len(page) == 0 || s.truth.isBroken() {
				break
			}
		}
		s.truth.whole(b.name, last)
		frames, err := view.FramesAfter(ctx, 0, cluster.MaxLimit)
		if err != nil {
			s.truth.violation("the frames of %s cannot be read: %v", b.name, err)
			return
		}
		s.truth.wholeFrames(b.name, frames)
		s.checkJPEGs(ctx, b.name, view, frames)
	}
}

// checkJPEGs reads the bytes of the frames that came last and of some others.
func (s *site) checkJPEGs(ctx context.Context, who string, view *cluster.View, frames []fsm.Frame) {
	step := max(len(frames)/20, 1)
	for i := len(frames) - 1; i >= 0; i -= step {
		f := frames[i]
		jpeg, err := view.JPEG(ctx, f.Seq)
		switch {
		case err != nil:
			s.truth.violation("frame %d cannot be read at %s: %v", f.Seq, who, err)
		case sha256.Sum256(jpeg) != f.SHA256:
			s.truth.violation("frame %d at %s has other bytes than it was sent with", f.Seq, who)
		default:
			continue
		}
		return
	}
}
