package fsm_test

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"skerry/fsm"
)

// FuzzEntry applies what it is given to a site: no panic, an error or outcomes.
func FuzzEntry(f *testing.F) {
	for _, cmd := range goldenCommands() {
		op, body := fsm.Encode(cmd)
		f.Add(byte(op), body)
	}
	home := snapshot(f, furnished(f).a)
	f.Fuzz(func(t *testing.T, op byte, body []byte) {
		h := fsm.Header{Op: fsm.Op(op), LogTime: 8 * second, Received: noon}
		checked := fsm.Check(h.Op, body)
		entry := fsm.AppendEntry(nil, h, body)
		got, rest, err := fsm.DecodeHeader(entry)
		if err != nil || got != h || !bytes.HasSuffix(rest, body) {
			t.Fatalf("header %+v, err %v", got, err)
		}
		s := newReplicas(t)
		applied, err := s.a.Apply(2, 1, entry)
		if (err == nil) != (checked == nil) {
			t.Fatalf("check said %v, apply says %v", checked, err)
		}
		if err == nil && len(applied.Outcomes) != 1 {
			t.Fatalf("outcomes are %v", applied.Outcomes)
		}
		if err == nil {
			restore(t, snapshot(t, s.a))
		}
		furnished := restore(t, home) // where a name may be of something
		if _, err := furnished.Apply(1<<20, 1, entry); (err == nil) != (checked == nil) {
			t.Fatalf("check said %v, apply to a site with devices says %v", checked, err)
		}
		if err == nil {
			restore(t, snapshot(t, furnished))
		}
		_, _ = fsm.NewState().Apply(1, 1, body) // as a whole entry
	})
}

// FuzzBatch decodes sub-batches: what decodes has an encoding that says the same.
func FuzzBatch(f *testing.F) {
	for _, cmd := range goldenCommands() {
		_, body := fsm.Encode(cmd)
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, sub []byte) {
		b, err := fsm.DecodeBatch(sub)
		if err != nil {
			return
		}
		for i := range b.Items {
			for j := range b.Items[i].Records {
				if err := b.Items[i].Records[j].Validate(); err != nil {
					t.Fatalf("item %d record %d decodes but is not valid: %v", i, j, err)
				}
			}
		}
		again := fsm.EncodeBatch(nil, b)
		back, err := fsm.DecodeBatch(again)
		if len(again) > fsm.MaxBatchBytes {
			return // a dictionary in another order may take more bytes
		}
		if err != nil || !equal(back, b) {
			t.Fatalf("%+v came back as %+v, err %v", b, back, err)
		}
	})
}

// FuzzConditional decodes messages with a condition: what decodes has an
// encoding that says the same.
func FuzzConditional(f *testing.F) {
	for _, cmd := range goldenCommands() {
		_, body := fsm.Encode(cmd)
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := fsm.DecodeConditional(body)
		if err != nil {
			return
		}
		again := fsm.EncodeConditional(nil, c)
		back, err := fsm.DecodeConditional(again)
		if len(again) > fsm.MaxBatchBytes {
			return // a dictionary in another order may take more bytes
		}
		if err != nil || !equal(back, c) {
			t.Fatalf("%+v came back as %+v, err %v", c, back, err)
		}
	})
}

// FuzzSnapshot restores what it is given, with a checksum that fits: no panic,
// and what restores has a snapshot that restores to the same.
func FuzzSnapshot(f *testing.F) {
	for _, s := range []*fsm.State{fsm.NewState(), newReplicas(f).a, full(f).a, furnished(f).a} {
		b := snapshot(f, s)
		f.Add(b[:len(b)-sha256.Size])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = fsm.Restore(bytes.NewReader(b))
		sum := sha256.Sum256(b)
		s, err := fsm.Restore(bytes.NewReader(append(b[:len(b):len(b)], sum[:]...)))
		if err != nil {
			return
		}
		again := restore(t, snapshot(t, s))
		if !equal(view(again), view(s)) {
			t.Fatalf("%v came back as %v", view(s), view(again))
		}
		r := &replicas{tb: t, a: s, b: again, index: 1 << 40, h: fsm.Header{LogTime: s.LogTime(), Received: noon}}
		if _, ok := s.Genesis(); ok {
			r.post("d", 1)
		}
	})
}
