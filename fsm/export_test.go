package fsm

// TestWindow lets tests fill a window without a state around it.
type TestWindow struct{ w window }

// NewTestWindow is a window that takes limit keys.
func NewTestWindow(limit int) *TestWindow { return &TestWindow{window{limit: limit}} }

// Remember adds a key at a log time.
func (t *TestWindow) Remember(k Key, now LogTime) {
	t.w.remember(&slot{key: k, first: 1}, keyHash(&k), now)
}

// A Mistake is a way in which an Apply could go wrong.
type Mistake int

const (
	// MapOrder applies the items of a batch in the order of a map.
	MapOrder Mistake = iota
	// Skip takes an entry into the chain but does not do what it says.
	Skip
	// LostLatest forgets to keep a latest value.
	LostLatest
	// LostKey forgets to remember a key.
	LostKey
)

// ApplyWith is Apply of an OpReadings entry with a mistake in it.
func (s *State) ApplyWith(m Mistake, index uint64, entry []byte) error {
	h, body, err := DecodeHeader(entry)
	if err != nil {
		return err
	}
	s.begin(index, &h, entry)
	for len(body) > 0 {
		sub, rest, err := nextSubBatch(body)
		if err != nil {
			return err
		}
		if err := s.view.decode(sub); err != nil {
			return err
		}
		body = rest
		s.mistaken(m)
	}
	s.finish()
	return nil
}

func (s *State) mistaken(m Mistake) {
	order := make(map[int]bool)
	outcomes := make([]Outcome, len(s.view.items))
	for i := range outcomes {
		order[i] = true
	}
	switch m {
	case MapOrder:
		for i := range order {
			outcomes[i] = s.applyItem(&s.view, i)
		}
	case Skip:
	case LostLatest:
		for i := range outcomes {
			var was latest
			if s.series.latest.len() > 0 {
				was = *s.series.latest.at(0)
			}
			outcomes[i] = s.applyItem(&s.view, i)
			*s.series.latest.edit(0) = was
		}
	case LostKey:
		for i := range outcomes {
			before := s.window.freeze()
			n := s.window.n
			outcomes[i] = s.applyItem(&s.view, i)
			s.window.generations, s.window.n = before, n
		}
	}
	for _, o := range outcomes {
		s.chain.outcome(o)
	}
}

// TestOrdered lets tests fill an ordered table without a state around it.
type TestOrdered struct{ o ordered[int] }

// Set gives a name its value, Remove takes it out, Get looks it up.
func (t *TestOrdered) Set(name string, v int)  { t.o.set(name, &v) }
func (t *TestOrdered) Remove(name string) bool { return t.o.remove(name) }
func (t *TestOrdered) Share() *TestOrdered     { return &TestOrdered{t.o.share()} }
func (t *TestOrdered) Get(name string) (v int, ok bool) {
	if p := t.o.get(name); p != nil {
		return *p, true
	}
	return 0, false
}

// Names are all names in the order of the table, Leaves how many leaves it has.
func (t *TestOrdered) Names() (names []string) {
	for name := range t.o.all() {
		names = append(names, name)
	}
	return names
}

func (t *TestOrdered) Leaves() int { return len(t.o.leaves) }
