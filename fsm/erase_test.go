package fsm_test

import (
	"testing"

	"skerry/fsm"
)

func TestErase_ForgetsADeviceUpToNow(t *testing.T) {
	r := raised(newReplicas(t))
	r.post("pump-1", 1)
	r.post("pump-2", 2)
	r.apply(frame("f", r.h.LogTime, 10))
	cam := "cam-1"
	o := r.one(fsm.EraseCommand{Device: "pump-1"})
	if o.Code != fsm.Stored {
		t.Fatal(o.Code.Err())
	}
	r.one(fsm.EraseCommand{Device: cam})
	r.reopen()
	for _, device := range []string{"pump-1", cam} {
		for id := range r.a.SeriesOf(device) {
			if x, ok := r.a.Latest(id); ok {
				t.Errorf("%s still has %+v", device, x)
			}
			if f, ok := r.a.LatestFrame(id); ok {
				t.Errorf("%s still has %+v", device, f)
			}
		}
	}
	r.post("pump-1", 3)
	id, _ := r.a.Series("pump-1", "temperature")
	if x, ok := r.a.Latest(id); !ok || x.Value.Number != 3 {
		t.Errorf("what came later is %+v, want 3", x)
	}
	e, version := r.a.Erasures()
	if !e.Erased(fsm.Readings, "pump-1", 1) || e.Erased(fsm.Readings, "pump-1", 3) || e.Erased(fsm.Readings, "pump-2", 2) || version != 2 {
		t.Errorf("erasures %+v of version %d", e, version)
	}
	if r.a.LastClosed(fsm.Readings) != 2 {
		t.Errorf("closed up to %d, want 2: what is erased rests in files alone", r.a.LastClosed(fsm.Readings))
	}
	for device, want := range map[string]fsm.Outcome{
		"pump-9": {Code: fsm.NotFound}, cam: {Code: fsm.Stored, Known: true},
	} {
		if got := r.one(fsm.EraseCommand{Device: device}); got != want {
			t.Errorf("%s: %+v, want %+v", device, got, want)
		}
	}
	r.reopen()
}

func TestErase_IsForgottenWithTheRows(t *testing.T) {
	r := stack(t)
	r.one(fsm.EraseCommand{Device: "d"})
	r.post("d", 7)
	r.apply(fsm.CutCommand{})
	r.one(fsm.RetainCommand{Stream: fsm.Readings, From: 36, Reason: "of age"}.InTerm(r.term))
	if e, _ := r.a.Erasures(); len(e) != 1 {
		t.Errorf("%d erasures while frames are kept, want 1", len(e))
	}
	r.one(fsm.RetainCommand{Stream: fsm.Frames, From: 5, Reason: "of age"}.InTerm(r.term))
	if e, _ := r.a.Erasures(); len(e) != 0 {
		t.Errorf("%d erasures, want none", len(e))
	}
	r.reopen()
}

func TestEraseRows_KeepTheirDigestAndNothingElse(t *testing.T) {
	r := raised(newReplicas(t))
	text := fsm.Record{Device: "secret", Resource: "note", Unit: "Cel", Time: noon - 9, Value: fsm.TextValue("who and what")}
	r.apply(r.batch(item("1", text, number("other", 2))))
	r.at(second)
	r.apply(r.batch(item("2", text, number("secret", 4))))
	rows, names := r.a.Head()
	want := fsm.RowDigest{}
	for i := range rows.Len() {
		x := rows.Reading(i, &names)
		want.Add(fsm.HashReading(&x))
	}
	r.one(fsm.EraseCommand{Device: "secret"})
	e, _ := r.a.Erasures()
	got, all := e.EraseRows(&rows, &names)
	sum := fsm.RowDigest{}
	for i := range got.Len() {
		x, was := got.Reading(i, all), rows.Reading(i, &names)
		sum.Add(fsm.HashReading(&x))
		gone := was.Device == "secret"
		if fsm.IsErased(x.Device) != gone || !gone && !equal(x, was) {
			t.Errorf("row %d is %+v, was %+v", i, x, was)
		}
		if gone && (x.Resource != "" || x.Unit != "" || x.Time != was.Received || x.Received != was.Received || x.Seq != was.Seq) {
			t.Errorf("row %d says too much or lost its place: %+v", i, x)
		}
	}
	if sum != want {
		t.Errorf("digest %x, want %x", sum, want)
	}
	if same, _ := e.Within(fsm.Readings, 5, 0).EraseRows(&rows, &names); same != &rows {
		t.Error("rows without erased ones were copied")
	}
	f := fsm.Frame{Seq: 3, Device: "cam", Resource: "motion", Time: 4, Received: 5, Width: 6, Height: 7, Size: 8, SHA256: [32]byte{9}}
	gone := f
	fsm.EraseFrame(&gone)
	if fsm.HashFrame(&gone) != fsm.HashFrame(&f) || gone.Device != "" || gone.Size != 0 || gone.Time != 5 {
		t.Errorf("erased frame %+v", gone)
	}
}
