package fsm_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"skerry/fsm"
)

func TestApply_AnswersItems(t *testing.T) {
	const late = fsm.BornWithin + 1
	tests := []struct {
		name string
		do   func(r *replicas) fsm.Outcome // the last command's
		want fsm.Outcome
		last fsm.Seq // of readings, afterwards
	}{
		{"a first reading is stored as 1", func(r *replicas) fsm.Outcome {
			return r.one(r.batch(item("a", number("d", 1))))
		}, fsm.Outcome{Code: fsm.Stored, First: 1}, 1},
		{"an item's readings are counted on, its answer is the first", func(r *replicas) fsm.Outcome {
			r.one(r.batch(item("a", number("d", 1), number("d", 2))))
			return r.one(r.batch(item("b", number("d", 3), number("e", 4))))
		}, fsm.Outcome{Code: fsm.Stored, First: 3}, 4},
		{"a known key gets the first answer and stores nothing", func(r *replicas) fsm.Outcome {
			r.one(r.batch(item("a", number("d", 1))))
			r.one(r.batch(item("b", number("d", 2))))
			return r.one(r.batch(item("a", number("d", 1))))
		}, fsm.Outcome{Code: fsm.Stored, First: 1, Known: true}, 2},
		{"a key is known inside one batch", func(r *replicas) fsm.Outcome {
			a := r.apply(r.batch(item("a", number("d", 1)), item("a", number("d", 1))))
			return a.Outcomes[0][1]
		}, fsm.Outcome{Code: fsm.Stored, First: 1, Known: true}, 1},
		{"a named key with other content is a conflict", func(r *replicas) fsm.Outcome {
			r.one(r.batch(fsm.Item{Key: key("a"), Content: 1, Records: []fsm.Record{number("d", 1)}}))
			return r.one(r.batch(fsm.Item{Key: key("a"), Content: 2, Records: []fsm.Record{number("d", 2)}}))
		}, fsm.Outcome{Code: fsm.Conflict}, 1},
		{"a named key with the same content is known", func(r *replicas) fsm.Outcome {
			r.one(r.batch(fsm.Item{Key: key("a"), Content: 1, Records: []fsm.Record{number("d", 1)}}))
			return r.one(r.batch(fsm.Item{Key: key("a"), Content: 1, Records: []fsm.Record{number("d", 1)}}))
		}, fsm.Outcome{Code: fsm.Stored, First: 1, Known: true}, 1},
		{"a frame's key is a conflict for readings", func(r *replicas) fsm.Outcome {
			r.one(frame("a", r.h.LogTime, 100))
			return r.one(r.batch(item("a", number("d", 1))))
		}, fsm.Outcome{Code: fsm.Conflict}, 0},
		{"a copy of 120 s is stored", func(r *replicas) fsm.Outcome {
			b := r.batch(item("a", number("d", 1)))
			r.at(fsm.BornWithin)
			return r.one(b)
		}, fsm.Outcome{Code: fsm.Stored, First: 1}, 1},
		{"an older copy is expired", func(r *replicas) fsm.Outcome {
			b := r.batch(item("a", number("d", 1)))
			r.at(late)
			return r.one(b)
		}, fsm.Outcome{Code: fsm.Expired}, 0},
		{"a copy born ahead of log time is expired", func(r *replicas) fsm.Outcome {
			b := r.batch(item("a", number("d", 1)))
			b.Born++
			return r.one(b)
		}, fsm.Outcome{Code: fsm.Expired}, 0},
		{"an old copy of a known key is answered", func(r *replicas) fsm.Outcome {
			b := r.batch(item("a", number("d", 1)))
			r.one(b)
			r.at(late)
			return r.one(b)
		}, fsm.Outcome{Code: fsm.Stored, First: 1, Known: true}, 1},
		{"a key is known after 247 s", func(r *replicas) fsm.Outcome {
			r.one(r.batch(item("a", number("d", 1))))
			r.at(fsm.KnownFor)
			return r.one(r.batch(item("a", number("d", 1))))
		}, fsm.Outcome{Code: fsm.Stored, First: 1, Known: true}, 1},
		{"a key is forgotten a generation later", func(r *replicas) fsm.Outcome {
			r.one(r.batch(item("a", number("d", 1))))
			r.at(fsm.KnownFor + 31*second)
			return r.one(r.batch(item("a", number("d", 1))))
		}, fsm.Outcome{Code: fsm.Stored, First: 2}, 2},
		{"log time never steps back", func(r *replicas) fsm.Outcome {
			r.at(fsm.BornWithin + second)
			r.post("d", 1)
			r.h.LogTime = 0
			return r.one(&fsm.Batch{Born: 0, Items: []fsm.Item{item("a", number("d", 1))}})
		}, fsm.Outcome{Code: fsm.Expired}, 1},
		{"a second genesis changes nothing", func(r *replicas) fsm.Outcome {
			g := testGenesis()
			g.Site = "other"
			return r.one(g)
		}, fsm.Outcome{Code: fsm.Stored, Known: true}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newReplicas(t)
			if got := tt.do(r); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if got := r.a.LastSeq(fsm.Readings); got != tt.last {
				t.Errorf("last seq is %d, want %d", got, tt.last)
			}
			if g, _ := r.a.Genesis(); g.Site != "demo" {
				t.Errorf("site is %q", g.Site)
			}
			r.reopen()
		})
	}
}

func TestApply_RefusesAllBeforeGenesis(t *testing.T) {
	r := &replicas{tb: t, a: fsm.NewState(), b: fsm.NewState(), h: fsm.Header{LogTime: 1, Received: noon}}
	for _, cmd := range []fsm.Command{
		r.batch(item("a", number("d", 1))), frame("f", 1, 10), fsm.CutCommand{}, countTask("t", "*"),
		fsm.SyncedCommand{First: 1, Last: 1}, fsm.CancelTaskCommand{ID: "t"},
	} {
		if got := r.one(cmd); got.Code != fsm.NoGenesis {
			t.Errorf("%T got %+v, want code %d", cmd, got, fsm.NoGenesis)
		}
	}
	r.reopen()
}

func TestApply_KeepsSubBatchesApart(t *testing.T) {
	r := newReplicas(t)
	one := fsm.EncodeBatch(nil, r.batch(item("a", number("d", 1)), item("b", number("d", 2))))
	two := fsm.EncodeBatch(nil, r.batch(item("b", number("d", 2)), item("c", number("d", 3))))
	h := r.h
	h.Op = fsm.OpReadings
	got := r.entry(fsm.AppendEntry(nil, h, one, two)).Outcomes
	want := "[[{1 1 false} {1 2 false}] [{1 2 true} {1 3 false}]]"
	if fmt.Sprint(got) != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestApply_ResolvesRelativeTimes(t *testing.T) {
	r := newReplicas(t)
	b := r.batch(item("a",
		fsm.Record{Device: "d", Resource: "now", Relative: true, Value: fsm.NumberValue(1)},
		fsm.Record{Device: "d", Resource: "ago", Relative: true, Time: -5 * second, Value: fsm.NumberValue(2)},
		fsm.Record{Device: "d", Resource: "own", Time: 7, Value: fsm.NumberValue(3)},
	))
	sub := fsm.EncodeBatch(nil, b)
	fsm.SetBorn(sub, r.h.LogTime-1)
	fsm.SetWaited(sub, 2*second)
	h := r.h
	h.Op = fsm.OpReadings
	r.entry(fsm.AppendEntry(nil, h, sub))
	for resource, want := range map[string]int64{"now": noon - 2*second, "ago": noon - 7*second, "own": 7} {
		id, _ := r.a.Series("d", resource)
		if got, ok := r.a.Latest(id); !ok || got.Time != want || got.Received != noon {
			t.Errorf("%s: got time %d received %d, want %d and %d", resource, got.Time, got.Received, want, int64(noon))
		}
	}
}

func TestApply_LatestIsTheOneThatCameLast(t *testing.T) {
	r := newReplicas(t)
	r.apply(r.batch(item("a", fsm.Record{Device: "d", Resource: "r", Time: 100, Value: fsm.TextValue("newer by its own clock")})))
	r.apply(r.batch(item("b", fsm.Record{Device: "d", Resource: "r", Unit: "V", Time: 50, Value: fsm.NumberValue(2)})))
	id, ok := r.a.Series("d", "r")
	got, has := r.a.Latest(id)
	want := fsm.Reading{Seq: 2, Device: "d", Resource: "r", Unit: "V", Time: 50, Received: noon, Value: fsm.NumberValue(2)}
	if !ok || !has || !equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if _, ok := r.a.Series("d", "other"); ok {
		t.Error("a series that nobody posted exists")
	}
}

func TestApply_StoresFrames(t *testing.T) {
	r := newReplicas(t)
	f := frame("f", r.h.LogTime, 500)
	a := r.apply(f)
	if a.Frame == nil || string(a.Frame.JPEG) != string(f.JPEG) || a.Frame.Frame.Seq != 1 || a.Frame.Frame.Time != noon {
		t.Fatalf("got frame %+v", a.Frame)
	}
	if again := r.apply(f); again.Frame != nil || !again.Outcomes[0][0].Known {
		t.Errorf("a copy was stored: %+v", again)
	}
	id, _ := r.a.Series("cam-1", "motion")
	if got, ok := r.a.LatestFrame(id); !ok || got != a.Frame.Frame {
		t.Errorf("latest frame is %+v, want %+v", got, a.Frame.Frame)
	}
	if _, ok := r.a.Latest(id); ok {
		t.Error("a series of frames has a latest reading")
	}
}

func TestApply_StopsAtWhatItCannotDecode(t *testing.T) {
	h := fsm.Header{Op: fsm.OpReadings, LogTime: 1, Received: noon}
	good := fsm.AppendEntry(nil, h, fsm.EncodeBatch(nil, &fsm.Batch{Items: []fsm.Item{item("a", number("d", 1))}}))
	newer := append([]byte(nil), good...)
	newer[0]++
	flipped := append([]byte(nil), good...)
	flipped[len(flipped)-1] ^= 1
	tests := []struct {
		name  string
		entry []byte
		want  error
	}{
		{"a newer entry", newer, fsm.ErrNewer},
		{"a flipped bit", flipped, fsm.ErrCorrupt},
		{"an opcode of a later version", fsm.AppendEntry(nil, fsm.Header{Op: 99}, nil), fsm.ErrNewer},
		{"an unknown key of a command", fsm.AppendEntry(nil, fsm.Header{Op: fsm.OpCut}, []byte{0xa1, 0x18, 0x63, 0x01}), fsm.ErrCorrupt},
		{"a sub-batch that runs over the end", fsm.AppendEntry(nil, fsm.Header{Op: fsm.OpFrame}, []byte{200, 1}), fsm.ErrNewer},
		{"nothing", nil, fsm.ErrCorrupt},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := fsm.NewState().Apply(7, 1, tt.entry); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestApply_SeriesAreFoundByDevice(t *testing.T) {
	r := newReplicas(t)
	r.apply(r.batch(item("a", number("d", 1), number("e", 1), number("d", 2))))
	other := number("d", 3)
	other.Resource = "other"
	r.apply(r.batch(item("b", other)))
	var got []fsm.SeriesName
	for id := range r.a.SeriesOf("d") {
		got = append(got, r.a.SeriesName(id))
	}
	want := []fsm.SeriesName{{Device: "d", Resource: "other"}, {Device: "d", Resource: number("d", 1).Resource}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for range r.a.SeriesOf("nobody") {
		t.Error("nobody has a series")
	}
}

func TestApply_RefusesSeriesBeyondTheBound(t *testing.T) {
	r := newReplicas(t, func(g *fsm.Genesis) { g.CutRows, g.CutBytes, g.WindowBytes = 1<<24, 1<<30, 1<<20 })
	for i := 0; i < fsm.MaxSeries; {
		var records []fsm.Record
		for ; len(records) < fsm.MaxBatchRecords && i < fsm.MaxSeries; i++ {
			records = append(records, fsm.Record{Device: fmt.Sprint("d", i), Resource: "r", Value: fsm.FlagValue(true)})
		}
		if got := r.one(r.batch(item(fmt.Sprint("fill", i), records...))); got.Code != fsm.Stored {
			t.Fatalf("at %d: %+v", i, got)
		}
	}
	known, unknown := number("d5", 1), number("one more", 1)
	known.Resource = "r"
	if got := r.one(r.batch(item("x", known, unknown))); got.Code != fsm.SeriesFull {
		t.Errorf("got %+v, want code %d", got, fsm.SeriesFull)
	}
	if got := r.one(r.batch(item("y", known))); got.Code != fsm.Stored {
		t.Errorf("a known series got %+v", got)
	}
	if got := r.one(frame("z", r.h.LogTime, 10)); got.Code != fsm.SeriesFull {
		t.Errorf("a frame got %+v, want code %d", got, fsm.SeriesFull)
	}
}
