package coap_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"skerry/coap/message"
)

// TestMalformedDatagrams sends what message/testdata/datagrams.txt lists to one
// running server, each as all four types.
func TestMalformedDatagrams(t *testing.T) {
	list, err := os.ReadFile("message/testdata/datagrams.txt")
	if err != nil {
		t.Fatal(err)
	}
	server := newStore(t).serve(t)
	for line := range strings.Lines(string(list)) {
		parts := strings.SplitN(strings.TrimSpace(line), "|", 3)
		if len(parts) != 3 {
			continue
		}
		want, datagram := strings.TrimSpace(parts[0]), unhex(t, strings.Trim(parts[1], " -"))
		if len(datagram) == 0 {
			continue // a socket does not tell it from one that was not sent
		}
		t.Run(strings.TrimSpace(parts[2]), func(t *testing.T) {
			peer := dialRaw(t, server.Addr().String())
			for _, kind := range []message.Type{message.CON, message.NON, message.ACK, message.RST} {
				datagram[0] = datagram[0]&^0x30 | byte(kind)<<4
				peer.send(datagram)
				peer.rejects(want, datagram)
			}
		})
	}
}

// rejects checks what came back for a datagram: an RST or a 4.02 for a CON that
// is not dropped in silence, and nothing for all else but requests.
func (r *raw) rejects(want string, sent []byte) {
	r.tb.Helper()
	kind := message.Type(sent[0] >> 4 & 3)
	switch {
	case want == "request" && (kind == message.CON || kind == message.NON):
		r.settle() // it is served, which other tests look at
	case kind != message.CON || want == "silence":
		r.silent()
	case want == "reset":
		if got, reset := r.receive(), []byte{0x70, 0, sent[2], sent[3]}; !bytes.Equal(got, reset) {
			r.tb.Errorf("%x gets %x, want %x", sent, got, reset)
		}
	default:
		if a := r.answer(); a.code != message.BadOption || a.kind != message.ACK {
			r.tb.Errorf("%x gets %v in type %d, want 4.02 in an ACK", sent, a.code, a.kind)
		}
	}
}

// settle receives whatever has come.
func (r *raw) settle() {
	r.tb.Helper()
	r.send([]byte{0x40, 0, 0xfe, 0xfe})
	for !bytes.Equal(r.receive(), []byte{0x70, 0, 0xfe, 0xfe}) {
	}
}
