package faultfs

import (
	"maps"
	"math/rand/v2"
	"time"
)

// inode is a file or a directory.
type inode struct {
	id       uint64
	mode     uint32 // with its type
	modified time.Time
	file     *file // nil of a directory
	dir      *directory
	opens    int
	links    int // live names of it
}

// directory is both halves of a directory. live is kept with all of changes.
type directory struct {
	live, kept map[string]*inode
	changes    []change
}

func newDirectory() *directory {
	return &directory{live: map[string]*inode{}, kept: map[string]*inode{}}
}

// change is one request's doing, which happens whole or not at all: what names
// stand for after it, nil of names that are gone.
type change []naming

type naming struct {
	name string
	to   *inode
}

func (c change) apply(names map[string]*inode) {
	for _, n := range c {
		if n.to == nil {
			delete(names, n.name)
		} else {
			names[n.name] = n.to
		}
	}
}

// do changes the live half.
func (d *directory) do(c change) {
	c.apply(d.live)
	d.changes = append(d.changes, c)
}

// sync keeps all changes and tells whether there were any.
func (d *directory) sync() (any bool) {
	if len(d.changes) == 0 {
		return false
	}
	d.kept, d.changes = maps.Clone(d.live), nil
	return true
}

// cut makes what the power leaves of the directory both halves of it.
func (d *directory) cut(draw *rand.Rand, how Spare, lost *Loss) {
	stay := 0
	if how == Some && len(d.changes) > 0 {
		stay = draw.IntN(len(d.changes) + 1)
	}
	for _, c := range d.changes[:stay] {
		c.apply(d.kept)
	}
	lost.Names += len(d.changes) - stay
	d.live, d.changes = maps.Clone(d.kept), nil
}
