package fsm_test

import (
	"fmt"
	"maps"
	"slices"

	"pgregory.net/rapid"

	"skerry/fsm"
)

// model is what a site should be, in plain maps and slices.
type model struct {
	g        fsm.Genesis
	now      fsm.LogTime
	received int64
	rows     []fsm.Reading // all of them; row i has seq i+1
	closed   int           // rows[:closed] are cut
	frames   []fsm.Frame
	shut     int // frames[:shut] are cut
	keys     map[fsm.Key]modelKey
	synced   [2]map[fsm.Seq]bool // of readings and frames
	dropped  map[fsm.Seq]bool
	from     fsm.Seq // of readings: those before are dropped everywhere
	gaps     []fsm.Gap
	counted  map[fsm.Seq]int // by reading: which gap counts it
	tasks    map[string]*fsm.Task
	homes    homes
}

type modelKey struct {
	outcome    fsm.Outcome
	content    uint64
	frame      bool
	generation fsm.LogTime // its number
}

const span = 31 * second

func newModel(g fsm.Genesis) *model {
	return &model{g: g, from: 1, counted: map[fsm.Seq]int{}, keys: map[fsm.Key]modelKey{}, dropped: map[fsm.Seq]bool{}, tasks: map[string]*fsm.Task{},
		homes: newHomes(), synced: [2]map[fsm.Seq]bool{{}, {}}}
}

func (m *model) begin(h fsm.Header) {
	m.now, m.received = max(m.now, h.LogTime), h.Received
	maps.DeleteFunc(m.keys, func(_ fsm.Key, k modelKey) bool { return (k.generation+1)*span+fsm.KnownFor <= m.now })
	if open := m.rows[m.closed:]; len(open) > 0 && open[0].Received/dayMicros != m.received/dayMicros {
		m.closed = len(m.rows)
	}
	if open := m.frames[m.shut:]; len(open) > 0 && open[0].Received/dayMicros != m.received/dayMicros {
		m.shut = len(m.frames)
	}
}

func (m *model) end() {
	if len(m.rows)-m.closed >= int(m.g.CutRows) {
		m.closed = len(m.rows)
	}
}

// admit is the window as the documents tell it.
func (m *model) admit(k fsm.Key, content uint64, born fsm.LogTime, frame bool) (fsm.Outcome, bool) {
	if known, ok := m.keys[k]; ok {
		if known.frame != frame || known.content != content && known.content != 0 && content != 0 {
			return fsm.Outcome{Code: fsm.Conflict}, false
		}
		known.outcome.Known = true
		return known.outcome, false
	}
	if born > m.now || m.now-born > fsm.BornWithin {
		return fsm.Outcome{Code: fsm.Expired}, false
	}
	for len(m.keys) >= int(m.g.WindowBytes/48) {
		oldest := m.now
		for _, known := range m.keys {
			oldest = min(oldest, known.generation)
		}
		if (oldest+1)*span+fsm.BornWithin > m.now {
			return fsm.Outcome{Code: fsm.WindowFull}, false
		}
		maps.DeleteFunc(m.keys, func(_ fsm.Key, known modelKey) bool { return known.generation == oldest })
	}
	return fsm.Outcome{}, true
}

func (m *model) store(records []fsm.Record, waited int64) fsm.Seq {
	first := fsm.Seq(len(m.rows) + 1)
	for _, r := range records {
		t := r.Time
		if r.Relative {
			t += m.received - waited
		}
		m.rows = append(m.rows, fsm.Reading{Seq: fsm.Seq(len(m.rows) + 1), Device: r.Device, Resource: r.Resource,
			Unit: r.Unit, Time: t, Received: m.received, Value: r.Value})
	}
	return first
}

func (m *model) apply(cmd fsm.Command, term uint64) []fsm.Outcome {
	switch c := cmd.(type) {
	case *fsm.Batch:
		var out []fsm.Outcome
		for _, it := range c.Items {
			o, ok := m.admit(it.Key, it.Content, c.Born, false)
			if ok {
				o = fsm.Outcome{Code: fsm.Stored, First: m.store(it.Records, c.Waited)}
				m.keys[it.Key] = modelKey{o, it.Content, false, m.now / span}
			}
			out = append(out, o)
		}
		return out
	case *fsm.ConditionalBatch:
		it := c.Batch.Items[0]
		o, ok := m.admit(it.Key, it.Content, c.Batch.Born, false)
		if ok && !m.met(c.If) {
			o, ok = fsm.Outcome{Code: fsm.Precondition}, false
		}
		if ok {
			o = fsm.Outcome{Code: fsm.Stored, First: m.store(it.Records, c.Batch.Waited)}
			m.keys[it.Key] = modelKey{o, it.Content, false, m.now / span}
		}
		return []fsm.Outcome{o}
	case *fsm.FrameCommand:
		o, ok := m.admit(c.Key, c.Content, c.Born, true)
		if ok {
			m.frames = append(m.frames, fsm.Frame{Seq: fsm.Seq(len(m.frames) + 1), Received: m.received})
			o = fsm.Outcome{Code: fsm.Stored, First: fsm.Seq(len(m.frames))}
			m.keys[c.Key] = modelKey{o, c.Content, true, m.now / span}
		}
		return []fsm.Outcome{o}
	}
	return []fsm.Outcome{m.rare(cmd, term)}
}

func (m *model) rare(cmd fsm.Command, term uint64) fsm.Outcome {
	switch c := cmd.(type) {
	case fsm.CutCommand:
		known := m.closed == len(m.rows) && m.shut == len(m.frames)
		m.closed, m.shut = len(m.rows), len(m.frames)
		return fsm.Outcome{Code: fsm.Stored, Known: known}
	case fsm.SyncedCommand:
		closed := []int{m.closed, m.shut}[c.Stream]
		if c.Term != term {
			return fsm.Outcome{Code: fsm.WrongTerm}
		}
		if c.First < 1 || c.First > c.Last || int(c.Last) > closed {
			return fsm.Outcome{Code: fsm.BadRange}
		}
		for seq := c.First; seq <= c.Last; seq++ {
			if i, ok := m.counted[seq]; ok && c.Stream == fsm.Readings {
				m.gaps[i].Count-- // no gap was told to the bucket
				delete(m.counted, seq)
			}
			m.synced[c.Stream][seq] = true
		}
		return fsm.Outcome{Code: fsm.Stored, First: c.First}
	case fsm.GapCommand:
		return m.gap(c, term)
	case fsm.RetainCommand:
		return m.retain(c, term)
	case fsm.CreateTaskCommand:
		if t := m.tasks[c.ID]; t != nil {
			if t.State == fsm.TaskCancelled || t.Spec != c.Spec {
				return fsm.Outcome{Code: fsm.TaskExists}
			}
			return fsm.Outcome{Code: fsm.Stored, Known: true}
		}
		last := fsm.Seq(len(m.rows))
		m.tasks[c.ID] = &fsm.Task{ID: c.ID, Spec: c.Spec, State: fsm.TaskActive, Created: m.received, Start: last, Cursor: last}
		return fsm.Outcome{Code: fsm.Stored}
	}
	if o, ok := m.homes.apply(cmd, m.now, m.received); ok {
		return o
	}
	return m.run(cmd, term)
}

// met finds a series' last reading by looking at all.
func (m *model) met(c fsm.Condition) bool {
	var last fsm.Seq
	for _, r := range m.rows {
		if r.Device == c.Device && r.Resource == c.Resource {
			last = r.Seq
		}
	}
	switch {
	case c.Exists:
		return last > 0
	case c.Missing:
		return last == 0
	}
	return last > 0 && slices.Contains(c.Seqs, last)
}

func (m *model) gap(c fsm.GapCommand, term uint64) fsm.Outcome {
	if c.Term != term {
		return fsm.Outcome{Code: fsm.WrongTerm}
	}
	if c.First < 1 || c.First > c.Last || int(c.Last) > m.closed {
		return fsm.Outcome{Code: fsm.BadRange}
	}
	for _, g := range m.gaps {
		if g.First == c.First && g.Last == c.Last {
			return fsm.Outcome{Code: fsm.Stored, First: g.Seq, Known: true}
		}
	}
	var count uint64
	for seq := c.First; seq <= c.Last; seq++ {
		if !m.synced[fsm.Readings][seq] && !m.dropped[seq] {
			count++
		}
	}
	if count == 0 {
		return fsm.Outcome{Code: fsm.BadRange}
	}
	for seq := c.First; seq <= c.Last; seq++ {
		if !m.synced[fsm.Readings][seq] && !m.dropped[seq] {
			m.counted[seq] = len(m.gaps)
		}
		m.dropped[seq] = true
	}
	g := fsm.Gap{Seq: fsm.Seq(len(m.gaps) + 1), First: c.First, Last: c.Last, Count: count, Reason: c.Reason}
	m.gaps = append(m.gaps, g)
	return fsm.Outcome{Code: fsm.Stored, First: g.Seq}
}

// retain drops the readings before c.From, which must be where a cut begins:
// the model knows the cuts by where it closed.
func (m *model) retain(c fsm.RetainCommand, term uint64) fsm.Outcome {
	switch {
	case c.Term != term:
		return fsm.Outcome{Code: fsm.WrongTerm}
	case c.From <= m.from:
		return fsm.Outcome{Code: fsm.Stored, First: m.from, Known: true}
	case int(c.From) > m.closed+1:
		return fsm.Outcome{Code: fsm.BadRange}
	}
	g := fsm.Gap{Seq: fsm.Seq(len(m.gaps) + 1), Reason: c.Reason}
	for seq := m.from; seq < c.From; seq++ {
		if m.synced[fsm.Readings][seq] || m.dropped[seq] {
			continue
		}
		if g.Count++; g.Count == 1 {
			g.First = seq
		}
		g.Last = seq
	}
	if g.Count > 0 && c.Reason == "" {
		return fsm.Outcome{Code: fsm.BadRange}
	}
	if g.Count > 0 {
		for seq := g.First; seq <= g.Last; seq++ {
			if !m.synced[fsm.Readings][seq] && !m.dropped[seq] {
				m.counted[seq] = len(m.gaps)
			}
			m.dropped[seq] = true
		}
		m.gaps = append(m.gaps, g)
	}
	m.from = c.From
	return fsm.Outcome{Code: fsm.Stored, First: c.From}
}

func (m *model) run(cmd fsm.Command, term uint64) fsm.Outcome {
	stored, stale, none := fsm.Outcome{Code: fsm.Stored}, fsm.Outcome{Code: fsm.StaleRun}, fsm.Outcome{Code: fsm.NoSuchTask}
	switch c := cmd.(type) {
	case fsm.CancelTaskCommand:
		t := m.tasks[c.ID]
		if t == nil {
			return none
		}
		stored.Known = t.State == fsm.TaskCancelled
		t.State = fsm.TaskCancelled
		return stored
	case fsm.AssignRunCommand:
		t := m.tasks[c.Task]
		switch {
		case c.Term != term:
			return fsm.Outcome{Code: fsm.WrongTerm}
		case t == nil:
			return none
		case t.State == fsm.TaskCancelled:
			return stale
		case c.Attempt == t.Attempt && c.Node == t.Node:
			return fsm.Outcome{Code: fsm.Stored, Known: true}
		case c.Attempt != t.Attempt+1 || t.Attempt > 0 && t.Lease > m.now && t.Node != c.Node:
			return stale
		}
		t.Attempt, t.Node, t.Lease = c.Attempt, c.Node, m.now+fsm.LogTime(c.Lease)
		return stored
	case fsm.AdvanceRunCommand:
		t := m.tasks[c.Task]
		switch {
		case t == nil:
			return none
		case t.State == fsm.TaskCancelled || t.Attempt == 0 || c.Attempt != t.Attempt || c.Node != t.Node || c.From != t.Cursor:
			return stale
		case c.To < c.From || int(c.To) > len(m.rows):
			return fsm.Outcome{Code: fsm.BadRange}
		}
		t.Cursor, t.Saved, t.Lease = c.To, c.State, max(t.Lease, m.now+fsm.LogTime(c.Lease))
		if len(c.Output) > 0 {
			stored.First = m.store(c.Output, 0)
		}
		return stored
	}
	panic(fmt.Sprintf("the model does not know %T", cmd))
}

// compare checks a state against the model and its own cuts.
func (m *model) compare(t *rapid.T, s *fsm.State) {
	t.Helper()
	rows, names := s.Head()
	if int(s.LastSeq(fsm.Readings)) != len(m.rows) || int(rows.First) != m.closed+1 || s.Remembered() != len(m.keys) {
		t.Fatalf("last seq %d, head from %d, %d keys, want %d, %d, %d",
			s.LastSeq(fsm.Readings), rows.First, s.Remembered(), len(m.rows), m.closed+1, len(m.keys))
	}
	latest := map[fsm.SeriesName]fsm.Reading{}
	for i, want := range m.rows {
		latest[fsm.SeriesName{Device: want.Device, Resource: want.Resource}] = want
		if i >= m.closed {
			if got := rows.Reading(i-m.closed, &names); !equal(got, want) {
				t.Fatalf("row %d is %+v, want %+v", i+1, got, want)
			}
		}
	}
	for name, want := range latest {
		id, ok := s.Series(name.Device, name.Resource)
		if got, has := s.Latest(id); !ok || !has || !equal(got, want) {
			t.Fatalf("latest of %v is %+v, want %+v", name, got, want)
		}
	}
	next := m.from
	if got := s.RetainedFrom(fsm.Readings); got != m.from {
		t.Fatalf("readings are retained from %d, want %d", got, m.from)
	}
	for _, cut := range s.Cuts(fsm.Readings) {
		if cut.First != next {
			t.Fatalf("a cut begins at %d, want %d", cut.First, next)
		}
		next = cut.Last + 1
		var sum fsm.RowDigest
		for i := cut.First; i <= cut.Last; i++ {
			sum.Add(fsm.HashReading(&m.rows[i-1]))
		}
		if sum != cut.Digest {
			t.Fatalf("cut %+v has digest %x, want %x", cut, cut.Digest, sum)
		}
	}
	if got := len(s.OpenFrames()); got != len(m.frames)-m.shut {
		t.Fatalf("%d frames are open, want %d", got, len(m.frames)-m.shut)
	}
	for stream, want := range m.synced {
		var got int
		for _, iv := range s.Synced(fsm.Stream(stream)) {
			got += int(iv.Last - iv.First + 1)
			if !want[iv.First] || !want[iv.Last] || want[iv.First-1] || want[iv.Last+1] {
				t.Fatalf("synced has %v", iv)
			}
		}
		if got != len(want) {
			t.Fatalf("%d rows are synced, want %d", got, len(want))
		}
	}
	if got := s.Gaps(); !equal(got, m.gaps) {
		t.Fatalf("gaps are %v, want %v", got, m.gaps)
	}
	for _, id := range slices.Sorted(maps.Keys(m.tasks)) {
		if got, ok := s.Task(id); !ok || !equal(got, *m.tasks[id]) {
			t.Fatalf("task is %+v, want %+v", got, *m.tasks[id])
		}
	}
	m.homes.compare(t, s, m.now)
}
