package coap_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"skerry/coap"
	"skerry/coap/message"
	"skerry/fsm"
)

// observer is a peer that observes by hand.
type observer struct {
	*raw
	id     uint16 // of its last request
	accept uint32 // 0 for text, or whatever there is
}

func newObserver(tb testing.TB, server *coap.Server) *observer {
	tb.Helper()
	o := &observer{raw: dialRaw(tb, server.Addr().String())}
	o.prove()
	return o
}

// sight is a response to one who observes.
type sight struct {
	answer
	observe int // -1 for none
}

// ask sends a GET with an Observe option, or none for -1.
func (o *observer) ask(kind message.Type, token string, observe int, path string, query ...string) {
	o.tb.Helper()
	o.id++
	m := message.Message{Type: kind, Code: message.GET, ID: o.id, Token: []byte(token)}
	for segment := range strings.SplitSeq(path, "/") {
		m.Add(message.URIPath, []byte(segment))
	}
	for _, q := range query {
		m.Add(message.URIQuery, []byte(q))
	}
	if observe >= 0 {
		m.AddUint(message.Observe, uint32(observe))
	}
	if o.accept > 0 {
		m.AddUint(message.Accept, o.accept)
	}
	b, err := m.Append(nil)
	if err != nil {
		o.tb.Fatal(err)
	}
	o.send(b)
}

// sees receives what comes next.
func (o *observer) sees() sight {
	o.tb.Helper()
	b := o.receive()
	var m message.Message
	if kind, err := message.Parse(b, &m); kind != message.Response {
		o.tb.Fatalf("%x is no response: %v", b, err)
	}
	s := sight{answer{kind: m.Type, code: m.Code, id: m.ID, token: string(m.Token), payload: string(m.Payload), format: -1}, -1}
	s.maxAge, _ = m.Uint(message.MaxAge)
	if v, ok := m.Uint(message.Observe); ok {
		s.observe = int(v)
	}
	if v, ok := m.Uint(message.ContentFormat); ok {
		s.format = int(v)
	}
	return s
}

// begins observes a path and checks the first answer.
func (o *observer) begins(kind message.Type, token, path, want string, query ...string) sight {
	o.tb.Helper()
	o.ask(kind, token, 0, path, query...)
	s := o.sees()
	s.is(o.tb, token, want)
	return s
}

// is checks a representation.
func (s *sight) is(tb testing.TB, token, want string) {
	tb.Helper()
	if s.code != message.Content || s.token != token || s.payload != want || s.observe < 0 || s.maxAge == 0 {
		tb.Fatalf("got %+v, want %q to token %q", s, want, token)
	}
}

// acknowledges receives a confirmable notification and acknowledges it.
func (o *observer) acknowledges(token, want string) sight {
	o.tb.Helper()
	s := o.sees()
	s.is(o.tb, token, want)
	if s.kind != message.CON {
		o.tb.Fatalf("type %d, want a confirmable one", s.kind)
	}
	o.send([]byte{0x60, 0, byte(s.id >> 8), byte(s.id)})
	return s
}

// rejects receives a notification and sends RST.
func (o *observer) rejects(token, want string) {
	o.tb.Helper()
	s := o.sees()
	s.is(o.tb, token, want)
	o.send([]byte{0x70, 0, byte(s.id >> 8), byte(s.id)})
}

// reads posts a value to pump-7/temperature by another endpoint.
func reads(tb testing.TB, device *raw, id uint16, value string) {
	tb.Helper()
	a := device.exchange(post(tb, id, "post", value))
	a.want(tb, message.Changed, "post")
}

func (o *observer) ended(server *coap.Server) {
	o.tb.Helper()
	await(o.tb, "no observation is left", func() bool { return server.Stats().Observers == 0 })
}

// newer is the comparison of RFC 7641 section 3.4, without its clock.
func newer(v, than int) bool {
	return than < v && v-than < 1<<23 || than > v && than-v > 1<<23
}

func TestObservesAHundredChanges(t *testing.T) {
	for _, kind := range []message.Type{message.CON, message.NON} {
		t.Run([]string{"CON", "NON"}[kind], func(t *testing.T) {
			s := newStore(t)
			server := s.serve(t)
			device := dialRaw(t, server.Addr().String())
			reads(t, device, 1, "0")
			o := newObserver(t, server)
			last := o.begins(kind, "tok", "r/pump-7/temperature", "0")
			if last.format != 0 {
				t.Errorf("format %d", last.format)
			}
			confirmed := 0
			for i := range 100 {
				value := fmt.Sprint(i + 1)
				reads(t, device, uint16(i+2), value)
				seen := o.sees()
				seen.is(t, "tok", value)
				if !newer(seen.observe, last.observe) {
					t.Fatalf("Observe %d after %d", seen.observe, last.observe)
				}
				if last = seen; seen.kind == message.CON {
					confirmed++
					o.send([]byte{0x60, 0, byte(seen.id >> 8), byte(seen.id)})
				}
			}
			if kind == message.CON && confirmed != 100 || kind == message.NON && (confirmed < 12 || confirmed > 20) {
				t.Errorf("%d of 100 were confirmable", confirmed)
			}
			if n := server.Stats().Notifications; n != 100 {
				t.Errorf("%d notifications", n)
			}
		})
	}
}

func TestObservationEnds(t *testing.T) {
	const path = "r/pump-7/temperature"
	scene := func(t *testing.T) (*observer, *raw, *coap.Server, *store) {
		s := newStore(t)
		server := s.serve(t)
		device := dialRaw(t, server.Addr().String())
		reads(t, device, 1, "0")
		return newObserver(t, server), device, server, s
	}
	t.Run("by a request with Observe 1", func(t *testing.T) {
		o, device, server, _ := scene(t)
		o.begins(message.CON, "a", path, "0")
		o.begins(message.CON, "b", path, "0")
		o.ask(message.CON, "a", 1, path)
		if s := o.sees(); s.observe != -1 || s.payload != "0" {
			t.Errorf("got %+v", s)
		}
		reads(t, device, 2, "1")
		o.acknowledges("b", "1")
		o.silent()
		if n := server.Stats().Observers; n != 1 {
			t.Errorf("%d observers", n)
		}
	})
	t.Run("by RST to a confirmable notification", func(t *testing.T) {
		o, device, server, _ := scene(t)
		o.begins(message.CON, "a", path, "0")
		reads(t, device, 2, "1")
		o.rejects("a", "1")
		o.ended(server)
		reads(t, device, 3, "2")
		o.silent()
	})
	t.Run("by RST to a non-confirmable notification", func(t *testing.T) {
		o, device, server, _ := scene(t)
		o.begins(message.NON, "a", path, "0")
		reads(t, device, 2, "1")
		o.rejects("a", "1")
		o.ended(server)
	})
	t.Run("not by a GET without Observe", func(t *testing.T) {
		o, device, _, _ := scene(t)
		o.begins(message.CON, "a", path, "0")
		o.ask(message.CON, "other", -1, path)
		if s := o.sees(); s.observe != -1 || s.payload != "0" {
			t.Errorf("got %+v", s)
		}
		reads(t, device, 2, "1")
		o.acknowledges("a", "1")
	})
	t.Run("when its format cannot be kept", func(t *testing.T) {
		o, device, server, _ := scene(t)
		o.begins(message.CON, "a", path, "0")
		put := request(t, 2, "post", coap.Request{
			Method: message.PUT, Path: coap.ReadingPath("pump-7", "temperature"), Payload: []byte{1, 2}, Format: 42, Typed: true,
		})
		a := device.exchange(put)
		a.want(t, message.Changed, "post")
		s := o.sees()
		if s.code != message.NotAcceptable || s.token != "a" || s.observe != -1 || s.kind != message.CON {
			t.Errorf("got %+v", s)
		}
		o.ended(server)
	})
}

func TestRegistersAgainInItsOwnPlace(t *testing.T) {
	s := newStore(t)
	server := s.serve(t)
	device := dialRaw(t, server.Addr().String())
	reads(t, device, 1, "0")
	o := newObserver(t, server)
	first := o.begins(message.CON, "a", "r/pump-7/temperature", "0")
	again := o.begins(message.CON, "a", "r/pump-7/temperature", "0")
	if !newer(again.observe, first.observe) {
		t.Errorf("Observe %d after %d", again.observe, first.observe)
	}
	reads(t, device, 2, "1")
	o.acknowledges("a", "1")
	o.silent()
}

func TestObservesADevice(t *testing.T) {
	s := newStore(t)
	server := s.serve(t)
	device := dialRaw(t, server.Addr().String())
	reads(t, device, 1, "20")
	o := newObserver(t, server)
	o.ask(message.CON, "a", 0, "r/pump-7")
	if s := o.sees(); s.observe < 0 || s.format != 110 {
		t.Fatalf("got %+v", s)
	}
	pressure := request(t, 2, "post", coap.Request{Method: message.POST, Path: coap.ReadingPath("pump-7", "pressure"), Payload: []byte("3")})
	device.exchange(pressure)
	if s := o.sees(); s.observe < 0 || !strings.Contains(s.payload, "pressure") || !strings.Contains(s.payload, "temperature") {
		t.Errorf("got %+v", s)
	}
}

func TestWhatIsNotThereIsNotObserved(t *testing.T) {
	s := newStore(t)
	server := s.serve(t)
	o := newObserver(t, server)
	for _, c := range []struct{ name, path, query string }{
		{"a series without readings", "r/pump-7/temperature", "pmin=1"},
		{"the time", "time", ""},
		{"a history", "r/nobody/nothing", "from=0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o.tb = t
			var query []string
			if c.query != "" {
				query = []string{c.query}
			}
			o.ask(message.CON, "a", 0, c.path, query...)
			if s := o.sees(); s.observe != -1 {
				t.Errorf("got %+v", s)
			}
		})
	}
	if n := server.Stats().Observers; n != 0 {
		t.Errorf("%d observers", n)
	}
}

func TestPaceOfNotifications(t *testing.T) {
	s := newStore(t)
	server := s.serve(t)
	device := dialRaw(t, server.Addr().String())
	reads(t, device, 1, "0")
	t.Run("pmin holds changes back, and the last one is told", func(t *testing.T) {
		o := newObserver(t, server)
		begin := time.Now()
		if s := o.begins(message.CON, "a", "r/pump-7/temperature", "0", "pmin=0.3"); s.maxAge != 60 {
			t.Errorf("Max-Age %d", s.maxAge)
		}
		reads(t, device, 2, "1")
		reads(t, device, 3, "2")
		o.acknowledges("a", "2")
		if took := time.Since(begin); took < 300*time.Millisecond {
			t.Errorf("told after %s", took)
		}
	})
	t.Run("pmax repeats", func(t *testing.T) {
		o := newObserver(t, server)
		o.begins(message.CON, "a", "r/pump-7/temperature", "2", "c.pmax=0.1")
		for range 3 {
			o.acknowledges("a", "2")
		}
	})
	t.Run("a contradiction is refused", func(t *testing.T) {
		o := newObserver(t, server)
		o.ask(message.CON, "a", 0, "r/pump-7/temperature", "pmin=10", "pmax=5")
		if s := o.sees(); s.code != message.BadRequest || !strings.Contains(s.payload, "pmax") {
			t.Errorf("got %+v", s)
		}
		o.ask(message.CON, "a", 0, "r/pump-7/temperature", "pmin=soon")
		if s := o.sees(); s.code != message.BadRequest || !strings.Contains(s.payload, "pmin") {
			t.Errorf("got %+v", s)
		}
	})
}

func TestUnprovenPeerDoesNotObserve(t *testing.T) {
	s := newStore(t)
	server := s.serve(t)
	device := dialRaw(t, server.Addr().String())
	reads(t, device, 1, "0")
	o := &observer{raw: dialRaw(t, server.Addr().String())}
	o.ask(message.CON, "a", 0, "r/pump-7/temperature")
	ping := o.next()
	if len(ping) != 4 || server.Stats().Observers != 0 {
		t.Fatalf("got %x", ping)
	}
	o.send([]byte{0x70, 0, ping[2], ping[3]})
	first := o.sees()
	first.is(t, "a", "0")
}

func TestOneEndpointHasNoMoreThanItsShare(t *testing.T) {
	s := newStore(t)
	server := s.serve(t)
	device := dialRaw(t, server.Addr().String())
	reads(t, device, 1, "0")
	o := newObserver(t, server)
	granted := 0
	for i := range 1000 {
		o.ask(message.NON, fmt.Sprintf("t%d", i), 0, "r/pump-7/temperature")
		if s := o.sees(); s.code != message.Content {
			t.Fatalf("got %+v", s)
		} else if s.observe >= 0 {
			granted++
		}
	}
	if granted != 64 || server.Stats().Observers != 64 {
		t.Errorf("%d were granted, %d are there", granted, server.Stats().Observers)
	}
}

func TestObservesATwin(t *testing.T) {
	s := newStore(t)
	server := s.serve(t)
	put := func(kind fsm.DocumentKind, body string) {
		t.Helper()
		cmd := &fsm.PutDocumentCommand{Device: "pump-7", Kind: kind, Format: 50, Body: []byte(body)}
		if body == "" {
			cmd = &fsm.PutDocumentCommand{Device: "pump-7", Kind: kind, Delete: true}
		}
		if result, err := s.Propose(t.Context(), cmd); err != nil || result.Outcomes[0].Code != fsm.Stored {
			t.Fatal(result, err)
		}
	}
	put(fsm.Desired, `{"valve":1}`)
	put(fsm.Reported, `{"valve":0}`)
	o := newObserver(t, server)
	o.begins(message.CON, "want", "d/pump-7/desired", `{"valve":1}`)
	o.begins(message.CON, "have", "d/pump-7/reported", `{"valve":0}`)
	put(fsm.Desired, `{"valve":2}`)
	o.acknowledges("want", `{"valve":2}`)
	put(fsm.Reported, `{"valve":2}`)
	o.acknowledges("have", `{"valve":2}`)
	put(fsm.Desired, "")
	gone := o.sees()
	if gone.code != message.NotFound || gone.token != "want" || gone.kind != message.CON || gone.observe != -1 {
		t.Errorf("got %+v", gone)
	}
	o.send([]byte{0x60, 0, byte(gone.id >> 8), byte(gone.id)})
	put(fsm.Desired, `{"valve":3}`)
	put(fsm.Reported, `{"valve":3}`)
	o.acknowledges("have", `{"valve":3}`)
	if n := server.Stats().Observers; n != 1 {
		t.Errorf("%d observers", n)
	}
}

func TestSequenceGoesOnAtAnotherGateway(t *testing.T) {
	s := newStore(t)
	here, there := s.serve(t), s.serve(t)
	device := dialRaw(t, here.Addr().String())
	reads(t, device, 1, "0")
	o := newObserver(t, here)
	o.begins(message.CON, "a", "r/pump-7/temperature", "0")
	var last sight
	for i := range 20 {
		value := fmt.Sprint(i + 1)
		reads(t, device, uint16(i+2), value)
		last = o.acknowledges("a", value)
	}
	s.set(func(s *store) { s.skipped += 10 * time.Millisecond })
	reads(t, device, 100, "100")
	again := newObserver(t, there)
	if first := again.begins(message.CON, "a", "r/pump-7/temperature", "100"); !newer(first.observe, last.observe) {
		t.Errorf("the other gateway begins with %d after %d", first.observe, last.observe)
	}
}

func TestObservesAFrame(t *testing.T) {
	s := newStore(t)
	server := s.serve(t)
	camera := dialRaw(t, server.Addr().String())
	shoot := func(id uint16, picture []byte) {
		t.Helper()
		a := camera.exchange(request(t, id, "cam", coap.Request{
			Method: message.POST, Path: coap.ReadingPath("cam-1", "picture"), Payload: picture, Format: 22, Typed: true,
		}))
		a.want(t, message.Changed, "cam")
	}
	first, second := picture(t, 8, 8), picture(t, 16, 8)
	shoot(1, first)
	o := newObserver(t, server)
	o.accept = 22
	if s := o.begins(message.CON, "a", "r/cam-1/picture", string(first)); s.format != 22 {
		t.Errorf("format %d", s.format)
	}
	shoot(2, second)
	o.acknowledges("a", string(second))
}

func TestObservesWhatAFetchPackNames(t *testing.T) {
	s := newStore(t)
	server := s.serve(t)
	device := dialRaw(t, server.Addr().String())
	reads(t, device, 1, "20")
	o := newObserver(t, server)
	m := message.Message{Type: message.CON, Code: message.FETCH, ID: 9, Token: []byte("a"), Payload: []byte(`[{"n":"temperature"}]`)}
	m.AddUint(message.Observe, 0)
	m.Add(message.URIPath, []byte("r"))
	m.Add(message.URIPath, []byte("pump-7"))
	m.AddUint(message.ContentFormat, 320)
	b, err := m.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	o.send(b)
	if s := o.sees(); s.observe < 0 || !strings.Contains(s.payload, `"v":20`) {
		t.Fatalf("got %+v", s)
	}
	reads(t, device, 2, "21")
	if s := o.sees(); s.observe < 0 || !strings.Contains(s.payload, `"v":21`) {
		t.Errorf("got %+v", s)
	}
}
