package fsm_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"skerry/fsm"
)

// TestModel gives random commands to two replicas and to a model. One replica
// is replaced by its restored snapshot, or frozen by one, at random points.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := testGenesis()
		g.CutRows, g.WindowBytes = 12, 48*rapid.Uint64Range(5, 40).Draw(t, "window")
		m := newModel(g)
		a, b := fsm.NewState(), fsm.NewState()
		h := fsm.Header{LogTime: second, Received: noon}
		term := uint64(1)
		index := uint64(0)
		apply := func(cmd fsm.Command) []fsm.Outcome {
			index++
			op, body := fsm.Encode(cmd)
			h.Op = op
			entry := fsm.AppendEntry(nil, h, body)
			got, err := a.Apply(index, term, entry)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.Apply(index, term, entry); err != nil {
				t.Fatal(err)
			}
			if a.DigestString() != b.DigestString() {
				t.Fatalf("replicas differ after %T: %s and %s", cmd, a.DigestString(), b.DigestString())
			}
			return got.Outcomes[0]
		}
		m.begin(h)
		apply(g)
		apply(fsm.RaiseLevel{Term: term, Level: fsm.NewestLevel})
		for range rapid.IntRange(1, 120).Draw(t, "commands") {
			switch rapid.IntRange(0, 9).Draw(t, "between") {
			case 0:
				restored, err := fsm.Restore(bytes.NewReader(written(t, b)))
				if err != nil {
					t.Fatal(err)
				}
				b = restored
			case 1:
				b.Snapshot()
			case 2:
				term++
			}
			h.LogTime += fsm.LogTime(rapid.SampledFrom([]int64{0, 1, 3 * second, 20 * second, 125 * second, -second}).Draw(t, "log time"))
			h.LogTime = max(h.LogTime, 0)
			h.Received += rapid.SampledFrom([]int64{0, 1, second, dayMicros / 3, -dayMicros / 5}).Draw(t, "clock")
			m.begin(h)
			cmd := drawCommand(t, m, a, term)
			want := m.apply(cmd, term)
			m.end()
			if got := apply(cmd); !slices.Equal(got, want) {
				t.Fatalf("%T %+v: got %v, want %v", cmd, cmd, got, want)
			}
		}
		m.compare(t, a)
		m.compare(t, b)
		if !bytes.Equal(written(t, a), written(t, b)) {
			t.Fatal("the replicas' snapshots differ")
		}
	})
}

func written(t *rapid.T, s *fsm.State) []byte {
	var b bytes.Buffer
	if _, err := s.Snapshot().WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func drawCommand(t *rapid.T, m *model, s *fsm.State, term uint64) fsm.Command {
	duty := term - uint64(rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(t, "terms late"))
	seq := rapid.Uint64Range(0, uint64(len(m.rows))+1)
	task := rapid.SampledFrom([]string{"t1", "t2", "t3"}).Draw(t, "task")
	node := rapid.SampledFrom([]string{"n1", "n2"}).Draw(t, "node")
	attempt, cursor := uint64(0), fsm.Seq(0)
	if known := m.tasks[task]; known != nil {
		attempt, cursor = known.Attempt, known.Cursor
	}
	switch rapid.IntRange(0, 24).Draw(t, "command") {
	case 0:
		return fsm.CutCommand{}
	case 1:
		stream := fsm.Stream(rapid.IntRange(0, 1).Draw(t, "stream"))
		return fsm.SyncedCommand{Term: duty, Stream: stream, First: fsm.Seq(seq.Draw(t, "first")), Last: fsm.Seq(seq.Draw(t, "last"))}
	case 2:
		return fsm.GapCommand{Term: duty, First: fsm.Seq(seq.Draw(t, "first")), Last: fsm.Seq(seq.Draw(t, "last")), Reason: "full"}
	case 19:
		begins := []fsm.Seq{0, m.from, fsm.Seq(len(m.rows)) + 2, s.LastClosed(fsm.Readings) + 1}
		for _, c := range s.Cuts(fsm.Readings) {
			begins = append(begins, c.First)
		}
		return fsm.RetainCommand{Term: duty, From: rapid.SampledFrom(begins).Draw(t, "from"), Reason: rapid.SampledFrom([]string{"", "full"}).Draw(t, "reason")}
	case 3:
		return countTask(task, rapid.SampledFrom([]string{"*", "*", "d?"}).Draw(t, "pattern"))
	case 4:
		return fsm.CancelTaskCommand{ID: task}
	case 5, 6:
		next := attempt + rapid.Uint64Range(0, 2).Draw(t, "attempt")
		return fsm.AssignRunCommand{Term: duty, Task: task, Attempt: next, Node: node, Lease: rapid.Int64Range(1, minute).Draw(t, "lease")}
	case 7, 8:
		return fsm.AdvanceRunCommand{Task: task, Attempt: attempt, Node: node, From: cursor, To: fsm.Seq(seq.Draw(t, "to")),
			State: []byte{byte(attempt)}, Lease: second, Output: rapid.SliceOfN(drawRecord(), 0, 2).Draw(t, "output")}
	case 9:
		f := frame(rapid.SampledFrom([]string{"k1", "k2", "f1", "f2", "f3"}).Draw(t, "key"), drawBorn(t, m), 20)
		return f
	case 10, 11:
		c := &fsm.ConditionalBatch{Batch: fsm.Batch{Born: drawBorn(t, m), Items: []fsm.Item{{
			Key: key(fmt.Sprint("k", rapid.IntRange(1, 60).Draw(t, "key"))), Records: rapid.SliceOfN(drawRecord(), 1, 3).Draw(t, "records"),
		}}}}
		c.If = rapid.SampledFrom([]fsm.Condition{{Exists: true}, {Missing: true}, {Seqs: []fsm.Seq{1, fsm.Seq(len(m.rows)), fsm.Seq(seq.Draw(t, "seq") + 1)}}}).Draw(t, "condition")
		c.If.Device, c.If.Resource = rapid.SampledFrom([]string{"d1", "d2"}).Draw(t, "device"), "r1"
		return c
	case 12, 13, 14, 15, 16, 17, 18:
		return drawHomeCommand(t)
	}
	b := &fsm.Batch{Born: drawBorn(t, m), Waited: rapid.Int64Range(0, second).Draw(t, "waited")}
	for range rapid.IntRange(1, 4).Draw(t, "items") {
		b.Items = append(b.Items, fsm.Item{
			Key:     key(fmt.Sprint("k", rapid.IntRange(1, 60).Draw(t, "key"))),
			Content: rapid.SampledFrom([]uint64{0, 0, 1, 2}).Draw(t, "content"),
			Records: rapid.SliceOfN(drawRecord(), 1, 5).Draw(t, "records"),
		})
	}
	return b
}

func drawBorn(t *rapid.T, m *model) fsm.LogTime {
	age := rapid.SampledFrom([]fsm.LogTime{0, 0, 0, second, fsm.BornWithin, fsm.BornWithin + 1, -1}).Draw(t, "age")
	return m.now - age
}

func drawRecord() *rapid.Generator[fsm.Record] {
	return rapid.Custom(func(t *rapid.T) fsm.Record {
		r := fsm.Record{
			Device:   rapid.SampledFrom([]string{"d1", "d2", "d3/x"}).Draw(t, "device"),
			Resource: rapid.SampledFrom([]string{"r1", "r2"}).Draw(t, "resource"),
			Unit:     rapid.SampledFrom([]string{"", "Cel", "V"}).Draw(t, "unit"),
			Relative: rapid.Bool().Draw(t, "relative"),
			Time:     rapid.Int64Range(-minute, minute).Draw(t, "time"),
		}
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			r.Value = fsm.NumberValue(rapid.Float64Range(-100, 100).Draw(t, "number"))
		case 1:
			r.Value = fsm.FlagValue(rapid.Bool().Draw(t, "flag"))
		case 2:
			r.Value = fsm.TextValue(rapid.StringN(0, 5, 20).Draw(t, "text"))
		case 3:
			r.Value = fsm.DataValue(rapid.SliceOfN(rapid.Byte(), 0, 5).Draw(t, "data"))
		}
		return r
	})
}
