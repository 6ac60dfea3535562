package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
	"skerry/cluster/gossip"
	"skerry/cluster/logstore"
	"skerry/cluster/transport"
	"skerry/fsm"
)

// Node is one member of a site. Open it, Run it beside whatever uses it, Close
// it.
type Node struct {
	cfg     Config
	profile profile
	knows   fsm.Level // the newest
	log     *slog.Logger

	disk     disk.Disk // with the reserve
	reserve  *disk.Reserve
	room     room
	pressure pressure
	lock     func() error // releases the data directory
	logs     *logstore.Store
	network  transport.Network
	filter   *transport.Filter
	gossip   gossip.Gossip
	raft     *raft.Raft
	notify   chan bool
	replica  *replica
	election election

	committer     *committer
	reads         readIndexes
	told          told
	survey        survey
	clock         clockView
	reign         atomic.Pointer[reign]
	leadChanged   signal
	era           era
	announcing    turn // of announce alone
	revising      turn // of changes of the configuration
	left          leavers
	leaving       atomic.Bool // Leave has begun, or succeeded
	transfers     transfers
	trust         trust
	whereabouts   whereabouts
	started       atomic.Uint64         // id.Generation, for readers who must not wait for the disk
	alarm         atomic.Pointer[error] // ErrDiverged, see Alarm
	lineageBefore string                // of the history, as the directory says, "" for not known
	seenBefore    []fsm.Seen            // what this node knew of the servers before it started
	replayTo      uint64                // index of the last command in the log when it started

	enterAt time.Time // not to be added to the site before; of Open alone, zero for now

	identityMu turn // guards id.Pledge, id.InSite, id.Format, id.Lineage, marked and seenRotten, and the files of who the node is
	id         identity
	marked     bool // the directory, for quarantine
	seenRotten bool // seenFile, which is still to be written anew

	fetchTurn            int // the peer asked first, of fetchMissing alone
	fetchPace, mergePace *pace
	suspects             chan *held // files to be read soon
	scrubAt              scrubPosition
	raftRot              *raftRot

	runs      sync.WaitGroup // run, which Close awaits
	work      jobs           // that Close awaits
	closed    chan struct{}
	closeOnce sync.Once
	failed    chan error // capacity 1: why the node cannot go on
}

// Duty is work that only the leader does. It is called after a barrier when
// this node wins an election, returns soon after ctx is done, and may be
// called again in a later term. No two runs of one duty overlap on a node.
type Duty func(ctx context.Context, lead *Lead)

// Open locks the data directory, binds the node's sockets, and brings the
// state back from disk. A node that was in a site takes entries and votes when
// the others have let it in, in Run; see earnTrust. It leads and answers calls
// only in Run.
//
// A data directory that can no longer be trusted is set aside, and the node
// opens as a new server.
func Open(cfg Config) (*Node, error) {
	n, err := open(cfg)
	if errors.Is(err, ErrQuarantined) || errors.Is(err, errFromLog) {
		cfg.logger().Error("opening", "node", cfg.Name, "err", err)
		n, err = open(cfg)
	}
	return n, err
}

func open(cfg Config) (node *Node, err error) {
	cfg, err = cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	n := &Node{
		cfg: cfg, profile: profiles[cfg.Profile], knows: cfg.Seams.Level, log: cfg.Logger.With("node", cfg.Name),
		identityMu: newTurn(), announcing: newTurn(), revising: newTurn(), notify: make(chan bool), closed: make(chan struct{}), failed: make(chan error, 1),
	}
	if cfg.SnapshotBytes > 0 {
		n.profile.snapshotBytes = cfg.SnapshotBytes
	}
	n.fetchPace, n.mergePace = newPace(cmp.Or(cfg.FetchRate, n.profile.fetchBytes)), newPace(n.profile.mergeBytes)
	n.suspects = make(chan *held, maxSuspects)
	n.raftRot = newRaftRot()
	n.committer = newCommitter(n)
	n.reads.n = n
	var undo []func() error
	defer func() {
		if node == nil { // also where raft panics over what it cannot read
			for i := len(undo) - 1; i >= 0; i-- {
				err = errors.Join(err, undo[i]())
			}
		}
	}()

	n.disk, n.lock = cfg.Seams.Disk, func() error { return nil }
	if n.disk == nil {
		if n.lock, err = lockDir(cfg.Dir); err != nil {
			return nil, err
		}
		n.disk = disk.NewOS(cfg.Dir)
	}
	undo = append(undo, n.lock)
	n.reserve = disk.NewReserve(n.disk, reserveSize(&n.cfg, &n.profile, n.disk))
	n.disk = n.reserve
	replaces, err := setAside(n.disk, cfg.Site, cfg.Name, dirFormat(n.knows), n.log)
	if err != nil {
		return nil, err
	}
	var mended bool
	n.id, mended, err = loadIdentity(n.disk, cfg.Site, cfg.Name, dirFormat(n.knows), replaces)
	if errors.Is(err, errIdentity) {
		return nil, n.lostIdentity(err)
	} else if err != nil {
		return nil, err
	}
	n.lineageBefore = n.id.Lineage
	n.stayOut()
	segs, err := newSegments(n.disk, cfg.Site)
	if err != nil {
		return nil, err
	}
	n.replica = newReplica(n.log, segs, newFrameStore(n.disk), n.knows, n.fail)
	n.replica.self = string(n.id.ID)
	if mended {
		n.mendedRot(rotIdentity, identityFile)
	}
	undo = append(undo, func() error { n.replica.frames.close(); return nil })
	n.lookAtRoom()

	if n.logs, err = n.openLogs(); errors.Is(err, logstore.ErrVotes) {
		return nil, n.quarantine(fmt.Errorf("%w: %w", errLost, err))
	} else if err != nil {
		return nil, err
	}
	undo = append(undo, n.logs.Close)
	n.noteRecovery()
	if err = checkLogs(n.logs, n.id.InSite); errors.Is(err, errLost) {
		return nil, n.quarantine(err)
	} else if err != nil {
		return nil, err
	}
	var log raft.LogStore = n.logs.Log
	if cfg.Seams.Log != nil {
		log = cfg.Seams.Log(log)
	}
	log = levelLog{log, n.raiseDir}
	snapshots := levelSnapshots{n.logs.Snapshots, n.raiseDir}

	if cfg.Seams.Network != nil {
		n.network, err = cfg.Seams.Network(n.id.ID)
	} else {
		n.network, err = transport.ListenTCP(n.id.ID, cfg.Cluster, cfg.Advertise, hclogTo(n.log))
	}
	if err != nil {
		return nil, err
	}
	undo = append(undo, n.network.Close)
	n.network = transport.Finding(n.network, n.whereabouts.find)
	n.filter = transport.NewFilter(n.network.Raft(), n.admit)
	undo = append(undo, n.filter.Close)
	if err = n.openSeen(); err != nil {
		return nil, err
	}
	if err = n.beginApart(); err != nil {
		return nil, err
	}
	if n.replayTo, err = lastCommand(n.logs.Log); err != nil {
		return nil, err
	}

	if err := n.replica.loadFrames(n.logs.Snapshots); err != nil {
		return nil, err
	}
	if err = n.noteSnapshot(); err != nil {
		return nil, err
	}
	if n.raft, err = startRaft(n.raftConfig(), n.replica, log, n.logs.Stable, snapshots, n.filter, n.filter.Mute, n.replica.configurations.find); err != nil {
		if strings.Contains(err.Error(), noSnapshot) {
			return nil, n.withoutSnapshots(err)
		}
		return nil, fmt.Errorf("start from %s: %w: if it is damaged, %s", cfg.Dir, err, anew)
	}
	n.raftRot.began = n.raft.AppliedIndex()
	n.filter.Watch(n.raft, n.logs.Log)
	n.replica.borrows.lend = n.lend
	n.replica.alone = func() bool { return len(n.otherServers()) == 0 }
	n.replica.started(n.installed, n.keepLog)
	undo = append(undo, func() error { return n.raft.Shutdown().Error() })
	if err = n.beginAlone(); err != nil {
		return nil, err
	}

	if cfg.Seams.Gossip != nil {
		n.gossip, err = cfg.Seams.Gossip(n.selfPeer())
	} else {
		n.gossip, err = gossip.Open(gossip.Config{
			Listen: cfg.Gossip, Advertise: cfg.Advertise, Join: cfg.Join, Self: n.selfPeer(), Log: gossipLog{n.log},
		})
	}
	if err != nil {
		return nil, err
	}
	n.whereabouts.begin(n.gossip)
	return n, nil
}

// stopPatience is how long a node that stops waits for the entries that are
// under way. Where the others take none, as on full disks, they would be under way
// for as long as it leads: then nobody hears it any more, so it loses the lead, and
// their fate is not known. (Shut down, raft would leave requests unanswered that
// wait in its channels.)
const stopPatience = 2 * time.Second

// Run takes part in the site until ctx is done, and runs duties while this
// node leads. It returns an error only when the node cannot go on: then the
// process is to end at once, without Close, so that nothing is kept behind an
// error. Goroutines of Run may then still hang in a write to the disk.
func (n *Node) Run(ctx context.Context, duties ...Duty) error {
	ended, failing := make(chan struct{}), make(chan struct{})
	n.runs.Go(func() {
		defer close(ended)
		n.run(ctx, failing, duties)
	})
	select {
	case <-ended:
		return nil
	case err := <-n.failed:
		close(failing)
		n.resign()
		return err
	}
}

// run returns when all that it started has returned, after ctx is done or
// failing is closed.
func (n *Node) run(ctx context.Context, failing <-chan struct{}, duties []Duty) {
	// Workers outlive ctx by the time it takes to hand the lead over.
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	// raft's main loop waits until its notifications are taken, and workers
	// wait for raft: so they are taken until the last worker has returned.
	watching, unwatch := context.WithCancel(context.WithoutCancel(ctx))
	var watch, wg sync.WaitGroup
	watch.Go(func() { n.election.watch(watching, n.notify, n.loseLead) })
	defer watch.Wait()
	defer unwatch()
	duties = append([]Duty{n.membership, n.takeSurveys, n.mindSpace, n.tick}, duties...)
	for _, work := range []func(context.Context){
		func(ctx context.Context) { n.runDuties(ctx, duties) },
		n.watchLeader, n.committer.run, n.replica.writeSegments, n.joinSite, n.followLevel, n.mindRoom, n.removeDropped,
		n.letIn(n.fetchMissing), n.letIn(n.mergeSegments), n.letIn(n.scrub), n.letIn(n.takeSnapshots), n.letIn(n.eraseFiles),
		n.earnTrust, n.letIn(n.watchPlace), n.letIn(n.watchSeen), n.mindAside,
	} {
		wg.Go(func() { work(inner) })
	}
	n.network.Serve(n.serve)
	defer func() {
		cancel()
		late := time.AfterFunc(stopPatience, func() { n.goSilent(failing) })
		defer late.Stop()
		wg.Wait()
	}()
	select {
	case <-failing:
	case <-ctx.Done():
		n.handOver()
	}
}

// goSilent has nobody hear this node any more, so that it loses the lead and raft
// answers what waits for it. Where the node fails raft's main loop may be gone; then
// what waits for that is let go.
func (n *Node) goSilent(failing <-chan struct{}) {
	n.filter.Mute()
	select {
	case <-failing:
		n.raft.Shutdown()
	default:
	}
}

// letIn has work wait until the node takes part: a data directory that the site
// refuses stays as it is. What makes room on a full disk does not wait: to take
// part a node has to write.
func (n *Node) letIn(work func(context.Context)) func(context.Context) {
	return func(ctx context.Context) {
		for n.filter.Stance() == transport.Apart {
			if pause(ctx, trustPause) != nil {
				return
			}
		}
		work(ctx)
	}
}

// loseLead is called as soon as raft says that this node does not lead.
func (n *Node) loseLead() {
	n.reign.Store(nil)
	n.leadChanged.notify()
}

// fail ends Run with the first reason.
func (n *Node) fail(err error) {
	select {
	case n.failed <- err:
	default:
	}
}

// Close stops a node whose Run has returned, or never ran.
func (n *Node) Close() error {
	var err error
	n.closeOnce.Do(func() {
		close(n.closed)
		n.runs.Wait() // where Run has failed it may go on for a while
		// raft blocks until its notifications are taken.
		drained := make(chan struct{})
		go func() {
			for {
				select {
				case <-n.notify:
				case <-drained:
					return
				}
			}
		}()
		n.replica.endWriting() // also of a node that never ran
		err = errors.Join(n.gossip.Close(), n.filter.Close(), n.network.Close())
		n.work.close() // what still waits for raft is answered before it ends
		err = errors.Join(err, n.raft.Shutdown().Error())
		close(drained)
		n.replica.segments.close()
		n.replica.frames.close()
		err = errors.Join(err, n.logs.Close(), n.lock())
	})
	return err
}

// Applied returns a channel that is closed when something is applied after the
// call. Read what you wait for after taking the channel.
func (n *Node) Applied() <-chan struct{} { return n.replica.applied.wait() }

// Name is the node's name.
func (n *Node) Name() string { return n.cfg.Name }

// Site is the site's name.
func (n *Node) Site() string { return n.cfg.Site }

// ClusterAddress is where the others reach this node.
func (n *Node) ClusterAddress() string { return string(n.network.Address()) }

// Secret is the site's secret, the SipHash key of fsm.Key; ok is false until
// the site has begun.
func (n *Node) Secret() (key [16]byte, ok bool) {
	g, ok := n.replica.genesis()
	return g.Secret, ok
}

// Known is the answer that this node's replica remembers for a message with
// this key and content. It never blocks; ok false says nothing.
func (n *Node) Known(key fsm.Key, content uint64) (o fsm.Outcome, ok bool) {
	r := n.replica
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.state.Known(key, content)
}

// Snapshot takes a snapshot now.
func (n *Node) Snapshot() error {
	err := n.raft.Snapshot().Error()
	if errors.Is(err, raft.ErrNothingNewToSnapshot) {
		return nil
	}
	return err
}

func (r *replica) sinceSnapshot() (bytes int64) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.grown
}

// loadFrames clears the open frames' files when there is no snapshot that
// wants them: the log brings all of them again.
func (r *replica) loadFrames(snapshots raft.SnapshotStore) error {
	list, err := snapshots.List()
	if err != nil || len(list) > 0 {
		return err
	}
	_, err = r.frames.restore(nil)
	return err
}
