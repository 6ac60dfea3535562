package coap_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"skerry/cluster"

	"skerry/coap/block"
	"skerry/coap/message"
	"skerry/fsm"
)

// noise is n bytes that do not repeat.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(b)
	return b
}

// asNumber is a number as an option's value.
func asNumber(v uint32) string {
	return strings.TrimLeft(string([]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}), "\x00")
}

// part is a message with one block of a body, made of one without a body. Its id
// and token are its own.
func (a ask) part(tb testing.TB, body []byte, num, szx int) ask {
	tb.Helper()
	piece, o, err := block.Slice(body, block.Option{Num: uint32(num), SZX: uint8(szx)})
	if err != nil {
		tb.Fatal(err)
	}
	a.id += uint16(num)
	a.payload = string(piece)
	a.options = append([]opt{{message.Block1, asNumber(o.Uint())}}, a.options...)
	return a
}

// octets stores bytes at cam/blob.
func octets() ask {
	return ask{id: 0x100, method: message.PUT, path: "r/cam/blob", options: []opt{{message.ContentFormat, "\x2a"}}}
}

// blob is what is stored there.
func blob(tb testing.TB, s *store) []byte {
	tb.Helper()
	r, ok := s.Latest("cam", "blob")
	if !ok {
		tb.Fatal("there is no reading")
	}
	return r.Value.Data
}

// once checks that the body is stored, and nothing else.
func once(tb testing.TB, s *store, body []byte) {
	tb.Helper()
	if n := len(s.readings()); n != 1 || !bytes.Equal(blob(tb, s), body) {
		tb.Errorf("%d readings are stored, the last with %d bytes, want the one body of %d", n, len(blob(tb, s)), len(body))
	}
}

func TestBodiesInBlocksWhateverTheTokens(t *testing.T) {
	body := noise(2_500)
	for _, c := range []struct {
		name  string
		token func(num int) string
	}{
		{"one for all blocks", func(int) string { return "aa" }},
		{"a new one for each block", func(num int) string { return fmt.Sprint(num) }},
		{"none", func(int) string { return "" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStore(t)
			peer := dialRaw(t, s.serve(t).Addr().String())
			for num := range 3 {
				var m message.Message
				if kind, err := message.Parse(octets().part(t, body, num, 6).encode(t), &m); kind != message.Request {
					t.Fatal(kind, err)
				}
				m.Token = []byte(c.token(num))
				b, err := m.Append(nil)
				if err != nil {
					t.Fatal(err)
				}
				a := peer.exchange(b)
				want := message.Continue
				if num == 2 {
					want = message.Changed
				}
				a.want(t, want, c.token(num))
			}
			once(t, s, body)
		})
	}
}

func TestBlocksAreAnsweredWithTheirOption(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	body := noise(150)
	for num, want := range []uint32{0x0a, 0x1a, 0x22} {
		a := peer.ask(octets().part(t, body, num, 2))
		if got, ok := a.Uint(message.Block1); !ok || got != want {
			t.Errorf("block %d is answered with %#x %v, want %#x", num, got, ok, want)
		}
	}
	once(t, s, body)
}

func TestBlocksThatAreRefused(t *testing.T) {
	s := newStore(t)
	body := noise(3_000)
	series := func(format string) ask {
		return ask{id: 0x100, method: message.PUT, path: "r/cam/blob", options: []opt{{message.ContentFormat, format}}}
	}
	large := func(a ask, size uint32) ask { return a.with(message.Size1, []byte(asNumber(size))) }
	for _, c := range []struct {
		name  string
		in    []ask
		want  message.Code
		size1 uint32 // with 4.13
	}{
		{"a block that nothing came before", []ask{octets().part(t, body, 1, 6)}, message.Incomplete, 0},
		{"a block after one that is missing", []ask{octets().part(t, body, 0, 4), octets().part(t, body, 2, 4)}, message.Incomplete, 0},
		{"a block shorter than its option says", []ask{{id: 1, method: message.PUT, path: "r/cam/blob", payload: "short", options: []opt{{message.Block1, "\x0e"}}}}, message.BadRequest, 0},
		{"a block of the reserved size", []ask{{id: 1, method: message.PUT, path: "r/cam/blob", payload: "x", options: []opt{{message.Block1, "\x07"}}}}, message.BadRequest, 0},
		{"a block with another Request-Tag", []ask{octets().part(t, body, 0, 6), octets().with(message.RequestTag, []byte{1}).part(t, body, 1, 6)}, message.Incomplete, 0},
		{"a block for another resource", []ask{octets().part(t, body, 0, 6), {id: 2, method: message.PUT, path: "r/cam/other", payload: "x", options: []opt{{message.Block1, "\x16"}, {message.ContentFormat, "\x2a"}}}}, message.Incomplete, 0},
		{"bytes that are too large, at once", []ask{large(octets(), fsm.MaxData+1).part(t, body, 0, 6)}, message.TooLarge, fsm.MaxData},
		{"a frame that is too large, at once", []ask{large(series("\x16"), fsm.MaxFrame+1).part(t, body, 0, 6)}, message.TooLarge, fsm.MaxFrame},
		{"a text that is too large, at once", []ask{large(series(""), 5_000).part(t, body, 0, 6)}, message.TooLarge, fsm.MaxText},
		{"a pack that is too large, at once", []ask{large(ask{id: 1, method: message.POST, path: "r"}, 200_000).part(t, body, 0, 6)}, message.TooLarge, 128 << 10},
		{"a document that is too large, at once", []ask{large(ask{id: 1, method: message.PUT, path: "d/cam/reported"}, 8_193).part(t, body, 0, 6)}, message.TooLarge, fsm.MaxDocument},
		{"a GET with a body", []ask{{id: 1, method: message.GET, path: "time", payload: string(body[:16]), options: []opt{{message.Block1, "\x08"}}}}, message.TooLarge, 0},
		{"a whole body that is nothing", []ask{series("\x16").part(t, body, 0, 6), series("\x16").part(t, body, 1, 6), series("\x16").part(t, body, 2, 6)}, message.BadRequest, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			peer := dialRaw(t, s.serve(t).Addr().String())
			for i, a := range c.in {
				got := peer.ask(a)
				if i < len(c.in)-1 {
					got.want(t, message.Continue)
					continue
				}
				got.want(t, c.want)
				if size1, _ := got.Uint(message.Size1); size1 != c.size1 {
					t.Errorf("Size1 %d, want %d", size1, c.size1)
				}
				if len(got.Payload) == 0 {
					t.Error("it does not say why")
				}
			}
		})
	}
	if n := len(s.readings()); n != 0 {
		t.Errorf("%d readings are stored, want none", n)
	}
}

func TestTextTooLargeIsFoundWithItsLastBlock(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	body := bytes.Repeat([]byte("n"), fsm.MaxText+1)
	at := ask{id: 1, method: message.PUT, path: "r/pump-7/note"}
	for num := range 4 {
		peer.ask(at.part(t, body, num, 6)).want(t, message.Continue)
	}
	peer.ask(at.part(t, body, 4, 6)).want(t, message.TooLarge)
}

func TestBodiesOfAllKindsComeInBlocks(t *testing.T) {
	var pack strings.Builder
	pack.WriteString(`[{"bn":"pump-7/","bt":1700000000}`)
	for i := range 500 {
		fmt.Fprintf(&pack, `,{"n":"x","t":%d,"v":%d}`, i, i)
	}
	pack.WriteString("]")
	for _, c := range []struct {
		name string
		in   ask
		body string
		want message.Code
	}{
		{"a SenML pack", ask{method: message.POST, path: "r", options: []opt{{message.ContentFormat, "\x6e"}}}, pack.String(), message.Changed},
		{"a text", ask{method: message.PUT, path: "r/pump-7/note"}, strings.Repeat("note ", 500), message.Changed},
		{"a reading of one block", ask{method: message.PUT, path: "r/pump-7/temperature"}, "21.6", message.Changed},
		{"a document", ask{method: message.PUT, path: "d/pump-7/reported", options: []opt{{message.ContentFormat, "\x32"}}}, `{"x":"` + strings.Repeat("y", 2_000) + `"}`, message.Created},
		{"a registration", ask{method: message.POST, path: "rd", query: "ep=pump-7"}, "</r/x>;title=\"" + strings.Repeat("y", 2_000) + "\"", message.Created},
		{"a Fetch Pack", ask{method: message.FETCH, path: "r", options: []opt{{message.ContentFormat, "\x01\x40"}}}, "[" + strings.Repeat(`{"n":"pump-7/temperature"},`, 40) + `{"n":"pump-7/note"}]`, message.Content},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStore(t)
			peer := dialRaw(t, s.serve(t).Addr().String())
			peer.prove()
			peer.exchange(post(t, 1, "p", "21")).want(t, message.Changed, "p")
			c.in.id = 0x200
			for num := 0; ; num++ {
				a := peer.ask(c.in.part(t, []byte(c.body), num, 5))
				if (num+1)*512 < len(c.body) {
					a.want(t, message.Continue)
					continue
				}
				a.want(t, c.want)
				break
			}
		})
	}
}

func TestTheLastBlockAgain(t *testing.T) {
	body := noise(2_500)
	// upload sends all blocks but the last and returns that.
	upload := func(t *testing.T, peer *raw, a ask) (last ask) {
		for num := range 2 {
			peer.ask(a.part(t, body, num, 6)).want(t, message.Continue)
		}
		return a.part(t, body, 2, 6)
	}
	t.Run("as the same datagram", func(t *testing.T) {
		s := newStore(t)
		peer := dialRaw(t, s.serve(t).Addr().String())
		last := upload(t, peer, octets())
		for range 3 {
			a := peer.ask(last).want(t, message.Changed)
			if o, ok := a.Uint(message.Block1); !ok || o != 0x26 {
				t.Errorf("Block1 %#x %v, want 0x26", o, ok)
			}
		}
		once(t, s, body)
	})
	t.Run("as another message", func(t *testing.T) {
		s := newStore(t)
		peer := dialRaw(t, s.serve(t).Addr().String())
		last := upload(t, peer, octets())
		peer.ask(last).want(t, message.Changed)
		last.id = 0x999
		peer.ask(last).want(t, message.Changed)
		once(t, s, body)
	})
	t.Run("while the site decides", func(t *testing.T) {
		s := newStore(t)
		peer := dialRaw(t, s.serve(t).Addr().String())
		last := upload(t, peer, octets())
		gate := make(chan struct{})
		s.set(func(s *store) { s.gate = gate })
		peer.send(last.encode(t))
		peer.send(last.encode(t))
		last.id = 0x999
		peer.send(last.encode(t))
		peer.silent()
		close(gate)
		for range 2 { // one answer for each message, whatever its copies
			if a := peer.answer(); a.code != message.Changed {
				t.Errorf("got %v, want 2.04", a.code)
			}
		}
		peer.silent()
		once(t, s, body)
	})
	t.Run("after the site could not decide", func(t *testing.T) {
		s := newStore(t)
		peer := dialRaw(t, s.serve(t).Addr().String())
		last := upload(t, peer, octets())
		s.set(func(s *store) { s.lost = true })
		peer.ask(last).want(t, message.GatewayTimeout)
		peer.ask(last).want(t, message.GatewayTimeout)
		s.set(func(s *store) { s.lost = false })
		peer.ask(last).want(t, message.Changed)
		once(t, s, body)
	})
	t.Run("after the site refused", func(t *testing.T) {
		s := newStore(t)
		peer := dialRaw(t, s.serve(t).Addr().String())
		last := upload(t, peer, octets())
		s.set(func(s *store) { s.err = cluster.ErrNoLeader })
		peer.ask(last).want(t, message.ServiceUnavailable)
		s.set(func(s *store) { s.err = nil })
		peer.ask(last).want(t, message.Incomplete)
		peer.ask(upload(t, peer, octets())).want(t, message.Changed)
		once(t, s, body)
	})
	t.Run("with a name that is used again", func(t *testing.T) {
		s := newStore(t)
		peer := dialRaw(t, s.serve(t).Addr().String())
		named := octets()
		named.query = "id=boot-1"
		peer.ask(upload(t, peer, named)).want(t, message.Changed)
		other := dialRaw(t, s.serve(t).Addr().String()) // as at another gateway
		peer.ask(upload(t, peer, named)).want(t, message.Changed)
		other.ask(upload(t, other, named)).want(t, message.Changed)
		once(t, s, body)
	})
	t.Run("of a document", func(t *testing.T) {
		s := newStore(t)
		peer := dialRaw(t, s.serve(t).Addr().String())
		last := upload(t, peer, ask{id: 0x100, method: message.PUT, path: "d/cam/reported"})
		first := peer.ask(last).want(t, message.Created).etag(t)
		if again := peer.ask(last).want(t, message.Created).etag(t); !bytes.Equal(again, first) {
			t.Errorf("the copy has the ETag %x, want %x", again, first)
		}
	})
	t.Run("is another message when the whole body is another", func(t *testing.T) {
		s := newStore(t)
		peer := dialRaw(t, s.serve(t).Addr().String())
		peer.ask(upload(t, peer, octets())).want(t, message.Changed)
		body = append(noise(2_048)[1_000:], body[1_048:]...) // with the same last block
		peer.ask(upload(t, peer, octets())).want(t, message.Changed)
		if n := len(s.readings()); n != 2 {
			t.Errorf("%d readings are stored, want 2", n)
		}
	})
}

func TestTwoBodiesOfOnePeerAtOnce(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	one, two := octets().with(message.RequestTag, []byte{1}), octets().with(message.RequestTag, []byte{2})
	two.id = 0x200
	first, second := noise(2_000), noise(3_000)[1_000:]
	peer.ask(one.part(t, first, 0, 6)).want(t, message.Continue)
	peer.ask(two.part(t, second, 0, 6)).want(t, message.Continue)
	peer.ask(one.part(t, first, 1, 6)).want(t, message.Changed)
	if !bytes.Equal(blob(t, s), first) {
		t.Error("the first body is not stored")
	}
	peer.ask(two.part(t, second, 1, 6)).want(t, message.Changed)
	if !bytes.Equal(blob(t, s), second) {
		t.Error("the second body is not stored")
	}
}

func TestAPeerThatBeginsTooManyBodies(t *testing.T) {
	s := newStore(t)
	server := s.serve(t)
	peer, other := dialRaw(t, server.Addr().String()), dialRaw(t, server.Addr().String())
	body := noise(2_000)
	for i := range 4 {
		peer.ask(octets().with(message.RequestTag, []byte{byte(i)}).part(t, body, 0, 6)).want(t, message.Continue)
	}
	a := peer.ask(octets().with(message.RequestTag, []byte{4}).part(t, body, 0, 6)).want(t, message.TooManyRequests)
	if age, ok := a.Uint(message.MaxAge); !ok || age == 0 {
		t.Error("it does not say when to send again")
	}
	other.ask(octets().part(t, body, 0, 6)).want(t, message.Continue)
	peer.ask(octets().with(message.RequestTag, []byte{3}).part(t, body, 1, 6)).want(t, message.Changed)
	once(t, s, body)
}

func TestBlocksBeforeTheSiteHasBegun(t *testing.T) {
	s := newStore(t)
	s.set(func(s *store) { s.unbegun = true })
	peer := dialRaw(t, s.serve(t).Addr().String())
	peer.ask(octets().part(t, noise(2_000), 0, 6)).want(t, message.ServiceUnavailable)
}

func TestBodiesInBlocksOfANON(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	body := noise(2_500)
	for num := range 3 {
		b := octets().part(t, body, num, 6).encode(t)
		b[0] |= byte(message.NON) << 4
		a := peer.exchange(b)
		if want := []message.Code{message.Continue, message.Continue, message.Changed}[num]; a.code != want || a.kind != message.NON {
			t.Errorf("block %d: got %v in type %d, want %v in a NON", num, a.code, a.kind, want)
		}
	}
	once(t, s, body)
}
