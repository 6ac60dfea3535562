package coap_test

import (
	"fmt"
	"strings"
	"testing"

	"skerry/coap/block"
	"skerry/coap/message"
)

// fetchBlock asks for a block of 64 bytes of what a Fetch Pack selects; pack may
// be left out of all requests but the first (RFC 8132 section 2.2).
func (r *raw) fetchBlock(id uint16, pack string, num uint32) (code message.Code, part string, more bool) {
	r.tb.Helper()
	m := message.Message{Type: message.CON, Code: message.FETCH, ID: id, Token: []byte("f"), Payload: []byte(pack)}
	m.Add(message.URIPath, []byte("r"))
	m.AddUint(message.ContentFormat, etchJSON)
	m.AddUint(message.Block2, block.Option{Num: num, SZX: 2}.Uint())
	datagram, err := m.Append(nil)
	if err != nil {
		r.tb.Fatal(err)
	}
	r.send(datagram)
	received := r.receive()
	var answer message.Message
	if kind, err := message.Parse(received, &answer); kind != message.Response {
		r.tb.Fatalf("%x is no response but %d: %v", received, kind, err)
	}
	if value, ok := answer.Option(message.Block2); ok {
		o, err := block.Parse(value)
		if err != nil || o.Num != num {
			r.tb.Fatalf("block %d: %v, want %d", o.Num, err, num)
		}
		more = o.More
	}
	return answer.Code, string(answer.Payload), more
}

// fetchAll reads all blocks and sends the pack with the first one, or with each.
func (r *raw) fetchAll(pack string, each bool) string {
	r.tb.Helper()
	var whole strings.Builder
	for num, sent := uint32(0), pack; ; num++ {
		code, part, more := r.fetchBlock(uint16(100+num), sent, num)
		if code != message.Content {
			r.tb.Fatalf("block %d: %v %s", num, code, part)
		}
		whole.WriteString(part)
		if !more {
			return whole.String()
		}
		if !each {
			sent = ""
		}
	}
}

func TestAFetchIsAnsweredInBlocks(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	ask := func(device string) string {
		return fmt.Sprintf(`[{"bn":%q,"n":"a"},{"n":"b"},{"n":"c"},{"n":"d"}]`, device+"/")
	}
	want := map[string]string{}
	for i, device := range []string{"one", "two"} {
		want[device] = fmt.Sprintf(`[{"bn":%q,"n":"a","t":1700000000,"v":%d},{"n":"b","t":1700000000,"v":2},`+
			`{"n":"c","t":1700000000,"v":3},{"n":"d","t":1700000000,"v":4}]`, device+"/", i)
		peer.exchange(request(t, uint16(i), "p", typed([]string{"r"}, 110, want[device]))).want(t, message.Changed, "p")
	}
	if got := peer.fetchAll(ask("one"), true); got != want["one"] {
		t.Errorf("with the pack in each request got %s, want %s", got, want["one"])
	}
	if got := peer.fetchAll(ask("two"), false); got != want["two"] {
		t.Errorf("with the pack in the first request got %s, want %s", got, want["two"])
	}
	// Who sends the pack along reads what it asks for, whatever was asked for since.
	_, first, _ := peer.fetchBlock(200, ask("one"), 0)
	peer.fetchBlock(201, ask("two"), 0)
	_, second, _ := peer.fetchBlock(202, ask("one"), 1)
	if got := first + second; got != want["one"][:128] {
		t.Errorf("got %s, want %s", got, want["one"][:128])
	}
	// Another endpoint has no such transfer.
	if code, text, _ := dialRaw(t, peer.conn.RemoteAddr().String()).fetchBlock(203, "", 1); code != message.Incomplete {
		t.Errorf("a block of nothing gets %v %s, want 4.08", code, text)
	}
}

func TestAFetchMayComeInBlocks(t *testing.T) {
	s := newStore(t)
	server := s.serve(t)
	const readings = `[{"bn":"pump-7/","n":"a","t":1700000000,"v":1},{"n":"b","t":1700000000,"vs":"` +
		`a text that makes the answer more than three times as long as the last block, which is short"}]`
	dialRaw(t, server.Addr().String()).exchange(request(t, 1, "p", typed([]string{"r"}, 110, readings))).want(t, message.Changed, "p")
	const pack = `[{"bn":"pump-7/","n":"a"},{"n":"b"}]`
	peer := dialRaw(t, server.Addr().String()) // has proved nothing yet
	fetch := func(num int, id uint16, want message.Code) {
		t.Helper()
		m := message.Message{Type: message.CON, Code: message.FETCH, ID: id, Token: []byte("f")}
		m.Payload = []byte(pack[16*num : min(16*(num+1), len(pack))])
		m.Add(message.URIPath, []byte("r"))
		m.AddUint(message.ContentFormat, etchJSON)
		m.AddUint(message.Block1, block.Option{Num: uint32(num), More: want == message.Continue}.Uint())
		datagram, err := m.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		a := peer.exchange(datagram)
		a.want(t, want, "f")
		if want == message.Content && a.payload != readings {
			t.Errorf("got %s, want %s", a.payload, readings)
		}
	}
	for num, want := range []message.Code{message.Continue, message.Continue, message.Content} {
		fetch(num, uint16(7+num), want)
	}
	t.Run("its last block comes again, as the answer was lost", func(t *testing.T) {
		fetch(2, 9, message.Content)
		fetch(2, 9, message.Content)
	})
	t.Run("a block of what came before does not begin it anew", func(t *testing.T) {
		fetch(1, 11, message.Incomplete)
	})
}
