package block_test

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"skerry/coap/block"
)

// noon is when all tests begin.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// largest is the body that the tests take.
const largest = 1 << 20

// data is n bytes that do not repeat.
func data(n int, seed uint64) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), 1}).Read(b)
	return b
}

func id(n int) block.ID     { return block.ID{1, byte(n), byte(n >> 8), byte(n >> 16)} }
func peer(n int) block.Peer { return block.Peer{2, byte(n), byte(n >> 8), byte(n >> 16)} }

// piece is one block of a body.
func piece(body []byte, num, szx int) block.Block {
	o := block.Option{Num: uint32(num), SZX: uint8(szx)}
	part, o, err := block.Slice(body, o)
	if err != nil {
		panic(err)
	}
	return block.Block{ID: id(0), Peer: peer(0), Option: o, Payload: part, Limit: largest}
}

// add adds a block and checks what becomes of it.
func add(tb testing.TB, u *block.Uploads, at time.Duration, b block.Block, want block.Kind) block.Result {
	tb.Helper()
	r := u.Add(noon.Add(at), b)
	if r.Kind != want {
		tb.Fatalf("block %+v became %d, want %d", b.Option, r.Kind, want)
	}
	if r.Option != b.Option && want != block.Bad {
		tb.Errorf("block %+v is answered with %+v", b.Option, r.Option)
	}
	return r
}

// whole checks a body.
func whole(tb testing.TB, got, want []byte) {
	tb.Helper()
	if !bytes.Equal(got, want) {
		tb.Errorf("got %d bytes, want these %d", len(got), len(want))
	}
}

// empty checks that nothing is kept.
func empty(tb testing.TB, u *block.Uploads) {
	tb.Helper()
	if n, held := u.Load(); n != 0 || held != 0 {
		tb.Errorf("%d transfers are kept with %d bytes, want none", n, held)
	}
}

func TestUploads_put_bodies_together(t *testing.T) {
	for _, c := range []struct {
		name string
		size int
		szx  int
	}{
		{"200 kB in blocks of 16 bytes", 200_000, 0},
		{"200 kB in blocks of 64 bytes", 200_000, 2},
		{"a frame of 1 MiB in blocks of 1,024 bytes", 1 << 20, 6},
		{"5,000 bytes in blocks of 512 bytes", 5_000, 5},
		{"a body that ends with a whole block", 4_096, 6},
		{"one byte more than a block", 1_025, 6},
		{"a body of one block", 100, 6},
		{"an empty body", 0, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := block.NewUploads(block.DefaultUploadLimits())
			body := data(c.size, 1)
			for num := 0; ; num++ {
				b := piece(body, num, c.szx)
				if b.Option.More {
					add(t, u, 0, b, block.Continue)
					continue
				}
				whole(t, add(t, u, 0, b, block.Whole).Body, body)
				break
			}
			empty(t, u)
		})
	}
}

// step is one block of a scene with one client.
type step struct {
	body int // which of the scene's bodies
	num  int
	szx  int
	want block.Kind
}

func TestUploads_in_order(t *testing.T) {
	const (
		next  = block.Continue
		done  = block.Whole
		hole  = block.Incomplete
		again = block.Again
	)
	first := data(200, 1)
	second := append(bytes.Clone(first[:70]), data(130, 2)...) // differs from byte 70 on
	bodies := [][]byte{first, second, first[:60]}
	for _, c := range []struct {
		name  string
		steps []step
	}{
		{"smaller blocks from the second one on",
			[]step{{0, 0, 2, next}, {0, 4, 0, next}, {0, 5, 0, next}, {0, 3, 1, next}, {0, 8, 0, next}, {0, 9, 0, next}, {0, 5, 1, next}, {0, 6, 1, done}}},
		{"larger blocks where they begin at a multiple of their size",
			[]step{{0, 0, 0, next}, {0, 1, 0, next}, {0, 1, 1, next}, {0, 1, 2, next}, {0, 1, 3, done}}},
		{"a block that came is answered as before",
			[]step{{0, 0, 2, next}, {0, 0, 2, next}, {0, 1, 2, next}, {0, 1, 2, next}, {0, 2, 2, next}, {0, 3, 2, done}}},
		{"a late copy of the first block does no harm",
			[]step{{0, 0, 2, next}, {0, 1, 2, next}, {0, 2, 2, next}, {0, 0, 2, next}, {0, 3, 2, done}}},
		{"a block that is missing is asked for, and what came is kept",
			[]step{{0, 0, 2, next}, {0, 2, 2, hole}, {0, 3, 2, hole}, {0, 1, 2, next}, {0, 2, 2, next}, {0, 3, 2, done}}},
		{"the last block of what was never begun",
			[]step{{0, 3, 2, hole}, {0, 2, 2, hole}}},
		{"the same body from the beginning",
			[]step{{0, 0, 2, next}, {0, 1, 2, next}, {0, 2, 2, next}, {0, 0, 2, next}, {0, 1, 2, next}, {0, 2, 2, next}, {0, 3, 2, done}}},
		{"another body that begins in the same way",
			[]step{{0, 0, 2, next}, {0, 1, 2, next}, {0, 2, 2, next}, {1, 0, 2, next}, {1, 1, 2, next}, {1, 2, 2, next}, {1, 3, 2, done}}},
		{"another body in larger blocks",
			[]step{{0, 0, 0, next}, {0, 1, 0, next}, {1, 0, 3, next}, {1, 1, 3, done}}},
		{"a body of one block in the midst of another",
			[]step{{0, 0, 2, next}, {0, 1, 2, next}, {2, 0, 2, done}, {0, 2, 2, hole}}},
		{"the last block once more",
			[]step{{0, 0, 2, next}, {0, 1, 2, next}, {0, 2, 2, next}, {0, 3, 2, done}, {0, 3, 2, again}, {0, 3, 2, again}}},
		{"the last block once more while the next body comes",
			[]step{{0, 0, 3, next}, {0, 1, 3, done}, {1, 0, 2, next}, {0, 1, 3, again}, {1, 1, 2, next}, {1, 2, 2, next}, {1, 3, 2, done}, {0, 1, 3, hole}}},
		{"the same body a second time",
			[]step{{0, 0, 3, next}, {0, 1, 3, done}, {0, 0, 3, next}, {0, 1, 3, done}, {0, 1, 3, again}}},
		{"another last block is not the one that came",
			[]step{{0, 0, 3, next}, {0, 1, 3, done}, {1, 1, 3, hole}, {0, 6, 1, hole}}},
		{"a block before the last once more",
			[]step{{0, 0, 2, next}, {0, 1, 2, next}, {0, 2, 2, next}, {0, 3, 2, done}, {0, 2, 2, hole}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := block.NewUploads(block.DefaultUploadLimits())
			for i, s := range c.steps {
				b := piece(bodies[s.body], s.num, s.szx)
				r := add(t, u, time.Duration(i)*time.Second, b, s.want)
				switch s.want {
				case done:
					whole(t, r.Body, bodies[s.body])
					u.Finish(b.ID, block.Note{byte(s.body), 7})
				case again:
					if want := (block.Note{byte(s.body), 7}); r.Note != want {
						t.Errorf("note %x, want %x", r.Note, want)
					}
				}
			}
		})
	}
}

func TestUploads_take_several_blocks_at_once_over_a_stream(t *testing.T) {
	u := block.NewUploads(block.DefaultUploadLimits())
	body := data(150_000, 1)
	at := func(num, end int, more bool) block.Block {
		o := block.Option{Num: uint32(num), More: more, SZX: 6, BERT: true}
		return block.Block{ID: id(0), Peer: peer(0), Option: o, Payload: body[num*1024 : end], Limit: largest}
	}
	add(t, u, 0, at(0, 3*1024, true), block.Continue)
	add(t, u, 0, at(3, 3*1024+100, true), block.Bad)
	add(t, u, 0, at(3, 3*1024, true), block.Bad)
	add(t, u, 0, at(3, 60*1024, true), block.Continue)
	add(t, u, 0, at(3, 60*1024, true), block.Continue)
	add(t, u, 0, piece(body, 60, 6), block.Continue) // they may be mixed
	add(t, u, 0, at(62, 70*1024, true), block.Incomplete)
	whole(t, add(t, u, 0, at(61, 150_000, false), block.Whole).Body, body)
}

func TestUploads_tell_two_transfers_of_one_peer_apart(t *testing.T) {
	u := block.NewUploads(block.DefaultUploadLimits())
	bodies := [][]byte{data(3_000, 1), data(3_000, 2)}
	for num := range 3 {
		for i, body := range bodies {
			b := piece(body, num, 6)
			b.ID = id(i)
			want := block.Continue
			if num == 2 {
				want = block.Whole
			}
			if r := add(t, u, 0, b, want); want == block.Whole {
				whole(t, r.Body, body)
			}
		}
	}
	empty(t, u)
}

func TestUploads_refuse_payloads_of_another_length_than_the_option_says(t *testing.T) {
	u := block.NewUploads(block.DefaultUploadLimits())
	for _, c := range []struct {
		name string
		o    block.Option
		size int
	}{
		{"too short for a block that is not the last", block.Option{More: true, SZX: 2}, 63},
		{"empty in a block that is not the last", block.Option{More: true}, 0},
		{"too long", block.Option{More: true, SZX: 2}, 65},
		{"too long for the last block", block.Option{SZX: 2}, 65},
		{"of a reserved size", block.Option{SZX: 7}, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			add(t, u, 0, block.Block{Option: c.o, Payload: data(c.size, 1), Limit: largest}, block.Bad)
		})
	}
	empty(t, u)
}

func TestUploads_refuse_bodies_that_are_too_large(t *testing.T) {
	body := data(3_000, 1)
	t.Run("as soon as the client says so", func(t *testing.T) {
		u := block.NewUploads(block.DefaultUploadLimits())
		b := piece(body, 0, 6)
		b.Limit, b.Size1 = 2_999, 3_000
		add(t, u, 0, b, block.TooLarge)
		b.Size1 = 1<<32 - 1
		add(t, u, 0, b, block.TooLarge)
		empty(t, u)
	})
	t.Run("with the block that goes beyond the limit", func(t *testing.T) {
		u := block.NewUploads(block.DefaultUploadLimits())
		for num, want := range []block.Kind{block.Continue, block.Continue, block.TooLarge} {
			b := piece(body, num, 6)
			b.Limit = 2_999
			add(t, u, 0, b, want)
		}
		empty(t, u)
	})
	t.Run("but not those of just the limit", func(t *testing.T) {
		u := block.NewUploads(block.DefaultUploadLimits())
		for num, want := range []block.Kind{block.Continue, block.Continue, block.Whole} {
			b := piece(body, num, 6)
			b.Limit, b.Size1 = 3_000, 3_000
			add(t, u, 0, b, want)
		}
	})
}

func TestUploads_forget(t *testing.T) {
	body := data(200, 1)
	t.Run("a transfer that is idle for the lifetime of an exchange", func(t *testing.T) {
		u := block.NewUploads(block.DefaultUploadLimits())
		add(t, u, 0, piece(body, 0, 2), block.Continue)
		add(t, u, 246*time.Second, piece(body, 1, 2), block.Continue)
		add(t, u, 492*time.Second, piece(body, 2, 2), block.Continue)
		add(t, u, 740*time.Second, piece(body, 3, 2), block.Incomplete)
		empty(t, u)
	})
	t.Run("by themselves when told the time", func(t *testing.T) {
		u := block.NewUploads(block.DefaultUploadLimits())
		add(t, u, 0, piece(body, 0, 2), block.Continue)
		u.Expire(noon.Add(247 * time.Second))
		empty(t, u)
	})
	t.Run("the last block after 250 s", func(t *testing.T) {
		u := block.NewUploads(block.DefaultUploadLimits())
		add(t, u, 0, piece(body, 0, 3), block.Continue)
		add(t, u, 0, piece(body, 1, 3), block.Whole)
		u.Finish(id(0), block.Note{7})
		add(t, u, 250*time.Second, piece(body, 1, 3), block.Again)
		add(t, u, 251*time.Second, piece(body, 1, 3), block.Incomplete)
	})
	t.Run("the last block of a body that nobody noted", func(t *testing.T) {
		u := block.NewUploads(block.DefaultUploadLimits())
		add(t, u, 0, piece(body, 0, 3), block.Continue)
		add(t, u, 0, piece(body, 1, 3), block.Whole)
		add(t, u, 0, piece(body, 1, 3), block.Incomplete)
	})
}

func TestUploads_keep_the_payload_as_it_came(t *testing.T) {
	u := block.NewUploads(block.DefaultUploadLimits())
	body := data(100, 1)
	for num := range 2 {
		b := piece(body, num, 2)
		b.Payload = bytes.Clone(b.Payload)
		r := u.Add(noon, b)
		clear(b.Payload)
		if num == 1 {
			whole(t, r.Body, body)
		}
	}
}
