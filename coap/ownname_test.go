package coap_test

import (
	"testing"

	"skerry/coap"
	"skerry/coap/message"
)

// TestNoWayOfWritingIsUnderAnothersName tries what is beside plain readings.
func TestNoWayOfWritingIsUnderAnothersName(t *testing.T) {
	s := newStore(t)
	s.register(t, "pump-7")
	d := enter(t, s.serve(t, everyDoor(t)), "pump-7")
	own, others := coap.ReadingPath("pump-7", "picture"), coap.ReadingPath("pump-8", "picture")
	part := func(path []string) []byte {
		m := message.Message{Code: message.PUT, ID: 900, Token: []byte("part"), Payload: noise(64)}
		for _, segment := range path {
			m.Add(message.URIPath, []byte(segment))
		}
		m.AddUint(message.ContentFormat, 42)
		m.AddUint(message.Block1, 1<<3|2)
		b, err := m.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, c := range []struct {
		name string
		send []byte
		want message.Code
	}{
		{"its own frame", request(t, 901, "f", coap.Request{Method: message.PUT, Path: own, Typed: true, Format: 22, Payload: picture(t, 2, 1)}), message.Changed},
		{"another's frame", request(t, 902, "f", coap.Request{Method: message.PUT, Path: others, Typed: true, Format: 22, Payload: picture(t, 2, 1)}), message.Forbidden},
		{"the first block of its own", part(own), message.Continue},
		{"the first block of another's", part(others), message.Forbidden},
		{"a patch of its own", request(t, 903, "p", coap.Request{Method: message.IPATCH, Path: []string{"r"}, Typed: true, Format: 320, Payload: []byte(`[{"n":"pump-7/a","v":1}]`)}), message.Changed},
		{"a patch of another's", request(t, 904, "p", coap.Request{Method: message.IPATCH, Path: []string{"r"}, Typed: true, Format: 320, Payload: []byte(`[{"n":"pump-7/a","v":1},{"n":"pump-8/a","v":1}]`)}), message.Forbidden},
	} {
		d.send(c.send)
		if m := d.hear(); m.Code != c.want {
			t.Errorf("%s: got %v %q, want %v", c.name, m.Code, m.Payload, c.want)
		}
	}
}

// TestANameOfAMessageIsItsSendersOwn has two devices use one id for readings of a
// third, whom both may write for.
func TestANameOfAMessageIsItsSendersOwn(t *testing.T) {
	s := newStore(t)
	s.register(t, "pump-7", "tank-1")
	s.register(t, "pump-8", "tank-1")
	server := s.serve(t, everyDoor(t))
	for _, c := range []struct{ device, value string }{{"pump-7", "1"}, {"pump-8", "2"}} {
		r := putReading("tank-1", "level", c.value)
		r.Query = []string{"id=1"}
		if m := enter(t, server, c.device).ask(r); m.Code != message.Changed {
			t.Errorf("%s: got %v %q, want 2.04", c.device, m.Code, m.Payload)
		}
	}
	if n := len(s.readings()); n != 2 {
		t.Errorf("%d readings are stored, want 2", n)
	}
}

// TestASessionGoesOnWithItsOwnBodiesOnly has a second session of a device send
// the block after the first one's.
func TestASessionGoesOnWithItsOwnBodiesOnly(t *testing.T) {
	s := newStore(t)
	s.register(t, "cam")
	server := s.serve(t, everyDoor(t))
	body := noise(1_100)
	one, other := enter(t, server, "cam"), enter(t, server, "cam")
	for _, c := range []struct {
		from *secured
		num  int
		want message.Code
	}{{one, 0, message.Continue}, {other, 1, message.Incomplete}, {one, 1, message.Changed}} {
		c.from.send(octets().part(t, body, c.num, 6).encode(t))
		if m := c.from.hear(); m.Code != c.want {
			t.Errorf("block %d: got %v %q, want %v", c.num, m.Code, m.Payload, c.want)
		}
	}
	once(t, s, body)
}
