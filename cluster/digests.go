package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/raft"

	"skerry/cluster/transport"
)

// Replicas that applied the same commands print the same digest. Each notes its
// digest at the first command at or after every multiple of digestEvery, so that
// all note them at the same commands. The leader compares what the servers noted
// and tells those that differ from a majority of the voters: a server that finds
// it so has computed or kept something wrong, and stops for good. Where no
// majority has one digest nobody knows who is right: an alarm is raised, and
// nothing is shipped.
const (
	digestEvery = 1024 // entries
	digestsKept = 8    // the last notes
)

var (
	errDiffers = errors.New("the state of this node differs from that of a majority")
	// ErrDiverged: the states of the nodes differ and no majority has the same.
	ErrDiverged = errors.New("the states of the nodes differ, and no majority has the same one: nothing is shipped to the bucket; keep all data directories, compare skerry status of all nodes, and restore the site from its bucket or a snapshot")
)

// noted is the digest of a replica after the command at an index.
type noted struct {
	Index  uint64 `json:"index"`
	Digest string `json:"digest"`
}

// noteDigest notes the digest after the command at index, where all do. The
// caller holds mu and has not yet set r.index.
func (r *replica) noteDigest(index uint64) {
	if r.index/digestEvery == index/digestEvery {
		return
	}
	r.noted = append(r.noted, noted{index, r.state.DigestString()})
	if len(r.noted) > digestsKept {
		r.noted = append([]noted(nil), r.noted[1:]...)
	}
}

// digests are the last notes, and the digest of now.
func (r *replica) digests() []noted {
	r.mu.RLock()
	defer r.mu.RUnlock()
	list := slices.Clone(r.noted)
	if k := len(list); r.index > 0 && (k == 0 || list[k-1].Index != r.index) {
		list = append(list, noted{r.index, r.state.DigestString()})
	}
	return list
}

// verdict is what a comparison of digests found.
type verdict struct {
	differ  map[raft.ServerID]noted // servers and the majority's digest where they differ
	split   uint64                  // an index at which no majority has one digest, 0 for none
	matched bool                    // a majority has the same digest at some index
}

// judgeDigests compares what the servers of a configuration noted.
func judgeDigests(answers []heard) verdict {
	v := verdict{differ: map[raft.ServerID]noted{}}
	voters := 0
	type group struct {
		voters  int
		servers []raft.ServerID
	}
	at := map[uint64]map[string]*group{}
	for _, h := range answers {
		voter := h.server.Suffrage == raft.Voter
		if voter {
			voters++
		}
		for _, d := range h.standing.Digests {
			if at[d.Index] == nil {
				at[d.Index] = map[string]*group{}
			}
			g := at[d.Index][d.Digest]
			if g == nil {
				g = &group{}
				at[d.Index][d.Digest] = g
			}
			g.servers = append(g.servers, h.server.ID)
			if voter {
				g.voters++
			}
		}
	}
	for index, groups := range at {
		most, right := 0, ""
		for digest, g := range groups {
			if g.voters > most {
				most, right = g.voters, digest
			}
		}
		switch {
		case most > voters/2:
			v.matched = true
			for digest, g := range groups {
				for _, id := range g.servers {
					if digest != right {
						v.differ[id] = noted{index, right}
					}
				}
			}
		case len(groups) > 1:
			v.split = max(v.split, index)
		}
	}
	return v
}

// compareDigests tells the servers what a comparison of their digests found.
func (n *Node) compareDigests(ctx context.Context, answers []heard) {
	v := judgeDigests(answers)
	switch {
	case v.split > 0:
		n.raiseAlarm(v.split)
	case v.matched:
		n.alarm.Store(nil)
	}
	for _, h := range answers {
		d, differs := v.differ[h.server.ID]
		if !differs {
			d = noted{Index: v.split}
		}
		switch {
		case d.Index == 0 || h.at.IsZero():
		case h.server.ID == n.id.ID:
			n.hearDigest(d)
		default:
			b, err := json.Marshal(d)
			if err == nil {
				_, err = n.call(ctx, transport.Peer{ID: h.server.ID, Address: h.server.Address}, callDigest, b)
			}
			if err != nil {
				n.log.Warn("a node was not told that digests differ", "of", h.server.ID, "index", d.Index, "err", err)
			}
		}
	}
}

// serveDigest takes what the leader found.
func (n *Node) serveDigest(body []byte) error {
	var d noted
	if err := json.Unmarshal(body, &d); err != nil {
		return err
	}
	n.hearDigest(d)
	return nil
}

// hearDigest ends a node that finds its digest to be another than that of a
// majority. Without a digest there is no majority.
func (n *Node) hearDigest(right noted) {
	if right.Digest == "" {
		n.raiseAlarm(right.Index)
		return
	}
	for _, own := range n.replica.digests() {
		if own.Index == right.Index && own.Digest != right.Digest {
			n.log.Error("this node's digest is not the others'", "index", own.Index, "own", own.Digest, "others", right.Digest)
			n.fail(n.quarantine(fmt.Errorf("%w at entry %d: %s, not %s", errDiffers, own.Index, own.Digest, right.Digest)))
			return
		}
	}
}

func (n *Node) raiseAlarm(index uint64) {
	err := fmt.Errorf("%w (entry %d)", ErrDiverged, index)
	if n.alarm.Swap(&err) == nil {
		n.log.Error("alarm", "err", err)
	}
}

// Alarm is why nothing of this site may be shipped: ErrDiverged, or nil.
func (n *Node) Alarm() error {
	if err := n.alarm.Load(); err != nil {
		return *err
	}
	return nil
}
