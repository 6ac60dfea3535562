package block_test

import (
	"bytes"
	"runtime"
	"testing"
	"time"

	"skerry/coap/block"
)

// small are limits that a test reaches: two transfers of a block of 1,024 bytes
// that begin, and 9,300 bytes of those that go on.
func small() block.UploadLimits {
	return block.UploadLimits{Bytes: 4 * 3_100, PeerTransfers: 2, Idle: 247 * time.Second}
}

// from is a block of a peer's own body.
func from(p, transfer int, body []byte, num, szx int) block.Block {
	b := piece(body, num, szx)
	b.Peer, b.ID = peer(p), id(1000*p+transfer)
	return b
}

// TestUploads_hold_what_their_limit_says measures, because bytes that are
// counted are not all bytes that are held.
func TestUploads_hold_what_their_limit_says(t *testing.T) {
	const abandoned = 10_000
	for _, c := range []struct {
		name   string
		szx    int
		blocks int // that each client sends
	}{
		{"clients that send one large block and leave", 6, 1},
		{"clients that send one small block and leave", 0, 1},
		{"clients that send three large blocks and leave", 6, 3},
		{"clients that send 40 small blocks and leave", 0, 40},
	} {
		t.Run(c.name, func(t *testing.T) {
			limits := block.DefaultUploadLimits()
			body := data(100_000, 1)
			before := heap()
			u := block.NewUploads(limits)
			for p := range abandoned {
				for num := range c.blocks {
					u.Add(noon.Add(time.Duration(p)*time.Millisecond), from(p, 0, body, num, c.szx))
				}
				if _, held := u.Load(); held > limits.Bytes {
					t.Fatalf("%d bytes are held, want at most %d", held, limits.Bytes)
				}
			}
			n, held := u.Load()
			took := heap() - before
			t.Logf("%d transfers, %d bytes counted, %d taken", n, held, took)
			if took > limits.Bytes+limits.Bytes/8 {
				t.Errorf("%d bytes are taken, want about %d at most", took, limits.Bytes)
			}
			runtime.KeepAlive(u)
		})
	}
}

// heap is how many bytes are in use.
func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func TestUploads_remember_a_bounded_number_of_last_blocks(t *testing.T) {
	before := heap()
	u := block.NewUploads(block.DefaultUploadLimits())
	body := data(40, 1)
	for p := range 100_000 {
		for num := range 3 {
			u.Add(noon, from(p, 0, body, num, 0))
		}
		u.Finish(id(1000*p), block.Note{1})
	}
	took := heap() - before
	t.Logf("%d bytes taken", took)
	if took > 6<<20 {
		t.Errorf("%d bytes are taken, want at most 6 MiB", took)
	}
	if r := u.Add(noon, from(99_999, 0, body, 2, 0)); r.Kind != block.Again {
		t.Errorf("the youngest one became %d, want %d", r.Kind, block.Again)
	}
	if r := u.Add(noon, from(0, 0, body, 2, 0)); r.Kind != block.Incomplete {
		t.Errorf("the oldest one became %d, want %d", r.Kind, block.Incomplete)
	}
}

func TestUploads_let_no_abandoner_lock_others_out(t *testing.T) {
	u := block.NewUploads(block.DefaultUploadLimits())
	body := data(5_000, 1)
	junk := data(2_000, 2)
	// A thousand forged addresses begin between each two blocks of a client.
	forged := 1
	for num := range 5 {
		for range 1_000 {
			u.Add(noon, from(forged, 0, junk, 0, 6))
			forged++
		}
		want := block.Continue
		if num == 4 {
			want = block.Whole
		}
		if r := add(t, u, 0, from(0, 0, body, num, 6), want); want == block.Whole {
			whole(t, r.Body, body)
		}
	}
}

func TestUploads_drop_the_longest_idle_of_those_that_began(t *testing.T) {
	u := block.NewUploads(small())
	body := data(3_000, 1)
	add(t, u, 1*time.Second, from(1, 0, body, 0, 6), block.Continue)
	add(t, u, 2*time.Second, from(2, 0, body, 0, 6), block.Continue)
	add(t, u, 3*time.Second, from(1, 0, body, 0, 6), block.Continue) // still there
	add(t, u, 4*time.Second, from(3, 0, body, 0, 6), block.Continue)
	add(t, u, 5*time.Second, from(2, 0, body, 1, 6), block.Incomplete)
	add(t, u, 5*time.Second, from(1, 0, body, 1, 6), block.Continue)
	add(t, u, 5*time.Second, from(3, 0, body, 1, 6), block.Continue)
}

func TestUploads_let_no_peer_that_holds_more_push_others_out(t *testing.T) {
	body := data(10_000, 1)
	t.Run("of those that began", func(t *testing.T) {
		u := block.NewUploads(small())
		for num := range 2 {
			add(t, u, 0, from(9, 0, body, num, 6), block.Continue)
		}
		add(t, u, 0, from(1, 0, body, 0, 6), block.Continue)
		add(t, u, 0, from(2, 0, body, 0, 6), block.Continue)
		add(t, u, 0, from(9, 1, body, 0, 6), block.Busy)
		add(t, u, 0, from(1, 0, body, 1, 6), block.Continue)
		add(t, u, 0, from(9, 1, body, 0, 6), block.Continue)
	})
	t.Run("of those that go on", func(t *testing.T) {
		u := block.NewUploads(small())
		for num := range 4 {
			for p := range 2 {
				add(t, u, 0, from(p, 0, body, num, 6), block.Continue)
			}
		}
		add(t, u, 0, from(0, 0, body, 4, 6), block.Busy)
		add(t, u, 0, from(1, 0, body, 4, 6), block.Busy)
		// Whoever is gone makes place, and Busy is no sign of life.
		add(t, u, 16*time.Second, from(0, 0, body, 4, 6), block.Continue)
		add(t, u, 16*time.Second, from(1, 0, body, 4, 6), block.Incomplete)
	})
	t.Run("and put nothing after what a refused block came to replace", func(t *testing.T) {
		u := block.NewUploads(small())
		for p, szx := range []int{6, 6, 6, 0} {
			for num := range 2 {
				add(t, u, 0, from(p, 0, body, num, szx), block.Continue)
			}
		}
		add(t, u, 0, from(9, 0, body, 0, 6), block.Continue)
		other := append(bytes.Clone(body[:16]), data(9_000, 2)...)
		add(t, u, 0, from(9, 0, other, 1, 0), block.Busy)
		add(t, u, 0, from(9, 0, body, 1, 6), block.Incomplete)
	})
	t.Run("but let one that holds little push out one that holds much", func(t *testing.T) {
		u := block.NewUploads(small())
		for num := range 8 {
			add(t, u, 0, from(9, 0, body, num, 6), block.Continue)
		}
		short := data(100, 2)
		add(t, u, 0, from(1, 0, short, 0, 0), block.Continue)
		add(t, u, 0, from(1, 0, short, 1, 0), block.Continue)
	})
}

func TestUploads_bound_the_transfers_of_a_peer(t *testing.T) {
	u := block.NewUploads(block.UploadLimits{Bytes: 1 << 20, PeerTransfers: 2, Idle: 247 * time.Second})
	body := data(3_000, 1)
	add(t, u, 0, from(1, 0, body, 0, 6), block.Continue)
	add(t, u, 1*time.Second, from(1, 1, body, 0, 6), block.Continue)
	add(t, u, 2*time.Second, from(1, 2, body, 0, 6), block.Busy)
	add(t, u, 2*time.Second, from(2, 0, body, 0, 6), block.Continue)
	// One that it left makes place for its next.
	add(t, u, 15*time.Second, from(1, 2, body, 0, 6), block.Continue)
	add(t, u, 15*time.Second, from(1, 0, body, 1, 6), block.Incomplete)
	add(t, u, 15*time.Second, from(1, 1, body, 1, 6), block.Continue)
}

func TestNewUploads_takes_no_limits_that_break_a_rule(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*block.UploadLimits)
	}{
		{"too little memory for one block", func(l *block.UploadLimits) { l.Bytes = 6_000 }},
		{"no transfers", func(l *block.UploadLimits) { l.PeerTransfers = 0 }},
		{"no time", func(l *block.UploadLimits) { l.Idle = 0 }},
		{"more time than an exchange lives", func(l *block.UploadLimits) { l.Idle = 248 * time.Second }},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := block.DefaultUploadLimits()
			if err := l.Validate(); err != nil {
				t.Fatal(err)
			}
			c.change(&l)
			if err := l.Validate(); err == nil {
				t.Error("got no error")
			}
		})
	}
}
