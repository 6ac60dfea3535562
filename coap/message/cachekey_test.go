package message_test

import (
	"bytes"
	"testing"

	"skerry/coap/message"
)

func TestAppendCacheKey(t *testing.T) {
	// A GET of /r/pump-7 in SenML CBOR with a Request-Tag.
	begin := func(change func(*message.Message)) []byte {
		m := message.Message{Type: message.CON, Code: message.GET, ID: 8, Token: []byte("aa")}
		m.Add(message.URIPath, []byte("r"))
		m.Add(message.URIPath, []byte("pump-7"))
		m.AddUint(message.Accept, 112)
		m.Add(message.RequestTag, []byte{1})
		change(&m)
		return m.AppendCacheKey(nil)
	}
	same := begin(func(*message.Message) {})
	for _, c := range []struct {
		name   string
		change func(*message.Message)
		counts bool
	}{
		{"another method counts", func(m *message.Message) { m.Code = message.FETCH }, true},
		{"another segment counts", func(m *message.Message) { m.Add(message.URIPath, []byte("x")) }, true},
		{"a query counts", func(m *message.Message) { m.Add(message.URIQuery, []byte("from=1")) }, true},
		{"another Request-Tag counts", func(m *message.Message) { m.Add(message.RequestTag, []byte{2}) }, true},
		{"a content format counts", func(m *message.Message) { m.AddUint(message.ContentFormat, 0) }, true},
		{"If-Match counts", func(m *message.Message) { m.Add(message.IfMatch, []byte{1}) }, true},
		{"an unknown option counts", func(m *message.Message) { m.Add(2048, nil) }, true},
		{"an unknown option that says so does not count", func(m *message.Message) { m.Add(2044, nil) }, false},
		{"message id and token do not count", func(m *message.Message) { m.ID, m.Token = 9, nil }, false},
		{"type and payload do not count", func(m *message.Message) { m.Type, m.Payload = message.NON, []byte("x") }, false},
		{"blocks do not count", func(m *message.Message) { m.AddUint(message.Block1, 6); m.AddUint(message.Block2, 22) }, false},
		{"sizes do not count", func(m *message.Message) { m.AddUint(message.Size1, 6); m.AddUint(message.Size2, 22) }, false},
		{"Observe and ETag do not count", func(m *message.Message) { m.AddUint(message.Observe, 0); m.Add(message.ETag, []byte{1}) }, false},
		{"Echo and No-Response do not count", func(m *message.Message) { m.Add(message.Echo, []byte{1}); m.AddUint(message.NoResponse, 2) }, false},
		{"the wish for the time does not count", func(m *message.Message) { m.Add(message.ServerTime, nil) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := begin(c.change); bytes.Equal(got, same) == c.counts {
				t.Errorf("got %x, want another than %x: %v", got, same, c.counts)
			}
		})
	}
}

func TestAppendCacheKey_takes_no_two_values_for_one(t *testing.T) {
	one, two := message.Message{}, message.Message{}
	one.Add(message.URIPath, []byte("ab"))
	two.Add(message.URIPath, []byte("a"))
	two.Add(message.URIPath, []byte("b"))
	if bytes.Equal(one.AppendCacheKey(nil), two.AppendCacheKey(nil)) {
		t.Error("the path ab is that of a/b")
	}
}
