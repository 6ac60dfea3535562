package fsm

import (
	"math"
	"unicode/utf8"
)

func (s *State) restoreHead(p *snapshotReader) {
	r := &s.head.rows
	n := p.count("rows", maxCutRows+MaxBatchRecords)
	r.Series = list(p, n, p.uint32)
	r.Unit = list(p, n, p.uint32)
	r.Time = list(p, n, func() int64 { return int64(p.uint64()) })
	r.Kind = list(p, n, func() Kind { return Kind(p.byte()) })
	r.Bits = list(p, n, p.uint64)
	r.Blob = p.bytes(p.count("bytes of rows", maxCutBytes+MaxFrame))
	r.Stamps = list(p, p.count("stamps", uint64(n)), func() Stamp {
		return Stamp{Row: p.uint32(), ClockUnknown: p.bool(), Received: int64(p.uint64())}
	})
	if p.err != nil || !s.checkStamps(p) {
		return
	}
	stamp := 0
	for i := range n {
		if !s.checkRow(i) {
			p.fail("row %d", i)
			return
		}
		for stamp+1 < len(r.Stamps) && int(r.Stamps[stamp+1].Row) <= i {
			stamp++
		}
		var payload []byte
		bits := r.Bits[i]
		if k := r.Kind[i]; k == Text || k == Data {
			payload = r.Blob[bits>>32:][:uint32(bits)]
		}
		s.head.digest.Add(HashRow(r.First+Seq(i), s.series.hashes[r.Series[i]], s.series.unitHashes[r.Unit[i]],
			r.Time[i], r.Stamps[stamp].Received, hashStored(r.Kind[i], bits, payload)))
	}
	s.checkLatest(p)
}

func (s *State) checkStamps(p *snapshotReader) bool {
	r := &s.head.rows
	n := r.Len()
	if (n > 0) != (len(r.Stamps) > 0) {
		p.fail("%d rows with %d stamps", n, len(r.Stamps))
		return false
	}
	for i, st := range r.Stamps {
		if i == 0 {
			s.head.day = day(st.Received)
		}
		inOrder := i == 0 && st.Row == 0 || i > 0 && st.Row > r.Stamps[i-1].Row
		if !inOrder || int(st.Row) >= n || day(st.Received) != s.head.day {
			p.fail("stamp %d is out of order", i)
			return false
		}
	}
	return true
}

func (s *State) checkRow(i int) bool {
	r := &s.head.rows
	if int(r.Series[i]) >= len(s.series.hashes) || int(r.Unit[i]) >= len(s.series.unitHashes) {
		return false
	}
	bits := r.Bits[i]
	switch r.Kind[i] {
	case Number:
		v := math.Float64frombits(bits)
		return !math.IsNaN(v) && !math.IsInf(v, 0)
	case Flag:
		return bits <= 1
	case Text, Data:
		in := bits>>32+uint64(uint32(bits)) <= uint64(len(r.Blob))
		return in && (r.Kind[i] == Data || utf8.Valid(r.Blob[bits>>32:][:uint32(bits)]))
	}
	return false
}

// checkLatest makes sure that no latest reading is one that the site has not.
func (s *State) checkLatest(p *snapshotReader) {
	last := s.LastSeq(Readings)
	for i := range s.series.latest.n {
		if s.series.latest.at(i).seq > last {
			p.fail("latest reading %d after the last one", s.series.latest.at(i).seq)
			return
		}
	}
	for i := range s.tasks {
		if t := &s.tasks[i]; t.Start > t.Cursor || t.Cursor > last || t.State < TaskActive || t.State > TaskCancelled {
			p.fail("task %q is at %d", t.ID, t.Cursor)
			return
		}
	}
}

func (s *State) restoreFrames(p *snapshotReader) {
	for range p.count("open frames", FrameCutRows) {
		f := p.frame()
		if p.err != nil {
			return
		}
		if f.Seq != s.frames.next() {
			p.fail("open frame %d where %d should be", f.Seq, s.frames.next())
			return
		}
		s.frames.add(&f)
	}
}
