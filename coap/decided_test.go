package coap_test

import (
	"testing"
	"time"

	"skerry/coap"
)

func TestAFateIsSureForAWhileAndThenDoubted(t *testing.T) {
	start := time.Now()
	var d coap.Decided
	d.Put(1, coap.WasStored, start)
	d.Put(2, coap.WasUnknown, start)
	for _, c := range []struct {
		after           time.Duration
		stored, unknown coap.Fate
	}{
		{0, coap.WasStored, coap.WasUnknown},
		{109 * time.Second, coap.WasStored, coap.WasUnknown},
		// The site may have forgotten the key by now, or not.
		{121 * time.Second, coap.WasUnknown, coap.WasUnknown},
		{248 * time.Second, coap.WasUnknown, coap.WasUnknown},
		// No window holds it, and no copy can appear any more.
		{251 * time.Second, coap.WasRefused, coap.WasRefused},
	} {
		now := start.Add(c.after)
		if got := d.Get(1, now); got != c.stored {
			t.Errorf("what was stored is %d after %v, want %d", got, c.after, c.stored)
		}
		if got := d.Get(2, now); got != c.unknown {
			t.Errorf("what was unknown is %d after %v, want %d", got, c.after, c.unknown)
		}
	}
	if got := d.Get(3, start); got != coap.WasRefused {
		t.Errorf("what never came is %d", got)
	}
}

func TestTheFatesRememberedAreBounded(t *testing.T) {
	now := time.Now()
	var d coap.Decided
	d.PutMany(3*coap.MaxDecided, now)
	if n := d.Len(); n > coap.MaxDecided {
		t.Errorf("%d remembered, want %d at most", n, coap.MaxDecided)
	}
	d.Put(2, coap.WasStored, now)
	if got := d.Get(2, now); got != coap.WasStored {
		t.Errorf("the last one is %d, want stored", got)
	}
}

// A busy gateway stores more in a few seconds than it remembers. A message in
// doubt is asked about for minutes.
func TestTheManyStoredDoNotPushOutTheDoubted(t *testing.T) {
	now := time.Now()
	var d coap.Decided
	d.Put(2, coap.WasUnknown, now)
	d.PutMany(3*coap.MaxDecided, now)
	if got := d.Get(2, now); got != coap.WasUnknown {
		t.Errorf("what was unknown is %d, want %d", got, coap.WasUnknown)
	}
}
