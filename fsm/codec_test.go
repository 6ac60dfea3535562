package fsm_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"skerry/fsm"
)

func TestCheckBatch_RefusesWhatASiteDoesNotTake(t *testing.T) {
	one := func(edit func(r *fsm.Record)) []byte {
		r := number("d", 1)
		edit(&r)
		return fsm.EncodeBatch(nil, &fsm.Batch{Items: []fsm.Item{item("a", r)}})
	}
	tests := []struct {
		name string
		sub  []byte
		want string // part of the error
	}{
		{"no device", one(func(r *fsm.Record) { r.Device = "" }), "device name is empty"},
		{"no resource", one(func(r *fsm.Record) { r.Resource = "" }), "resource name is empty"},
		{"a long device", one(func(r *fsm.Record) { r.Device = strings.Repeat("d", 129) }), "has no records or is cut off"},
		{"a long resource", one(func(r *fsm.Record) { r.Resource = strings.Repeat("r", 65) }), "at most 64"},
		{"a long unit", one(func(r *fsm.Record) { r.Unit = strings.Repeat("u", 33) }), "at most 32"},
		{"a '/' in a resource", one(func(r *fsm.Record) { r.Resource = "a/b" }), "'/'"},
		{"a control character", one(func(r *fsm.Record) { r.Device = "a\nb" }), "control character"},
		{"a control character beyond ASCII", one(func(r *fsm.Record) { r.Device = "a\u0085b" }), "control character"},
		{"a name that is not UTF-8", one(func(r *fsm.Record) { r.Device = "a\xffb" }), "not UTF-8"},
		{"NaN", one(func(r *fsm.Record) { r.Value.Number = math.NaN() }), "not a finite number"},
		{"an infinity", one(func(r *fsm.Record) { r.Value.Number = math.Inf(-1) }), "not a finite number"},
		{"a text that is not UTF-8", one(func(r *fsm.Record) { r.Value = fsm.TextValue("\xff") }), "not UTF-8"},
		{"a long text", one(func(r *fsm.Record) { r.Value = fsm.TextValue(strings.Repeat("t", fsm.MaxText+1)) }), "cut off"},
		{"a time beyond the year 9999", one(func(r *fsm.Record) { r.Time, r.Relative = fsm.MaxTime+1, false }), "out of range"},
		{"a relative time of nine years", one(func(r *fsm.Record) { r.Time = fsm.MaxRelative + 1 }), "out of range"},
		{"no value", one(func(r *fsm.Record) { r.Value = fsm.Value{} }), "cut off"},
		{"an item without records", fsm.EncodeBatch(nil, &fsm.Batch{Items: []fsm.Item{item("a")}}), "no records"},
		{"more bytes than one takes", make([]byte, fsm.MaxBatchBytes+1), "at most"},
		{"a newer format", []byte{2}, "newer skerry"},
		{"nothing", nil, "damaged"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, _, err := fsm.CheckBatch(tt.sub); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
	sub := fsm.EncodeBatch(nil, &fsm.Batch{Items: []fsm.Item{
		item("a", number("d", 1), number("e", 2)), item("b", number("d", 3)),
	}})
	items, records, err := fsm.CheckBatch(sub)
	if items != 2 || records != 3 || err != nil {
		t.Errorf("got %d items, %d records, err %v, want 2 and 3", items, records, err)
	}
	if got := fsm.BatchRecords(sub); got != 3 {
		t.Errorf("got %d records at a glance, want 3", got)
	}
	if got := fsm.BatchRecords(sub[:18]); got != 0 {
		t.Errorf("got %d records of a stump, want 0", got)
	}
}

func TestCheck_RefusesCommandsOutOfBounds(t *testing.T) {
	small := testGenesis()
	small.CutRows = 0
	noOperand := countTask("t", "*")
	noOperand.Spec.Operand = math.NaN()
	tests := []struct {
		name string
		cmd  fsm.Command
		want string
	}{
		{"a cut of no rows", small, "cut rows"},
		{"a stream of a later version", fsm.SyncedCommand{Stream: 3, First: 1, Last: 1}, "stream 3"},
		{"a gap without a reason", fsm.GapCommand{First: 1, Last: 1}, "reason"},
		{"a task without a name", countTask("", "*"), "task name"},
		{"an operand that is no number", noOperand, "finite"},
		{"a lease without end", fsm.RenewRunCommand{Task: "t", Attempt: 1, Node: "n", Lease: fsm.MaxLease + 1}, "lease"},
		{"a run of nobody", fsm.AssignRunCommand{Task: "t", Attempt: 1, Lease: 1}, "node name"},
		{"more state than one keeps", fsm.AdvanceRunCommand{Task: "t", Node: "n", Lease: 1, State: make([]byte, fsm.MaxTaskState+1)}, "state"},
		{"output that is wrong", fsm.AdvanceRunCommand{Task: "t", Node: "n", Lease: 1, Output: []fsm.Record{{}}}, "output"},
		{"a frame of no bytes", frame("f", 1, 0), "empty"},
		{"a frame beyond its bound", frame("f", 1, fsm.MaxFrame+1), "frame"},
		{"a device without a name", fsm.PutDeviceCommand{Create: true}, "device name is empty"},
		{"a note of two lines", fsm.PutDeviceCommand{Name: "d", Note: "a\nb"}, "note"},
		{"a long note", fsm.PutDeviceCommand{Name: "d", Note: strings.Repeat("n", fsm.MaxNote+1)}, "note"},
		{"a bad pattern of names to write", fsm.PutDeviceCommand{Name: "d", Writes: []string{"["}}, "pattern"},
		{"a long pattern", fsm.PutDeviceCommand{Name: "d", Writes: []string{strings.Repeat("w", fsm.MaxDevice+1)}}, "at most 128"},
		{"more patterns than a device has", fsm.PutDeviceCommand{Name: "d", Writes: make([]string, fsm.MaxWrites+1)}, "17 patterns"},
		{"a removed device without a name", fsm.RemoveDeviceCommand{}, "device name is empty"},
		{"a key without an identity", fsm.AddKeyCommand{Device: "d", Secret: make([]byte, 16)}, "identity"},
		{"a short secret", fsm.AddKeyCommand{Device: "d", Identity: "i", Secret: []byte("123")}, "4 to 64"},
		{"a long secret", fsm.AddKeyCommand{Device: "d", Identity: "i", Secret: make([]byte, fsm.MaxSecret+1)}, "4 to 64"},
		{"an overlap without end", fsm.AddKeyCommand{Device: "d", Identity: "i", Secret: make([]byte, 16), Overlap: fsm.MaxOverlap + 1}, "overlap"},
		{"a revoked key of nobody", fsm.RevokeKeyCommand{Identity: "i"}, "device name is empty"},
		{"a long identity", fsm.RevokeKeyCommand{Device: "d", Identity: strings.Repeat("i", fsm.MaxIdentity+1)}, "at most 128"},
		{"a document of nobody", fsm.PutDocumentCommand{}, "device name is empty"},
		{"a kind of document of a later version", fsm.PutDocumentCommand{Device: "d", Kind: 2}, "kind 2"},
		{"a large document", fsm.PutDocumentCommand{Device: "d", Body: make([]byte, fsm.MaxDocument+1)}, "at most 8192"},
		{"a deleted document with a body", fsm.PutDocumentCommand{Device: "d", Delete: true, Body: []byte("x")}, "no body"},
		{"a document that must and must not be there", fsm.PutDocumentCommand{Device: "d", IfNone: true, IfMatch: []uint64{1}}, "contradict"},
		{"more versions than one asks for", fsm.PutDocumentCommand{Device: "d", IfMatch: make([]uint64, fsm.MaxIfMatch+1)}, "17 versions"},
		{"a registration without an ID", fsm.RegisterCommand{Endpoint: "e", Lifetime: 1}, "registration name"},
		{"a registration of nobody", fsm.RegisterCommand{ID: "1", Lifetime: 1}, "endpoint name"},
		{"a long sector", fsm.RegisterCommand{ID: "1", Endpoint: "e", Sector: strings.Repeat("s", 64), Lifetime: 1}, "sector"},
		{"a long base URI", fsm.RegisterCommand{ID: "1", Endpoint: "e", Base: strings.Repeat("b", fsm.MaxBase+1), Lifetime: 1}, "base URI"},
		{"a lifetime of nothing", fsm.RegisterCommand{ID: "1", Endpoint: "e"}, "lifetime"},
		{"a renewal by nothing", fsm.RenewRegistrationCommand{ID: "1", Lifetime: ptr(int64(0))}, "lifetime"},
		{"more links than one registers", fsm.RenewRegistrationCommand{ID: "1", Links: ptr(strings.Repeat("l", fsm.MaxLinks+1))}, "links"},
		{"an attribute of no bytes", fsm.RenewRegistrationCommand{ID: "1", Attributes: &[]string{""}}, "attribute"},
		{"more attributes than one has", fsm.RenewRegistrationCommand{ID: "1", Attributes: ptr(strings.Split("a"+strings.Repeat(" a", fsm.MaxAttributes), " "))}, "33 endpoint attributes"},
		{"a registration without an ID to take out", fsm.UnregisterCommand{}, "registration name"},
		{"a lease of nothing", fsm.LeaseCommand{Holder: "n1"}, "lease name"},
		{"a lease of nobody", fsm.LeaseCommand{Name: "l"}, "holder"},
		{"a lease that ends before it begins", fsm.LeaseCommand{Name: "l", Holder: "n1", Duration: -1}, "out of range"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			op, body := fsm.Encode(tt.cmd)
			if err := fsm.Check(op, body); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestEncoder_GivesTheSameBytesAgain(t *testing.T) {
	var e fsm.Encoder
	for name, cmd := range goldenCommands() {
		if b, ok := cmd.(*fsm.Batch); ok {
			first := e.Append(nil, b)
			if again := e.Append([]byte("x"), b); !bytes.Equal(again[1:], first) {
				t.Errorf("%s: got %x, want %x", name, again[1:], first)
			}
		}
	}
}

func TestRestore_RefusesEveryCutAndEveryFlip(t *testing.T) {
	b := snapshot(t, storied(t).a)
	for n := range b {
		if _, err := fsm.Restore(bytes.NewReader(b[:n])); !errors.Is(err, fsm.ErrCorrupt) {
			t.Fatalf("cut to %d of %d bytes: got %v, want %v", n, len(b), err, fsm.ErrCorrupt)
		}
	}
	for i := range b {
		b[i] ^= 0x40
		if _, err := fsm.Restore(bytes.NewReader(b)); err == nil {
			t.Fatalf("flipped at %d: restored", i)
		}
		b[i] ^= 0x40
	}
	if _, err := fsm.Restore(bytes.NewReader(append(b, 0))); !errors.Is(err, fsm.ErrCorrupt) {
		t.Errorf("with a byte more: got %v, want %v", err, fsm.ErrCorrupt)
	}
	b[8]++
	if _, err := fsm.Restore(bytes.NewReader(b)); !errors.Is(err, fsm.ErrNewer) {
		t.Errorf("of a newer version: got %v, want %v", err, fsm.ErrNewer)
	}
}
