package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

const (
	// clockOff is how far from the voters' median a leader's wall clock may be.
	clockOff = 60 * time.Second
	// clockGood is how far that of one it hands the lead to may be: less, so
	// that two clocks at the limit do not pass the lead to and fro.
	clockGood = clockOff / 2
	// handAgain is how long a leader waits after it could not hand the lead on.
	handAgain = 30 * time.Second
)

// offFromMedian is how far a clock is from the median of the voters' clocks that
// know the time. ahead are these, and own, counted from any one moment. Of an
// even number both in the middle count: an odd one out is told, one of two is
// not. ok is false where no voter knows the time.
func offFromMedian(own time.Duration, ahead []time.Duration) (off time.Duration, ok bool) {
	if len(ahead) == 0 {
		return 0, false
	}
	ahead = slices.Sorted(slices.Values(ahead))
	low, high := ahead[(len(ahead)-1)/2], ahead[len(ahead)/2]
	switch {
	case own < low:
		return own - low, true
	case own > high:
		return own - high, true
	}
	return 0, true
}

// voterClocks are how far ahead of this node's clock those of the voters are that
// know the time.
func voterClocks(answers []heard) (ahead []time.Duration) {
	for _, a := range answers {
		if a.server.Suffrage == raft.Voter && a.fresh() && a.standing.clockKnown() {
			ahead = append(ahead, a.ahead)
		}
	}
	return ahead
}

// toldClock is what a leader tells a server with the question for its standing.
type toldClock struct {
	// Off is how far its clock was from the voters' median, in microseconds.
	Off int64 `json:"off"`
}

// clockTold is the body of that question.
func (s *survey) clockTold(id raft.ServerID) []byte {
	answers := s.all()
	for _, a := range answers {
		if a.server.ID != id || !a.fresh() {
			continue
		}
		if off, ok := offFromMedian(a.ahead, voterClocks(answers)); ok {
			b, err := json.Marshal(toldClock{off.Microseconds()})
			if err == nil {
				return b
			}
		}
	}
	return nil
}

// hearClock takes what a leader told of this node's clock. An older leader tells
// nothing.
func (n *Node) hearClock(body []byte) {
	var told toldClock
	if len(body) == 0 || json.Unmarshal(body, &told) != nil {
		return
	}
	n.clock.set(time.Duration(told.Off) * time.Microsecond)
}

// judgeClock hands the lead to a voter with a better clock when this node's, in
// this look and the one before, is far from the voters' median.
func (n *Node) judgeClock(ctx context.Context, answers []heard) {
	clocks := voterClocks(answers)
	off, ok := offFromMedian(0, clocks)
	if !ok {
		n.clock.forget()
		return
	}
	again := n.clock.set(off)
	if off.Abs() <= clockOff || !again || ctx.Err() != nil || !n.clock.mayHand() {
		return
	}
	to := n.betterClock(answers, clocks)
	if to == nil {
		return
	}
	n.log.Warn("hands the lead on: its clock is wrong", "off", off.Round(time.Second), "to", nodeName(to.ID))
	if err := n.handLeadOn(ctx, to.ID); err != nil {
		n.log.Warn("the lead was not handed on", "err", err)
	}
}

// betterClock is a voter that can lead and whose clock is right.
func (n *Node) betterClock(answers []heard, clocks []time.Duration) *raft.Server {
	for _, a := range answers {
		off, _ := offFromMedian(a.ahead, clocks)
		if a.server.ID != n.id.ID && a.server.Suffrage == raft.Voter && a.fresh() && a.standing.clockKnown() && off.Abs() <= clockGood &&
			a.standing.Missing == 0 && a.standing.Applied+promoteBehind >= n.replica.appliedIndex() {
			return &a.server
		}
	}
	return nil
}

// clockText is the clock field of Status.
func (n *Node) clockText() (text string, off time.Duration) {
	off, far, fresh := n.clock.get()
	switch {
	case clockUnknown(n.cfg.Seams.Wall()):
		return "unknown", 0
	case fresh && far && n.raft.State() == raft.Leader:
		return "off by " + roughly(off) + " (leader hands on)", off
	case fresh && far:
		return "off by " + roughly(off), off
	case fresh:
		return "ok", off
	}
	return "ok", 0
}

// roughly is a duration for people, in days where it is long.
func roughly(d time.Duration) string {
	const day = 24 * time.Hour
	if d = d.Abs(); d >= 2*day {
		return fmt.Sprintf("%d days", d/day)
	}
	return d.Round(time.Second).String()
}
