package fsm_test

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"skerry/fsm"
)

// only is one number of device d under a condition on its series.
func (r *replicas) only(name string, value float64, c fsm.Condition) *fsm.ConditionalBatch {
	c.Device, c.Resource = "d", "temperature"
	return &fsm.ConditionalBatch{If: c, Batch: *r.batch(item(name, number("d", value)))}
}

func TestConditional_StoresWhenItsConditionIsMet(t *testing.T) {
	unmet := fsm.Outcome{Code: fsm.Precondition}
	seq := func(n fsm.Seq) fsm.Outcome { return fsm.Outcome{Code: fsm.Stored, First: n} }
	match := func(seqs ...fsm.Seq) fsm.Condition { return fsm.Condition{Seqs: seqs} }
	exists, missing := fsm.Condition{Exists: true}, fsm.Condition{Missing: true}
	r := newReplicas(t)
	r.one(frame("picture", r.h.LogTime, 10))
	r.live([]step{
		{"a series that is not there has no reading", 0, r.only("a", 1, exists), unmet},
		{"nor a latest one", 0, r.only("a", 1, match(0, 1)), unmet},
		{"what was refused is not remembered", 0, r.only("a", 1, missing), seq(1)},
		{"its copy gets the first answer", 0, r.only("a", 1, missing), fsm.Outcome{Code: fsm.Stored, First: 1, Known: true}},
		{"as it does without the condition", 0, r.batch(item("a", number("d", 1))), fsm.Outcome{Code: fsm.Stored, First: 1, Known: true}},
		{"another is refused where there must be none", 0, r.only("b", 2, missing), unmet},
		{"and stored where there must be one", 0, r.only("b", 2, exists), seq(2)},
		{"the latest is not the first any more", 0, r.only("c", 3, match(1)), unmet},
		{"one of several is enough", 0, r.only("c", 3, match(1, 2)), seq(3)},
		{"no condition is always met", 0, r.only("d", 4, fsm.Condition{}), seq(4)},
		{"a copy that is too old is expired whatever the series holds", fsm.BornWithin + 1, r.only("e", 5, missing), fsm.Outcome{Code: fsm.Expired}},
	})
	if got := r.a.LastSeq(fsm.Readings); got != 4 {
		t.Errorf("last seq is %d, want 4", got)
	}
}

func TestConditional_AFrameIsNoReading(t *testing.T) {
	r := newReplicas(t)
	r.one(frame("f", r.h.LogTime, 10))
	c := &fsm.ConditionalBatch{
		If:    fsm.Condition{Device: "cam-1", Resource: "motion", Exists: true},
		Batch: *r.batch(item("a", number("d", 1))),
	}
	if got := r.one(c); got.Code != fsm.Precondition {
		t.Errorf("got %+v, want code %d", got, fsm.Precondition)
	}
}

func TestConditional_IsStampedAsABatchIs(t *testing.T) {
	r := newReplicas(t)
	op, body := fsm.Encode(r.only("a", 1, fsm.Condition{Missing: true}))
	fsm.SetBorn(body, r.h.LogTime-1)
	fsm.SetWaited(body, 2*second)
	back, err := fsm.DecodeConditional(body)
	if err != nil || op != fsm.OpConditional || back.Batch.Born != r.h.LogTime-1 || back.Batch.Waited != 2*second || !back.If.Missing {
		t.Errorf("op %d came back as %+v, err %v", op, back, err)
	}
}

func TestCheck_RefusesConditionsThatAreNone(t *testing.T) {
	r := newReplicas(t)
	encoded := func(edit func(c *fsm.ConditionalBatch)) []byte {
		c := r.only("a", 1, fsm.Condition{Seqs: []fsm.Seq{1}})
		edit(c)
		return fsm.EncodeConditional(nil, c)
	}
	good := encoded(func(*fsm.ConditionalBatch) {})
	long := append([]byte(nil), good...)
	binary.LittleEndian.PutUint16(long[len(long)-2:], 60_000)
	tests := []struct {
		name string
		body []byte
		want string
	}{
		{"no device", encoded(func(c *fsm.ConditionalBatch) { c.If.Device = "" }), "device name is empty"},
		{"no resource", encoded(func(c *fsm.ConditionalBatch) { c.If.Resource = "" }), "resource name is empty"},
		{"a long device", encoded(func(c *fsm.ConditionalBatch) { c.If.Device = strings.Repeat("d", 129) }), "damaged"},
		{"more seqs than one takes", encoded(func(c *fsm.ConditionalBatch) { c.If.Seqs = make([]fsm.Seq, fsm.MaxIfMatch+1) }), "damaged"},
		{"both of one kind", encoded(func(c *fsm.ConditionalBatch) { c.If.Exists = true }), "contradict"},
		{"there and not there", encoded(func(c *fsm.ConditionalBatch) {
			c.If = fsm.Condition{Device: "d", Resource: "r", Exists: true, Missing: true}
		}), "contradict"},
		{"two messages", encoded(func(c *fsm.ConditionalBatch) { c.Batch.Items = append(c.Batch.Items, item("b", number("d", 2))) }), "2 items"},
		{"no message", encoded(func(c *fsm.ConditionalBatch) { c.Batch.Items = nil }), "0 items"},
		{"a record that is wrong", encoded(func(c *fsm.ConditionalBatch) { c.Batch.Items[0].Records[0].Device = "" }), "device name is empty"},
		{"a length beyond the body", long, "damaged"},
		{"a byte", []byte{1}, "damaged"},
		{"nothing", nil, "damaged"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := fsm.Check(fsm.OpConditional, tt.body); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
	for n := range good {
		if err := fsm.Check(fsm.OpConditional, good[:n]); !errors.Is(err, fsm.ErrCorrupt) {
			t.Errorf("cut to %d of %d bytes: got %v, want %v", n, len(good), err, fsm.ErrCorrupt)
		}
	}
}
