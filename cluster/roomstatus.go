package cluster

import "skerry/fsm"

// DiskStatus is what a node says of the room on its disk.
type DiskStatus struct {
	// State is "ok"; "short", when less is free than is to be kept back; or
	// "full", when the node takes no entries until there is room.
	State       string `json:"state"`
	Free        int64  `json:"free"` // bytes, as the next ones
	Total       int64  `json:"total"`
	Reserve     int64  `json:"reserve"`      // kept back for the log and for snapshots
	ReserveHeld bool   `json:"reserve_held"` // false once it was given up, until there is room again
	Readings    int64  `json:"readings"`     // files of readings
	Frames      int64  `json:"frames"`       // files of frames
	// DaysUntilFull is a prediction from the last hours; nil while it is
	// unknown or nothing grows.
	DaysUntilFull *float64 `json:"days_until_full"`
}

// SpaceStatus is what the site keeps, and this node's room for it.
type SpaceStatus struct {
	Disk DiskStatus `json:"disk"`
	// Refusing is set at a leader that takes no readings: no majority of the
	// nodes has room.
	Refusing      bool   `json:"refusing"`
	RetainedFrom  uint64 `json:"retained_from"`  // first reading that the site has not dropped
	RetainedFrame uint64 `json:"retained_frame"` // first frame
	// CopiesFrom is the first reading of which this node holds a copy of its
	// own; it is more than RetainedFrom where its disk was full.
	CopiesFrom  uint64 `json:"copies_from"`
	GapReadings uint64 `json:"gap_readings"` // readings that never reach the bucket
	GapFrames   uint64 `json:"gap_frames"`
	Erasing     uint64 `json:"erasing"` // devices whose erased rows may still lie in a file of this node
}

// spaceStatus fills in what needs no lock of the replica.
func (n *Node) spaceStatus() (st SpaceStatus) {
	state, space := n.room.last()
	st.Disk = DiskStatus{
		State: state.String(), Free: space.Free, Total: space.Total,
		Reserve: n.reserve.Size(), ReserveHeld: n.reserve.Held(),
		Readings: n.replica.segments.bytesOf(fsm.Readings), Frames: n.replica.segments.bytesOf(fsm.Frames),
	}
	if days, known := n.room.daysUntilFull(n.reserve.Size()); known {
		st.Disk.DaysUntilFull = &days
	}
	st.Refusing = n.pressure.on.Load()
	return st
}

// describe adds what the state says. The caller holds mu.
func (r *replica) describe(st *SpaceStatus) {
	s := r.state
	st.RetainedFrom, st.RetainedFrame = uint64(s.RetainedFrom(fsm.Readings)), uint64(s.RetainedFrom(fsm.Frames))
	st.CopiesFrom = uint64(r.floor(fsm.Readings))
	for _, g := range s.Gaps() {
		if g.Stream == fsm.Frames {
			st.GapFrames += g.Count
		} else {
			st.GapReadings += g.Count
		}
	}
	st.Erasing = r.toErase()
}
