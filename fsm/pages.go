package fsm

import "slices"

const pageLen = 256

// pages is a growing array that can be shared cheaply: a share copies the
// pointers of its pages, and the first edit of a shared page copies the page.
type pages[T any] struct {
	list []*page[T]
	n    int
	era  uint64 // raised by share; pages of an earlier era are shared
}

type page[T any] struct {
	era   uint64
	items [pageLen]T
}

func (p *pages[T]) len() int { return p.n }

// at returns item i for reading.
func (p *pages[T]) at(i int) *T { return &p.list[i/pageLen].items[i%pageLen] }

// edit returns item i for writing; the pointer is good until the next share.
func (p *pages[T]) edit(i int) *T {
	pg := p.list[i/pageLen]
	if pg.era != p.era {
		pg = &page[T]{era: p.era, items: pg.items}
		p.list[i/pageLen] = pg
	}
	return &pg.items[i%pageLen]
}

// grow appends a zero item and returns it for writing.
func (p *pages[T]) grow() *T {
	if p.n%pageLen == 0 {
		p.list = append(p.list, &page[T]{era: p.era})
	}
	p.n++
	return p.edit(p.n - 1)
}

// share returns the array as it is now. It does not change.
func (p *pages[T]) share() pages[T] {
	p.era++
	return pages[T]{list: slices.Clone(p.list), n: p.n}
}
