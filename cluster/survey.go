package cluster

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/transport"
	"skerry/fsm"
)

const (
	surveyEvery   = 2 * time.Second
	surveyTimeout = time.Second
	// surveyFresh is how old an answer may be and still count.
	surveyFresh = 3 * surveyEvery
)

// standing is what a server says of itself. Fields are only added; one that is
// missing was said by an older version.
type standing struct {
	Applied uint64 `json:"applied"` // index of its last command: entries of raft's own do not count
	Missing int    `json:"missing"` // cuts whose rows it still fetches
	// Level is the newest fsm.Level that it knows.
	Level fsm.Level `json:"level,omitempty"`
	// Digests are of its state, at entries where all note theirs.
	Digests []noted `json:"digests,omitempty"`
	// Generation counts its starts.
	Generation uint64 `json:"generation,omitempty"`
	// Wall is its wall clock, microseconds since 1970 UTC.
	Wall int64 `json:"wall,omitempty"`

	// StaysOut says that it is not to be added to the site yet.
	StaysOut bool `json:"stays_out,omitempty"`

	Room    roomState `json:"room,omitempty"`
	Beside  int64     `json:"beside,omitempty"`  // bytes that are free beside the reserve, less than 0 where that is not there
	Reserve int64     `json:"reserve,omitempty"` // bytes
	// Bytes is what the files of readings and of frames take.
	Bytes [len(dropStreams)]int64 `json:"bytes,omitzero"`
}

// lacks is how many bytes must be freed for the disk to have room again.
func (s standing) lacks() int64 { return max(2*s.Reserve+s.Reserve/4-s.Beside, 0) }

func (s standing) clockKnown() bool { return s.Wall != 0 && !clockUnknown(time.UnixMicro(s.Wall)) }

func (s standing) level() fsm.Level { return max(s.Level, fsm.FirstLevel) }

func (n *Node) standing() standing {
	st := standing{
		StaysOut:   n.staysOut(),
		Generation: n.generation(), Digests: n.replica.digests(),
		Applied: n.replica.appliedIndex(), Missing: n.replica.missingCount() + n.replica.segments.unread(), Wall: n.cfg.Seams.Wall().UnixMicro(),
	}
	if n.knows > fsm.FirstLevel {
		st.Level = n.knows
	}
	n.describeRoom(&st)
	return st
}

// survey is what the servers said of themselves when this node, while it led,
// asked last.
type survey struct {
	mu      sync.Mutex
	answers []heard // one for each server of the configuration
}

// heard is one server's answer.
type heard struct {
	server   raft.Server
	standing standing
	// at is when the answer was given, by this node's monotonic clock: the
	// middle of the call, so wrong by half of what it took at most, which is
	// surveyTimeout. It is zero where there was no answer.
	at    time.Time
	ahead time.Duration // the server's wall clock against this node's at that time
}

func (h heard) fresh() bool { return !h.at.IsZero() && time.Since(h.at) < surveyFresh }

// takeSurveys is the duty that asks all servers for their standing again and
// again.
func (n *Node) takeSurveys(ctx context.Context, _ *Lead) {
	tick := time.NewTicker(surveyEvery)
	defer tick.Stop()
	defer n.survey.forget()
	for {
		if servers, err := n.servers(); err == nil {
			answers := n.survey.round(ctx, n, servers)
			n.judgeClock(ctx, answers)
			n.compareDigests(ctx, answers)
		}
		if r := n.reign.Load(); r != nil {
			r.stamp(n.cfg.Seams.Wall()) // so that it sees a step while nothing is stored
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// round asks all servers at once, and returns what was answered when each has
// answered or is late.
func (s *survey) round(ctx context.Context, n *Node, servers []raft.Server) []heard {
	ctx, cancel := context.WithTimeout(ctx, surveyTimeout)
	defer cancel()
	answers := make([]heard, len(servers))
	var wg sync.WaitGroup
	for i, server := range servers {
		wg.Go(func() { answers[i] = n.hear(ctx, server) })
	}
	wg.Wait()
	kept := slices.Clone(answers)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range kept { // one lost call is no news
		for _, was := range s.answers {
			if kept[i].at.IsZero() && was.server.ID == kept[i].server.ID {
				kept[i] = was
			}
		}
	}
	s.answers = kept
	return answers
}

// hear asks one server.
func (n *Node) hear(ctx context.Context, server raft.Server) heard {
	h := heard{server: server}
	asked, wall := time.Now(), n.cfg.Seams.Wall()
	if server.ID == n.id.ID {
		h.standing, h.at = n.standing(), asked
		return h
	}
	b, err := n.call(ctx, transport.Peer{ID: server.ID, Address: server.Address}, callStanding, n.survey.clockTold(server.ID))
	if err != nil || json.Unmarshal(b, &h.standing) != nil {
		return heard{server: server}
	}
	half := time.Since(asked) / 2
	h.at = asked.Add(half)
	h.ahead = time.UnixMicro(h.standing.Wall).Sub(wall.Round(0)) - half
	return h
}

// forget drops what was heard: it is the leader's to know.
func (s *survey) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = nil
}

// all is what was heard last.
func (s *survey) all() []heard {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answers
}

// servers are those of the latest configuration.
func (n *Node) servers() ([]raft.Server, error) {
	future := n.raft.GetConfiguration()
	if err := future.Error(); err != nil {
		return nil, err
	}
	return future.Configuration().Servers, nil
}
