package coap_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message/pool"
	"github.com/plgd-dev/go-coap/v3/tcp"

	"skerry/coap"
	"skerry/coap/message"
)

// observeRequest is a GET of a series with Observe.
func observeRequest(tb testing.TB, id uint16, path []string) []byte {
	tb.Helper()
	m := message.Message{Type: message.CON, Code: message.GET, ID: id, Token: []byte("obs")}
	m.AddUint(message.Observe, 0)
	for _, segment := range path {
		m.Add(message.URIPath, []byte(segment))
	}
	b, err := m.Append(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestObservesInASession(t *testing.T) {
	s := newStore(t)
	s.register(t, "pump-7")
	server := s.serve(t, everyDoor(t))
	d := enter(t, server, "pump-7")
	s.append(t, "pump-7", "temperature", 0)
	d.send(observeRequest(t, 1, coap.ReadingPath("pump-7", "temperature")))
	if m := d.hear(); m.Code != message.Content || m.Type != message.ACK {
		t.Fatalf("got %v in type %d, want 2.05 in an ACK", m.Code, m.Type)
	}
	for i := range 20 {
		want := strconv.Itoa(i + 1)
		s.append(t, "pump-7", "temperature", float64(i+1))
		m := d.hear()
		if m.Code != message.Content || string(m.Payload) != want || m.Type != message.CON {
			t.Fatalf("got %v %q in type %d, want %s in a CON", m.Code, m.Payload, m.Type, want)
		}
		ack, err := (&message.Message{Type: message.ACK, ID: m.ID}).Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		d.send(ack)
	}
	d.conn.Close()
	eventually(t, "the observation's end with its session", func() bool { return server.Stats().Observers == 0 })
}

// eventually waits for what must happen.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("still waiting for %s", what)
		}
	}
}

func TestObservesOverAStream(t *testing.T) {
	s := newStore(t)
	server := s.serve(t, everyDoor(t))
	_, at, _ := server.DoorAddrs()
	conn, err := tcp.Dial(at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s.append(t, "pump-7", "temperature", 0)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	heard := make(chan string, 100)
	o, err := conn.Observe(ctx, "/r/pump-7/temperature", func(m *pool.Message) {
		if body, err := m.ReadBody(); err == nil {
			heard <- string(body)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 21 {
		if i > 0 {
			s.append(t, "pump-7", "temperature", float64(i))
		}
		select {
		case got := <-heard:
			if got != strconv.Itoa(i) {
				t.Fatalf("heard %q, want %d", got, i)
			}
		case <-ctx.Done():
			t.Fatalf("%d is not heard", i)
		}
	}
	if err := o.Cancel(ctx); err != nil {
		t.Fatal(err)
	}
	if n := server.Stats().Observers; n != 0 {
		t.Errorf("%d observations are left", n)
	}
}
