package message_test

import (
	"bytes"
	"errors"
	"testing"

	codec "github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/tcp/coder"

	"skerry/coap/message"
)

func TestParseStream(t *testing.T) {
	const path = "b1 72" // Uri-Path: r
	for _, c := range []struct {
		name    string
		in      string
		want    message.Kind
		wantErr error // nil, a sentinel, or any *OptionError
	}{
		{"a POST with token, path and payload is a request", "42 02 aa bb " + path + " ff 31", message.Request, nil},
		{"an unknown method is a request that the server judges", "20 05 " + path, message.Request, nil},
		{"a response is one", "00 44", message.Response, nil},
		{"an empty message says nothing", "00 00", message.Silence, nil},
		{"a signal says nothing to the server", "00 e2", message.Silence, nil},
		{"a length of one more byte", "d0 00 02 " + path + " ff 31 32 33 34 35 36 37 38 39 30", message.Request, nil},

		{"no bytes are no frame", "", message.Silence, message.ErrFrame},
		{"a frame cut short is none", "42 02 aa bb " + path + " ff", message.Silence, message.ErrFrame},
		{"a frame with more after it is not one", "20 02 " + path + " 00", message.Silence, message.ErrFrame},
		{"a length cut short is no frame", "e0 00", message.Silence, message.ErrFrame},
		{"token length 9 is not taken", "09 02 01 02 03 04 05 06 07 08 09", message.Silence, message.ErrToken},
		{"a marker without payload is malformed", "30 02 " + path + " ff", message.Silence, message.ErrMarker},
		{"a code of class 1 is reserved", "20 25 " + path, message.Silence, message.ErrClass},
		{"an option value cut short is malformed", "20 02 b5 72", message.Silence, message.ErrOptions},

		{"an unknown critical option is a bad option", "50 02 " + path + " d1 29 00", message.BadRequestOption, &message.OptionError{Number: 65}},
		{"Uri-Port of three bytes is a bad option", "60 02 73 01 02 03 41 72", message.BadRequestOption, &message.OptionError{Number: message.URIPort}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m message.Message
			got, err := message.ParseStream(datagram(t, c.in), &m)
			if got != c.want {
				t.Errorf("kind %d (%v), want %d", got, err, c.want)
			}
			if want := new(message.OptionError); errors.As(c.wantErr, &want) {
				var option *message.OptionError
				if !errors.As(err, &option) || option.Number != want.Number {
					t.Errorf("error %v, want option %d", err, want.Number)
				}
			} else if !errors.Is(err, c.wantErr) {
				t.Errorf("error %v, want %v", err, c.wantErr)
			}
		})
	}
}

func TestAppendStream_is_what_others_read(t *testing.T) {
	for _, size := range []int{0, 1, 9, 12, 13, 250, 268, 269, 1024, 65804, 65805, 70000} {
		var m, again message.Message
		m.Code, m.Token, m.Payload = message.PUT, []byte{1, 2, 3}, bytes.Repeat([]byte("x"), size)
		m.Add(message.URIPath, []byte("r"))
		m.AddUint(message.ContentFormat, 42)
		b, err := m.AppendStream([]byte("before"))
		if err != nil {
			t.Fatal(err)
		}
		b = b[len("before"):]
		if n, ok := message.FrameSize(b[:min(len(b), message.MaxFrameHead)]); !ok || n != int64(len(b)) {
			t.Errorf("payload of %d bytes: a frame of %d bytes, want %d", size, n, len(b))
		}
		if kind, err := message.ParseStream(b, &again); kind != message.Request || !bytes.Equal(again.Payload, m.Payload) || !bytes.Equal(again.Token, m.Token) {
			t.Errorf("payload of %d bytes came back as %d: %v", size, kind, err)
		}
		other := codec.Message{Options: make(codec.Options, 0, 16)}
		if n, err := coder.DefaultCoder.Decode(b, &other); err != nil || n != len(b) || other.Code != codes.PUT || !bytes.Equal(other.Payload, m.Payload) {
			t.Errorf("payload of %d bytes: go-coap reads %d bytes: %v", size, n, err)
		}
	}
}

// FuzzParseStream checks that what is taken for a request survives its encoding.
func FuzzParseStream(f *testing.F) {
	for _, seed := range []string{"4202 aabb b172 ff31", "00e1", "5000 01", "d00002b172ff3132333435363738", "f0ffffffff02"} {
		f.Add(datagram(f, seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var m, again message.Message
		kind, err := message.ParseStream(b, &m)
		if kind != message.Request {
			return
		}
		if err != nil {
			t.Fatalf("a request with the error %v", err)
		}
		encoded, err := m.AppendStream(nil)
		if err != nil {
			t.Fatal(err)
		}
		if kind, err := message.ParseStream(encoded, &again); kind != message.Request {
			t.Fatalf("%x came back as %d: %v", encoded, kind, err)
		}
		if again.Code != m.Code || !bytes.Equal(again.Token, m.Token) || !bytes.Equal(again.Payload, m.Payload) {
			t.Fatalf("%x came back as another message", b)
		}
	})
}
