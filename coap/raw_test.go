package coap_test

import (
	"bytes"
	"encoding/hex"
	"net"
	"strings"
	"testing"
	"time"

	"skerry/coap"
	"skerry/coap/message"
)

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// raw is a peer that sends datagrams as they are.
type raw struct {
	tb   testing.TB
	conn net.Conn
}

func dialRaw(tb testing.TB, addr string) *raw {
	tb.Helper()
	conn, err := net.Dial("udp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	return &raw{tb, conn}
}

// unhex reads hex with spaces.
func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func (r *raw) send(datagram []byte) {
	r.tb.Helper()
	if _, err := r.conn.Write(datagram); err != nil {
		r.tb.Fatal(err)
	}
}

// receive returns the next datagram that is no ping. It rejects pings, as every
// CoAP stack does.
func (r *raw) receive() []byte {
	r.tb.Helper()
	for {
		b := r.next()
		if len(b) != 4 || b[0] != 0x40 || b[1] != 0 {
			return b
		}
		r.send([]byte{0x70, 0, b[2], b[3]})
	}
}

// prove makes the server know that the peer receives what is sent to it.
func (r *raw) prove() {
	r.tb.Helper()
	r.exchange(request(r.tb, 0xfffe, "proof", coap.Request{
		Method: message.GET, Path: coap.ReadingPath("nobody", "nothing"), Query: []string{"from=0"},
	}))
}

// next returns the next datagram.
func (r *raw) next() []byte {
	r.tb.Helper()
	if err := r.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		r.tb.Fatal(err)
	}
	b := make([]byte, 64<<10)
	n, err := r.conn.Read(b)
	if err != nil {
		r.tb.Fatal(err)
	}
	return b[:n]
}

// answer is a reply in parts.
type answer struct {
	kind    message.Type
	code    message.Code
	id      uint16
	token   string
	payload string
	maxAge  uint32
	size1   uint32
	format  int // -1 for none
	time    []byte
}

// answer receives and reads a reply.
func (r *raw) answer() answer {
	r.tb.Helper()
	b := r.receive()
	var m message.Message
	if kind, err := message.Parse(b, &m); kind != message.Response {
		r.tb.Fatalf("%x is no response but %d: %v", b, kind, err)
	}
	a := answer{kind: m.Type, code: m.Code, id: m.ID, token: string(m.Token), payload: string(m.Payload), format: -1}
	a.maxAge, _ = m.Uint(message.MaxAge)
	a.size1, _ = m.Uint(message.Size1)
	if format, ok := m.Uint(message.ContentFormat); ok {
		a.format = int(format)
	}
	a.time, _ = m.Option(message.ServerTime)
	return a
}

// exchange sends a datagram and reads its reply.
func (r *raw) exchange(datagram []byte) answer {
	r.tb.Helper()
	r.send(datagram)
	return r.answer()
}

// silent checks that nothing has come: the reader answers a ping in its turn.
func (r *raw) silent() {
	r.tb.Helper()
	r.send([]byte{0x40, 0, 0xfe, 0xfe})
	if got := r.receive(); !bytes.Equal(got, []byte{0x70, 0, 0xfe, 0xfe}) {
		r.tb.Errorf("got %x, want silence", got)
	}
}

// request encodes a request.
func request(tb testing.TB, id uint16, token string, r coap.Request) []byte {
	tb.Helper()
	b, err := coap.AppendRequest(nil, id, []byte(token), &r)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// post is a POST of a text to pump-7/temperature.
func post(tb testing.TB, id uint16, token, value string) []byte {
	tb.Helper()
	return request(tb, id, token, coap.Request{Method: message.POST, Path: coap.ReadingPath("pump-7", "temperature"), Payload: []byte(value)})
}

// want checks an answer's code and token.
func (a answer) want(tb testing.TB, code message.Code, token string) {
	tb.Helper()
	if a.code != code || a.token != token {
		tb.Errorf("got %v %q with token %q, want %v with token %q", a.code, a.payload, a.token, code, token)
	}
}

// await waits for a condition.
func await(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("%s: not within %v", what, patience)
		}
	}
}
