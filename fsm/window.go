package fsm

// Ages of the dedup window, in microseconds of log time.
const (
	// KnownFor is how long a key is answered with its first answer.
	KnownFor = 247 * 1_000_000
	// BornWithin is how old a copy may be. A key is remembered for at least as
	// long, or no further key is taken: so no copy outlives its key.
	BornWithin = 120 * 1_000_000
	// generationSpan is the log time of one generation.
	generationSpan = 31 * 1_000_000

	// windowKeyBytes is what a key counts against Genesis.WindowBytes: more
	// than the 34 bytes in a closed generation, because the open one has free
	// slots.
	windowKeyBytes = 48
	// maxFrozen bounds the tables of the open generation. Each snapshot freezes
	// one; beyond the bound they are packed together.
	maxFrozen = 4
)

// window remembers the keys of stored items by generations: generation g has
// the keys stored at log times [g*span, (g+1)*span). A generation is dropped
// whole. How a generation lies in tables depends on when snapshots were taken,
// so nothing that a replica answers may depend on it.
type window struct {
	generations []generation // ascending; the last may still take keys
	n           int          // keys in all of them
	limit       int          // keys at most
}

type generation struct {
	number int64
	packed *packed  // nil while it is young
	tables []*table // none in a closed generation
	frozen bool     // a snapshot reads the last table: go on in a new one
	n      int
	digest RowDigest // sum over its slots
}

func (g *generation) end() LogTime { return LogTime(g.number+1) * generationSpan }

// advance drops the generations all of whose keys are older than KnownFor.
func (w *window) advance(now LogTime) {
	for len(w.generations) > 0 && w.generations[0].end()+KnownFor <= now {
		w.dropOldest()
	}
}

func (w *window) dropOldest() {
	w.n -= w.generations[0].n
	w.generations[0] = generation{}
	w.generations = w.generations[1:]
}

// find returns the answer remembered under a key, nil for none.
func (w *window) find(k *Key, hash uint64) *slot {
	for i := len(w.generations) - 1; i >= 0; i-- {
		g := &w.generations[i]
		if g.packed != nil {
			if s := g.packed.find(k, hash); s != nil {
				return s
			}
		}
		for _, t := range g.tables {
			if s := t.find(k, hash); s != nil {
				return s
			}
		}
	}
	return nil
}

// room makes room for one more key, at the cost of generations that no copy
// that would be stored can still ask for. It returns false if there is none.
func (w *window) room(now LogTime) bool {
	for w.n >= w.limit && len(w.generations) > 0 && w.generations[0].end()+BornWithin <= now {
		w.dropOldest()
	}
	return w.n < w.limit
}

// remember adds a key that is not in the window.
func (w *window) remember(s *slot, hash uint64, now LogTime) {
	g := w.open(int64(now / generationSpan))
	if g.frozen || len(g.tables) == 0 {
		g.tables, g.frozen = append(g.tables, newTable()), false
	}
	g.tables[len(g.tables)-1].add(s, hash)
	g.digest.Add(s.digest())
	g.n++
	w.n++
}

// open returns the generation of a number, which never goes down. The one
// before it takes no more keys and is packed.
func (w *window) open(number int64) *generation {
	last := len(w.generations) - 1
	if last >= 0 && w.generations[last].number == number {
		return &w.generations[last]
	}
	if last >= 0 {
		w.generations[last].pack()
	}
	w.generations = append(w.generations, generation{number: number})
	return &w.generations[last+1]
}

func (g *generation) pack() {
	if len(g.tables) > 0 {
		g.packed, g.tables, g.frozen = pack(g.n, g.each, noRest), nil, false
	}
}

func (g *generation) each(f func(*slot)) {
	if g.packed != nil {
		g.packed.each(f)
	}
	for _, t := range g.tables {
		t.each(f)
	}
}

// freeze returns the generations as they are now. They do not change.
func (w *window) freeze() []generation {
	if last := len(w.generations) - 1; last >= 0 {
		g := &w.generations[last]
		if len(g.tables) > maxFrozen {
			g.pack()
		}
		g.frozen = true // a pack has no table: the next key makes one
	}
	frozen := make([]generation, len(w.generations))
	for i, g := range w.generations {
		g.tables = g.tables[:len(g.tables):len(g.tables)]
		frozen[i] = g
	}
	return frozen
}
