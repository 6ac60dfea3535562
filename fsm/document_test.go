package fsm_test

import (
	"fmt"
	"testing"

	"skerry/fsm"
)

func TestDocument_Lives(t *testing.T) {
	r := newReplicas(t)
	version := func(n fsm.Seq) fsm.Outcome { return fsm.Outcome{Code: fsm.Stored, First: n} }
	unmet := fsm.Outcome{Code: fsm.Precondition}
	put := func(body string, edit func(c *fsm.PutDocumentCommand)) fsm.Command {
		c := fsm.PutDocumentCommand{Device: "pump", Kind: fsm.Reported, Format: 50, Body: []byte(body)}
		if edit != nil {
			edit(&c)
		}
		return c
	}
	remove := func(versions ...uint64) fsm.Command {
		return fsm.PutDocumentCommand{Device: "pump", Kind: fsm.Reported, Delete: true, IfMatch: versions}
	}
	by := func(name string) func(c *fsm.PutDocumentCommand) {
		return func(c *fsm.PutDocumentCommand) { c.By = key(name) }
	}
	match := func(versions ...uint64) func(c *fsm.PutDocumentCommand) {
		return func(c *fsm.PutDocumentCommand) { c.IfMatch = versions }
	}
	ifNone := func(c *fsm.PutDocumentCommand) { c.IfNone = true }
	ifExists := func(c *fsm.PutDocumentCommand) { c.IfExists = true }
	r.live([]step{
		{"a document that is not there is not deleted", 0, remove(), notFound},
		{"nor replaced where it must be there", 0, put("a", ifExists), notFound},
		{"nor has it a version", 0, put("a", match(1)), unmet},
		{"a first one is written where there must be none", 0, put("a", ifNone), version(1)},
		{"a second is not", 0, put("b", ifNone), unmet},
		{"the same again is another version", 0, put("a", nil), version(2)},
		{"the version before is no longer it", 0, put("b", match(1)), unmet},
		{"one of several versions is enough", 0, put("b", match(1, 2)), version(3)},
		{"any will do where it must be there", 0, put("c", ifExists), version(4)},
		{"the other side is another document", 0, fsm.PutDocumentCommand{Device: "pump", IfNone: true}, version(5)},
		{"a message writes once", 0, put("d", by("m1")), version(6)},
		{"its copy is known", 0, put("d", by("m1")), fsm.Outcome{Code: fsm.Stored, First: 6, Known: true}},
		{"whatever version it asks for", 0, put("d", func(c *fsm.PutDocumentCommand) { c.By, c.IfMatch = key("m1"), []uint64{5} }),
			fsm.Outcome{Code: fsm.Stored, First: 6, Known: true}},
		{"another message writes again", 0, put("d", by("m2")), version(7)},
		{"two without a key are two", 0, put("d", nil), version(8)},
		{"another version is not deleted", 0, remove(7), unmet},
		{"a document is deleted", 0, remove(8), stored},
		{"once", 0, remove(), notFound},
		{"a version is never given again", 0, put("e", by("m2")), version(9)},
	})
	got, ok := r.a.Document("pump", fsm.Reported)
	want := fsm.Document{Format: 50, Body: []byte("e"), Version: 9, Updated: noon}
	if !ok || !equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if _, ok := r.a.Document("pump", fsm.DocumentKind(2)); ok {
		t.Error("a document of a later kind is there")
	}
	if got := fsm.Desired.String() + " " + fsm.Reported.String(); got != "desired reported" {
		t.Errorf("the kinds are %s", got)
	}
}

func TestDocument_DevicesAreListedOnceByName(t *testing.T) {
	r := newReplicas(t)
	for _, c := range []fsm.PutDocumentCommand{
		{Device: "b", Kind: fsm.Reported},
		{Device: "c", Kind: fsm.Reported},
		{Device: "c", Kind: fsm.Desired},
		{Device: "a", Kind: fsm.Desired},
		{Device: "b", Kind: fsm.Reported, Delete: true},
	} {
		r.one(c)
	}
	if got := r.a.DocumentDevices(); !equal(got, []string{"a", "c"}) {
		t.Errorf("got %q, want a and c", got)
	}
}

// fill writes documents until one is refused, and returns how many were not.
func fill(r *replicas, size int) int {
	for i := 0; ; i++ {
		r.index++
		op, body := fsm.Encode(fsm.PutDocumentCommand{Device: fmt.Sprint("d", i), Body: make([]byte, size)})
		a, err := r.a.Apply(r.index, r.term, fsm.AppendEntry(nil, fsm.Header{Op: op, LogTime: second, Received: noon}, body))
		if err != nil {
			r.tb.Fatal(err)
		}
		switch code := a.Outcomes[0][0].Code; code {
		case fsm.Stored:
		case fsm.Full:
			return i
		default:
			r.tb.Fatalf("document %d got code %d", i, code)
		}
	}
}

func TestDocument_BoundOfBytesMakesRoomWhenOneShrinks(t *testing.T) {
	r := newReplicas(t)
	if got, want := fill(r, fsm.MaxDocument), fsm.MaxDocumentBytes/fsm.MaxDocument; got != want {
		t.Fatalf("%d documents were taken, want %d", got, want)
	}
	r.a = restore(t, snapshot(t, r.a))
	r.b = restore(t, snapshot(t, r.a))
	r.one(fsm.PutDocumentCommand{Device: "d1", Body: make([]byte, fsm.MaxDocument-1)})
	if got := r.one(fsm.PutDocumentCommand{Device: "x", Body: make([]byte, 2)}); got != noRoom {
		t.Errorf("two bytes where one is free: %+v", got)
	}
	if got := r.one(fsm.PutDocumentCommand{Device: "x", Body: make([]byte, 1)}); got.Code != fsm.Stored {
		t.Errorf("one byte where one is free: %+v", got)
	}
	if got := r.one(fsm.PutDocumentCommand{Device: "d2", Body: make([]byte, fsm.MaxDocument)}); got.Code != fsm.Stored {
		t.Errorf("a document replaced by one as large: %+v", got)
	}
}

func TestDocument_BoundOfNumberCountsBothSides(t *testing.T) {
	r := newReplicas(t)
	r.one(fsm.PutDocumentCommand{Device: "r", Kind: fsm.Reported})
	if got := fill(r, 0); got != fsm.MaxDocuments-1 {
		t.Errorf("%d documents were taken beside one, want %d", got, fsm.MaxDocuments-1)
	}
}
