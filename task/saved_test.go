package task_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"skerry/fsm"
	"skerry/task"
)

// Saved states as version 1 writes them. They stand in the states of sites:
// every later version must read them.
const (
	// Three windows of 10 s from 2000-01-01: 2 emitted, 0 emitted, 1 open.
	golden = "a70101021a05a486c003830200010483010100061a05a486c207000800"
	// Three windows from 1970, of which the first has changed since.
	goldenChanged = "a80101020003830300010483010100058100060207000800"
)

func TestTheSavedStateKeepsItsBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel(t)
		newCrew(m, "n1")
		m.create("hot", count(t, "pump", "pressure", "> 10", 10*time.Second, "stats/hot"))
		m.post("pump", "pressure", 11)
		m.post("pump", "pressure", 11)
		time.Sleep(21 * time.Second)
		m.post("pump", "pressure", 11)
		time.Sleep(time.Second)
		if got := hex.EncodeToString(m.task("hot").Saved); got != golden {
			t.Errorf("saved state = %s, want %s", got, golden)
		}
	})
}

func TestProgressReadsTheGoldenStates(t *testing.T) {
	spec := count(t, "pump", "pressure", "> 10", 10*time.Second, "stats/hot")
	for state, want := range map[string]task.Progress{
		golden:        {Windows: 3, First: 946684800e6, Last: 946684820e6, Pending: 1},
		goldenChanged: {Windows: 3, Last: 20e6, Pending: 2},
	} {
		b, err := hex.DecodeString(state)
		if err != nil {
			t.Fatal(err)
		}
		got, err := task.ProgressOf(&fsm.Task{ID: "hot", Spec: spec, Saved: b})
		if err != nil || got != want {
			t.Errorf("progress of %s = %+v, %v; want %+v", state, got, err, want)
		}
	}
}

func TestASavedStateThatCannotBeIsRefused(t *testing.T) {
	spec := count(t, "pump", "pressure", "> 10", 10*time.Second, "stats/hot")
	for _, c := range []struct{ name, bytes, fault string }{
		{"one of a newer version says to upgrade", "a10102", "upgrade this node"},
		{"one without a version is none", "a0", "version 0"},
		{"one cut short is none", golden[:20], "cannot be read"},
		{"one with fewer revisions than counts is none", "a30101038101" + "0480", "0 revisions"},
		{"one with a change outside its windows is none", "a4010103810104810105" + "8103", "change of window 3 of 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := hex.DecodeString(c.bytes)
			if err != nil {
				t.Fatal(err)
			}
			_, err = task.ProgressOf(&fsm.Task{ID: "hot", Spec: spec, Saved: b})
			if !errors.Is(err, task.ErrSaved) || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("error = %v, want ErrSaved with %q", err, c.fault)
			}
		})
	}
}

func FuzzSaved(f *testing.F) {
	for _, state := range []string{golden, goldenChanged, "a10102"} {
		b, err := hex.DecodeString(state)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	spec := count(f, "pump", "pressure", "> 10", 10*time.Second, "stats/hot")
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := task.ProgressOf(&fsm.Task{ID: "hot", Spec: spec, Saved: b})
		if err != nil && !errors.Is(err, task.ErrSaved) {
			t.Errorf("error = %v, want ErrSaved", err)
		}
		if p.Windows > task.MaxKept || p.Pending > p.Windows {
			t.Errorf("progress = %+v is over its bounds", p)
		}
	})
}
