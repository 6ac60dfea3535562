package coap_test

import (
	"bytes"
	"testing"

	"skerry/coap/message"
)

// TestALateCopyOfABlockIsNoPartOfTheNextBody has the network bring copies of the
// blocks of one body while the next one is on its way, from a client that tells
// its bodies apart by nothing but message ids.
func TestALateCopyOfABlockIsNoPartOfTheNextBody(t *testing.T) {
	former, next := bytes.Repeat([]byte("a"), 2_500), bytes.Repeat([]byte("b"), 2_500)
	for _, c := range []struct {
		name  string
		copy  int // the block of the former body that comes again
		after int // the block of the next body that has come last
	}{
		{"its first block", 0, 1},
		{"its first block when one has come", 0, 0},
		{"a block before the last one", 1, 1},
		{"a block that is next here", 1, 0},
		{"its last block", 2, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStore(t)
			peer := dialRaw(t, s.serve(t).Addr().String())
			first, second := octets(), octets()
			second.id = 0x200
			peer.ask(first.part(t, former, 0, 6)).want(t, message.Continue)
			peer.ask(first.part(t, former, 1, 6)).want(t, message.Continue)
			peer.ask(first.part(t, former, 2, 6)).want(t, message.Changed)
			for num := range 3 {
				want := message.Continue
				if num == 2 {
					want = message.Changed
				}
				peer.ask(second.part(t, next, num, 6)).want(t, want)
				if num == c.after {
					peer.ask(first.part(t, former, c.copy, 6))
				}
			}
			got := s.readings()
			if len(got) != 2 || !bytes.Equal(got[0].Value.Data, former) || !bytes.Equal(got[1].Value.Data, next) {
				t.Errorf("%d readings are stored, want the two bodies as they were sent", len(got))
				for _, r := range got {
					t.Logf("%d bytes, %d of them of the former body", len(r.Value.Data), bytes.Count(r.Value.Data, []byte("a")))
				}
			}
		})
	}
}
