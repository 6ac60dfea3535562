package faultlab

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
	"skerry/internal/faultlab/flash"
)

// places are what rots, by the files' prefixes, and the words of a node's lines
// that tell of it. A line that names the file does too.
var places = []struct{ name, prefix, words string }{
	{"log", "raft/log/", "log is damaged"},
	{"votes", "raft/votes", "votes"},
	{"hint", "raft/hint", "hint"},
	{"snapshots", "raft/snapshots/", "snapshot"},
	{"segments", "segments/", "segment"},
	{"frames", "frames/", "frame"},
	{"node.json", "node.json", "node.json"},
	{"seen.json", "seen.json", "seen.json"},
}

// rotted is a flip and what became of it.
type rotted struct {
	flash.Flip
	place, words string
	told         bool // the node has said so
	replaced     bool // the node has become a new server since
}

// flipsAtMost is n, but in a file of JSON at most one bit is not what it was at a
// time: of two in its few hundred bytes a node may take its directory for another's,
// and leaves that to a person.
func (b *box) flipsAtMost(prefix string, n int) int {
	if !strings.HasSuffix(prefix, ".json") {
		return n
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.flips {
		if name, ok := b.disk.Stands(f.Flip); ok && name == prefix {
			return 0
		}
	}
	return 1
}

// rot flips some bits at rest, in one place of a victim's disk, while the node is
// down or runs on.
func rot(s *site, r *rand.Rand) (string, func(), time.Duration) {
	b, place, down := s.lose(r), pick(r, places...), r.IntN(2) == 0
	if down {
		b.kill(downFor(r))
	}
	what := fmt.Sprintf("%s, down: %t:", b.name, down)
	for range b.flipsAtMost(place.prefix, 1+r.IntN(4)) {
		f, ok := b.disk.Rot(place.prefix)
		if !ok {
			continue
		}
		s.counts.add("flips in " + place.name)
		what += fmt.Sprintf(" byte %d of %s", f.At, f.Name)
		b.mu.Lock()
		b.flips = append(b.flips, rotted{Flip: f, place: place.name, words: place.words})
		b.mu.Unlock()
	}
	return what, nil, 0
}

// rotsEach is how seldom bits flip beside all other faults.
const rotsEach = 2 * time.Minute

// rots flips bits until ctx is done. It draws from a source of its own, so that the
// other faults of a seed are those that they were before bits flipped.
func (s *site) rots(ctx context.Context, epoch int) {
	r := s.source(fmt.Sprintf("rot of epoch %d", epoch))
	for {
		sleep(ctx, time.Duration(r.ExpFloat64()*float64(rotsEach)))
		if ctx.Err() != nil {
			return
		}
		what, _, _ := rot(s, r)
		s.faults.add("bit flips")
		s.trace.add("FAULT", "bit flips: %s", what)
	}
}

// damageWords are in all lines that tell of damage.
var damageWords = []string{"damaged", "lost", "set aside", "not the one", "does not"}

// hear takes a line of a node, which may tell of a flip.
func (b *box) hear(line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.flips) == 0 || !slices.ContainsFunc(damageWords, func(w string) bool { return strings.Contains(line, w) }) {
		return
	}
	for i := range b.flips {
		f := &b.flips[i]
		base := strings.TrimSuffix(path.Base(f.Name), path.Ext(f.Name))
		if strings.Contains(line, base) || strings.Contains(line, f.words) {
			f.told = true
		}
	}
}

// isCalled notes the name of the server that starts here, which may be another
// one than before, that took its place by itself.
func (b *box) isCalled(id raft.ServerID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	was := b.id
	b.id = id
	if was == "" || was == id || len(b.flips) == 0 {
		return
	}
	var identity struct{ Replaces raft.ServerID }
	text, err := disk.ReadFile(b.disk, "node.json", 1<<20)
	if err != nil || json.Unmarshal(text, &identity) != nil || identity.Replaces != was {
		return // a new card
	}
	b.s.counts.add("nodes replaced as new servers")
	for i := range b.flips {
		b.flips[i].replaced = true
	}
}

// examine has each box with flipped bits start again, which reads what a start
// reads, and then read everything else; and judges what became of the bits. So
// damage that nobody has met yet is not to meet that of the next epoch's victims.
func (s *site) examine(ctx context.Context) {
	for _, b := range s.boxes {
		b.mu.Lock()
		n := len(b.flips)
		b.mu.Unlock()
		if n == 0 || s.truth.isBroken() {
			continue
		}
		b.kill(0)
		s.settle(ctx)
		l := b.present()
		if l == nil {
			continue // it is a violation, told by settle
		}
		found, err := l.node.Scrub(ctx)
		s.trace.add("LAB", "%s scrubs: %d found (%v)", b.name, found, err)
		s.settle(ctx)
		s.judge(b)
	}
}

// judge says of each flip of a box what became of it. One that still stands has to
// be harmless: the files read the same with the bit as it was.
func (s *site) judge(b *box) {
	b.mu.Lock()
	flips := b.flips
	b.flips = nil
	b.mu.Unlock()
	var standing []rotted
	for _, f := range flips {
		name, ok := b.disk.Stands(f.Flip)
		switch {
		case ok && !isAside(name):
			f.Name = name
			standing = append(standing, f)
		case f.told:
			s.counts.add("flips found and repaired")
		case f.replaced:
			s.counts.add("flips gone with a replaced node")
		default:
			s.counts.add("flips written over or dropped with their file")
		}
	}
	if len(standing) == 0 {
		return
	}
	im := b.disk.Image()
	undone := make([]flash.Flip, len(standing))
	for i := range standing {
		undone[i] = standing[i].Flip
	}
	for i, f := range standing {
		others := slices.Delete(slices.Clone(undone), i, i+1)
		sound, is := s.reads(im.With(scope(f.Name), undone...), f.Name), s.reads(im.With(scope(f.Name), others...), f.Name)
		if sound == is {
			s.counts.add("flips harmless")
			s.trace.add("LAB", "%s: bit %#x of byte %d of %s changes nothing that is read", b.name, f.Bit, f.At, f.Name)
			continue
		}
		if f.place == "snapshots" { // a start falls back to the other one
			s.counts.add("flips that wait in a snapshot for the next one")
			continue
		}
		s.truth.violation("bit %#x of byte %d of %s on %s was flipped and not found: it reads as %s, and was %s", f.Bit, f.At, f.Name, b.name, is, sound)
	}
}

// isAside tells that a file, or all of its directory, was set aside for its damage.
func isAside(name string) bool {
	return strings.HasSuffix(name, ".rotten") || strings.HasPrefix(name, "aside/")
}
