package exchange_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"skerry/coap/exchange"
	"skerry/coap/message"
)

// scene is a table with a clock of its own.
type scene struct {
	testing.TB
	*exchange.Table[string]
	now time.Time
}

func newScene(tb testing.TB, limits exchange.Limits) *scene {
	seed := rand.Uint64()
	tb.Logf("seed %d", seed)
	return &scene{tb, exchange.New[string](limits, rand.New(rand.NewPCG(seed, 0))), time.Now()}
}

func datagram(kind message.Type, payload string) []byte {
	m := message.Message{Type: kind, Code: message.Content, Token: []byte("t"), Payload: []byte(payload)}
	b, err := m.Append(nil)
	if err != nil {
		panic(err)
	}
	return b
}

func (s *scene) send(to, name string, kind message.Type, payload string) {
	s.Helper()
	if err := s.Send(s.now, to, name, datagram(kind, payload)); err != nil {
		s.Fatalf("send %s to %s: %v", name, to, err)
	}
}

// due returns what goes out now, as "peer name payload", and who is given up.
func (s *scene) due() (sent []string, ids []uint16, lost []string) {
	s.Helper()
	transmissions, endings := s.Due(s.now)
	for _, x := range transmissions {
		var m message.Message
		if kind, err := message.Parse(x.Datagram, &m); kind != message.Response {
			s.Fatalf("%x is no message of a server: %v", x.Datagram, err)
		}
		sent = append(sent, fmt.Sprintf("%s %s %s", x.Peer, x.Name, m.Payload))
		ids = append(ids, m.ID)
	}
	for _, e := range endings {
		if e.Outcome != exchange.Unanswered {
			s.Fatalf("%v ended by itself as %d", e.Name, e.Outcome)
		}
		lost = append(lost, e.Peer+" "+e.Name)
	}
	return sent, ids, lost
}

// goesOut checks what goes out now and returns the message ids.
func (s *scene) goesOut(want ...string) []uint16 {
	s.Helper()
	got, ids, lost := s.due()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		s.Fatalf("sent %q, want %q", got, want)
	}
	if len(lost) > 0 {
		s.Fatalf("gave up %q", lost)
	}
	return ids
}

// wait lets the time come at which there is something to do.
func (s *scene) wait() time.Duration {
	s.Helper()
	at, ok := s.Next()
	if !ok {
		s.Fatal("nothing is waiting")
	}
	passed := at.Sub(s.now)
	s.now = at
	return passed
}

func (s *scene) receive(from string, id uint16, reset bool, wantName string, want exchange.Outcome) {
	s.Helper()
	e, ok := s.Receive(s.now, from, id, reset)
	if !ok || e.Name != wantName || e.Outcome != want || e.Peer != from {
		s.Fatalf("%+v, %v; want the end %d of %s", e, ok, want, wantName)
	}
}

func TestSendsFiveCopiesAndGivesUp(t *testing.T) {
	s := newScene(t, exchange.DefaultLimits())
	begin := s.now
	s.send("p", "a", message.CON, "1")
	first := s.goesOut("p a 1")
	previous := time.Duration(0)
	for range 4 {
		waited := s.wait()
		if previous == 0 && (waited < 2*time.Second || waited > 3*time.Second) {
			t.Errorf("the first wait is %s, want 2 to 3 s", waited)
		}
		if previous > 0 && waited != 2*previous {
			t.Errorf("waited %s after %s", waited, previous)
		}
		previous = waited
		if again := s.goesOut("p a 1"); again[0] != first[0] {
			t.Error("a copy has another id")
		}
	}
	s.wait()
	if _, _, lost := s.due(); len(lost) != 1 || lost[0] != "p a" {
		t.Errorf("gave up %q", lost)
	}
	if took := s.now.Sub(begin); took < 62*time.Second || took > 93*time.Second {
		t.Errorf("gave up after %s, want 62 to 93 s", took)
	}
	if _, ok := s.Next(); ok || s.Messages() != 0 {
		t.Error("something is left")
	}
}

func TestOneConfirmableAtATimeToAPeer(t *testing.T) {
	s := newScene(t, exchange.DefaultLimits())
	s.send("p", "a", message.CON, "1")
	s.send("p", "b", message.CON, "2")
	s.send("q", "a", message.CON, "3")
	ids := s.goesOut("p a 1", "q a 3")
	s.goesOut()
	s.receive("p", ids[0], false, "a", exchange.Acknowledged)
	s.goesOut("p b 2")
	if _, ok := s.Receive(s.now, "p", ids[0], false); ok {
		t.Error("a second ACK ends something")
	}
	if _, ok := s.Receive(s.now, "stranger", ids[0], true); ok {
		t.Error("a stranger's RST ends something")
	}
}

func TestNewerMessageTakesTheOlderOnesPlace(t *testing.T) {
	s := newScene(t, exchange.DefaultLimits())
	s.send("p", "a", message.CON, "1")
	first := s.goesOut("p a 1")
	s.wait()
	s.goesOut("p a 1")
	s.send("p", "b", message.CON, "x")
	s.send("p", "a", message.CON, "2")
	s.send("p", "a", message.CON, "3")
	s.goesOut()
	s.wait()
	second := s.goesOut("p a 3")
	if second[0] == first[0] {
		t.Error("another message has the same id")
	}
	if _, ok := s.Receive(s.now, "p", first[0], false); ok {
		t.Error("the ACK of what was replaced ends the newer message")
	}
	s.wait()
	s.goesOut("p a 3")
	s.wait()
	s.goesOut("p a 3") // the fifth copy in all
	s.wait()
	sent, _, lost := s.due()
	if len(lost) != 1 || lost[0] != "p a" || len(sent) != 0 {
		t.Errorf("gave up %q and sent %q", lost, sent)
	}
	s.goesOut("p b x") // nobody said Forget
}

func TestNewerMessageFollowsTheAcknowledgedOne(t *testing.T) {
	s := newScene(t, exchange.DefaultLimits())
	s.send("p", "a", message.CON, "1")
	first := s.goesOut("p a 1")
	s.send("p", "a", message.CON, "2")
	s.goesOut()
	s.receive("p", first[0], false, "a", exchange.Acknowledged)
	s.goesOut("p a 2")
}

func TestResetEndsWhatIsKnownByItsID(t *testing.T) {
	t.Run("a confirmable one on its way, and what follows it", func(t *testing.T) {
		s := newScene(t, exchange.DefaultLimits())
		s.send("p", "a", message.CON, "1")
		ids := s.goesOut("p a 1")
		s.send("p", "a", message.CON, "2")
		s.receive("p", ids[0], true, "a", exchange.Rejected)
		s.goesOut()
		if s.Messages() != 0 {
			t.Error("something is left")
		}
	})
	t.Run("a non-confirmable one", func(t *testing.T) {
		s := newScene(t, exchange.DefaultLimits())
		s.send("p", "a", message.NON, "1")
		ids := s.goesOut("p a 1")
		s.now = s.now.Add(time.Second)
		s.receive("p", ids[0], true, "a", exchange.Rejected)
	})
	t.Run("one that a newer message has replaced", func(t *testing.T) {
		s := newScene(t, exchange.DefaultLimits())
		s.send("p", "a", message.CON, "1")
		ids := s.goesOut("p a 1")
		s.send("p", "a", message.CON, "2")
		s.wait()
		s.goesOut("p a 2")
		s.receive("p", ids[0], true, "a", exchange.Rejected)
		if _, ok := s.Next(); ok {
			t.Error("the newer message is still on its way")
		}
	})
}

func TestNonConfirmablesKeepTheRoundTripBetween(t *testing.T) {
	s := newScene(t, exchange.DefaultLimits())
	s.send("p", "a", message.NON, "1")
	s.goesOut("p a 1")
	s.send("p", "a", message.NON, "2")
	s.goesOut()
	s.send("p", "a", message.NON, "3") // replaces the one that waits
	if waited := s.wait(); waited != 3*time.Second {
		t.Errorf("waited %s with an unknown round-trip time, want 3 s", waited)
	}
	s.goesOut("p a 3")

	s.send("p", "b", message.CON, "4")
	ids := s.goesOut("p b 4")
	s.now = s.now.Add(80 * time.Millisecond)
	s.receive("p", ids[0], false, "b", exchange.Acknowledged)
	if d, ok := s.RoundTrip("p"); !ok || d != 80*time.Millisecond {
		t.Errorf("round trip %s, %v", d, ok)
	}
	s.send("p", "a", message.NON, "5")
	s.goesOut("p a 5")
	s.send("p", "a", message.NON, "6")
	if waited := s.wait(); waited != 80*time.Millisecond {
		t.Errorf("waited %s, want the round-trip time", waited)
	}
	s.goesOut("p a 6")
}

func TestCancelAndForgetLeaveNothing(t *testing.T) {
	s := newScene(t, exchange.DefaultLimits())
	s.send("p", "a", message.CON, "1")
	s.goesOut("p a 1")
	s.send("p", "a", message.CON, "2")
	s.send("p", "b", message.CON, "3")
	s.Cancel(s.now, "p", "a")
	s.goesOut("p b 3")
	s.send("p", "c", message.CON, "4")
	s.Forget("p")
	s.goesOut()
	if _, ok := s.Next(); ok || s.Messages() != 0 {
		t.Error("something is left")
	}
	s.Cancel(s.now, "nobody", "a")
	s.Forget("nobody")
}

func TestBounds(t *testing.T) {
	s := newScene(t, exchange.Limits{Peers: 2, Waiting: 3, Messages: 5})
	for i := range 3 {
		s.send("p", fmt.Sprint(i), message.CON, "x")
	}
	refused := func(to, name string) {
		t.Helper()
		if err := s.Send(s.now, to, name, datagram(message.CON, "x")); !errors.Is(err, exchange.ErrFull) {
			t.Errorf("%s %s: %v", to, name, err)
		}
	}
	refused("p", "3")
	s.send("p", "1", message.CON, "newer") // replaces
	s.send("q", "0", message.CON, "x")
	s.send("q", "1", message.CON, "x")
	refused("q", "2")
	refused("r", "0") // all peers are busy
	s.Forget("p")
	s.send("r", "0", message.CON, "x")
	if s.Peers() != 2 {
		t.Errorf("%d peers", s.Peers())
	}
}

func TestIdlePeersAreForgottenAfterAnExchangesLifetime(t *testing.T) {
	s := newScene(t, exchange.DefaultLimits())
	for i := range 100 {
		s.send(fmt.Sprint(i), "a", message.NON, "x")
	}
	s.Due(s.now)
	s.now = s.now.Add(246 * time.Second)
	if s.Due(s.now); s.Peers() != 100 {
		t.Errorf("%d peers after 246 s", s.Peers())
	}
	s.now = s.now.Add(time.Second)
	if s.Due(s.now); s.Peers() != 0 {
		t.Errorf("%d peers after 247 s", s.Peers())
	}
}

func TestMessageIDsAreNotUsedAgainWithinAnExchangesLifetime(t *testing.T) {
	s := newScene(t, exchange.DefaultLimits())
	s.send("p", "rtt", message.CON, "x")
	ids := s.goesOut("p rtt x")
	s.receive("p", ids[0], false, "rtt", exchange.Acknowledged) // a round trip of 1 us
	used := map[uint16]time.Time{ids[0]: s.now}
	begin, stalled := s.now, time.Duration(0)
	for range 3 * 32768 {
		s.send("p", "a", message.NON, "x")
		stalled = max(stalled, s.wait())
		id := s.goesOut("p a x")[0]
		if id < exchange.FirstID {
			t.Fatalf("id %d is not the table's", id)
		}
		if last, known := used[id]; known && s.now.Sub(last) < 247*time.Second {
			t.Fatalf("id %d is used again after %s", id, s.now.Sub(last))
		}
		used[id] = s.now
	}
	if took := s.now.Sub(begin); took < 2*247*time.Second {
		t.Errorf("three rounds of ids took %s", took)
	}
	t.Logf("the longest stall was %s", stalled)
}

// TestAnythingGoes drives a table at random and checks what must always hold.
func TestAnythingGoes(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	s := &scene{t, exchange.New[string](exchange.Limits{Peers: 8, Waiting: 4, Messages: 12}, random), time.Now()}
	type key struct {
		peer string
		id   uint16
	}
	type count struct {
		copies int
		first  time.Time
	}
	counts := map[key]count{}
	flying := map[string]uint16{}
	for range 200_000 {
		peer, name := fmt.Sprint(random.IntN(8)), fmt.Sprint(random.IntN(6))
		switch random.IntN(6) {
		case 0, 1:
			err := s.Send(s.now, peer, name, datagram(message.Type(random.IntN(2)), "x"))
			if err != nil && !errors.Is(err, exchange.ErrFull) {
				t.Fatal(err)
			}
		case 2:
			if id, ok := flying[peer]; ok {
				if e, ok := s.Receive(s.now, peer, id, random.IntN(4) == 0); ok && e.Peer != peer {
					t.Fatalf("%+v is not of %s", e, peer)
				}
				delete(flying, peer)
			}
		case 3:
			s.now = s.now.Add(time.Duration(random.IntN(4000)) * time.Millisecond)
		case 4:
			sent, lost := s.Due(s.now)
			for _, x := range sent {
				id := binary.BigEndian.Uint16(x.Datagram[2:])
				if x.Type == message.CON {
					flying[x.Peer] = id
				}
				c := counts[key{x.Peer, id}]
				if s.now.Sub(c.first) >= 247*time.Second {
					c = count{first: s.now}
				}
				if c.copies++; c.copies > 5 {
					t.Fatalf("%d copies of %d", c.copies, id)
				}
				counts[key{x.Peer, id}] = c
			}
			for _, e := range lost {
				s.Forget(e.Peer)
			}
			if at, ok := s.Next(); ok && !at.After(s.now) {
				t.Fatal("something is still due")
			}
		case 5:
			if random.IntN(20) == 0 {
				s.Cancel(s.now, peer, name)
			}
		}
		if s.Messages() > 12 || s.Peers() > 8 || s.Messages() < 0 {
			t.Fatalf("%d messages, %d peers", s.Messages(), s.Peers())
		}
	}
	for i := range 8 {
		s.Forget(fmt.Sprint(i))
	}
	if _, ok := s.Next(); ok || s.Messages() != 0 {
		t.Errorf("%d messages are left", s.Messages())
	}
}
