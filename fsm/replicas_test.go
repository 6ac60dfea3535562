package fsm_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"testing"

	"skerry/fsm"
)

// second and minute are microseconds of log time; noon is a wall clock at
// midday, so that an hour either way stays within its UTC date.
const (
	second = 1_000_000
	minute = 60 * second
	noon   = 1_790_000_000*second/dayMicros*dayMicros + dayMicros/2

	dayMicros = 24 * 60 * minute
)

// replicas are two states that are given the same entries and must agree after
// each: so every case of every table is a test of determinism too.
type replicas struct {
	tb    testing.TB
	a, b  *fsm.State
	index uint64
	term  uint64
	h     fsm.Header
}

// newReplicas begins a site with the settings of testGenesis, changed by edit.
func newReplicas(tb testing.TB, edit ...func(*fsm.Genesis)) *replicas {
	tb.Helper()
	r := &replicas{tb: tb, a: fsm.NewState(), b: fsm.NewState(), term: 1}
	r.h = fsm.Header{LogTime: second, Received: noon}
	g := testGenesis()
	for _, f := range edit {
		f(&g)
	}
	r.apply(g)
	return r
}

func testGenesis() fsm.Genesis {
	return fsm.Genesis{
		Site: "demo", Lineage: [16]byte{1, 2, 3}, Secret: [16]byte{4, 5, 6},
		CutRows: 1000, CutBytes: 1 << 20, WindowBytes: 1 << 20,
	}
}

// at moves log time and wall clock by the same microseconds.
func (r *replicas) at(after int64) {
	r.h.LogTime += fsm.LogTime(after)
	r.h.Received += after
}

// apply applies one command to both replicas, checks it as a leader does and
// compares digests. It returns what the first replica did.
func (r *replicas) apply(cmd fsm.Command) fsm.Applied {
	r.tb.Helper()
	op, body := fsm.Encode(cmd)
	if err := fsm.Check(op, body); err != nil {
		r.tb.Fatalf("check of %T: %v", cmd, err)
	}
	h := r.h
	h.Op = op
	return r.entry(fsm.AppendEntry(nil, h, body))
}

func (r *replicas) entry(entry []byte) fsm.Applied {
	r.tb.Helper()
	r.index++
	got, err := r.a.Apply(r.index, r.term, entry)
	if err != nil {
		r.tb.Fatal(err)
	}
	if _, err := r.b.Apply(r.index, r.term, bytes.Clone(entry)); err != nil {
		r.tb.Fatal(err)
	}
	r.same()
	return got
}

func (r *replicas) same() {
	r.tb.Helper()
	if a, b := r.a.DigestString(), r.b.DigestString(); a != b {
		r.tb.Fatalf("replicas differ: %s and %s", a, b)
	}
}

// one is apply for commands with one outcome.
func (r *replicas) one(cmd fsm.Command) fsm.Outcome {
	r.tb.Helper()
	a := r.apply(cmd)
	if len(a.Outcomes) != 1 || len(a.Outcomes[0]) != 1 {
		r.tb.Fatalf("%T has outcomes %v, want one", cmd, a.Outcomes)
	}
	return a.Outcomes[0][0]
}

// post stores one number under a key of its own, born now.
func (r *replicas) post(device string, value float64) fsm.Outcome {
	r.tb.Helper()
	return r.one(r.batch(item(fmt.Sprint(device, " ", r.index), number(device, value))))
}

// batch is a batch born at the present log time.
func (r *replicas) batch(items ...fsm.Item) *fsm.Batch {
	return &fsm.Batch{Born: r.h.LogTime, Items: items}
}

// item is an item whose key is a hash of name.
func item(name string, records ...fsm.Record) fsm.Item {
	return fsm.Item{Key: key(name), Records: records}
}

func key(name string) fsm.Key {
	sum := sha256.Sum256([]byte(name))
	return fsm.Key(sum[:16])
}

func number(device string, value float64) fsm.Record {
	return fsm.Record{Device: device, Resource: "temperature", Unit: "Cel", Relative: true, Value: fsm.NumberValue(value)}
}

func frame(name string, born fsm.LogTime, size int) *fsm.FrameCommand {
	jpeg := binary.LittleEndian.AppendUint64([]byte{0xff, 0xd8}, uint64(size))
	jpeg = append(jpeg, make([]byte, size)...)[:size]
	return &fsm.FrameCommand{
		Born: born, Key: key(name), Device: "cam-1", Resource: "motion", Relative: true,
		Width: 640, Height: 480, JPEG: jpeg,
	}
}

// reopen replaces the second replica by what its snapshot restores to.
func (r *replicas) reopen() {
	r.tb.Helper()
	r.b = restore(r.tb, snapshot(r.tb, r.b))
	r.same()
}

func snapshot(tb testing.TB, s *fsm.State) []byte {
	tb.Helper()
	var b bytes.Buffer
	n, err := s.Snapshot().WriteTo(&b)
	if err != nil || n != int64(b.Len()) {
		tb.Fatalf("snapshot: %d bytes written, %d reported, err %v", b.Len(), n, err)
	}
	return b.Bytes()
}

func restore(tb testing.TB, b []byte) *fsm.State {
	tb.Helper()
	s, err := fsm.Restore(bytes.NewReader(b))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}
