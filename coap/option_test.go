package coap_test

import (
	"bytes"
	"strings"
	"testing"

	"skerry/coap/message"
)

// ask is a CON with any options. Its token is its id.
type ask struct {
	id      uint16
	method  message.Code
	path    string // split at '/'
	query   string // split at '&'
	options []opt
	payload string
}

type opt struct {
	number message.Number
	value  string
}

// etag is a value of an ETag or If-Match option.
func (a ask) with(number message.Number, value []byte) ask {
	a.options = append(a.options, opt{number, string(value)})
	return a
}

func (a ask) encode(tb testing.TB) []byte {
	tb.Helper()
	m := message.Message{Type: message.CON, Code: a.method, ID: a.id, Token: []byte{byte(a.id >> 8), byte(a.id)}, Payload: []byte(a.payload)}
	for segment := range strings.SplitSeq(a.path, "/") {
		m.Add(message.URIPath, []byte(segment))
	}
	if a.query != "" {
		for q := range strings.SplitSeq(a.query, "&") {
			m.Add(message.URIQuery, []byte(q))
		}
	}
	for _, o := range a.options {
		m.Add(o.number, []byte(o.value))
	}
	b, err := m.Append(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// said is a reply with its options.
type said struct{ message.Message }

// ask sends a request and reads its reply.
func (r *raw) ask(a ask) *said {
	r.tb.Helper()
	r.send(a.encode(r.tb))
	s := &said{}
	b := bytes.Clone(r.receive())
	if kind, err := message.Parse(b, &s.Message); kind != message.Response {
		r.tb.Fatalf("%x is no response but %d: %v", b, kind, err)
	}
	if want := []byte{byte(a.id >> 8), byte(a.id)}; !bytes.Equal(s.Token, want) {
		r.tb.Fatalf("the token is %x, want %x", s.Token, want)
	}
	return s
}

// want checks the code.
func (s *said) want(tb testing.TB, code message.Code) *said {
	tb.Helper()
	if s.Code != code {
		tb.Fatalf("got %v %q, want %v", s.Code, s.Payload, code)
	}
	return s
}

// etag is the reply's ETag, which it must have.
func (s *said) etag(tb testing.TB) []byte {
	tb.Helper()
	tag, ok := s.Option(message.ETag)
	if !ok {
		tb.Fatalf("%v has no ETag", s.Code)
	}
	return tag
}

// location is the path that the reply names.
func (s *said) location() (path string) {
	for segment := range s.Values(message.LocationPath) {
		path += "/" + string(segment)
	}
	return path
}
