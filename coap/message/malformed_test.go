package message_test

import (
	_ "embed"
	"strings"
	"testing"

	"skerry/coap/message"
)

//go:embed testdata/datagrams.txt
var datagramList string

// known is a line of testdata/datagrams.txt.
type known struct {
	kind  message.Kind // as a CON
	bytes []byte
	name  string
}

func knownDatagrams(tb testing.TB) []known {
	tb.Helper()
	kinds := map[string]message.Kind{
		"reset": message.Reset, "option": message.BadRequestOption, "request": message.Request, "silence": message.Silence,
	}
	var list []known
	for line := range strings.Lines(datagramList) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		parts := strings.SplitN(line, "|", 3)
		kind, ok := kinds[strings.TrimSpace(parts[0])]
		if !ok || len(parts) != 3 {
			tb.Fatalf("datagrams.txt: line %q", line)
		}
		list = append(list, known{kind, datagram(tb, strings.Trim(parts[1], " -")), strings.TrimSpace(parts[2])})
	}
	return list
}

// as is the datagram as another type.
func as(kind message.Type, b []byte) []byte {
	b = append([]byte(nil), b...)
	if len(b) > 0 {
		b[0] = b[0]&^0x30 | byte(kind)<<4
	}
	return b
}

// TestParse_of_malformed_datagrams has each of them as all four types: a CON is
// rejected aloud; a NON that is not served, an ACK and an RST never are, since
// an answer would be one to whoever is named as the sender (RFC 7252 sections
// 4.2 and 4.3).
func TestParse_of_malformed_datagrams(t *testing.T) {
	for _, d := range knownDatagrams(t) {
		t.Run(d.name, func(t *testing.T) {
			var m message.Message
			if got, err := message.Parse(as(message.CON, d.bytes), &m); got != d.kind {
				t.Errorf("a CON is of kind %d (%v), want %d", got, err, d.kind)
			}
			want := message.Silence
			if d.kind == message.Request {
				want = message.Request
			}
			if got, err := message.Parse(as(message.NON, d.bytes), &m); got != want {
				t.Errorf("a NON is of kind %d (%v), want %d", got, err, want)
			}
			for _, kind := range []message.Type{message.ACK, message.RST} {
				if got, err := message.Parse(as(kind, d.bytes), &m); got != message.Silence && got != message.Response {
					t.Errorf("type %d is of kind %d (%v), want no answer", kind, got, err)
				}
			}
		})
	}
}
