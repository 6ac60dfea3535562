package fsm_test

import (
	"fmt"
	"testing"

	"skerry/fsm"
)

func TestLease_Lives(t *testing.T) {
	take := func(holder string, micros int64) fsm.Command {
		return fsm.LeaseCommand{Name: "address", Holder: holder, Duration: micros}
	}
	held := fsm.Outcome{Code: fsm.Held}
	r := newReplicas(t)
	r.live([]step{
		{"a lease that nobody has is given back already", 0, take("n1", 0), known},
		{"a lease is taken", 0, take("n1", 2*second), stored},
		{"nobody else gets it", 0, take("n2", 2*second), held},
		{"nor gives it back", 0, take("n2", 0), held},
		{"its holder renews it", second, take("n1", 2*second), stored},
		{"nobody else gets it while it runs", 2*second - 1, take("n2", 2*second), held},
		{"another gets it when it is over", 1, take("n2", 2*second), stored},
		{"the holder before does not", 0, take("n1", 2*second), held},
		{"its holder gives it back", 0, take("n2", 0), stored},
		{"the other gets it at once", 0, take("n1", second), stored},
		{"one that is over is given back already", second, take("n1", 0), known},
	})
	r.one(take("n1", second))
	if got, ok := r.a.Lease("address"); !ok || got.Holder != "n1" || got.Until != r.h.LogTime+second {
		t.Errorf("the lease is %+v, %t", got, ok)
	}
	r.at(second)
	r.post("d", 1)
	if got, ok := r.a.Lease("address"); ok {
		t.Errorf("a lease that is over is %+v", got)
	}
}

func TestLease_BoundMakesRoomForThoseThatAreOver(t *testing.T) {
	r := newReplicas(t)
	for i := range fsm.MaxLeases {
		r.one(fsm.LeaseCommand{Name: fmt.Sprint(i), Holder: "n1", Duration: int64(1+i) * second})
	}
	more := fsm.LeaseCommand{Name: "one more", Holder: "n1", Duration: second}
	if got := r.one(more); got != noRoom {
		t.Errorf("one more got %+v, want %+v", got, noRoom)
	}
	r.at(second)
	if got := r.one(more); got != stored {
		t.Errorf("one more, when one is over, got %+v", got)
	}
}
