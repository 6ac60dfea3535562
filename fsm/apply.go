package fsm

import (
	"crypto/sha256"
	"fmt"
)

// Applied is what one entry did. It is the caller's.
type Applied struct {
	// Outcomes has, for OpReadings, one element for each sub-batch with an
	// outcome for each item; for every other op one element with one outcome.
	Outcomes [][]Outcome
	// Cuts are the rows that the entry closed, in the order of closing. The
	// node writes them to segments.
	Cuts []Closed
	// Frame is the frame that the entry stored, nil for none.
	Frame *AcceptedFrame
	// Retained is set when cuts were dropped, or a server let go of its copies:
	// the node removes files.
	Retained bool
	// Erased is set when a device's data was erased: the node rewrites files.
	Erased bool
}

// Closed is a cut with what it closed: Rows and Names for readings, Frames for
// frames.
type Closed struct {
	Stream Stream
	Cut    Cut
	Rows   Rows
	Names  Names
	Frames []Frame
}

// AcceptedFrame is a stored frame and its bytes, which share memory with the
// entry. The node keeps them: the state does not.
type AcceptedFrame struct {
	Frame Frame
	JPEG  []byte
}

// Apply applies the committed entry at index, which was appended in term. It
// returns an error only for an entry that it cannot decode; then the state is
// spoilt and the node must stop. Entries come in the order of their indexes.
func (s *State) Apply(index, term uint64, entry []byte) (Applied, error) {
	h, body, err := DecodeHeader(entry)
	if err != nil {
		return Applied{}, fmt.Errorf("entry %d: %w", index, err)
	}
	s.begin(index, &h, entry)
	if err := s.perform(&h, term, body); err != nil {
		return Applied{}, fmt.Errorf("entry %d with opcode %d: %w", index, h.Op, err)
	}
	return s.finish(), nil
}

// begin moves the clocks and cuts what belongs to another day or history.
func (s *State) begin(index uint64, h *Header, entry []byte) {
	s.applied = Applied{}
	s.chain.begin(index, h.Op, entry)
	s.logTime = max(s.logTime, min(h.LogTime, maxLogTime))
	s.received = min(max(h.Received, 0), MaxTime)
	s.clockUnknown = h.ClockUnknown
	s.window.advance(s.logTime)
	s.registry.expire(s.logTime)
	s.cutInherited()
	today := day(s.received)
	if s.head.rows.Len() > 0 && s.head.day != today {
		s.cutReadings()
	}
	if len(s.frames.frames) > 0 && s.frames.day() != today {
		s.cutFrames()
	}
}

// finish cuts what is full.
func (s *State) finish() Applied {
	if rows := &s.head.rows; rows.Len() > 0 &&
		(uint64(rows.Len()) >= s.genesis.CutRows || uint64(rows.Bytes()) >= s.genesis.CutBytes) {
		s.cutReadings()
	}
	if s.frames.full() {
		s.cutFrames()
	}
	s.chain.end()
	a := s.applied
	s.applied = Applied{}
	return a
}

func (s *State) perform(h *Header, term uint64, body []byte) error {
	if err := s.knows.known(h.Op, body); err != nil {
		return err
	}
	switch h.Op {
	case OpReadings:
		return s.applyReadings(body)
	case OpFrame:
		f, err := DecodeFrame(body)
		if err != nil {
			return err
		}
		s.outcome(s.applyFrame(f))
		return nil
	case OpConditional:
		o, err := s.applyConditional(body)
		if err != nil {
			return err
		}
		s.outcome(o)
		return nil
	}
	cmd, err := decodeRare(h.Op, body)
	if err != nil {
		return err
	}
	s.outcome(s.applyRare(cmd, term))
	return nil
}

func (s *State) outcome(o Outcome) {
	s.chain.outcome(o)
	s.applied.Outcomes = [][]Outcome{{o}}
}

func (s *State) applyRare(cmd Command, term uint64) Outcome {
	if g, ok := cmd.(Genesis); ok {
		return s.applyGenesis(g)
	}
	if !s.begun {
		return Outcome{Code: NoGenesis}
	}
	if LevelOf(cmd.Op()) > s.level && cmd.Op() != OpRaiseLevel {
		return Outcome{Code: TooEarly} // the snapshot would not have what it does
	}
	switch c := cmd.(type) {
	case RaiseLevel:
		if c.Term != term {
			return Outcome{Code: WrongTerm}
		}
		return s.raiseLevel(&c)
	case Tick:
		return s.tick()
	case Trial:
		s.trial = c.Text
		return Outcome{Code: Stored}
	case SeenCommand:
		if c.Term != term {
			return Outcome{Code: WrongTerm}
		}
		return s.seeServers(&c)
	case SetRetentionCommand:
		return s.setRetention(&c)
	case RetainCommand:
		if c.Term != term {
			return Outcome{Code: WrongTerm}
		}
		return s.retain(&c)
	case LetGoCommand:
		if c.Term != term {
			return Outcome{Code: WrongTerm}
		}
		return s.letGo(&c)
	case EraseCommand:
		return s.erase(&c)
	case CutCommand:
		return s.applyCut()
	case SyncedCommand:
		if c.Term != term {
			return Outcome{Code: WrongTerm}
		}
		return s.applySynced(&c)
	case GapCommand:
		if c.Term != term {
			return Outcome{Code: WrongTerm}
		}
		return s.applyGap(&c)
	case AssignRunCommand:
		if c.Term != term {
			return Outcome{Code: WrongTerm}
		}
		return s.assignRun(&c)
	case CreateTaskCommand:
		return s.createTask(&c)
	case CancelTaskCommand:
		return s.cancelTask(&c)
	case RenewRunCommand:
		return s.renewRun(&c)
	case AdvanceRunCommand:
		return s.advanceRun(&c)
	case PutDeviceCommand:
		return s.putDevice(&c)
	case RemoveDeviceCommand:
		return s.removeDevice(&c)
	case AddKeyCommand:
		return s.addKey(&c)
	case RevokeKeyCommand:
		return s.revokeKey(&c)
	case PutDocumentCommand:
		return s.putDocument(&c)
	case RegisterCommand:
		return s.register(&c)
	case RenewRegistrationCommand:
		return s.renewRegistration(&c)
	case UnregisterCommand:
		return s.unregister(&c)
	case LeaseCommand:
		return s.lease(&c)
	}
	panic(fmt.Sprintf("fsm: decoded a %T that nothing applies", cmd))
}

// applyGenesis begins the site. Leaders may each try: the first one counts.
func (s *State) applyGenesis(g Genesis) Outcome {
	if s.begun {
		return Outcome{Code: Stored, Known: true}
	}
	s.genesis, s.begun, s.incarnation = g, true, 1
	s.window.limit = int(g.WindowBytes / windowKeyBytes)
	return Outcome{Code: Stored}
}

// applyReadings decodes and applies sub-batch by sub-batch.
func (s *State) applyReadings(body []byte) error {
	for len(body) > 0 {
		sub, rest, err := nextSubBatch(body)
		if err != nil {
			return err
		}
		if err := s.view.decode(sub); err != nil {
			return err
		}
		body = rest
		outcomes := make([]Outcome, len(s.view.items))
		for i := range outcomes {
			outcomes[i] = s.applyItem(&s.view, i)
			s.chain.outcome(outcomes[i])
		}
		s.applied.Outcomes = append(s.applied.Outcomes, outcomes)
	}
	return nil
}

// applyItem stores all records of an item or none.
func (s *State) applyItem(v *batchView, i int) Outcome {
	it := &v.items[i]
	hash := keyHash(&it.key)
	if o, refused := s.admit(&it.key, hash, it.content, v.born, 0); refused {
		return o
	}
	return s.storeItem(v, it, hash)
}

// storeItem stores an item that was admitted.
func (s *State) storeItem(v *batchView, it *viewItem, hash uint64) Outcome {
	if !s.series.room(v, it) {
		return Outcome{Code: SeriesFull}
	}
	first := s.store(v, it)
	s.window.remember(&slot{it.key, it.content, uint64(first)}, hash, s.logTime)
	return Outcome{Code: Stored, First: first}
}

// admit decides what the window and the age of a copy decide. The key comes
// first: a copy too old to be stored may still ask what became of it.
func (s *State) admit(k *Key, hash, content uint64, born LogTime, bit uint64) (o Outcome, refused bool) {
	if !s.begun {
		return Outcome{Code: NoGenesis}, true
	}
	if known := s.window.find(k, hash); known != nil {
		differs := known.content != content && known.content != 0 && content != 0
		if differs || known.first&frameBit != bit {
			return Outcome{Code: Conflict}, true
		}
		return Outcome{Code: Stored, First: Seq(known.first &^ frameBit), Known: true}, true
	}
	if born > s.logTime || born < s.logTime-BornWithin {
		return Outcome{Code: Expired}, true
	}
	if !s.window.room(s.logTime) {
		return Outcome{Code: WindowFull}, true
	}
	return Outcome{}, false
}

// store appends the records of an item to the head and returns the first seq.
func (s *State) store(v *batchView, it *viewItem) Seq {
	s.head.stamp(s.received, s.clockUnknown)
	first := s.head.rows.Last() + 1
	var series uint32
	for i := it.start; i < it.end; i++ {
		if i == it.start || v.device[i] != v.device[i-1] || v.resource[i] != v.resource[i-1] {
			series = s.series.intern(v.names[v.device[i]].bytes, v.names[v.resource[i]].bytes)
		}
		var unit uint32
		if u := v.unit[i]; u != 0 {
			unit = s.series.internUnit(v.names[u-1].bytes)
		}
		l := latest{
			time: v.time[i], received: s.received, bits: v.bits[i],
			unit: unit, kind: Kind(v.kind[i] &^ relativeBit),
		}
		if v.kind[i]&relativeBit != 0 {
			l.time = s.resolve(v.time[i], v.waited)
		}
		if l.kind == Text || l.kind == Data {
			l.payload, l.bits = v.sub[l.bits>>32:][:uint32(l.bits)], 0
		}
		s.append(series, &l)
	}
	return first
}

// append gives a reading its seq and stores it in head and latest.
func (s *State) append(series uint32, l *latest) {
	l.seq = s.head.add(series, l.unit, l.time, l.kind, l.bits, l.payload)
	value := hashStored(l.kind, l.bits, l.payload)
	l.digest = HashRow(l.seq, s.series.hashes[series], s.series.unitHashes[l.unit], l.time, l.received, value)
	s.head.digest.Add(l.digest)
	s.series.set(series, *l)
}

// resolve makes a time since 1970 of one relative to when a message came in.
func (s *State) resolve(relative, waited int64) int64 {
	return min(max(s.received-waited+relative, MinTime), MaxTime)
}

func (s *State) applyFrame(c *FrameCommand) Outcome {
	hash := keyHash(&c.Key)
	if o, refused := s.admit(&c.Key, hash, c.Content, c.Born, frameBit); refused {
		return o
	}
	device, resource := []byte(c.Device), []byte(c.Resource)
	if len(s.series.names.Series) >= MaxSeries && !s.series.has(device, resource) {
		return Outcome{Code: SeriesFull}
	}
	id := s.series.intern(device, resource)
	name := s.series.names.Series[id]
	f := Frame{
		Seq: s.frames.next(), Device: name.Device, Resource: name.Resource,
		Time: c.Time, Received: s.received, Width: c.Width, Height: c.Height,
		Size: uint32(len(c.JPEG)), SHA256: sha256.Sum256(c.JPEG),
	}
	if c.Relative {
		f.Time = s.resolve(c.Time, c.Waited)
	}
	s.frames.add(&f)
	s.series.setFrame(id, &f)
	s.window.remember(&slot{c.Key, c.Content, uint64(f.Seq) | frameBit}, hash, s.logTime)
	s.applied.Frame = &AcceptedFrame{f, c.JPEG}
	return Outcome{Code: Stored, First: f.Seq}
}
