package cluster

import (
	"context"

	"skerry/fsm"
)

// Node is one member of a site.
type Node struct{}

// Duty is work that only the leader does. It is called after a barrier when
// this node wins an election, returns soon after ctx is done, and may be
// called again in a later term. No two runs of one duty overlap on a node.
type Duty func(ctx context.Context, lead *Lead)

// Lead is one term of leading.
type Lead struct{ Term uint64 }

// Propose is Node.Propose without forwarding: it fails with ErrNotLeader
// unless this node leads in the duty's term. A fsm.DutyCommand is stamped with
// the term.
func (l *Lead) Propose(ctx context.Context, cmd fsm.Command) (fsm.Result, error) { panic("draft") }

// Propose gives a command to the site and returns when it is committed on a
// majority of disks and applied. It works on any node. A *fsm.Batch or
// *fsm.FrameCommand is retried by its keys until ctx is done. A result may hold
// refusals. Errors: ErrNoLeader and ErrOverloaded (nothing was stored, ever),
// ErrUnknown (it may have been), ErrClosed.
//
// Where there is no leader and nothing was sent yet it waits 5 s, then returns
// ErrNoLeader. Callers bound the rest by ctx.
func (n *Node) Propose(ctx context.Context, cmd fsm.Command) (fsm.Result, error) { panic("draft") }

// View returns a view at consistency c; it waits for what c promises.
// Errors: ErrNoLeader, ctx errors. Local never waits.
func (n *Node) View(ctx context.Context, c Consistency) (*View, error) { panic("draft") }

// Applied returns a channel that is closed when something is applied after the
// call. Read what you wait for after taking the channel.
func (n *Node) Applied() <-chan struct{} { panic("draft") }

// SegmentFile is the path of this node's own durable Parquet file whose rows
// are exactly the cut, if it has one.
func (n *Node) SegmentFile(s fsm.Stream, c fsm.Cut) (path string, ok bool) { panic("draft") }

// Name is the node's name; Site is the site's.
func (n *Node) Name() string { panic("draft") }
func (n *Node) Site() string { panic("draft") }

// Secret is the site's secret, the SipHash key of fsm.Key; ok is false until
// the site has begun.
func (n *Node) Secret() (key [16]byte, ok bool) { panic("draft") }

// Status is this node's own view of itself and the site.
type Status struct {
	Node         string `json:"node"`
	Site         string `json:"site"`
	Leader       string `json:"leader"` // name, "" when there is none
	State        string `json:"state"`  // leader, follower, candidate, waiting (not in a site yet)
	Term         uint64 `json:"term"`
	CommitIndex  uint64 `json:"commit_index"`
	AppliedIndex uint64 `json:"applied_index"`
	LastSeq      uint64 `json:"last_seq"`
	LastFrame    uint64 `json:"last_frame"`
	HeadReadings uint64 `json:"head_readings"`
	Cuts         uint64 `json:"cuts"`
	SyncedSeq    uint64 `json:"synced_seq"` // readings 1..SyncedSeq are in the bucket
	Gaps         uint64 `json:"gaps"`
	Missing      uint64 `json:"missing"` // cuts whose rows this node still fetches
	Digest       string `json:"digest"`  // index:hex
	Clock        string `json:"clock"`   // "ok" or "unknown"
	Ready        bool   `json:"ready"`   // replayed and serving
	Version      string `json:"version"`
}

// Status never blocks and needs no leader.
func (n *Node) Status() Status { panic("draft") }

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

// Members never blocks and needs no leader.
func (n *Node) Members() []Member { panic("draft") }
