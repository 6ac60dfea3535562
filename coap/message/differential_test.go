package message_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	codec "github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/udp/coder"

	"skerry/coap/message"
)

// laxer are what this package refuses and go-coap's decoder takes: against the
// standard, or, of the last, for it counts only the options that it keeps.
var laxer = []error{
	message.ErrMarker,        // RFC 7252 section 3: a marker without a payload is a format error
	message.ErrClass,         // section 3: classes other than 0, 2, 4 and 5 are reserved
	message.ErrEmpty,         // section 4.1: an Empty message ends with its message id
	codec.ErrOptionsTooSmall, // more than MaxOptions
}

// FuzzDifferential reads each datagram with go-coap's own decoder too. What
// both take they read alike; what one alone takes is one of these:
//
//   - laxer, which only go-coap takes;
//   - tokens of more than 8 bytes (RFC 8974), which only this package takes;
//   - options of a length that its table forbids, which go-coap leaves out
//     without a word, critical ones too.
func FuzzDifferential(f *testing.F) {
	seedDatagrams(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		var ours message.Message
		_, err := message.Parse(b, &ours)
		theirs := codec.Message{Options: make(codec.Options, 0, message.MaxOptions)}
		_, theirErr := coder.DefaultCoder.Decode(b, &theirs)
		refused := err != nil && !errors.As(err, new(*message.OptionError))
		switch {
		case refused && theirErr != nil:
		case refused:
			if !slices.ContainsFunc(laxer, func(lax error) bool { return errors.Is(err, lax) }) {
				t.Fatalf("%x is refused (%v), and go-coap takes it", b, err)
			}
		case theirErr != nil:
			if !errors.Is(theirErr, codec.ErrInvalidTokenLen) || len(ours.Token) <= message.MaxToken {
				t.Fatalf("%x is taken, and go-coap refuses it: %v", b, theirErr)
			}
		default:
			alike(t, &ours, &theirs)
		}
	})
}

// alike checks that both read a datagram as the same message.
func alike(t *testing.T, ours *message.Message, theirs *codec.Message) {
	t.Helper()
	if byte(ours.Type) != byte(theirs.Type) || byte(ours.Code) != byte(theirs.Code) || int32(ours.ID) != theirs.MessageID {
		t.Fatalf("header: %d %v %d, go-coap reads %d %v %d", ours.Type, ours.Code, ours.ID, theirs.Type, theirs.Code, theirs.MessageID)
	}
	if !bytes.Equal(ours.Token, theirs.Token) || !bytes.Equal(ours.Payload, theirs.Payload) {
		t.Fatalf("token %x and payload %x, go-coap reads %x and %x", ours.Token, ours.Payload, theirs.Token, theirs.Payload)
	}
	left := theirs.Options
	for n, v := range ours.Options {
		if hidden(n, v) {
			continue
		}
		if len(left) == 0 || message.Number(left[0].ID) != n || !bytes.Equal(left[0].Value, v) {
			t.Fatalf("option %d is %x, go-coap reads %v", n, v, left)
		}
		left = left[1:]
	}
	if len(left) > 0 {
		t.Fatalf("go-coap reads more options: %v", left)
	}
}

// hidden tells whether go-coap leaves an option out.
func hidden(n message.Number, value []byte) bool {
	rule, known := codec.CoapOptionDefs[codec.OptionID(n)]
	size := uint32(len(value))
	return known && (rule.ValueFormat == codec.ValueUnknown || size < rule.MinLen || size > rule.MaxLen)
}
