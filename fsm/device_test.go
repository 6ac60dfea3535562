package fsm_test

import (
	"fmt"
	"strings"
	"testing"

	"skerry/fsm"
)

// step is one command of a life and what is to come of it.
type step struct {
	name  string
	after int64 // microseconds of log time before it
	cmd   fsm.Command
	want  fsm.Outcome
}

// live takes the steps one after the other; between them the second replica is
// replaced by what its snapshot restores to.
func (r *replicas) live(steps []step) {
	r.tb.Helper()
	for _, step := range steps {
		r.at(step.after)
		if got := r.one(step.cmd); got != step.want {
			r.tb.Fatalf("%s: got %+v, want %+v", step.name, got, step.want)
		}
		r.reopen()
		if a, b := view(r.a), view(r.b); !equal(a, b) {
			r.tb.Fatalf("%s: a restored replica has %v, want %v", step.name, b, a)
		}
	}
}

var (
	stored   = fsm.Outcome{Code: fsm.Stored}
	known    = fsm.Outcome{Code: fsm.Stored, Known: true}
	notFound = fsm.Outcome{Code: fsm.NotFound}
	exists   = fsm.Outcome{Code: fsm.Exists}
	noRoom   = fsm.Outcome{Code: fsm.Full}
)

func addKey(device, identity, secret string, overlap int64) fsm.AddKeyCommand {
	return fsm.AddKeyCommand{Device: device, Identity: identity, Secret: []byte(secret), Overlap: overlap}
}

func TestRegistry_Lives(t *testing.T) {
	r := newReplicas(t)
	device := func(note string, create bool) fsm.Command {
		return fsm.PutDeviceCommand{Name: "pump", Note: note, Writes: []string{"valve-*"}, Create: create}
	}
	r.live([]step{
		{"a device that is not there is not changed", 0, device("a", false), notFound},
		{"nor has it keys to add to", 0, addKey("pump", "k1", "secret", 0), notFound},
		{"nor keys to revoke", 0, fsm.RevokeKeyCommand{Device: "pump"}, notFound},
		{"nor is it removed", 0, fsm.RemoveDeviceCommand{Name: "pump"}, notFound},
		{"a device is created", 0, device("a", true), stored},
		{"it is created once", 0, device("a", true), exists},
		{"the same settings again change nothing", 0, device("a", false), known},
		{"a note is replaced", 0, device("b", false), stored},
		{"all keys of a device without one are revoked already", 0, fsm.RevokeKeyCommand{Device: "pump"}, known},
		{"a first key is added", 0, addKey("pump", "k1", "secret", 0), stored},
		{"the same key again is known", 0, addKey("pump", "k1", "secret", 0), known},
		{"an identity has one secret", 0, addKey("pump", "k1", "another", 0), exists},
		{"an identity has one device", 0, fsm.PutDeviceCommand{Name: "other", Create: true}, stored},
		{"which another does not get", 0, addKey("other", "k1", "secret", 0), exists},
		{"a second key leaves the first a minute", 0, addKey("pump", "k2", "secret", minute), stored},
		{"a third leaves the second longer", 0, addKey("pump", "k3", "secret", 2*minute), stored},
		{"and a fourth", 0, addKey("pump", "k4", "secret", 2*minute), stored},
		{"a fifth is one too many", 0, addKey("pump", "k5", "secret", minute), noRoom},
		{"until the first is over", minute, addKey("pump", "k5", "secret", second), stored},
		{"its identity is free then", 0, addKey("other", "k1", "secret", 0), stored},
		{"a key is revoked", 0, fsm.RevokeKeyCommand{Device: "pump", Identity: "k4"}, stored},
		{"once", 0, fsm.RevokeKeyCommand{Device: "pump", Identity: "k4"}, notFound},
		{"a device is removed", 0, fsm.RemoveDeviceCommand{Name: "pump"}, stored},
		{"its identities are free then", 0, addKey("other", "k5", "secret", 0), stored},
	})
	if _, ok := r.a.Registered("pump"); ok {
		t.Error("the removed device is there")
	}
	if device, key, ok := r.a.Identity("k5"); !ok || device != "other" || string(key.Secret) != "secret" || key.Expires != 0 {
		t.Errorf("k5 is %q's %+v, %t", device, key, ok)
	}
	if _, _, ok := r.a.Identity("k1"); ok {
		t.Error("a key that was replaced without overlap is there")
	}
}

func TestRegistry_AKeyIsOverWhenItsOverlapIs(t *testing.T) {
	r := newReplicas(t)
	for _, name := range []string{"a", "b"} {
		r.one(fsm.PutDeviceCommand{Name: name, Create: true})
		r.one(addKey(name, name+".1", "secret", 0))
	}
	r.one(addKey("a", "a.2", "secret", minute))
	r.one(addKey("b", "b.2", "secret", 2*minute))
	version := r.a.RegistryVersion()
	r.at(minute - 1)
	r.post("d", 1)
	if _, _, ok := r.a.Identity("a.1"); !ok || r.a.RegistryVersion() != version {
		t.Errorf("a key with a microsecond to live: %t, registry version %d, was %d", ok, r.a.RegistryVersion(), version)
	}
	r.at(1)
	r.post("d", 2) // any entry moves log time
	if _, _, ok := r.a.Identity("a.1"); ok || r.a.RegistryVersion() == version {
		t.Errorf("a key that is over: %t, registry version %d, was %d", ok, r.a.RegistryVersion(), version)
	}
	for _, identity := range []string{"a.2", "b.1", "b.2"} {
		if _, _, ok := r.a.Identity(identity); !ok {
			t.Errorf("%s is gone with it", identity)
		}
	}
	r.reopen()
	r.at(minute)
	r.post("d", 3)
	if _, _, ok := r.b.Identity("b.1"); ok {
		t.Error("a restored replica keeps a key that is over")
	}
}

func TestRegistry_AnOverlapDoesNotProlongAKey(t *testing.T) {
	r := newReplicas(t)
	r.one(fsm.PutDeviceCommand{Name: "a", Create: true})
	r.one(addKey("a", "1", "secret", 0))
	r.one(addKey("a", "2", "secret", minute))
	_, before, _ := r.a.Identity("1")
	r.one(addKey("a", "3", "secret", 10*minute))
	if _, after, ok := r.a.Identity("1"); !ok || after.Expires != before.Expires {
		t.Errorf("it expires at %d, want %d as before", after.Expires, before.Expires)
	}
}

func TestRegistry_VersionMovesWithChangesOnly(t *testing.T) {
	r := newReplicas(t)
	for _, tt := range []struct {
		name  string
		cmd   fsm.Command
		moves bool
	}{
		{"a new device", fsm.PutDeviceCommand{Name: "a", Create: true}, true},
		{"the same settings", fsm.PutDeviceCommand{Name: "a"}, false},
		{"a refused one", fsm.PutDeviceCommand{Name: "a", Create: true}, false},
		{"a key", addKey("a", "1", "secret", 0), true},
		{"the same key", addKey("a", "1", "secret", 0), false},
		{"a document", fsm.PutDocumentCommand{Device: "a"}, false},
		{"a revoked key", fsm.RevokeKeyCommand{Device: "a", Identity: "1"}, true},
		{"a removed device", fsm.RemoveDeviceCommand{Name: "a"}, true},
	} {
		before := r.a.RegistryVersion()
		r.one(tt.cmd)
		if moved := r.a.RegistryVersion() > before; moved != tt.moves {
			t.Errorf("%s: the version moved: %t, want %t", tt.name, moved, tt.moves)
		}
	}
}

func TestRegistry_WhatWasHandedOutStays(t *testing.T) {
	r := newReplicas(t)
	r.one(fsm.PutDeviceCommand{Name: "a", Writes: []string{"b"}, Create: true})
	for i := range fsm.MaxDeviceKeys {
		r.one(addKey("a", fmt.Sprint(i), "secret", minute))
	}
	was, _ := r.a.Registered("a")
	before := fmt.Sprint(was)
	r.one(fsm.RevokeKeyCommand{Device: "a", Identity: "0"})
	r.at(2 * minute)
	r.one(fsm.PutDeviceCommand{Name: "a", Writes: []string{"c"}})
	if got := fmt.Sprint(was); got != before {
		t.Errorf("it became %s, was %s", got, before)
	}
}

func TestRegistry_TakesNoMoreThanItsBound(t *testing.T) {
	r := newReplicas(t)
	s := r.a
	one := func(cmd fsm.Command) fsm.Code {
		r.index++
		op, body := fsm.Encode(cmd)
		a, err := s.Apply(r.index, r.term, fsm.AppendEntry(nil, fsm.Header{Op: op, LogTime: second, Received: noon}, body))
		if err != nil {
			t.Fatal(err)
		}
		return a.Outcomes[0][0].Code
	}
	for i := range fsm.MaxDeviceRecords {
		if got := one(fsm.PutDeviceCommand{Name: fmt.Sprint("d", i), Create: true}); got != fsm.Stored {
			t.Fatalf("device %d got code %d", i, got)
		}
	}
	if got := one(fsm.PutDeviceCommand{Name: "one more", Create: true}); got != fsm.Full {
		t.Errorf("one device more got code %d, want %d", got, fsm.Full)
	}
	if got := one(fsm.PutDeviceCommand{Name: "d5", Note: "seen"}); got != fsm.Stored {
		t.Errorf("a change got code %d", got)
	}
	if got := len(restore(t, snapshot(t, s)).RegisteredDevices()); got != fsm.MaxDeviceRecords {
		t.Errorf("%d devices come back from a snapshot", got)
	}
}

func TestRegistry_TheLargestRecordComesBackFromASnapshot(t *testing.T) {
	r := newReplicas(t)
	c := fsm.PutDeviceCommand{Name: strings.Repeat("d", fsm.MaxDevice), Note: strings.Repeat("n", fsm.MaxNote), Create: true}
	for range fsm.MaxWrites {
		c.Writes = append(c.Writes, strings.Repeat("w", fsm.MaxDevice))
	}
	r.one(c)
	for i := range fsm.MaxDeviceKeys {
		r.one(addKey(c.Name, fmt.Sprint(i)+strings.Repeat("i", fsm.MaxIdentity-1), strings.Repeat("s", fsm.MaxSecret), fsm.MaxOverlap))
	}
	r.reopen()
	if d, _ := r.b.Registered(c.Name); len(d.Keys) != fsm.MaxDeviceKeys || len(d.Writes) != fsm.MaxWrites {
		t.Errorf("it came back as %+v", d)
	}
}

func TestDeviceRecord_MayWriteItsOwnNameAndWhatItsPatternsMatch(t *testing.T) {
	d := fsm.DeviceRecord{Name: "gw", Writes: []string{"hall/*", "pump-?", "a[12]"}}
	for name, want := range map[string]bool{
		"gw": true, "gw/x": false, "hall/1": true, "hall/1/2": true, "hall": false, "pump-7": true, "pump-77": false,
		"pump-/": true, "a1": true, "a3": false, "": false, "GW": false,
	} {
		if got := d.MayWrite(name); got != want {
			t.Errorf("%q: got %t, want %t", name, got, want)
		}
	}
}
