package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"skerry/fsm"
)

const (
	dropRetry = 10 * time.Second // after an error of the disk
	// segmentPause is the wait before a segment is written again that found no
	// room.
	segmentPause = 5 * time.Second
)

// floors are, by stream, the first seqs of which this node keeps files.
type floors struct {
	Copies [len(dropStreams)]fsm.Seq `json:"copies"`
}

// floor is the first seq of a stream that this node is to hold: by its own
// state, or by what another told whose state is further. The caller holds mu.
func (r *replica) floor(s fsm.Stream) fsm.Seq {
	return max(r.state.CopiesFrom(r.self, s), r.told.Copies[s])
}

// unwanted reports that this node is not to hold a cut. The caller holds mu.
func (r *replica) unwanted(s fsm.Stream, c fsm.Cut) bool { return c.Last < r.floor(s) }

// reconsider lists anew which cuts are missing, after a change of the floors.
// The caller holds mu.
func (r *replica) reconsider() {
	pending := r.isPending()
	for _, s := range dropStreams {
		for _, c := range r.state.Cuts(s) {
			key := segmentKey{s, c.First}
			switch {
			case r.unwanted(s, c):
				delete(r.missing, key)
			case !pending[key] && !r.segments.has(s, c):
				r.missing[key] = c
			}
		}
		first := r.state.RetainedFrom(s)
		for key := range r.missing {
			if key.stream == s && key.first < first {
				delete(r.missing, key)
			}
		}
	}
}

// ahead reports that this node goes without copies that its own state wants.
func (r *replica) ahead() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, s := range dropStreams {
		if r.told.Copies[s] > r.state.CopiesFrom(r.self, s) {
			return true
		}
	}
	return false
}

// askForFloors asks the other servers which rows this node need not hold, while
// its disk is full: its own state may be behind, for want of room, or it may not
// even have a leader. Who does not answer is asked again in a second.
func (n *Node) askForFloors(ctx context.Context) {
	for _, p := range n.otherServers() {
		b, err := n.call(ctx, p, callFloors, []byte(n.id.ID))
		var f floors
		if err == nil && json.Unmarshal(b, &f) == nil {
			n.replica.tell(f)
		}
	}
}

// serveFloors answers from what is committed, so that any server may be asked.
func (n *Node) serveFloors(server string) ([]byte, error) {
	r := n.replica
	r.mu.RLock()
	defer r.mu.RUnlock()
	var f floors
	for _, s := range dropStreams {
		f.Copies[s] = r.state.CopiesFrom(server, s)
	}
	return json.Marshal(f)
}

// tell takes the floors that another server told.
func (r *replica) tell(f floors) {
	r.mu.Lock()
	higher := false
	for _, s := range dropStreams {
		if f.Copies[s] > r.floor(s) {
			r.told.Copies[s], higher = f.Copies[s], true
		}
	}
	if higher {
		r.reconsider()
	}
	r.mu.Unlock()
	if higher {
		r.closing.notify()
	}
}

// minding is told how much room there is. With room, the node holds again what
// its own state wants.
func (r *replica) minding(state roomState) {
	if state != roomOK {
		return
	}
	r.mu.Lock()
	had := r.told
	r.told = floors{}
	if had != r.told {
		r.reconsider()
	}
	r.mu.Unlock()
	if had != (floors{}) {
		r.closing.notify()
	}
}

// removeDropped removes the files of rows that this node is not to hold, and of
// frames that lie in others now, until ctx is done.
func (n *Node) removeDropped(ctx context.Context) {
	for {
		changed := n.replica.closing.wait()
		var errs []error
		for _, s := range dropStreams {
			errs = append(errs, n.replica.removeFiles(s))
		}
		errs = append(errs, n.replica.frames.sweep())
		if err := errors.Join(errs...); err != nil {
			n.log.Warn("files of dropped rows were not removed", "err", err)
			if pause(ctx, dropRetry) != nil {
				return
			}
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func (r *replica) removeFiles(s fsm.Stream) error {
	r.mu.RLock()
	before := r.floor(s)
	r.mu.RUnlock()
	if before <= 1 {
		return nil
	}
	return r.segments.drop(s, before)
}

// drop removes all files, whole or not, whose rows all come before a seq, but
// for those that are being written.
// Readers that have one open read on.
func (s *segments) drop(stream fsm.Stream, before fsm.Seq) error {
	if !s.unlist(stream, before) && s.dropped[stream] == before {
		return nil
	}
	s.files.Lock()
	defer s.files.Unlock()
	names, err := s.disk.List(segmentDir(stream))
	if err != nil {
		return err
	}
	removed := false
	for _, name := range names {
		var first, last fsm.Seq
		if _, err := fmt.Sscanf(name, "%020d-%020d.", &first, &last); err != nil || last >= before || strings.HasSuffix(name, tempSuffix) {
			continue // what is being written is listed soon, and goes then
		}
		if err := s.disk.Remove(segmentDir(stream) + "/" + name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		removed = true
		if strings.HasSuffix(name, rottenSuffix) {
			s.countRotten(-1)
		}
	}
	if removed {
		if err := s.disk.SyncDir(segmentDir(stream)); err != nil {
			return err
		}
	}
	s.dropped[stream] = before
	return nil
}

// unlist forgets the files whose rows all come before a seq, and reports
// whether there were any.
func (s *segments) unlist(stream fsm.Stream, before fsm.Seq) (any bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stays := func(list []*held) []*held {
		return slices.DeleteFunc(list, func(h *held) bool {
			goes := h.stream == stream && h.last < before
			if goes {
				any = true
				s.closeIdle(h)
			}
			return goes
		})
	}
	s.lists[stream], s.retired = stays(s.lists[stream]), stays(s.retired)
	return any
}

// bytesOf is how much the files of a stream take: those whose footer was read,
// which soon after a start are all.
func (s *segments) bytesOf(stream fsm.Stream) (bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.lists[stream] {
		bytes += h.stats.Size
	}
	return bytes
}
