package fsm_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"skerry/fsm"
)

// trialReplicas is a site whose replicas are of the version after this one.
func trialReplicas(tb testing.TB) *replicas {
	tb.Helper()
	r := &replicas{tb: tb, a: fsm.NewStateAs(fsm.TrialLevel), b: fsm.NewStateAs(fsm.TrialLevel), term: 1}
	r.h = fsm.Header{LogTime: second, Received: noon}
	r.level(testGenesis())
	return r
}

// level is one for commands that only a later version knows.
func (r *replicas) level(cmd fsm.Command) fsm.Code {
	r.tb.Helper()
	op, body := fsm.Encode(cmd)
	if err := fsm.CheckAs(fsm.TrialLevel, op, body); err != nil {
		r.tb.Fatal(err)
	}
	h := r.h
	h.Op = op
	return r.entry(fsm.AppendEntry(nil, h, body)).Outcomes[0][0].Code
}

func TestLevel_RisesByTheLeaderOfTheTermAndNeverFalls(t *testing.T) {
	r := trialReplicas(t)
	for _, c := range []struct {
		name  string
		cmd   fsm.Command
		want  fsm.Code
		level fsm.Level
	}{
		{"of another term", fsm.RaiseLevel{Level: 2}.InTerm(r.term + 1), fsm.WrongTerm, 1},
		{"to where it is", fsm.RaiseLevel{Level: 1}.InTerm(r.term), fsm.Stored, 1},
		{"by two", fsm.RaiseLevel{Level: 3}.InTerm(r.term), fsm.Stored, 3},
		{"down again", fsm.RaiseLevel{Level: 2}.InTerm(r.term), fsm.Precondition, 3},
	} {
		if got := r.level(c.cmd); got != c.want || r.a.Level() != c.level {
			t.Errorf("%s: code %d at level %d, want %d at %d", c.name, got, r.a.Level(), c.want, c.level)
		}
	}
}

func TestLevel_ACommandOfALaterLevelChangesNothingBeforeIt(t *testing.T) {
	r := trialReplicas(t)
	if got := r.level(fsm.Trial{Text: "early"}); got != fsm.TooEarly || r.a.Trial() != "" {
		t.Errorf("code %d, field %q, want TooEarly and nothing", got, r.a.Trial())
	}
	r.level(fsm.RaiseLevel{Level: fsm.TrialLevel}.InTerm(r.term))
	if got := r.level(fsm.Trial{Text: "now"}); got != fsm.Stored || r.a.Trial() != "now" {
		t.Errorf("code %d, field %q, want Stored and now", got, r.a.Trial())
	}
}

func TestLevel_ASnapshotHasTheFormatOfTheLevel(t *testing.T) {
	r := trialReplicas(t)
	for level := fsm.FirstLevel; level <= fsm.TrialLevel; level++ {
		r.level(fsm.RaiseLevel{Level: level}.InTerm(r.term))
		if level == fsm.TrialLevel {
			r.level(fsm.Trial{Text: "kept"})
		}
		b := snapshot(t, r.a)
		if got := fsm.Level(binary.LittleEndian.Uint32(b[8:])); got != level+1 || fsm.SnapshotLevel(b[:fsm.SnapshotHeader]) != level {
			t.Errorf("at level %d the format is %d, its level %d", level, got, fsm.SnapshotLevel(b))
		}
		if _, err := fsm.RestoreAs(bytes.NewReader(b), level-1); level > 1 && !errors.Is(err, fsm.ErrNewer) {
			t.Errorf("a program one level below %d restores it: %v", level, err)
		}
		back, err := fsm.RestoreAs(bytes.NewReader(b), level)
		if err != nil || back.Level() != level || back.Trial() != r.a.Trial() {
			t.Errorf("at level %d comes back: level %d, field %q, err %v", level, back.Level(), back.Trial(), err)
		}
	}
}

func TestLevel_AProgramStopsAtACommandItDoesNotKnow(t *testing.T) {
	for _, cmd := range []fsm.Command{fsm.Trial{Text: "x"}, fsm.RaiseLevel{Term: 1, Level: fsm.TrialLevel}} {
		op, body := fsm.Encode(cmd)
		entry := fsm.AppendEntry(nil, fsm.Header{Op: op, LogTime: 2 * second, Received: noon}, body)
		if _, err := newReplicas(t).a.Apply(2, 1, entry); !errors.Is(err, fsm.ErrNewer) {
			t.Errorf("%T is applied: %v", cmd, err)
		}
		if err := fsm.Check(op, body); !errors.Is(err, fsm.ErrNewer) {
			t.Errorf("%T is taken: %v", cmd, err)
		}
		if got := fsm.EntryLevel(entry); got != fsm.TrialLevel {
			t.Errorf("%T needs level %d, want %d", cmd, got, fsm.TrialLevel)
		}
	}
}

func TestLevel_EveryOpcodeHasOne(t *testing.T) {
	for op, want := range map[fsm.Op]fsm.Level{
		0: 1, fsm.OpReadings: 1, fsm.OpConditional: 1, fsm.OpRaiseLevel: 2, 37: 2, 254: 2, fsm.OpTrial: fsm.TrialLevel,
	} {
		if got := fsm.LevelOf(op); got != want {
			t.Errorf("opcode %d is of level %d, want %d", op, got, want)
		}
	}
}
