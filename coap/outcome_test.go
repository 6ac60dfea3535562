package coap_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"skerry/cluster"
	"skerry/coap"
	"skerry/coap/message"
)

func TestOutcomes(t *testing.T) {
	for _, c := range []struct {
		name    string
		setup   func(*store)
		want    message.Code
		maxAge  uint32
		says    string
		refused string
	}{
		{"stored is 2.04", func(*store) {}, message.Changed, 0, "", ""},
		{"no leader is 5.03 with Max-Age", func(s *store) { s.err = cluster.ErrNoLeader }, message.ServiceUnavailable, 5, "majority", "no-leader"},
		{"full disks are 5.03 with Max-Age", func(s *store) { s.err = cluster.ErrDiskFull }, message.ServiceUnavailable, 60, "nothing was stored", "disk-full"},
		{"overload is 4.29 with Max-Age", func(s *store) { s.err = cluster.ErrOverloaded }, message.TooManyRequests, 2, "later", "queue-full"},
		{"an unknown outcome is 5.04", func(s *store) { s.err = cluster.ErrUnknown }, message.GatewayTimeout, 0, "send the same message again", "unknown"},
		{"a node that stops is an unknown outcome", func(s *store) { s.err = cluster.ErrClosed }, message.GatewayTimeout, 0, "send the same message again", "unknown"},
		{"a site that has not begun is 5.03", func(s *store) { s.unbegun = true }, message.ServiceUnavailable, 5, "not begun", "no-leader"},
		{"an error of the store is 5.00", func(s *store) { s.err = fmt.Errorf("disk on fire") }, message.InternalError, 0, "log", "internal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStore(t)
			s.set(c.setup)
			server := s.serve(t)
			a := dialRaw(t, server.Addr().String()).exchange(post(t, 8, "aa", "1"))
			a.want(t, c.want, "aa")
			if a.maxAge != c.maxAge || !strings.Contains(a.payload, c.says) {
				t.Errorf("Max-Age %d and %q, want %d and %q", a.maxAge, a.payload, c.maxAge, c.says)
			}
			st := server.Stats()
			if c.refused != "" && st.Refused[c.refused] != 1 {
				t.Errorf("refusals are %v, want one of %s", st.Refused, c.refused)
			}
			if st.Responses[c.want.String()] != 1 || st.Requests["POST"] != 1 {
				t.Errorf("responses %v and requests %v, want one each", st.Responses, st.Requests)
			}
		})
	}
}

// What is said of a message must hold for all its copies.
func TestACopyIsNeverToldThatNothingWasStored(t *testing.T) {
	t.Run("when an earlier copy is undecided", func(t *testing.T) {
		s := newStore(t)
		peer := dialRaw(t, s.serve(t).Addr().String())
		s.set(func(s *store) { s.lost = true }) // is stored, and nobody knows
		peer.exchange(post(t, 8, "aa", "1")).want(t, message.GatewayTimeout, "aa")
		s.set(func(s *store) { s.err = cluster.ErrNoLeader })
		peer.exchange(post(t, 8, "aa", "1")).want(t, message.GatewayTimeout, "aa")
		s.set(func(s *store) { s.lost, s.err = false, nil })
		peer.exchange(post(t, 8, "aa", "1")).want(t, message.Changed, "aa")
		if got := values(s); got != "1" {
			t.Errorf("stored %q, want one reading", got)
		}
	})
	t.Run("when an earlier copy is stored", func(t *testing.T) {
		s := newStore(t)
		server := s.serve(t)
		peer := dialRaw(t, server.Addr().String())
		peer.exchange(post(t, 8, "aa", "1")).want(t, message.Changed, "aa")
		s.set(func(s *store) { s.err = cluster.ErrNoLeader })
		peer.exchange(post(t, 8, "aa", "1")).want(t, message.Changed, "aa")
		peer.exchange(post(t, 9, "bb", "2")).want(t, message.ServiceUnavailable, "bb")
		if n := server.Stats().Duplicates; n != 1 {
			t.Errorf("%d duplicates counted, want 1", n)
		}
	})
	t.Run("when an earlier copy was stored through another gateway", func(t *testing.T) {
		s := newStore(t)
		one, other := dialRaw(t, s.serve(t).Addr().String()), s.serve(t, func(c *coap.Config) { c.Limits.PeerRate, c.Limits.PeerBurst = 1e-3, 2 })
		timed := coap.Request{
			Method: message.POST, Path: coap.ReadingPath("pump-7", "temperature"),
			Typed: true, Format: 50, Payload: []byte(`{"value":21.6,"time":1700000000}`),
		}
		one.exchange(request(t, 1, "one", timed)).want(t, message.Changed, "one")
		s.set(func(s *store) { s.err = cluster.ErrNoLeader })
		fast := dialRaw(t, other.Addr().String())
		fast.exchange(post(t, 2, "a", "1")).want(t, message.ServiceUnavailable, "a")
		fast.exchange(post(t, 3, "b", "2")).want(t, message.ServiceUnavailable, "b")
		fast.exchange(request(t, 4, "two", timed)).want(t, message.Changed, "two") // beyond its rate
		fast.exchange(post(t, 5, "c", "3")).want(t, message.TooManyRequests, "c")
		slow := dialRaw(t, other.Addr().String())
		slow.exchange(request(t, 6, "three", timed)).want(t, message.Changed, "three") // no leader
		slow.exchange(post(t, 7, "d", "4")).want(t, message.ServiceUnavailable, "d")
		if got := values(s); got != "21.6" {
			t.Errorf("stored %q, want one reading", got)
		}
	})
	t.Run("when it comes beyond its peer's rate", func(t *testing.T) {
		s := newStore(t)
		server := s.serve(t, func(c *coap.Config) { c.Limits.PeerRate, c.Limits.PeerBurst = 1e-3, 2 })
		peer := dialRaw(t, server.Addr().String())
		peer.exchange(post(t, 8, "aa", "1")).want(t, message.Changed, "aa")
		peer.exchange(post(t, 9, "bb", "2")).want(t, message.Changed, "bb")
		peer.exchange(post(t, 9, "bb", "2")).want(t, message.Changed, "bb")
	})
	t.Run("when an earlier copy is undecided and this one comes beyond its peer's rate", func(t *testing.T) {
		s := newStore(t)
		s.set(func(s *store) { s.lost = true })
		server := s.serve(t, func(c *coap.Config) { c.Limits.PeerRate, c.Limits.PeerBurst = 1e-3, 2 })
		peer := dialRaw(t, server.Addr().String())
		peer.exchange(post(t, 8, "aa", "1")).want(t, message.GatewayTimeout, "aa")
		peer.exchange(post(t, 9, "bb", "2")).want(t, message.GatewayTimeout, "bb")
		peer.exchange(post(t, 8, "aa", "1")).want(t, message.GatewayTimeout, "aa")
	})
	t.Run("when an earlier process of the gateway may have taken it", func(t *testing.T) {
		s := newStore(t)
		peer := dialRaw(t, s.serve(t, func(c *coap.Config) { c.Heir = true }).Addr().String())
		s.set(func(s *store) { s.unbegun = true })
		peer.send(post(t, 8, "aa", "1"))
		peer.silent()
		s.set(func(s *store) { s.unbegun, s.err = false, cluster.ErrNoLeader })
		peer.exchange(post(t, 9, "bb", "2")).want(t, message.GatewayTimeout, "bb")
		s.set(func(s *store) { s.err = cluster.ErrOverloaded })
		peer.exchange(post(t, 9, "bb", "2")).want(t, message.GatewayTimeout, "bb")
		s.set(func(s *store) { s.err = nil })
		peer.exchange(post(t, 8, "aa", "1")).want(t, message.Changed, "aa")
	})
	t.Run("when the refused message is really new, it is told so again", func(t *testing.T) {
		s := newStore(t)
		peer := dialRaw(t, s.serve(t).Addr().String())
		s.set(func(s *store) { s.err = cluster.ErrNoLeader })
		peer.exchange(post(t, 8, "aa", "1")).want(t, message.ServiceUnavailable, "aa")
		peer.exchange(post(t, 8, "aa", "1")).want(t, message.ServiceUnavailable, "aa")
	})
}

func TestCopiesInFlightShareAnOutcome(t *testing.T) {
	s := newStore(t)
	gate := make(chan struct{})
	s.set(func(s *store) { s.gate = gate })
	server := s.serve(t)
	one, other := dialRaw(t, server.Addr().String()), dialRaw(t, server.Addr().String())
	timed := coap.Request{
		Method: message.POST, Path: coap.ReadingPath("pump-7", "temperature"),
		Typed: true, Format: 50, Payload: []byte(`{"value":21.6,"time":1700000000}`),
	}
	for range 3 {
		one.send(request(t, 1, "one", timed))
	}
	other.send(request(t, 2, "other", timed)) // the same reading by another way
	await(t, "all four are read", func() bool { return server.Stats().Requests["POST"] == 4 })
	one.silent()
	if st := server.Stats(); st.Flights != 1 {
		t.Errorf("%d messages on their way, want 1", st.Flights)
	}
	close(gate)
	one.answer().want(t, message.Changed, "one")
	other.answer().want(t, message.Changed, "other")
	one.silent()
	if got := values(s); got != "21.6" {
		t.Errorf("stored %q, want one reading", got)
	}
}

func TestNamedMessages(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	named := func(id uint16, device, name, value string) answer {
		return peer.exchange(request(t, id, fmt.Sprint(id), coap.Request{
			Method: message.POST, Path: coap.ReadingPath(device, "temperature"), Query: []string{"id=" + name}, Payload: []byte(value),
		}))
	}
	named(1, "pump-7", "a", "1").want(t, message.Changed, "1")
	named(2, "pump-7", "a", "1").want(t, message.Changed, "2")  // another datagram, the same message
	named(3, "pump-7", "a", "2").want(t, message.Conflict, "3") // the same name for something else
	named(4, "pump-8", "a", "3").want(t, message.Changed, "4")  // another device's name
	named(5, "pump-7", "b", "1").want(t, message.Changed, "5")  // to say the same again
	named(6, "pump-7", strings.Repeat("x", 65), "4").want(t, message.BadRequest, "6")
	named(7, "pump-7", "", "4").want(t, message.BadRequest, "7")
	if got := values(s); got != "1 3 1" {
		t.Errorf("stored %q, want %q", got, "1 3 1")
	}
}

func TestANameInFlightIsNotTakenForSomethingElse(t *testing.T) {
	s := newStore(t)
	gate := make(chan struct{})
	s.set(func(s *store) { s.gate = gate })
	peer := dialRaw(t, s.serve(t).Addr().String())
	named := func(token, value string) []byte {
		return request(t, 1, token, coap.Request{
			Method: message.POST, Path: coap.ReadingPath("pump-7", "temperature"), Query: []string{"id=a"}, Payload: []byte(value),
		})
	}
	peer.send(named("one", "1"))
	peer.exchange(named("two", "2")).want(t, message.Conflict, "two")
	close(gate)
	peer.answer().want(t, message.Changed, "one")
	if got := values(s); got != "1" {
		t.Errorf("stored %q, want the first", got)
	}
}

func TestTheSameTimedReadingIsOneReading(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	for i, format := range []struct {
		content uint16
		path    []string
		payload string
	}{
		{50, coap.ReadingPath("pump-7", "temperature"), `{"value":21.6,"unit":"Cel","time":1700000000}`},
		{50, coap.ReadingPath("pump-7", "temperature"), `{"time":"2023-11-14T22:13:20Z","unit":"Cel","value":2.16e1}`},
		{110, []string{"r"}, `[{"bn":"pump-7/","bt":1.7e9,"n":"temperature","u":"Cel","v":21.6}]`},
		{110, []string{"r", "pump-7"}, `[{"n":"temperature","u":"Cel","t":1.7e9,"v":21.6}]`},
	} {
		token := fmt.Sprint(i)
		peer.exchange(request(t, uint16(i), token, coap.Request{
			Method: message.POST, Path: format.path, Typed: true, Format: format.content, Payload: []byte(format.payload),
		})).want(t, message.Changed, token)
	}
	if got := values(s); got != "21.6" {
		t.Errorf("stored %q, want one reading", got)
	}
}

func TestAFullQueueRefuses(t *testing.T) {
	s := newStore(t)
	gate := make(chan struct{})
	s.set(func(s *store) { s.gate = gate })
	server := s.serve(t, func(c *coap.Config) { c.Limits.Flights = 3 })
	peer := dialRaw(t, server.Addr().String())
	for i := range 5 {
		peer.send(post(t, uint16(i), fmt.Sprint(i), fmt.Sprint(i)))
	}
	for _, token := range []string{"3", "4"} {
		a := peer.answer()
		a.want(t, message.TooManyRequests, token)
		if a.maxAge == 0 {
			t.Error("4.29 without Max-Age")
		}
	}
	close(gate)
	for range 3 {
		if a := peer.answer(); a.code != message.Changed {
			t.Errorf("got %v, want 2.04", a.code)
		}
	}
	if got := len(s.readings()); got != 3 {
		t.Errorf("%d stored, want 3", got)
	}
}

// fill brings as many gated proposals on their way as the server makes.
func fill(t *testing.T, s *store, server *coap.Server, peer *raw) {
	t.Helper()
	arrived := make(chan struct{}, 100)
	s.set(func(s *store) { s.proposed = arrived })
	for i := range 16 {
		peer.send(post(t, uint16(100+i), "fill", fmt.Sprint(i)))
		select {
		case <-arrived:
		case <-time.After(patience):
			t.Fatalf("proposal %d did not arrive", i)
		}
	}
}

func TestWhatNoProposalGetsToIsTurnedAway(t *testing.T) {
	s := newStore(t)
	gate := make(chan struct{})
	defer close(gate)
	s.set(func(s *store) { s.gate = gate })
	server := s.serve(t, func(c *coap.Config) { c.Limits.QueueWait = 50 * time.Millisecond })
	peer := dialRaw(t, server.Addr().String())
	fill(t, s, server, peer)
	a := peer.exchange(post(t, 1, "late", "1"))
	a.want(t, message.ServiceUnavailable, "late")
	if a.maxAge == 0 {
		t.Error("5.03 without Max-Age")
	}
	if n := server.Stats().Flights; n != 16 {
		t.Errorf("%d messages on their way, want the 16 that are stuck", n)
	}
}

func TestWaitingIsTakenOffRelativeTimes(t *testing.T) {
	const waited = 20 * time.Millisecond
	s := newStore(t)
	gate := make(chan struct{})
	s.set(func(s *store) { s.gate = gate })
	server := s.serve(t)
	peer := dialRaw(t, server.Addr().String())
	fill(t, s, server, peer)
	sent := time.Now()
	peer.send(request(t, 1, "waits", coap.Request{Method: message.POST, Path: coap.ReadingPath("pump-8", "level"), Payload: []byte("99")}))
	await(t, "it has waited", func() bool { return time.Since(sent) > 2*waited && server.Stats().Flights == 17 })
	close(gate)
	for range 17 {
		peer.answer()
	}
	r, ok := s.Latest("pump-8", "level")
	if !ok {
		t.Fatal("it is not stored")
	}
	if r.Received-r.Time < waited.Microseconds() {
		t.Errorf("its time is %d us before it was received, want at least %d", r.Received-r.Time, waited.Microseconds())
	}
}

func TestPostsThatComeTogetherAreOneProposal(t *testing.T) {
	s := newStore(t)
	gate := make(chan struct{})
	s.set(func(s *store) { s.gate = gate })
	server := s.serve(t)
	peer := dialRaw(t, server.Addr().String())
	fill(t, s, server, peer)
	const n = 100
	for i := range n {
		peer.send(post(t, uint16(1000+i), "x", fmt.Sprint(i)))
	}
	await(t, "all are on their way", func() bool { return server.Stats().Flights == 16+n })
	close(gate)
	for range 16 + n {
		if a := peer.answer(); a.code != message.Changed {
			t.Fatalf("got %v, want 2.04", a.code)
		}
	}
	if n := server.Stats().Proposals; n > 18 {
		t.Errorf("%d proposals, want 18 at most", n)
	}
}

func TestAServerThatStopsAnswersWhatIsOnItsWay(t *testing.T) {
	s := newStore(t)
	gate := make(chan struct{})
	arrived := make(chan struct{}, 1)
	s.set(func(s *store) { s.gate, s.proposed = gate, arrived })
	server, stop := s.serveUntil(t)
	peer := dialRaw(t, server.Addr().String())
	peer.send(post(t, 8, "aa", "1"))
	<-arrived
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	close(gate)
	peer.answer().want(t, message.Changed, "aa")
	<-stopped
}
