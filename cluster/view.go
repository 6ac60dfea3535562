package cluster

import (
	"fmt"

	"skerry/fsm"
)

// Consistency is what a View promises.
type Consistency uint8

const (
	// Linearizable: every write acknowledged before the view was asked for is in it.
	Linearizable Consistency = iota
	// Leader: as of the node that believes to lead; it may be a deposed one.
	Leader
	// Local: what this node has applied.
	Local
)

// ParseConsistency reads "linearizable", "leader" or "local".
func ParseConsistency(s string) (Consistency, error) {
	switch s {
	case "linearizable":
		return Linearizable, nil
	case "leader":
		return Leader, nil
	case "local":
		return Local, nil
	}
	return 0, fmt.Errorf("consistency %q is not known: use linearizable, leader or local", s)
}

// Query asks for a series' readings with From <= time < To, by time, then seq.
type Query struct {
	Device   string
	Resource string
	From     int64  // microseconds since 1970 UTC, inclusive
	To       int64  // exclusive; math.MaxInt64 for no end
	Limit    int    // 1 to MaxLimit
	Cursor   string // Page.Next of the page before, "" for the first
}

// MaxLimit bounds the readings of one page.
const MaxLimit = 100_000

// Page is a part of an answer. Next is "" after the last one.
type Page struct {
	Readings []fsm.Reading
	Next     string
}

// View reads the state as of one moment or later: each call sees at least what
// the view's consistency promises, and never goes back.
type View struct{ n *Node }
