package message_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"skerry/coap/message"
)

// datagram reads hex with spaces.
func datagram(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestParse(t *testing.T) {
	const path = "b1 72" // Uri-Path: r
	for _, c := range []struct {
		name    string
		in      string
		want    message.Kind
		wantErr error // nil, a sentinel, or any *OptionError
	}{
		{"a CON POST with token, path and payload is a request", "42 02 00 08 aa bb " + path + " ff 31", message.Request, nil},
		{"a NON is a request too", "52 02 00 08 aa bb " + path, message.Request, nil},
		{"an unknown method is a request that the server judges", "40 05 00 08 " + path, message.Request, nil},
		{"a payload that begins with the marker's byte is a payload", "40 02 00 08 " + path + " ff ff", message.Request, nil},
		{"an option value that ends in the marker's byte is no marker", "40 02 00 08 b1 ff", message.Request, nil},
		{"an unknown elective option is passed over", "40 02 00 08 " + path + " d1 42 00", message.Request, nil},
		{"an elective option of a wrong length is passed over", "40 02 00 08 " + path + " 13 01 02 03", message.Request, nil},
		{"a token of 13 bytes is extended", "4d 02 00 08 00 0102030405060708090a0b0c0d " + path, message.Request, nil},
		{"a token of 256 bytes is extended", "4d 02 00 08 f3 " + strings.Repeat("07", 256) + path, message.Request, nil},
		{"the path of nothing is a request", "40 01 00 08", message.Request, nil},

		{"an empty CON is a ping", "40 00 00 08", message.Reset, nil},
		{"an empty NON says nothing", "50 00 00 08", message.Silence, nil},
		{"an ACK is a response", "60 44 00 08", message.Response, nil},
		{"an empty ACK is a response", "60 00 00 08", message.Response, nil},
		{"an RST is a response", "70 00 00 08", message.Response, nil},
		{"a CON response is a response", "40 45 00 08", message.Response, nil},

		{"three bytes are dropped", "40 02 00", message.Silence, message.ErrShort},
		{"no bytes are dropped", "", message.Silence, message.ErrShort},
		{"version 0 is dropped", "00 02 00 08 " + path, message.Silence, message.ErrVersion},
		{"version 2 is dropped", "82 02 00 08 " + path, message.Silence, message.ErrVersion},
		{"version 3 is dropped, even as an empty CON", "c0 00 00 08", message.Silence, message.ErrVersion},
		{"token length 9 in a CON is reset", "49 02 00 08 010203040506070809", message.Reset, message.ErrToken},
		{"token length 9 in a CON without room for it is reset", "49 02 00 08", message.Reset, message.ErrToken},
		{"token length 15 in a CON is reset", "4f 02 00 08", message.Reset, message.ErrToken},
		{"token length 9 in a NON is dropped", "59 02 00 08", message.Silence, message.ErrToken},
		{"token length 9 in an ACK is dropped", "69 44 00 08", message.Silence, message.ErrToken},
		{"token length 9 in an RST is dropped", "79 00 00 08", message.Silence, message.ErrEmpty},
		{"token length 12 in a CON is reset", "4c 02 00 08 0102030405060708090a0b0c", message.Reset, message.ErrToken},
		{"an extended token without its length is reset", "4d 02 00 08", message.Reset, message.ErrShort},
		{"an extended token with half of its length is reset", "4e 02 00 08 00", message.Reset, message.ErrShort},
		{"an extended token cut short is reset", "4d 02 00 08 00 0102030405060708090a0b0c", message.Reset, message.ErrShort},
		{"an extended token of 257 bytes is reset", "4d 02 00 08 f4 " + strings.Repeat("07", 257), message.Reset, message.ErrToken},
		{"an extended token of 269 bytes is reset", "4e 02 00 08 00 00 " + strings.Repeat("07", 269), message.Reset, message.ErrToken},
		{"a token cut short is reset", "44 02 00 08 aa bb", message.Reset, message.ErrShort},
		{"a marker without payload is reset", "40 02 00 08 " + path + " ff", message.Reset, message.ErrMarker},
		{"a marker without payload or options is reset", "40 02 00 08 ff", message.Reset, message.ErrMarker},
		{"a marker without payload after a value that ends in its byte is reset", "40 02 00 08 b1 ff ff", message.Reset, message.ErrMarker},
		{"a marker without payload in a NON is dropped", "50 02 00 08 " + path + " ff", message.Silence, message.ErrMarker},
		{"an empty CON with a token is reset", "41 00 00 08 aa", message.Reset, message.ErrEmpty},
		{"an empty CON with a token length alone is reset", "41 00 00 08", message.Reset, message.ErrEmpty},
		{"an empty CON with an option is reset", "40 00 00 08 " + path, message.Reset, message.ErrEmpty},
		{"an empty CON with a payload is reset", "40 00 00 08 ff 31", message.Reset, message.ErrEmpty},
		{"an empty NON with a token is dropped", "51 00 00 08 aa", message.Silence, message.ErrEmpty},
		{"an empty ACK with a payload is dropped", "60 00 00 08 ff 31", message.Silence, message.ErrEmpty},
		{"a code of class 1 is reset", "40 25 00 08 " + path, message.Reset, message.ErrClass},
		{"a code of class 3 is reset", "40 65 00 08 " + path, message.Reset, message.ErrClass},
		{"a code of class 6 is reset", "40 c5 00 08 " + path, message.Reset, message.ErrClass},
		{"a code of class 7 is reset", "40 e1 00 08 " + path, message.Reset, message.ErrClass},
		{"a code of class 1 in a NON is dropped", "50 25 00 08 " + path, message.Silence, message.ErrClass},
		{"an option value cut short is reset", "40 02 00 08 b5 72", message.Reset, message.ErrOptions},
		{"an option length cut short is reset", "40 02 00 08 bd", message.Reset, message.ErrOptions},
		{"an option delta cut short is reset", "40 02 00 08 e1 00", message.Reset, message.ErrOptions},
		{"the reserved option length 15 is reset", "40 02 00 08 bf 72", message.Reset, message.ErrOptions},
		{"the reserved option delta 15 is reset", "40 02 00 08 f1 72", message.Reset, message.ErrOptions},
		{"an option number beyond 65535 is reset", "40 02 00 08 e1 ff ff 00", message.Reset, message.ErrOptions},
		{"an option cut short in a NON is dropped", "50 02 00 08 b5 72", message.Silence, message.ErrOptions},
		{"an option cut short in an ACK is dropped", "60 44 00 08 b5 72", message.Silence, message.ErrOptions},
		{"an option cut short in an RST is dropped", "70 00 00 08 b5 72", message.Silence, message.ErrEmpty},

		{"an unknown critical option in a CON is a bad option", "40 02 00 08 " + path + " d1 29 00", message.BadRequestOption, &message.OptionError{Number: 65}},
		{"an unknown critical option in a NON is dropped", "50 02 00 08 " + path + " d1 29 00", message.Silence, &message.OptionError{Number: 65}},
		{"OSCORE is a critical option that is not known", "40 02 00 08 90 21 72", message.BadRequestOption, &message.OptionError{Number: 9}},
		{"If-Match of nine bytes is a bad option", "40 02 00 08 19 010203040506070809 a1 72", message.BadRequestOption, &message.OptionError{Number: message.IfMatch}},
		{"If-None-Match with a value is a bad option", "40 02 00 08 51 01 61 72", message.BadRequestOption, &message.OptionError{Number: message.IfNoneMatch}},
		{"Block1 of four bytes is a bad option", "40 02 00 08 " + path + " d4 03 00 00 00 0e", message.BadRequestOption, &message.OptionError{Number: message.Block1}},
		{"a second Block2 is a bad option", "40 01 00 08 " + path + " c1 06 01 06", message.BadRequestOption, &message.OptionError{Number: message.Block2}},
		{"Uri-Port of three bytes is a bad option", "40 02 00 08 73 01 02 03 41 72", message.BadRequestOption, &message.OptionError{Number: message.URIPort}},
		{"an empty Uri-Host is a bad option", "40 02 00 08 30 81 72", message.BadRequestOption, &message.OptionError{Number: message.URIHost}},
		{"a second Accept is a bad option", "40 01 00 08 " + path + " 60 00", message.BadRequestOption, &message.OptionError{Number: message.Accept}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m message.Message
			got, err := message.Parse(datagram(t, c.in), &m)
			if got != c.want {
				t.Errorf("kind %d (%v), want %d", got, err, c.want)
			}
			var option *message.OptionError
			if want := new(message.OptionError); errors.As(c.wantErr, &want) {
				if !errors.As(err, &option) || option.Number != want.Number {
					t.Errorf("error %v, want option %d", err, want.Number)
				}
			} else if !errors.Is(err, c.wantErr) {
				t.Errorf("error %v, want %v", err, c.wantErr)
			}
			if len(c.in) > 11 && got != message.Silence && m.ID != 8 {
				t.Errorf("message id %d, want 8", m.ID)
			}
		})
	}
}

func TestParse_takes_more_options_than_it_has_room_for(t *testing.T) {
	in := datagram(t, "40 01 00 08 b1 72")
	for range 100 {
		in = append(in, 0x01, 'x')
	}
	var m message.Message
	if kind, err := message.Parse(in, &m); kind != message.Request {
		t.Fatalf("kind %d: %v", kind, err)
	}
	n := 0
	for range m.Values(message.URIPath) {
		n++
	}
	if n != 101 {
		t.Errorf("%d segments, want 101", n)
	}
}

func TestParse_bounds_the_options(t *testing.T) {
	in := datagram(t, "40 01 00 08 b1 72")
	for range 2 * message.MaxOptions {
		in = append(in, 0x00)
	}
	var m message.Message
	if kind, err := message.Parse(in, &m); kind != message.Reset || !errors.Is(err, message.ErrOptions) {
		t.Errorf("kind %d: %v, want a reset", kind, err)
	}
}

func TestMessage_survives_its_encoding(t *testing.T) {
	var m message.Message
	m.Type, m.Code, m.ID, m.Token, m.Payload = message.NON, message.POST, 0xfffe, []byte{1, 2, 3}, []byte("21.6")
	m.AddUint(message.Accept, 0)
	m.Add(message.URIPath, []byte("r"))
	m.AddUint(message.ContentFormat, 110)
	m.Add(message.URIPath, []byte("pump 7/é"))
	b, err := m.Append([]byte("before"))
	if err != nil {
		t.Fatal(err)
	}
	want := datagram(t, "53 02 ff fe 01 02 03 b1 72 09 70 75 6d 70 20 37 2f c3 a9 11 6e 50 ff 32 31 2e 36")
	if !bytes.Equal(b, append([]byte("before"), want...)) {
		t.Fatalf("got  %x\nwant %x", b[6:], want)
	}
	var got message.Message
	if kind, err := message.Parse(b[6:], &got); kind != message.Request {
		t.Fatal(kind, err)
	}
	if format, ok := got.Uint(message.ContentFormat); !ok || format != 110 {
		t.Errorf("content format %d %v, want 110", format, ok)
	}
	if accept, ok := got.Uint(message.Accept); !ok || accept != 0 {
		t.Errorf("accept %d %v, want 0", accept, ok)
	}
}

func TestUint_is_absent_where_its_length_is_wrong(t *testing.T) {
	var m message.Message
	if kind, err := message.Parse(datagram(t, "40 02 00 08 b1 72 13 01 02 03"), &m); kind != message.Request {
		t.Fatal(kind, err)
	}
	if v, ok := m.Uint(message.ContentFormat); ok {
		t.Errorf("content format %d, want none", v)
	}
}

func TestCode_reads_as_in_the_standard(t *testing.T) {
	for code, want := range map[message.Code]string{
		message.Changed: "2.04", message.BadOption: "4.02", message.TooManyRequests: "4.29", message.GatewayTimeout: "5.04",
	} {
		if got := code.String(); got != want {
			t.Errorf("code %d is %s, want %s", code, got, want)
		}
	}
}
