package cluster

import "sync/atomic"

// rotKind is what has rotted.
type rotKind int

const (
	rotSegments rotKind = iota // files of history and open frames
	rotSnapshots
	rotLog
	rotVotes // and the hint of the log's end
	rotIdentity
	rotKinds
)

// RotCount counts rot of one kind since the start of the process.
type RotCount struct {
	Found    uint64 `json:"found"`
	Repaired uint64 `json:"repaired"` // what was found before the start is among them
}

// RotStatus counts what was not as it was written, and what of it is right again
// on this node. A copy of the votes that a power cut tore counts too: it looks
// alike.
type RotStatus struct {
	Segments  RotCount `json:"segments"` // files of history and open frames
	Snapshots RotCount `json:"snapshots"`
	Log       RotCount `json:"log"`
	Votes     RotCount `json:"votes"`    // and the hint of the log's end
	Identity  RotCount `json:"identity"` // node.json and seen.json
}

// Repaired is of all kinds.
func (s RotStatus) Repaired() uint64 {
	return s.Segments.Repaired + s.Snapshots.Repaired + s.Log.Repaired + s.Votes.Repaired + s.Identity.Repaired
}

// rotCounts count by kind.
type rotCounts struct {
	found, repaired [rotKinds]atomic.Uint64
}

func (c *rotCounts) of(k rotKind) RotCount {
	return RotCount{c.found[k].Load(), c.repaired[k].Load()}
}

// total is how many finds there were of all kinds.
func (c *rotCounts) total() (found uint64) {
	for k := range rotKinds {
		found += c.found[k].Load()
	}
	return found
}

func (c *rotCounts) status() RotStatus {
	return RotStatus{c.of(rotSegments), c.of(rotSnapshots), c.of(rotLog), c.of(rotVotes), c.of(rotIdentity)}
}

// mendedRot notes rot that was found and put right at once.
func (n *Node) mendedRot(k rotKind, what string) {
	c := &n.replica.scrubbed.rot
	c.found[k].Add(1)
	c.repaired[k].Add(1)
	n.log.Warn("a file was damaged on disk and is put right", "file", what)
}
