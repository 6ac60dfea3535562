package cluster

import "fmt"

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

// View reads the state as of one moment or later: each call sees at least what
// the view's consistency promises, and never goes back.
type View struct{ n *Node }
