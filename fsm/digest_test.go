package fsm_test

import (
	"testing"

	"skerry/fsm"
)

// TestDigest_CatchesMistakes gives one replica an Apply with a mistake and
// expects its digest to differ from the healthy one's within 1,000 commands.
func TestDigest_CatchesMistakes(t *testing.T) {
	tests := []struct {
		name    string
		mistake fsm.Mistake
		at      uint64 // the only index at which it happens, 0 for always
	}{
		{"items applied in the order of a map", fsm.MapOrder, 0},
		{"one command is skipped", fsm.Skip, 100},
		{"a latest value is never kept", fsm.LostLatest, 0},
		{"keys are forgotten once", fsm.LostKey, 100},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newReplicas(t, func(g *fsm.Genesis) { g.CutRows = 50 })
			for r.index < 1000 {
				r.index++
				r.at(second / 10)
				r.h.Op = fsm.OpReadings
				entry := fsm.AppendEntry(nil, r.h, fsm.EncodeBatch(nil, fewItems(r)))
				if _, err := r.a.Apply(r.index, r.term, entry); err != nil {
					t.Fatal(err)
				}
				var err error
				if tt.at == 0 || r.index == tt.at {
					err = r.b.ApplyWith(tt.mistake, r.index, entry)
				} else {
					_, err = r.b.Apply(r.index, r.term, entry)
				}
				if err != nil {
					t.Fatal(err)
				}
				if r.a.DigestString() != r.b.DigestString() {
					return
				}
			}
			t.Error("the digests agree after 1,000 commands")
		})
	}
}

func TestDigest_CatchesACommandThatNeverCame(t *testing.T) {
	r := newReplicas(t)
	r.h.Op = fsm.OpReadings
	entry := fsm.AppendEntry(nil, r.h, fsm.EncodeBatch(nil, fewItems(r)))
	if _, err := r.a.Apply(2, 1, entry); err != nil {
		t.Fatal(err)
	}
	r.h.Op = fsm.OpCut
	_, body := fsm.Encode(fsm.CutCommand{})
	cut := fsm.AppendEntry(nil, r.h, body)
	for _, s := range []*fsm.State{r.a, r.b} {
		if _, err := s.Apply(3, 1, cut); err != nil {
			t.Fatal(err)
		}
	}
	if r.a.DigestString() == r.b.DigestString() {
		t.Error("the digests agree")
	}
}

// fewItems is a batch of three messages; series 0 is among them every time.
func fewItems(r *replicas) *fsm.Batch {
	n := float64(r.index)
	id := func(s string) string { return s + r.a.DigestString() }
	return r.batch(item(id("x"), number("a", n)), item(id("y"), number("b", n)), item(id("z"), number("c", n)))
}
