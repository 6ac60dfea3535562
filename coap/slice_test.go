package coap_test

import (
	"bytes"
	"fmt"
	"testing"

	"skerry/coap/block"
	"skerry/coap/message"
)

// block2 asks for a block of an answer. Its id and token are its own.
func (a ask) block2(num, szx int) ask {
	a.id += uint16(num)
	a.options = append([]opt{{message.Block2, asNumber(block.Option{Num: uint32(num), SZX: uint8(szx)}.Uint())}}, a.options...)
	return a
}

// block2 is the Block2 option of a reply, which it must have.
func (s *said) block2(tb testing.TB) block.Option {
	tb.Helper()
	value, ok := s.Option(message.Block2)
	if !ok {
		tb.Fatalf("%v with %d bytes has no Block2 option", s.Code, len(s.Payload))
	}
	o, err := block.Parse(value)
	if err != nil {
		tb.Fatal(err)
	}
	return o
}

// stored puts a body where octets reads it.
func stored(tb testing.TB, peer *raw, body []byte) {
	tb.Helper()
	for num := 0; ; num++ {
		a := octets()
		a.id = 0x4000
		if a = a.part(tb, body, num, 6); peer.ask(a).Code != message.Continue {
			return
		}
	}
}

func TestAnswersInBlocks(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	peer.prove()
	body := noise(5_000)
	stored(t, peer, body)
	get := ask{id: 0x100, method: message.GET, path: "r/cam/blob"}
	for _, c := range []struct {
		name  string
		first ask
		szx   int // of the blocks after the first
	}{
		{"of 1,024 bytes where the client says nothing", get, 6},
		{"of the size that the client asks for at first", get.block2(0, 2), 2},
		{"of the smallest size", get.block2(0, 0), 0},
		{"of a smaller size from the second one on", get, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := peer.ask(c.first).want(t, message.Content)
			got, o, tag := bytes.Clone(a.Payload), a.block2(t), a.etag(t)
			if size, ok := a.Uint(message.Size2); !ok || size != 5_000 {
				t.Errorf("Size2 %d %v, want 5000", size, ok)
			}
			for o.More {
				next := get.block2(len(got)>>(c.szx+4), c.szx)
				next.id += 0x1000
				a := peer.ask(next).want(t, message.Content)
				if o = a.block2(t); o.Offset() != len(got) || int(o.SZX) != c.szx {
					t.Fatalf("got %+v at %d bytes", o, len(got))
				}
				if !bytes.Equal(a.etag(t), tag) {
					t.Fatal("the blocks are not of one body")
				}
				got = append(got, a.Payload...)
			}
			if !bytes.Equal(got, body) {
				t.Errorf("got %d other bytes than the %d stored", len(got), len(body))
			}
		})
	}
	t.Run("any of them without the first", func(t *testing.T) {
		other := dialRaw(t, s.serve(t).Addr().String())
		other.prove()
		if a := other.ask(get.block2(3, 6)).want(t, message.Content); !bytes.Equal(a.Payload, body[3*1024:4*1024]) {
			t.Errorf("got %d bytes that are not the fourth block", len(a.Payload))
		}
	})
	t.Run("but none behind the end", func(t *testing.T) {
		peer.ask(get.block2(5, 6)).want(t, message.BadRequest)
	})
	t.Run("nor of the reserved size", func(t *testing.T) {
		peer.ask(ask{id: 1, method: message.GET, path: "r/cam/blob", options: []opt{{message.Block2, "\x07"}}}).want(t, message.BadRequest)
	})
	t.Run("or in none where the client has it", func(t *testing.T) {
		tag := peer.ask(get).want(t, message.Content).etag(t)
		again := get.with(message.ETag, tag)
		again.id++
		if a := peer.ask(again).want(t, message.Valid); len(a.Payload) != 0 || !bytes.Equal(a.etag(t), tag) {
			t.Errorf("got %d bytes with the ETag %x, want none with %x", len(a.Payload), a.etag(t), tag)
		}
	})
}

func TestAnAnswerOfOneBlockSaysSoWhereTheClientAskedForBlocks(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	peer.exchange(post(t, 1, "p", "21.6")).want(t, message.Changed, "p")
	get := ask{id: 0x100, method: message.GET, path: "r/pump-7/temperature"}
	if a := peer.ask(get.block2(0, 6)); string(a.Payload) != "21.6" || a.block2(t) != (block.Option{SZX: 6}) {
		t.Errorf("got %q in %+v", a.Payload, a.block2(t))
	}
	get.id++
	if _, ok := peer.ask(get).want(t, message.Content).Option(message.Block2); ok {
		t.Error("there is a Block2 option that nobody asked for")
	}
}

func TestBlocksAreOfOneBodyWhileTheValueChanges(t *testing.T) {
	s := newStore(t)
	server := s.serve(t)
	peer, other := dialRaw(t, server.Addr().String()), dialRaw(t, server.Addr().String())
	peer.prove()
	other.prove()
	body := noise(3_000)
	stored(t, peer, body)
	get := ask{id: 0x100, method: message.GET, path: "r/cam/blob"}
	first := peer.ask(get).want(t, message.Content)
	changed := bytes.ToUpper(body)
	stored(t, other, changed)
	second := peer.ask(get.block2(1, 6)).want(t, message.Content)
	if !bytes.Equal(second.Payload, body[1024:2048]) || !bytes.Equal(second.etag(t), first.etag(t)) {
		t.Error("the second block is not of the body that the first is of")
	}
	if a := other.ask(get.block2(1, 6)).want(t, message.Content); !bytes.Equal(a.Payload, changed[1024:2048]) {
		t.Error("another peer does not get what there is now")
	}
	get.id = 0x200
	if a := peer.ask(get).want(t, message.Content); !bytes.Equal(a.Payload, changed[:1024]) || bytes.Equal(a.etag(t), first.etag(t)) {
		t.Error("the first block once more is not of what there is now")
	}
}

func TestAHistoryComesWhole(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	peer.prove()
	const readings = 300
	var pack bytes.Buffer
	pack.WriteString(`[{"bn":"pump-7/","bt":1700000000}`)
	for i := range readings {
		fmt.Fprintf(&pack, `,{"n":"x","t":%d,"v":%d}`, i, i)
	}
	pack.WriteString("]")
	peer.exchange(request(t, 1, "p", typed([]string{"r"}, 110, pack.String()))).want(t, message.Changed, "p")
	get := ask{id: 0x100, method: message.GET, path: "r/pump-7/x", query: "from=0"}
	var got []byte
	for num, o := 0, (block.Option{More: true}); o.More; num++ {
		a := peer.ask(get.block2(num, 6)).want(t, message.Content)
		o, got = a.block2(t), append(got, a.Payload...)
	}
	if n := bytes.Count(got, []byte(`"v":`)); n != readings || !bytes.HasSuffix(got, []byte("]")) {
		t.Errorf("%d readings in %d bytes, want %d", n, len(got), readings)
	}
}

func TestALargeAnswerToAPeerThatProvedNothingIsHeldBack(t *testing.T) {
	s := newStore(t)
	server := s.serve(t)
	peer := dialRaw(t, server.Addr().String())
	stored(t, peer, noise(3_000))
	spoofed := dialRaw(t, server.Addr().String())
	get := ask{id: 0x100, method: message.GET, path: "r/cam/blob"}
	sent := get.encode(t)
	spoofed.send(sent)
	if b := spoofed.next(); len(b) > 3*len(sent) || b[1] != 0 {
		t.Errorf("%d bytes get %d: %x", len(sent), len(b), b)
	}
	// Small blocks are small answers.
	if a := spoofed.ask(get.block2(0, 0)).want(t, message.Content); len(a.Payload) != 16 {
		t.Errorf("got %d bytes, want 16", len(a.Payload))
	}
}
