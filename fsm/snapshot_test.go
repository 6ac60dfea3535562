package fsm_test

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"skerry/fsm"
)

// full is a pair of replicas that hold some of everything a snapshot has.
func full(tb testing.TB) *replicas {
	tb.Helper()
	r := newReplicas(tb)
	for i := range 20 {
		r.post(fmt.Sprint("pump-", i%3), float64(i)/2)
	}
	r.apply(r.batch(item("all kinds",
		fsm.Record{Device: "gate", Resource: "open", Time: noon - 5, Value: fsm.FlagValue(true)},
		fsm.Record{Device: "gate", Resource: "note", Time: noon - 4, Value: fsm.TextValue("grüße")},
		fsm.Record{Device: "gate", Resource: "raw", Time: noon - 3, Value: fsm.DataValue([]byte{0, 1, 2})},
	)))
	r.apply(frame("frame 1", r.h.LogTime, 2000))
	r.apply(fsm.CutCommand{})
	r.one(fsm.SyncedCommand{Stream: fsm.Readings, First: 1, Last: 5, Version: 7}.InTerm(r.term))
	r.one(fsm.GapCommand{First: 4, Last: 9, Reason: "disk full"}.InTerm(r.term))
	r.one(countTask("hot", "pump-*"))
	r.one(fsm.AssignRunCommand{Task: "hot", Attempt: 1, Node: "n1", Lease: minute}.InTerm(r.term))
	r.at(40 * second)
	for i := range 10 {
		r.post(fmt.Sprint("pump-", i%4), float64(i))
	}
	r.one(fsm.AdvanceRunCommand{
		Task: "hot", Attempt: 1, Node: "n1", From: 23, To: 30, State: []byte("saved"), Lease: minute,
		Output: []fsm.Record{number("counts", 3)},
	})
	r.apply(r.batch(item("open text", fsm.Record{Device: "gate", Resource: "note", Relative: true, Value: fsm.TextValue("later")})))
	r.apply(frame("frame 2", r.h.LogTime, 3000))
	return r
}

// furnished is full with devices, keys, documents, registrations and leases.
func furnished(tb testing.TB) *replicas {
	tb.Helper()
	r := full(tb)
	for _, name := range []string{"pump-7", "pump-8", "gate/é"} {
		r.one(fsm.PutDeviceCommand{Name: name, Note: "of the tests", Writes: []string{name + "/*"}, Create: true})
		r.one(fsm.AddKeyCommand{Device: name, Identity: name + ".1", Secret: []byte("secret one")})
	}
	r.one(fsm.AddKeyCommand{Device: "pump-7", Identity: "pump-7.2", Secret: []byte("secret two"), Overlap: minute})
	r.one(fsm.PutDocumentCommand{Device: "pump-7", Format: 50, Body: []byte(`{"speed":3}`)})
	r.one(fsm.PutDocumentCommand{Device: "pump-7", Kind: fsm.Reported, Format: 60, Body: []byte{0xa0}, By: key("reported")})
	r.one(fsm.PutDocumentCommand{Device: "gate/é", Body: []byte("shut")})
	r.one(fsm.PutDocumentCommand{Device: "gate/é", Delete: true})
	for _, ep := range []string{"node1", "node2"} {
		r.one(fsm.RegisterCommand{ID: "id of " + ep, Endpoint: ep, Sector: "hall", Base: "coap://" + ep,
			Attributes: []string{"et=sensor"}, Links: "</temp>", Lifetime: 90})
	}
	r.one(fsm.LeaseCommand{Name: "address", Holder: "n1", Duration: 2 * second})
	return r
}

// storied is a site of the newest level that has dropped rows with a gap, let a
// server go without copies, erased a device and been restored.
func storied(tb testing.TB) *replicas {
	tb.Helper()
	r := raised(furnished(tb))
	r.one(fsm.SetRetentionCommand{Retention: fsm.Retention{Readings: fsm.Keep{Age: 30 * dayMicros}, Unshipped: true}})
	r.at(second)
	r.apply(fsm.CutCommand{})
	r.one(fsm.RetainCommand{Stream: fsm.Readings, From: 24, Reason: "the disks are full"}.InTerm(r.term))
	r.one(fsm.RetainCommand{Stream: fsm.Frames, From: 2, Reason: "of age"}.InTerm(r.term))
	r.one(fsm.LetGoCommand{Server: "n1-0123456789abcdef", Stream: fsm.Readings, Before: 30}.InTerm(r.term))
	r.one(fsm.EraseCommand{Device: "gate"})
	r.apply(frame("frame 3", r.h.LogTime, 3000))
	r.one(fsm.EraseCommand{Device: "cam-1"})
	r.post("pump-1", 3)
	reincarnate(r, 7)
	r.one(fsm.LeaseCommand{Name: "address", Holder: "n2", Duration: 2 * second})
	r.post("pump-1", 4)
	return r
}

// raised brings a site to the newest level.
func raised(r *replicas) *replicas {
	r.tb.Helper()
	if o := r.one(fsm.RaiseLevel{Level: fsm.NewestLevel}.InTerm(r.term)); o.Code != fsm.Stored {
		r.tb.Fatalf("the level was not raised: %v", o.Code.Err())
	}
	return r
}

func countTask(id, device string) fsm.CreateTaskCommand {
	return fsm.CreateTaskCommand{ID: id, Spec: fsm.TaskSpec{
		Kind: "count", Device: device, Resource: "temperature", Op: ">", Operand: 10, Every: minute,
		OutputDevice: "counts", OutputResource: id,
	}}
}

// view is all that a state answers, for comparison.
func view(s *fsm.State) map[string]any {
	v := map[string]any{"digest": s.DigestString(), "log time": s.LogTime(), "tasks": s.Tasks(), "gaps": s.Gaps(),
		"frames": s.OpenFrames(), "remembered": s.Remembered(), "incarnation": s.Incarnation(), "level": s.Level(),
		"devices": s.RegisteredDevices(), "registry": s.RegistryVersion(), "registrations": s.Registrations()}
	for _, d := range s.RegisteredDevices() {
		for _, kind := range []fsm.DocumentKind{fsm.Desired, fsm.Reported} {
			doc, ok := s.Document(d.Name, kind)
			v[fmt.Sprint(kind, " of ", d.Name)] = []any{doc, ok}
		}
		for _, k := range d.Keys {
			device, k, ok := s.Identity(k.Identity)
			v["identity "+k.Identity] = []any{device, k, ok}
		}
	}
	for _, r := range s.Registrations() {
		v["endpoint "+r.Endpoint], _ = s.RegistrationOf(r.Endpoint, r.Sector)
	}
	v["lease"], _ = s.Lease("address")
	v["retention"], _ = s.Retention()
	v["erasures"], v["erased"] = s.Erasures()
	v["copies"] = s.CopiesFrom("n1-0123456789abcdef", fsm.Readings)
	v["genesis"], _ = s.Genesis()
	for inc := range s.Incarnation() + 2 {
		v[fmt.Sprint("shared with ", inc)] = []any{s.SharedUpTo(inc, fsm.Readings), s.SharedUpTo(inc, fsm.Frames), s.SharedUpTo(inc, fsm.Gaps)}
	}
	v["received"], v["clock"] = s.Received()
	rows, names := s.Head()
	for i := range rows.Len() {
		v[fmt.Sprint("row ", i)] = rows.Reading(i, &names)
	}
	for id := range uint32(s.SeriesCount()) {
		name := s.SeriesName(id)
		v[fmt.Sprint("name ", id)] = name
		v["series of "+name.Device] = slices.Collect(s.SeriesOf(name.Device))
		v[fmt.Sprint("latest ", id)], _ = s.Latest(id)
		v[fmt.Sprint("latest frame ", id)], _ = s.LatestFrame(id)
	}
	for _, of := range []fsm.Stream{fsm.Readings, fsm.Frames, fsm.Gaps} {
		v[fmt.Sprint("stream ", of)] = []any{s.LastSeq(of), s.LastClosed(of), s.Cuts(of), s.Synced(of), s.SyncVersion(of), s.RetainedFrom(of)}
		if of != fsm.Gaps {
			v[fmt.Sprint("closed of ", of)] = s.ClosedAt(of)
		}
	}
	return v
}

func TestSnapshot_RestoresWhatItWasTakenOf(t *testing.T) {
	r := storied(t)
	want := view(r.a)
	restored := restore(t, snapshot(t, r.a))
	got := view(restored)
	for k, w := range want {
		if !equal(got[k], w) {
			t.Errorf("%s: got %v, want %v", k, got[k], w)
		}
	}
}

// TestSnapshot_IsWrittenWhileTheStateGoesOn is of most use under -race.
func TestSnapshot_IsWrittenWhileTheStateGoesOn(t *testing.T) {
	r := furnished(t)
	want := snapshot(t, r.a)
	const writers = 3
	got := make(chan []byte, writers)
	for range writers {
		s := r.a.Snapshot()
		go func() {
			var b bytes.Buffer
			_, _ = s.WriteTo(&b) // a Buffer takes all
			got <- b.Bytes()
		}()
	}
	for i := range 2000 {
		r.post(fmt.Sprint("pump-", i%300), float64(i))
		if i%100 == 0 {
			r.one(r.batch(item(fmt.Sprint("text", i), fsm.Record{Device: "gate", Resource: "note", Value: fsm.TextValue("x")})))
			r.one(frame(fmt.Sprint("later frame", i), r.h.LogTime, 100))
			r.one(fsm.RenewRunCommand{Task: "hot", Attempt: 1, Node: "n1", Lease: minute})
			r.one(fsm.PutDeviceCommand{Name: fmt.Sprint("device ", i), Create: true})
			r.one(fsm.AddKeyCommand{Device: "pump-8", Identity: fmt.Sprint("pump-8 ", i), Secret: []byte("secret"), Overlap: second})
			r.one(fsm.PutDocumentCommand{Device: "pump-7", Body: fmt.Append(nil, i)})
			r.one(fsm.RenewRegistrationCommand{ID: "id of node1"})
			r.one(fsm.LeaseCommand{Name: "address", Holder: "n1", Duration: 20 * second})
			r.at(10 * second)
		}
	}
	for range writers {
		if !bytes.Equal(<-got, want) {
			t.Error("a snapshot changed after it was taken")
		}
	}
}

// resting is a writer that rests, and counts how often.
type resting struct {
	bytes.Buffer
	rests int
}

func (r *resting) Rest() { r.rests++ }

func TestSnapshot_RestsWhileItSortsTheWindow(t *testing.T) {
	r := newReplicas(t)
	for i := range 6000 {
		r.one(r.batch(item(fmt.Sprint(i), number("d", 1))))
	}
	var w resting
	if _, err := r.a.Snapshot().WriteTo(&w); err != nil {
		t.Fatal(err)
	}
	// Once in 4,096 keys, of which each is visited three times.
	if w.rests < 4 {
		t.Errorf("%d rests, want 4 at least", w.rests)
	}
	if !bytes.Equal(w.Bytes(), snapshot(t, r.a)) {
		t.Error("the snapshot differs from that of a writer that does not rest")
	}
}

// equal is reflect.DeepEqual that takes nil and empty slices for the same.
func equal(a, b any) bool {
	return reflect.DeepEqual(a, b) || fmt.Sprint(a) == fmt.Sprint(b)
}
