package cluster

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/hashicorp/raft"

	"skerry/fsm"
)

// keeping is what the site keeps of one stream, as of one moment.
type keeping struct {
	stream  fsm.Stream
	keep    fsm.Keep
	cuts    []fsm.Cut
	closed  []fsm.LogTime // of each cut
	from    fsm.Seq       // the first row retained
	settled fsm.Seq       // up to it the bucket has every row, or a gap says why not
	lost    bool          // rows may go that are not settled
	bytes   int64         // in files of the node that holds most
}

var dropStreams = [...]fsm.Stream{fsm.Readings, fsm.Frames}

// makeSpace drops what the site is not to keep, and what it must not keep while
// its disks are full. Each drop is a command, so it is the same everywhere.
func (n *Node) makeSpace(ctx context.Context, lead *Lead, heard []heard) error {
	if n.replica.siteLevel() < fsm.LevelOf(fsm.OpRetain) || len(heard) == 0 {
		return nil
	}
	var all [len(dropStreams)]keeping
	for i, s := range dropStreams {
		all[i] = n.replica.keeping(s, heard)
	}
	now := n.replica.logTime()
	if r := n.reign.Load(); r != nil {
		now = max(now, r.logTime())
	}
	for i := range all {
		from, why := all[i].wanted(now)
		if err := n.retain(ctx, lead, &all[i], from, why); err != nil {
			return err
		}
	}
	if noMajority(heard) {
		return n.relieve(ctx, lead, &all, heard)
	}
	return n.spare(ctx, lead, heard)
}

func (r *replica) keeping(s fsm.Stream, heard []heard) keeping {
	r.mu.RLock()
	defer r.mu.RUnlock()
	settings, _ := r.state.Retention()
	k := keeping{
		stream: s, keep: settings.Of(s), lost: settings.Unshipped,
		cuts: r.state.Cuts(s), closed: r.state.ClosedAt(s), from: r.state.RetainedFrom(s), settled: r.state.Settled(s),
	}
	for _, h := range heard {
		k.bytes = max(k.bytes, h.standing.Bytes[s])
	}
	return k
}

// rows is how many closed rows are kept.
func (k *keeping) rows() uint64 {
	if len(k.cuts) == 0 {
		return 0
	}
	return uint64(k.cuts[len(k.cuts)-1].Last-k.from) + 1
}

// wanted is the seq from which on the settings keep rows, and why not before.
func (k *keeping) wanted(now fsm.LogTime) (from fsm.Seq, why string) {
	from = k.from
	if k.keep.Age > 0 {
		i := sort.Search(len(k.cuts), func(i int) bool { return k.closed[i]+fsm.LogTime(k.keep.Age) > now })
		if i > 0 {
			from = k.cuts[i-1].Last + 1
			why = fmt.Sprintf("older than %s", time.Duration(k.keep.Age)*time.Microsecond)
		}
	}
	if over := k.bytes - int64(k.keep.Bytes); k.keep.Bytes > 0 && over > 0 {
		if by := k.freeing(over); by > from {
			from, why = by, fmt.Sprintf("more than %d bytes", k.keep.Bytes)
		}
	}
	return from, why
}

// freeing is the seq before which files of about so many bytes lie, the newest
// cut never among them.
func (k *keeping) freeing(bytes int64) fsm.Seq {
	if len(k.cuts) < 2 || k.bytes <= 0 || bytes <= 0 {
		return k.from
	}
	rows := fsm.Seq(float64(k.rows())*min(float64(bytes)/float64(k.bytes), 1)) + 1
	i := sort.Search(len(k.cuts), func(i int) bool { return k.cuts[i].Last+1 >= k.from+rows })
	return k.cuts[min(i, len(k.cuts)-2)].Last + 1
}

// allowed is the last place up to from at which a cut begins and before which
// rows may go.
func (k *keeping) allowed(from fsm.Seq) fsm.Seq {
	if !k.lost {
		from = min(from, k.settled+1)
	}
	i := sort.Search(len(k.cuts), func(i int) bool { return k.cuts[i].Last >= from })
	if i == 0 {
		return k.from
	}
	return k.cuts[i-1].Last + 1
}

// retain proposes the drop of what comes before from.
func (n *Node) retain(ctx context.Context, lead *Lead, k *keeping, from fsm.Seq, why string) error {
	from = k.allowed(from)
	if from <= k.from {
		return nil
	}
	cmd := fsm.RetainCommand{Stream: k.stream, From: from}
	if k.lost {
		cmd.Reason = why
	}
	if err := proposeOne(ctx, lead, cmd); err != nil {
		return fmt.Errorf("drop %s before %d: %w", k.stream, from, err)
	}
	n.log.Info("dropped", "stream", k.stream, "first", k.from, "last", from-1, "why", why)
	k.from = from
	return nil
}

func proposeOne(ctx context.Context, lead *Lead, cmd fsm.Command) error {
	result, err := lead.Propose(ctx, cmd)
	if err != nil {
		return err
	}
	return result.Outcomes[0].Code.Err()
}

// relieve drops the oldest rows while no majority has room: of the stream that
// takes more, as much as brings the fullest disk back.
func (n *Node) relieve(ctx context.Context, lead *Lead, all *[len(dropStreams)]keeping, heard []heard) error {
	var need int64
	for _, h := range heard {
		if h.standing.Room != roomOK {
			need = max(need, h.standing.lacks())
		}
	}
	order := []*keeping{&all[fsm.Readings], &all[fsm.Frames]}
	slices.SortFunc(order, func(a, b *keeping) int { return int(min(max(b.bytes-a.bytes, -1), 1)) })
	for _, k := range order {
		was := k.from
		if err := n.retain(ctx, lead, k, k.freeing(need), "the disks are full"); err != nil || k.from > was {
			return err
		}
	}
	return nil
}

// spare lets one full node go without its own copies of the oldest rows, where
// a majority keeps them, and has it hold them again when it has room.
func (n *Node) spare(ctx context.Context, lead *Lead, heard []heard) error {
	for _, h := range heard {
		if !h.fresh() {
			continue
		}
		for _, s := range dropStreams {
			cmd, due := n.replica.spared(h, s, heard)
			if !due {
				continue
			}
			if err := proposeOne(ctx, lead, cmd); err != nil {
				return err
			}
			n.log.Info("copies of a node whose disk is full", "node", nodeName(h.server.ID), "stream", s, "from", cmd.Before)
			return nil // one at a time: the next is judged by the state after it
		}
	}
	return nil
}

// spared is what is to become of a server's own copies of a stream.
func (r *replica) spared(h heard, s fsm.Stream, heard []heard) (cmd fsm.LetGoCommand, due bool) {
	k := r.keeping(s, heard)
	r.mu.RLock()
	has := r.state.CopiesFrom(string(h.server.ID), s)
	r.mu.RUnlock()
	cmd = fsm.LetGoCommand{Server: string(h.server.ID), Stream: s}
	st := h.standing
	if st.Room == roomOK {
		missing := k.bytes - st.Bytes[s] // about, since files differ
		return cmd, has > k.from && st.Beside > missing+missing/4+3*st.Reserve
	}
	if !r.keptByMajority(h.server, s, heard) {
		return cmd, false
	}
	own := k
	own.from, own.bytes = has, st.Bytes[s]
	own.cuts = k.cuts[sort.Search(len(k.cuts), func(i int) bool { return k.cuts[i].Last >= has }):]
	cmd.Before = own.freeing(st.lacks())
	return cmd, cmd.Before > has
}

// keptByMajority reports that a majority of the voters, without one server,
// hold everything of a stream.
func (r *replica) keptByMajority(without raft.Server, s fsm.Stream, heard []heard) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	voters, whole := 0, 0
	for _, h := range heard {
		if h.server.Suffrage != raft.Voter {
			continue
		}
		voters++
		if h.server.ID != without.ID && h.fresh() && h.standing.Missing == 0 &&
			r.state.CopiesFrom(string(h.server.ID), s) <= r.state.RetainedFrom(s) {
			whole++
		}
	}
	return whole > voters/2
}
