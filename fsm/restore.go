package fsm

import (
	"fmt"
	"io"
	"strings"
)

// Restore is RestoreAs for this program.
func Restore(r io.Reader) (*State, error) { return RestoreAs(r, NewestLevel) }

// RestoreAs reads a state that Snapshot.WriteTo wrote, as a program that knows a
// level. It reads r to its end and checks all that it can. Errors: ErrNewer,
// ErrCorrupt.
func RestoreAs(r io.Reader, knows Level) (*State, error) {
	p := newSnapshotReader(r)
	magic := string(p.fixed(len(snapshotMagic)))
	if p.err == nil && magic != snapshotMagic {
		p.fail("it does not begin as one")
	}
	version := p.uint32()
	if p.err == nil && version > snapshotVersion(knows) {
		return nil, fmt.Errorf("snapshot has format %d, this program reads up to %d: %w", version, snapshotVersion(knows), ErrNewer)
	}
	if version < 1 {
		p.fail("format %d", version)
	}
	s := NewStateAs(knows)
	s.restoreValues(p, version)
	s.restoreSeries(p)
	s.restoreLatest(p)
	s.restoreWindow(p)
	s.restoreStreams(p)
	s.restoreTasks(p)
	s.restoreHead(p)
	s.restoreFrames(p)
	if version >= 2 {
		s.restoreDevices(p)
		s.restoreDocuments(p)
		s.restoreDirectory(p)
		s.restoreLeases(p)
	}
	if s.level >= retentionLevel {
		s.restoreRetained(p)
		s.restoreOrigins(p)
	}
	s.takeGaps(p)
	p.end()
	if p.err != nil {
		return nil, p.err
	}
	return s, nil
}

// end compares the checksum and makes sure that nothing follows it.
func (p *snapshotReader) end() {
	want := string(p.hash.Sum(nil))
	if got := string(p.fixed(len(want))); p.err == nil && got != want {
		p.fail("its checksum is wrong")
	}
	if p.err != nil {
		return
	}
	if _, err := p.r.ReadByte(); err != io.EOF {
		p.fail("bytes follow its checksum")
	}
}

func (s *State) restoreValues(p *snapshotReader, version uint32) {
	b := p.bytes(p.count("bytes of values", 16<<10))
	if p.err != nil {
		return
	}
	var v snapshotValues
	if err := rareDec.Unmarshal(b, &v); err != nil {
		p.fail("its values: %v", err)
		return
	}
	if v.Begun {
		if err := v.Genesis.validate(); err != nil {
			p.fail("its genesis: %v", err)
			return
		}
	}
	if v.LogTime < 0 || v.LogTime > maxLogTime {
		p.fail("log time %d", v.LogTime)
	}
	if err := validateSeen(v.Seen); err != nil {
		p.fail("its servers: %v", err)
	}
	s.seen, s.seenAt = v.Seen, v.SeenAt
	s.level, s.trial = max(v.Level, FirstLevel), v.Trial
	if version > snapshotVersion(FirstLevel) && version != snapshotVersion(s.level) || s.level > FirstLevel && version <= snapshotVersion(FirstLevel) {
		p.fail("level %d in format %d", s.level, version)
	}
	s.restoreFrom(p, v.RetainedFrom)
	s.genesis, s.begun, s.incarnation = v.Genesis, v.Begun, v.Incarnation
	s.logTime, s.received, s.clockUnknown = v.LogTime, v.Received, v.ClockUnknown
	s.chain.index, s.chain.sum, s.versions = v.DigestIndex, v.Digest, v.Versions
	s.window.limit = int(v.Genesis.WindowBytes / windowKeyBytes)
	s.registry.version, s.documents.version = v.RegistryVersion, v.DocumentVersion
}

func (s *State) restoreSeries(p *snapshotReader) {
	for range p.count("series", MaxSeries) {
		device, resource := p.name("device", MaxDevice), p.name("resource", MaxResource)
		if p.err != nil {
			return
		}
		before := s.SeriesCount()
		if id := s.series.intern([]byte(device), []byte(resource)); int(id) != before || strings.Contains(resource, "/") {
			p.fail("series %q %q is named twice or wrongly", device, resource)
			return
		}
	}
	for range p.count("units", MaxUnits) {
		unit := p.name("unit", MaxUnit)
		if p.err != nil {
			return
		}
		before := len(s.series.names.Units)
		if id := s.series.internUnit([]byte(unit)); int(id) != before {
			p.fail("unit %q is named twice", unit)
			return
		}
	}
}

func (s *State) restoreLatest(p *snapshotReader) {
	t := &s.series
	for id := range t.latest.n {
		l := p.latest()
		if p.err != nil {
			return
		}
		if l.kind == 0 {
			continue
		}
		if int(l.unit) >= len(t.names.Units) {
			p.fail("unit %d is not known", l.unit)
			return
		}
		l.digest = HashRow(l.seq, t.hashes[id], t.unitHashes[l.unit], l.time, l.received, hashStored(l.kind, l.bits, l.payload))
		t.set(uint32(id), l)
	}
	for range p.count("latest frames", MaxSeries) {
		f := p.frame()
		if f.Seq < 1 && s.level < retentionLevel {
			p.fail("latest frame without seq")
		}
		if p.err != nil {
			return
		}
		id, ok := t.lookup(f.Device, f.Resource)
		if _, twice := t.frameSlots[id]; !ok || twice {
			p.fail("frame of series %q %q is named twice or not at all", f.Device, f.Resource)
			return
		}
		t.setFrame(id, &f)
	}
}

func (p *snapshotReader) latest() (l latest) {
	l.kind = Kind(p.byte())
	if l.kind == 0 {
		return l
	}
	l.unit = uint32(p.count("units", MaxUnits))
	l.seq = p.seq()
	l.time, l.received = int64(p.uint64()), int64(p.uint64())
	switch l.kind {
	case Number, Flag:
		l.bits = p.uint64()
	case Text:
		l.payload = p.bytes(p.count("bytes of text", MaxText))
	case Data:
		l.payload = p.bytes(p.count("bytes of data", MaxData))
	default:
		p.fail("kind %d", l.kind)
	}
	if l.seq < 1 {
		p.fail("latest reading without seq")
	}
	return l
}

func (s *State) restoreWindow(p *snapshotReader) {
	w := &s.window
	for range p.count("generations", 1<<16) {
		number := int64(p.uint64())
		n := p.count("keys", uint64(w.limit-w.n))
		if last := len(w.generations) - 1; number < 0 || number > int64(s.logTime/generationSpan) ||
			last >= 0 && w.generations[last].number >= number {
			p.fail("generation %d is out of order", number)
		}
		if p.err != nil {
			return
		}
		w.open(number)
		for range n {
			sl := p.slot()
			hash := keyHash(&sl.key)
			if sl.first&^frameBit == 0 || p.err == nil && w.find(&sl.key, hash) != nil {
				p.fail("key %x has no answer or two", sl.key)
			}
			if p.err != nil {
				return
			}
			w.remember(&sl, hash, LogTime(number)*generationSpan)
		}
	}
}

func (s *State) restoreStreams(p *snapshotReader) {
	for stream := range s.cuts {
		last := s.retained.from[stream] - 1
		s.cuts[stream] = list(p, p.count("cuts", 1<<32), func() (c Cut) {
			c.First, c.Last = p.seq(), p.seq()
			c.Digest[0], c.Digest[1] = p.uint64(), p.uint64()
			c.Day = int32(p.uint32())
			if c.First != last+1 || c.Last < c.First {
				p.fail("cut %d to %d after %d", c.First, c.Last, last)
			}
			last = c.Last
			return c
		})
		s.retained.closed[stream] = make([]LogTime, len(s.cuts[stream]))
		switch Stream(stream) {
		case Readings:
			s.head = newHead(last + 1)
		case Frames:
			s.frames = frameHead{first: last + 1}
		}
	}
	for stream := range s.synced {
		s.synced[stream] = list(p, p.count("synced ranges", 1<<32), func() Interval {
			return Interval{p.seq(), p.seq()}
		})
	}
	s.gaps = list(p, p.count("gaps", MaxGaps), func() (g Gap) {
		g.First, g.Last, g.Count = p.seq(), p.seq(), p.uint64()
		g.Reason = p.string("bytes of a reason", MaxReason)
		return g
	})
	for stream, set := range s.synced {
		if !set.valid(s.LastClosed(Stream(stream))) {
			p.fail("synced ranges of %s are not in order", Stream(stream))
		}
	}
}

func (s *State) restoreTasks(p *snapshotReader) {
	s.tasks = list(p, p.count("tasks", MaxTasks), func() (t Task) {
		b := p.bytes(p.count("bytes of a task", MaxTaskState+4<<10))
		if p.err != nil {
			return t
		}
		if err := rareDec.Unmarshal(b, &t); err != nil {
			p.fail("a task: %v", err)
		}
		return t
	})
	for i := 1; i < len(s.tasks); i++ {
		if s.tasks[i-1].ID >= s.tasks[i].ID {
			p.fail("task %q is out of order", s.tasks[i].ID)
		}
	}
}
