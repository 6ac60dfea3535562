package fsm

// retainedValues are the single values of what a site retains. Keys are only
// added.
type retainedValues struct {
	Settings Retention `cbor:"1,keyasint"`
	Version  uint64    `cbor:"2,keyasint"`
	Erased   uint64    `cbor:"3,keyasint"`
}

// maxRetainedBytes bounds the CBOR of retainedValues, of copies and of an
// Erasure.
const maxRetainedBytes = 1 << 10

// writeRetained writes what format 3 adds.
func (s *Snapshot) writeRetained(p *snapshotWriter) {
	r := &s.retained
	p.string(string(appendCBOR(nil, retainedValues{r.settings, r.version, s.erased})))
	for _, closed := range r.closed {
		for _, at := range closed {
			p.uint64(uint64(at))
		}
	}
	for i := range s.gaps {
		p.byte(byte(s.gaps[i].Stream))
	}
	writeOrdered(p, &r.copies)
	p.count(len(s.erasures))
	for i := range s.erasures {
		p.string(string(appendCBOR(nil, &s.erasures[i])))
	}
}

// restoreFrom takes the first seqs that are retained.
func (s *State) restoreFrom(p *snapshotReader, from []Seq) {
	if from == nil {
		return
	}
	if len(from) != 2 || from[Readings] < 1 || from[Frames] < 1 || s.level < retentionLevel {
		p.fail("it retains rows from %d on", from)
		return
	}
	s.retained.from = [2]Seq(from)
}

func (s *State) restoreRetained(p *snapshotReader) {
	v := element[retainedValues](p, "what is retained", maxRetainedBytes)
	if err := v.Settings.validate(); err != nil {
		p.fail("what is retained: %v", err)
	}
	s.retained.settings, s.retained.version, s.erased = v.Settings, v.Version, v.Erased
	for stream := range s.cuts {
		s.retained.closed[stream] = list(p, len(s.cuts[stream]), func() LogTime {
			at := LogTime(p.uint64())
			if at < 0 || at > s.logTime {
				p.fail("a cut of log time %d", at)
			}
			return at
		})
	}
	for i := range s.gaps {
		if s.gaps[i].Stream = Stream(p.byte()); s.gaps[i].Stream > Frames {
			p.fail("gap of stream %d", s.gaps[i].Stream)
			return
		}
	}
	s.restoreCopies(p)
	s.restoreErasures(p)
}

func (s *State) restoreCopies(p *snapshotReader) {
	before := ""
	for range p.count("servers", MaxServers) {
		c := element[copies](p, "a server", maxRetainedBytes)
		p.ascends("server", &before, c.Server)
		for stream, from := range c.From {
			if from > s.LastClosed(Stream(stream))+1 {
				p.fail("server %q has copies from %d", c.Server, from)
			}
		}
		if p.err != nil {
			return
		}
		s.retained.copies.set(c.Server, c)
	}
}

func (s *State) restoreErasures(p *snapshotReader) {
	before := ""
	s.erasures = list(p, p.count("erasures", MaxErasures), func() Erasure {
		e := element[Erasure](p, "an erasure", maxRetainedBytes)
		p.ascends("erasure", &before, e.Device)
		if e.Version < 1 || e.Version > s.erased || e.UpTo[Readings] > s.LastClosed(Readings) || e.UpTo[Frames] > s.LastClosed(Frames) {
			p.fail("erasure %d of %q", e.Version, e.Device)
		}
		return *e
	})
}

// takeGaps numbers the gaps and makes sure that each lies in what is closed.
func (s *State) takeGaps(p *snapshotReader) {
	if p.err != nil {
		return
	}
	for i := range s.gaps {
		g := &s.gaps[i]
		if g.First < 1 || g.Last < g.First || g.Last > s.LastClosed(g.Stream) {
			p.fail("gap %d to %d", g.First, g.Last)
			return
		}
		g.Seq = Seq(i + 1)
		s.dropped[g.Stream] = s.dropped[g.Stream].With(Interval{g.First, g.Last})
	}
}
