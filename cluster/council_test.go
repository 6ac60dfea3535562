package cluster_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

func logEnd(last uint64, at time.Duration) cluster.LogEnd {
	return cluster.LogEnd{Last: last, LastTerm: 3, At: fsm.LogTime(at / time.Microsecond)}
}

func TestWhoseAnswersAreEnoughForANodeThatStarts(t *testing.T) {
	three := []raft.ServerID{"a.1", "b.1", "c.1"}
	five := append(three[:3:3], "d.1", "e.1")
	own := logEnd(100, time.Hour)
	near := cluster.AnswerAt(logEnd(101, time.Hour+time.Second), 3, three...)
	far := cluster.AnswerAt(logEnd(900, 2*time.Hour), 3, three...)
	const patience = time.Second
	type answers map[raft.ServerID]cluster.Answer
	for _, c := range []struct {
		name    string
		voters  []raft.ServerID
		answers answers
		waited  time.Duration
		want    bool
	}{
		{"both others of three", three, answers{"b.1": far, "c.1": far}, 0, true},
		{"one other of three, whose log ends with its own, at once", three, answers{"b.1": near}, 0, false},
		{"one other of three, whose log ends with its own", three, answers{"b.1": near}, patience, true},
		{"one other of three, whose log goes on", three, answers{"b.1": far}, cluster.CopyPatience - 1, false},
		{"one other of three, whose log goes on, after long", three, answers{"b.1": far}, cluster.CopyPatience, true},
		{"none of three", three, answers{}, cluster.CopyPatience, false},
		{"one other of three, and an empty one in the third's place", three, answers{"b.1": far, "c.2": {}}, 0, true},
		{"one other of three, and an empty one of its own name", three, answers{"b.1": far, "a.2": {}}, patience, false},
		{"one other of three, and an empty one of another name", three, answers{"b.1": far, "d.1": {}}, patience, false},
		{"three others of five", five, answers{"b.1": far, "c.1": far, "d.1": far}, 0, true},
		{"two others of five, which are three by now", five, answers{"b.1": far, "c.1": far}, 0, true},
		{"one other of three, which were two by an older log", three,
			answers{"b.1": cluster.AnswerAt(logEnd(50, time.Minute), 3, "a.1", "b.1")}, patience, false},
	} {
		council := cluster.NewCouncil("a.1", own, c.voters, c.answers)
		if got := council.Enough(c.waited, patience); got != c.want {
			t.Errorf("%s: enough is %v, want %v", c.name, got, c.want)
		}
	}
}

// decided is an answer of one that knows a configuration to be committed.
func decided(a cluster.Answer, config uint64) cluster.Answer {
	a.Config = config
	return a
}

func TestANodeThatStartsCatchesUpWithALeaderThatLeadsForSure(t *testing.T) {
	leader := func(term uint64, sure bool) cluster.Answer {
		a := cluster.AnswerAt(logEnd(100, time.Hour), term, "a.1", "b.1", "c.1")
		a.Leads, a.Sure = true, sure
		return a
	}
	for _, c := range []struct {
		name   string
		leader cluster.Answer
		other  uint64 // the third one's term
		last   uint64 // up to which it agreed with the leader
		want   bool
	}{
		{"a majority without it is in the leader's term", leader(7, true), 7, 100, true},
		{"its log lacks the leader's last entry", leader(7, true), 7, 99, false},
		{"only the leader is known to be in its term", leader(7, false), 6, 100, false},
		{"the leader's configuration is the newest", decided(leader(7, true), 10), 7, 100, true},
		{"the leader does not know of a configuration that was committed", decided(leader(7, true), 9), 7, 100, false},
	} {
		council := cluster.NewCouncil("a.1", logEnd(90, time.Hour), []raft.ServerID{"a.1", "b.1", "c.1"}, map[raft.ServerID]cluster.Answer{
			"b.1": c.leader, "c.1": cluster.AnswerAt(logEnd(90, time.Hour), c.other, "a.1", "b.1", "c.1"),
		})
		if got := council.CaughtUp(7, c.last); got != c.want {
			t.Errorf("%s: caught up is %v, want %v", c.name, got, c.want)
		}
	}
}

func TestANodeGoesByTheWordOfALeaderThatHasRemovedIt(t *testing.T) {
	all := []raft.ServerID{"a.1", "b.1", "c.1"}
	leader := func(config uint64) cluster.Answer {
		a := decided(cluster.AnswerAt(logEnd(100, time.Hour), 7, "b.1", "c.1"), config)
		a.Leads, a.Sure, a.Removed = true, true, true
		return a
	}
	for _, c := range []struct {
		name  string
		other cluster.Answer
		of    cluster.Answer // the leader's
		want  bool
	}{
		{"after the configuration that it knows", cluster.AnswerAt(logEnd(100, time.Hour), 7, "b.1", "c.1"), leader(11), true},
		{"before it", cluster.Answer{}, leader(9), false},
		{"by another one of the same index", cluster.Answer{}, leader(10), false},
		{"which another server does not know of", cluster.AnswerAt(logEnd(90, time.Hour), 7, all...), leader(11), false},
	} {
		council := cluster.NewCouncil("a.1", logEnd(90, time.Hour), all, map[raft.ServerID]cluster.Answer{"b.1": c.of, "c.1": c.other})
		if got := council.Removed(); got != c.want {
			t.Errorf("removed %s: it is %v, want %v", c.name, got, c.want)
		}
	}
}

// The one that asks may have forgotten that it voted for another.
func TestALeaderIsNotSureOfItsTermByTheWordOfWhoAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		s.Agree()
		lead, asks, other := s.Leader(), s.Followers()[0], s.Followers()[1]
		who := id(t, asks)
		if a := lead.TellKnown(t.Context(), who); !a.Leads || !a.Sure {
			t.Errorf("a leader that all follow leads is %v, for sure is %v, want both", a.Leads, a.Sure)
		}
		s.Network.Isolate(other.Address, true)
		if a := lead.TellKnown(t.Context(), who); a.Sure {
			t.Error("a leader is sure of its term by the word of itself and of the one that asks")
		}
		s.Network.Isolate(other.Address, false)
	})
}
