package fsm_test

import (
	"testing"

	"skerry/fsm"
)

func TestCut_ClosesWhatIsDue(t *testing.T) {
	tests := []struct {
		name string
		do   func(r *replicas) fsm.Applied // the last command's
		want []fsm.Cut                     // without digests
		of   fsm.Stream
	}{
		{"rows at their bound are cut after the entry", func(r *replicas) fsm.Applied {
			r.post("d", 1)
			return r.apply(r.batch(item("a", number("d", 1), number("d", 2), number("d", 3))))
		}, []fsm.Cut{{First: 1, Last: 4}}, fsm.Readings},
		{"bytes at their bound are cut after the entry", func(r *replicas) fsm.Applied {
			return r.apply(r.batch(item("a", fsm.Record{Device: "d", Resource: "r", Value: fsm.DataValue(make([]byte, 1000))})))
		}, []fsm.Cut{{First: 1, Last: 1}}, fsm.Readings},
		{"a new date cuts before the entry", func(r *replicas) fsm.Applied {
			r.post("d", 1)
			r.h.Received += dayMicros / 2
			return r.apply(r.batch(item("a", number("d", 1))))
		}, []fsm.Cut{{First: 1, Last: 1}}, fsm.Readings},
		{"a date that steps back cuts too", func(r *replicas) fsm.Applied {
			r.post("d", 1)
			r.h.Received -= dayMicros
			return r.apply(r.batch(item("a", number("d", 1))))
		}, []fsm.Cut{{First: 1, Last: 1}}, fsm.Readings},
		{"a new date and the bound give two cuts", func(r *replicas) fsm.Applied {
			r.post("d", 1)
			r.h.Received += dayMicros
			return r.apply(r.batch(item("a", number("d", 1), number("d", 2), number("d", 3), number("d", 4))))
		}, []fsm.Cut{{First: 1, Last: 1}, {First: 2, Last: 5, Day: 1}}, fsm.Readings},
		{"a command cuts", func(r *replicas) fsm.Applied {
			r.post("d", 1)
			return r.apply(fsm.CutCommand{})
		}, []fsm.Cut{{First: 1, Last: 1}}, fsm.Readings},
		{"a command with nothing open cuts nothing", func(r *replicas) fsm.Applied {
			r.post("d", 1)
			r.apply(fsm.CutCommand{})
			return r.apply(fsm.CutCommand{})
		}, nil, fsm.Readings},
		{"frames are cut by a command", func(r *replicas) fsm.Applied {
			r.apply(frame("a", r.h.LogTime, 100))
			r.apply(frame("b", r.h.LogTime, 100))
			return r.apply(fsm.CutCommand{})
		}, []fsm.Cut{{First: 1, Last: 2}}, fsm.Frames},
		{"frames are cut by a new date", func(r *replicas) fsm.Applied {
			r.apply(frame("a", r.h.LogTime, 100))
			r.h.Received += dayMicros
			return r.apply(frame("b", r.h.LogTime, 100))
		}, []fsm.Cut{{First: 1, Last: 1}}, fsm.Frames},
		{"frames are cut by their bytes", func(r *replicas) fsm.Applied {
			for i := range fsm.FrameCutBytes/fsm.MaxFrame - 1 {
				r.apply(frame(string(rune('a'+i)), r.h.LogTime, fsm.MaxFrame))
			}
			return r.apply(frame("last", r.h.LogTime, fsm.MaxFrame))
		}, []fsm.Cut{{First: 1, Last: 16}}, fsm.Frames},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newReplicas(t, func(g *fsm.Genesis) { g.CutRows, g.CutBytes = 4, 1000 })
			a := tt.do(r)
			if len(a.Cuts) != len(tt.want) {
				t.Fatalf("got %d cuts, want %d", len(a.Cuts), len(tt.want))
			}
			for i, closed := range a.Cuts {
				want := tt.want[i]
				want.Day += int32(noon / dayMicros)
				want.Digest = digestOf(&closed)
				if closed.Stream != tt.of || closed.Cut != want {
					t.Errorf("got %s %+v, want %s %+v", closed.Stream, closed.Cut, tt.of, want)
				}
			}
			if cuts := r.a.Cuts(tt.of); len(cuts) < len(tt.want) {
				t.Errorf("the state lists cuts %v", cuts)
			}
			r.reopen()
		})
	}
}

// digestOf is the digest of what was closed, from each row as it reads.
func digestOf(c *fsm.Closed) (sum fsm.RowDigest) {
	for i := range c.Rows.Len() {
		row := c.Rows.Reading(i, &c.Names)
		sum.Add(fsm.HashReading(&row))
	}
	for i := range c.Frames {
		sum.Add(fsm.HashFrame(&c.Frames[i]))
	}
	return sum
}

func TestCut_RowsDoNotChangeAfterwards(t *testing.T) {
	r := newReplicas(t)
	r.post("d", 1)
	rows, names := r.a.Head()
	closed := r.apply(fsm.CutCommand{}).Cuts[0]
	for i := range 50 {
		r.post("e", float64(i))
	}
	for _, got := range []fsm.Reading{rows.Reading(0, &names), closed.Rows.Reading(0, &closed.Names)} {
		if got.Seq != 1 || got.Device != "d" || got.Value.Number != 1 {
			t.Errorf("got %+v", got)
		}
	}
}

func TestRows_KnowWhenEachWasReceived(t *testing.T) {
	r := newReplicas(t)
	for i := range 5 {
		r.post("d", float64(i))
		r.post("d", float64(i))
		r.at(second)
		r.h.ClockUnknown = i == 2
	}
	rows, names := r.a.Head()
	for i := range rows.Len() {
		if got, want := rows.Reading(i, &names).Received, int64(noon)+int64(i/2)*int64(second); got != want {
			t.Errorf("row %d was received at %d, want %d", i, got, want)
		}
	}
	if len(rows.Stamps) != 5 || !rows.Stamps[3].ClockUnknown || rows.Stamps[2].ClockUnknown {
		t.Errorf("stamps are %+v", rows.Stamps)
	}
	if _, known := r.a.Received(); !known {
		t.Error("the last entry's clock is not known")
	}
}
