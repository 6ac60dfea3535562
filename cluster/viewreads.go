package cluster

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sort"

	"skerry/cluster/transport"
	"skerry/fsm"
)

// read calls f with the state, which f must not keep.
func (v *View) read(f func(s *fsm.State)) {
	r := v.n.replica
	r.mu.RLock()
	defer r.mu.RUnlock()
	f(r.state)
}

// Latest is the reading of a series that entered the site last.
func (v *View) Latest(device, resource string) (x fsm.Reading, ok bool) {
	v.read(func(s *fsm.State) {
		if id, known := s.Series(device, resource); known {
			x, ok = s.Latest(id)
		}
	})
	return x, ok
}

// LatestOf is the latest reading of each resource of a device, by resource.
func (v *View) LatestOf(device string) []fsm.Reading {
	var list []fsm.Reading
	v.read(func(s *fsm.State) {
		for id := range s.SeriesOf(device) {
			if x, ok := s.Latest(id); ok {
				list = append(list, x)
			}
		}
	})
	sort.Slice(list, func(i, j int) bool { return list[i].Resource < list[j].Resource })
	return list
}

// CountOf is how many resources a device has; it counts no further than most.
func (v *View) CountOf(device string, most int) (n int) {
	v.read(func(s *fsm.State) {
		for id := range s.SeriesOf(device) {
			if !present(s, id) {
				continue
			}
			if n++; n >= most {
				return
			}
		}
	})
	return n
}

// present tells a series from one whose readings and frames were erased.
func present(s *fsm.State, id uint32) bool {
	_, reading := s.Latest(id)
	if reading {
		return true
	}
	_, frame := s.LatestFrame(id)
	return frame
}

// LastOf is the seq of the reading of a device that entered the site last, 0 for
// none.
func (v *View) LastOf(device string) (seq fsm.Seq) {
	v.read(func(s *fsm.State) {
		for id := range s.SeriesOf(device) {
			if x, ok := s.Latest(id); ok {
				seq = max(seq, x.Seq)
			}
		}
	})
	return seq
}

// Device is a name that has posted, with its resources, sorted.
type Device struct {
	Name      string
	Resources []string
	Received  int64 // of its last reading or frame, microseconds since 1970 UTC
}

// Devices are the names of all devices with their resources, sorted.
func (v *View) Devices() []Device {
	byName := map[string]*Device{}
	v.read(func(s *fsm.State) {
		for id := range uint32(s.SeriesCount()) {
			if !present(s, id) {
				continue
			}
			name := s.SeriesName(id)
			d := byName[name.Device]
			if d == nil {
				d = &Device{Name: name.Device}
				byName[name.Device] = d
			}
			d.Resources = append(d.Resources, name.Resource)
			if x, ok := s.Latest(id); ok {
				d.Received = max(d.Received, x.Received)
			}
			if f, ok := s.LatestFrame(id); ok {
				d.Received = max(d.Received, f.Received)
			}
		}
	})
	list := make([]Device, 0, len(byName))
	for _, d := range byName {
		slices.Sort(d.Resources)
		list = append(list, *d)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list
}

// Range answers a query. Errors: ErrMissing, context errors, a bad cursor.
func (v *View) Range(ctx context.Context, q Query) (Page, error) { return v.n.replica.query(ctx, q) }

// After returns up to limit readings with seq > after, in seq order. Errors:
// ErrMissing, context errors.
func (v *View) After(ctx context.Context, after fsm.Seq, limit int) ([]fsm.Reading, error) {
	return v.n.replica.after(ctx, after, limit)
}

// LatestFrame is the frame of a series that entered the site last.
func (v *View) LatestFrame(device, resource string) (f fsm.Frame, ok bool) {
	v.read(func(s *fsm.State) {
		if id, known := s.Series(device, resource); known {
			f, ok = s.LatestFrame(id)
		}
	})
	return f, ok
}

// FramesAfter returns up to limit frames with seq > after, in seq order.
func (v *View) FramesAfter(ctx context.Context, after fsm.Seq, limit int) ([]fsm.Frame, error) {
	return v.n.replica.framesAfter(ctx, after, limit)
}

// JPEG returns the bytes of a frame, from a peer if need be. Errors: ErrMissing.
func (v *View) JPEG(ctx context.Context, seq fsm.Seq) ([]byte, error) {
	if seq == 0 || seq > v.Last(fsm.Frames) {
		return nil, fmt.Errorf("there is no frame %d: the last is %d", seq, v.Last(fsm.Frames))
	}
	b, err := v.n.replica.frameBytes(seq)
	if !errors.Is(err, ErrMissing) {
		return b, err
	}
	for _, p := range v.n.otherServers() {
		if b, err := v.n.call(ctx, p, callFrame, binary.LittleEndian.AppendUint64(nil, uint64(seq))); err == nil {
			return b, nil
		}
	}
	return nil, ErrMissing
}

// otherServers are the servers of the configuration but this one.
func (n *Node) otherServers() []transport.Peer {
	future := n.raft.GetConfiguration()
	if future.Error() != nil {
		return nil
	}
	var peers []transport.Peer
	for _, s := range future.Configuration().Servers {
		if s.ID != n.id.ID {
			peers = append(peers, transport.Peer{ID: s.ID, Address: s.Address})
		}
	}
	return peers
}

// Last is the last seq given in a stream, 0 for none.
func (v *View) Last(of fsm.Stream) (seq fsm.Seq) {
	v.read(func(s *fsm.State) { seq = s.LastSeq(of) })
	return seq
}

// Cuts are the closed ranges of a stream from the one that contains from on,
// ascending. The slice is the caller's.
func (v *View) Cuts(of fsm.Stream, from fsm.Seq) (cuts []fsm.Cut) {
	v.read(func(s *fsm.State) {
		all := s.Cuts(of)
		i := sort.Search(len(all), func(i int) bool { return all[i].Last >= from })
		cuts = slices.Clone(all[i:])
	})
	return cuts
}

// Synced are the ranges of a stream that the bucket has, ascending, not
// touching, and the last ship counter (version of the table's txn).
func (v *View) Synced(of fsm.Stream) (ranges []fsm.Interval, version uint64) {
	v.read(func(s *fsm.State) { ranges, version = slices.Clone(s.Synced(of)), s.SyncVersion(of) })
	return ranges, version
}

// Retention is what the site keeps, and the version of these settings.
func (v *View) Retention() (r fsm.Retention, version uint64) {
	v.read(func(s *fsm.State) { r, version = s.Retention() })
	return r, version
}

// RetainedFrom is the first seq of a stream that the site has not dropped.
func (v *View) RetainedFrom(of fsm.Stream) (seq fsm.Seq) {
	v.read(func(s *fsm.State) { seq = s.RetainedFrom(of) })
	return seq
}

// Gaps are the gaps with seq > after, ascending.
func (v *View) Gaps(after fsm.Seq) (gaps []fsm.Gap) {
	v.read(func(s *fsm.State) {
		all := s.Gaps()
		gaps = slices.Clone(all[min(int(after), len(all)):])
	})
	return gaps
}

// Tasks are all tasks by ID. The slice is the caller's.
func (v *View) Tasks() (tasks []fsm.Task) {
	v.read(func(s *fsm.State) { tasks = s.Tasks() })
	return tasks
}

// Task is one task.
func (v *View) Task(id string) (t fsm.Task, ok bool) {
	v.read(func(s *fsm.State) { t, ok = s.Task(id) })
	return t, ok
}

// Site is the site's genesis; ok is false before it.
func (v *View) Site() (g fsm.Genesis, ok bool) {
	v.read(func(s *fsm.State) { g, ok = s.Genesis() })
	return g, ok
}

// Incarnation is the counter of the site's history, raised by restore.
func (v *View) Incarnation() (n uint64) {
	v.read(func(s *fsm.State) { n = s.Incarnation() })
	return n
}

// SharedUpTo is the last seq of a stream up to which the history of another
// incarnation is this one's too.
func (v *View) SharedUpTo(incarnation uint64, of fsm.Stream) (last fsm.Seq) {
	v.read(func(s *fsm.State) { last = s.SharedUpTo(incarnation, of) })
	return last
}

// LogTime is the log time of the last applied entry.
func (v *View) LogTime() fsm.LogTime { return v.n.replica.logTime() }
