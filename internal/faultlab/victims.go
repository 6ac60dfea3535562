package faultlab

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"skerry/internal/faultlab/flash"
)

// Faults that take what was durable are had by a minority of the boxes, the same
// ones until all is whole again: more is beyond what "on a majority of disks"
// can promise.

// chooseVictims draws the boxes of an epoch that may lose what they hold.
func (s *site) chooseVictims(r *rand.Rand) {
	most := (len(s.boxes) - 1) / 2
	s.victims = s.victims[:0]
	for _, i := range r.Perm(len(s.boxes))[:most] {
		s.victims = append(s.victims, s.boxes[i])
	}
	for _, b := range s.boxes {
		b.mu.Lock()
		b.victim = false
		b.mu.Unlock()
	}
}

// lose marks a box that loses what it holds.
func (s *site) lose(r *rand.Rand) *box {
	b := pick(r, s.victims...)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.victim = true
	return b
}

// takeImages copies the disks of some boxes, as a person does to a card. The image
// that is put back is older than the last time at which all was whole: one of that
// very moment is believed, where the only other node that is up stopped then too.
func (s *site) takeImages(r *rand.Rand) {
	for _, b := range s.boxes {
		if r.IntN(2) == 0 {
			continue
		}
		im := b.disk.Image()
		b.mu.Lock()
		b.image, b.nextImage = b.nextImage, im
		b.mu.Unlock()
	}
}

func wipe(s *site, r *rand.Rand) (string, func(), time.Duration) {
	b, d := s.lose(r), downFor(r)
	b.cut(flash.Tear{Lost: 1, Block: 512}, d)
	b.disk.Wipe()
	return fmt.Sprintf("%s for %s", b.name, d), nil, 0
}

// oldCard puts back what a box's disk held some epochs ago; a wiped one where no
// image was made of a victim's.
func oldCard(s *site, r *rand.Rand) (string, func(), time.Duration) {
	i := slices.IndexFunc(s.victims, func(b *box) bool { return b.image != nil })
	if i < 0 {
		return wipe(s, r)
	}
	b, d := s.victims[i], downFor(r)
	b.mu.Lock()
	b.victim = true
	b.mu.Unlock()
	b.cut(flash.Tear{Lost: 1, Block: 512}, d)
	b.disk.Put(b.image)
	return fmt.Sprintf("%s for %s", b.name, d), nil, 0
}
