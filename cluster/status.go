package cluster

import (
	"sort"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/transport"
	"skerry/fsm"
)

// Status is this node's own view of itself and the site.
type Status struct {
	Node         string      `json:"node"`
	Site         string      `json:"site"`
	Leader       string      `json:"leader"` // name, "" when there is none
	State        string      `json:"state"`  // leader, follower, candidate, waiting (not in a site yet), convalescent (not let in yet)
	Term         uint64      `json:"term"`
	CommitIndex  uint64      `json:"commit_index"`
	AppliedIndex uint64      `json:"applied_index"`
	LastSeq      uint64      `json:"last_seq"`
	LastFrame    uint64      `json:"last_frame"`
	HeadReadings uint64      `json:"head_readings"`
	Cuts         uint64      `json:"cuts"`
	SyncedSeq    uint64      `json:"synced_seq"` // readings 1..SyncedSeq are in the bucket
	Gaps         uint64      `json:"gaps"`
	Missing      uint64      `json:"missing"` // cuts and frames whose rows this node still fetches
	Scrub        ScrubStatus `json:"scrub"`
	LogBytes     int64       `json:"log_bytes"` // of log since the last snapshot: what a start replays
	Digest       string      `json:"digest"`    // index:hex
	// Alarm is why nothing is shipped: the nodes' states differ; "" for none.
	Alarm string `json:"alarm,omitempty"`
	// Clock is "ok", "unknown", or "off by 3m12s": from the voters' median.
	Clock      string  `json:"clock"`
	ClockOff   float64 `json:"clock_off_seconds"` // ahead of the median, 0 where that is not known
	Ready      bool    `json:"ready"`             // replayed and serving
	Version    string  `json:"version"`
	Level      uint32  `json:"level"`                 // what the site may use, see fsm.Level
	LevelWaits string  `json:"level_waits,omitempty"` // at the leader: what it waits for to rise
	SpaceStatus
}

// Status never blocks and needs no leader.
func (n *Node) Status() Status {
	st := Status{
		Node: n.cfg.Name, Site: n.cfg.Site, State: n.raftState(), Term: n.raft.CurrentTerm(),
		CommitIndex: n.raft.CommitIndex(), Version: n.cfg.Version,
	}
	st.SpaceStatus = n.spaceStatus()
	if err := n.Alarm(); err != nil {
		st.Alarm = err.Error()
	}
	var off time.Duration
	st.Clock, off = n.clockText()
	st.ClockOff = off.Seconds()
	st.Level, st.LevelWaits = uint32(n.replica.siteLevel()), n.waitsFor()
	if _, id := n.raft.LeaderWithID(); id != "" {
		st.Leader = nodeName(id)
	}
	r := n.replica
	r.countRefound()
	replayed := n.replayed(r.appliedIndex())
	r.mu.RLock()
	defer r.mu.RUnlock()
	head, _ := r.state.Head()
	_, begun := r.state.Genesis()
	st.AppliedIndex, st.Digest = r.index, r.state.DigestString()
	st.LastSeq, st.LastFrame = uint64(r.state.LastSeq(fsm.Readings)), uint64(r.state.LastSeq(fsm.Frames))
	st.HeadReadings, st.Cuts = uint64(head.Len()), uint64(len(r.state.Cuts(fsm.Readings)))
	st.SyncedSeq, st.Gaps = uint64(r.state.Synced(fsm.Readings).Prefix()), uint64(len(r.state.Gaps()))
	st.Scrub = r.scrubbed.status()
	if n.logs.Whole() { // what was damaged when the node started came back
		st.Scrub.Rot.Log.Repaired++
	}
	st.Missing = uint64(len(r.missing) + len(r.missingFrames))
	r.describe(&st.SpaceStatus)
	st.LogBytes = r.grown
	st.Ready = begun && st.Leader != "" && replayed
	return st
}

func (n *Node) raftState() string {
	switch s := n.raft.State(); {
	case !n.hasState():
		return "waiting"
	case n.filter.Stance() != transport.Whole:
		return "convalescent"
	case s == raft.Leader:
		return "leader"
	case s == raft.Candidate:
		return "candidate"
	case s == raft.Shutdown:
		return "stopped"
	}
	return "follower"
}

// Member is a server of the raft configuration or a gossip peer.
type Member struct {
	Name    string `json:"name"`
	ID      string `json:"id"`      // raft ServerID
	Address string `json:"address"` // cluster address
	Role    string `json:"role"`    // leader, voter, non-voter, joining
	Alive   bool   `json:"alive"`   // as gossip sees it
	HTTP    string `json:"http"`    // operators' address, "" when unknown
	CoAP    string `json:"coap"`    // devices' address
}

// Members are the site's servers and the peers that wait to join, by name. It
// never blocks and needs no leader.
func (n *Node) Members() []Member {
	byID := map[string]*Member{}
	_, leader := n.raft.LeaderWithID()
	if future := n.raft.GetConfiguration(); future.Error() == nil {
		for _, s := range future.Configuration().Servers {
			m := &Member{Name: nodeName(s.ID), ID: string(s.ID), Address: string(s.Address), Role: "voter"}
			switch {
			case s.ID == leader:
				m.Role = "leader"
			case s.Suffrage != raft.Voter:
				m.Role = "non-voter"
			}
			byID[m.ID] = m
		}
	}
	for _, p := range n.sitePeers() {
		m := byID[p.ID]
		if m == nil {
			if !p.Alive {
				continue
			}
			m = &Member{Name: p.Name, ID: p.ID, Address: p.Cluster, Role: "joining"}
			byID[p.ID] = m
		}
		m.Alive, m.HTTP, m.CoAP = p.Alive, p.HTTP, p.CoAP
	}
	list := make([]Member, 0, len(byID))
	for _, m := range byID {
		list = append(list, *m)
	}
	sort.Slice(list, func(i, j int) bool {
		if list[i].Name != list[j].Name {
			return list[i].Name < list[j].Name
		}
		return list[i].ID < list[j].ID
	})
	return list
}
