package slots_test

import (
	"errors"
	"syscall"
	"testing"

	"skerry/cluster/logstore/slots"
	"skerry/internal/faultlab/flash"
)

const distance = 4096

var lost = flash.Tear{Lost: 1, Block: 512}

// failedSync leaves a disk whose newest value was written by a sync that failed:
// it is read back, and not durable.
func failedSync(tb testing.TB) *flash.Disk {
	tb.Helper()
	d := flash.New(1)
	f, err := slots.Create(d, "value", distance, []byte("one"))
	if err == nil {
		err = f.Set([]byte("two"))
	}
	if err != nil {
		tb.Fatal(err)
	}
	d.Fail(flash.Sync, 1, "")
	if err := f.Set([]byte("three")); !errors.Is(err, syscall.EIO) {
		tb.Fatalf("set: %v, want EIO", err)
	}
	d.Kill()
	return d
}

func open(tb testing.TB, d *flash.Disk, want string) *slots.File {
	tb.Helper()
	f, err := slots.Open(d, "value", distance)
	if err != nil {
		tb.Fatal(err)
	}
	if got := string(f.Value()); got != want {
		tb.Fatalf("the value is %q, want %q", got, want)
	}
	return f
}

func TestWhatWasReadAfterAFailedSyncIsThereAfterAPowerCut(t *testing.T) {
	d := failedSync(t)
	open(t, d, "three") // and somebody acts on it
	d.Cut(lost)
	open(t, d, "three")
}

func TestAValueSetAfterAFailedSyncIsFoundAfterAPowerCut(t *testing.T) {
	d := failedSync(t)
	if err := open(t, d, "three").Set([]byte("four")); err != nil {
		t.Fatal(err)
	}
	d.Cut(lost)
	open(t, d, "four")
}

// The power may be cut at any step of Open: what was acknowledged stays.
func TestOpeningUnderAPowerCutKeepsTheValue(t *testing.T) {
	for step := 1; step < 12; step++ {
		for seed := range uint64(20) {
			d := flash.New(seed)
			f, err := slots.Create(d, "value", distance, []byte("one"))
			if err == nil {
				err = f.Set([]byte("two"))
			}
			if err != nil {
				t.Fatal(err)
			}
			d.Kill()
			if seed%2 == 0 {
				d.Rot("value") // one copy, or a place that holds nothing
			}
			d.Trip(step, func() {})
			_, _ = slots.Open(d, "value", distance) // the power fails in it
			d.Cut(flash.Tear{Lost: 0.5, Block: 512})
			open(t, d, "two")
		}
	}
}
