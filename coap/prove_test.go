package coap_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"skerry/coap"
	"skerry/coap/message"
)

// large asks for an answer that is larger than three times the question.
func large(t *testing.T, id uint16, options ...string) []byte {
	t.Helper()
	return request(t, id, "aa", coap.Request{Method: message.GET, Path: coap.ReadingPath("d", "x"), Query: options})
}

// withText is a store in which d/x is a long text.
func withText(t *testing.T) (*store, string) {
	t.Helper()
	s := newStore(t)
	server := s.serve(t)
	peer := dialRaw(t, server.Addr().String())
	long := request(t, 1, "t", coap.Request{Method: message.PUT, Path: coap.ReadingPath("d", "x"), Payload: []byte(strings.Repeat("long ", 100))})
	peer.exchange(long).want(t, message.Changed, "t")
	return s, server.Addr().String()
}

func TestALargeAnswerWaitsForAProof(t *testing.T) {
	_, addr := withText(t)
	peer := dialRaw(t, addr)
	peer.send(large(t, 8))
	ping := peer.next()
	if len(ping) != 4 || ping[0] != 0x40 || ping[1] != 0 {
		t.Fatalf("got %x, want a ping", ping)
	}
	peer.send([]byte{0x70, 0, ping[2] ^ 1, ping[3]}) // whoever does not hear us can only guess
	peer.silent()
	peer.send([]byte{0x70, 0, ping[2], ping[3]})
	a := peer.answer()
	a.want(t, message.Content, "aa")
	if a.id != 8 || len(a.payload) != 500 {
		t.Errorf("answered to id %d with %d bytes, want id 8 and 500 bytes", a.id, len(a.payload))
	}
	peer.send(large(t, 9)) // the proof lasts
	if b := peer.answer(); b.id != 9 || len(b.payload) != 500 {
		t.Errorf("answered to id %d with %d bytes, want id 9 and 500 bytes", b.id, len(b.payload))
	}
}

func TestAPingIsSentOnceMore(t *testing.T) {
	_, addr := withText(t)
	peer := dialRaw(t, addr)
	peer.send(large(t, 8))
	first, second := peer.next(), peer.next()
	if !bytes.Equal(first, second) || len(first) != 4 {
		t.Fatalf("got %x and %x, want a ping twice", first, second)
	}
	peer.send([]byte{0x70, 0, second[2], second[3]})
	if a := peer.answer(); a.code != message.Content {
		t.Errorf("got %v", a.code)
	}
}

func TestWhoGuessesAPingProvesNothing(t *testing.T) {
	_, addr := withText(t)
	peer := dialRaw(t, addr)
	peer.send(large(t, 8))
	ping := peer.next()
	for i := range byte(20) {
		peer.send([]byte{0x70, 0, ping[2], ping[3] + 1 + i})
	}
	peer.send([]byte{0x70, 0, ping[2], ping[3]}) // by luck, too late
	peer.send(large(t, 9))
	for {
		b := peer.next()
		if len(b) == 4 && bytes.Equal(b, ping) {
			continue // once more
		}
		var m message.Message
		if _, err := message.Parse(b, &m); err != nil {
			t.Fatal(err)
		}
		if _, ok := m.Option(message.Echo); m.Code != message.Unauthorized || !ok {
			t.Fatalf("got %v, want 4.01 with an Echo option", m.Code)
		}
		return
	}
}

func TestAPeerThatAnswersNoPingMayEcho(t *testing.T) {
	_, addr := withText(t)
	peer := dialRaw(t, addr)
	datagram := large(t, 8)
	peer.send(datagram)
	peer.next()         // the ping
	peer.send(datagram) // again, as nothing came
	var m message.Message
	if _, err := message.Parse(peer.next(), &m); err != nil {
		t.Fatal(err)
	}
	value, ok := m.Option(message.Echo)
	if m.Code != message.Unauthorized || !ok {
		t.Fatalf("got %v, want 4.01 with an Echo option", m.Code)
	}
	again := message.Message{Type: message.CON, Code: message.GET, ID: 9, Token: []byte("bb")}
	for _, segment := range coap.ReadingPath("d", "x") {
		again.Add(message.URIPath, []byte(segment))
	}
	again.Add(message.Echo, bytes.Clone(value))
	b, err := again.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	peer.send(b)
	peer.answer().want(t, message.Content, "bb")
	// Another endpoint cannot use it.
	thief := dialRaw(t, addr)
	thief.send(b)
	if got := thief.next(); len(got) != 4 || got[0] != 0x40 {
		t.Errorf("an endpoint with another's Echo value gets %x, want a ping", got)
	}
}

func TestAnEchoValueIsFreshForAMinuteOrTwo(t *testing.T) {
	var c coap.Challenges
	from, other := netip.MustParseAddrPort("192.0.2.1:5683"), netip.MustParseAddrPort("192.0.2.1:5684")
	given := time.Unix(1_800_000_000, 0)
	value := c.Echo(from, given)
	for _, age := range []time.Duration{0, time.Minute} {
		if !c.Takes(value, from, given.Add(age)) {
			t.Errorf("a value is not taken after %v", age)
		}
	}
	for _, age := range []time.Duration{2 * time.Minute, time.Hour} {
		if c.Takes(value, from, given.Add(age)) {
			t.Errorf("a value is taken after %v", age)
		}
	}
	if c.Takes(value, other, given) {
		t.Error("another port's value is taken")
	}
}

func TestNothingMoreThanThreeTimesComesBackUnproven(t *testing.T) {
	_, addr := withText(t)
	for _, datagram := range [][]byte{
		large(t, 8), large(t, 8, "from=0"), large(t, 8, "nonsense=1"), large(t, 8, "from=never"),
		unhex(t, "40010008"), unhex(t, "4001 0008 b1 72"), unhex(t, "4005 0008 b1 72"), unhex(t, "4001 0008 21 61"),
		request(t, 8, "", coap.Request{Method: message.POST, Path: []string{"r"}, Payload: []byte(`[]`)}),
		unhex(t, "40020008 ff"), unhex(t, "40000008"),
	} {
		t.Run(fmt.Sprintf("%x", datagram), func(t *testing.T) {
			peer := dialRaw(t, addr)
			for range 3 {
				peer.send(datagram)
				if got := peer.next(); len(got) > 3*len(datagram) {
					t.Errorf("%d bytes come back for %d", len(got), len(datagram))
				}
			}
		})
	}
}

func TestAPlainPostIsNeverChallenged(t *testing.T) {
	s := newStore(t)
	server := s.serve(t)
	peer := dialRaw(t, server.Addr().String())
	for i := range 10 {
		peer.send(post(t, uint16(i), "aa", fmt.Sprint(i)))
		if got := peer.next(); got[0]>>4 != 6 {
			t.Fatalf("got %x, want an ACK", got)
		}
	}
	if n := server.Stats().Challenged; n != 0 {
		t.Errorf("%d challenges, want none", n)
	}
}
