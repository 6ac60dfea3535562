package cluster

import (
	"context"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/transport"
)

// Answer is what a server says to one that starts.
type Answer = known

// LogEnd is where a log ends.
type LogEnd = logEnd

// AnswerAt is of a server whose log ends there, in a term and a configuration.
func AnswerAt(end LogEnd, term uint64, voters ...raft.ServerID) Answer {
	return known{logEnd: end, Now: term, Servers: serversOf(voters)}
}

func serversOf(voters []raft.ServerID) (servers []raft.Server) {
	for _, id := range voters {
		servers = append(servers, raft.Server{ID: id})
	}
	return servers
}

// Council is what others answered to a node that starts.
type Council struct{ c council }

// NewCouncil weighs answers to self, which knows of the voters, by the configuration
// of index 10.
func NewCouncil(self raft.ServerID, own LogEnd, voters []raft.ServerID, answers map[raft.ServerID]Answer) Council {
	c := council{self: self, own: own, config: 10, within: true, answers: map[raft.ServerID]known{}}
	for from, a := range answers {
		c.take(from, &a)
	}
	c.weigh(serversOf(voters))
	return Council{c}
}

// Enough reports that they are enough to take part without a leader.
func (c Council) Enough(waited, patience time.Duration) bool { return c.c.enough(waited, patience) }

// CaughtUp reports that a node is whole which heard these answers first and then
// agreed with a leader up to an entry of its log.
func (c Council) CaughtUp(term, last uint64) bool {
	e := electorate{heard: map[raft.ServerID]uint64{}}
	e.floor(&c.c)
	return e.caughtUp(&c.c, transport.Agreed{Term: term, Last: last}, term)
}

// Removed reports that the leader has removed the node.
func (c Council) Removed() bool { return c.c.removed() }

// CopyPatience is how long a node waits for one that may know more.
const CopyPatience = copyPatience

// TellKnown is what the node tells a server of itself.
func (n *Node) TellKnown(ctx context.Context, id raft.ServerID) Answer { return n.tellKnown(ctx, id) }
