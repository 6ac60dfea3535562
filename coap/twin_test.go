package coap_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"skerry/cluster"
	"skerry/coap"
	"skerry/coap/message"
	"skerry/fsm"
)

const reported = "d/pump-7/reported"

func TestADocumentIsCreatedChangedReadAndDeleted(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	peer.prove()

	peer.ask(ask{id: 1, method: message.GET, path: reported}).want(t, message.NotFound)
	created := peer.ask(ask{id: 2, method: message.PUT, path: reported, payload: `{"mode":"auto"}`, options: []opt{{message.ContentFormat, "\x32"}}}).want(t, message.Created)
	got := peer.ask(ask{id: 3, method: message.GET, path: reported}).want(t, message.Content)
	if format, _ := got.Uint(message.ContentFormat); string(got.Payload) != `{"mode":"auto"}` || format != 50 || !bytes.Equal(got.etag(t), created.etag(t)) {
		t.Errorf("got %q of format %d with ETag %x, want that of the PUT, %x", got.Payload, format, got.etag(t), created.etag(t))
	}
	changed := peer.ask(ask{id: 4, method: message.POST, path: reported, payload: "off"}).want(t, message.Changed)
	if bytes.Equal(changed.etag(t), created.etag(t)) {
		t.Errorf("both versions have the ETag %x", created.etag(t))
	}
	got = peer.ask(ask{id: 5, method: message.GET, path: reported}).want(t, message.Content)
	if format, typed := got.Uint(message.ContentFormat); string(got.Payload) != "off" || !typed || format != 0 {
		t.Errorf("got %q of format %d, want text", got.Payload, format)
	}
	peer.ask(ask{id: 6, method: message.DELETE, path: reported}).want(t, message.Deleted)
	peer.ask(ask{id: 7, method: message.GET, path: reported}).want(t, message.NotFound)
	peer.ask(ask{id: 8, method: message.DELETE, path: reported}).want(t, message.Deleted)
}

func TestADocumentChangesUnderConditions(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	put := func(id uint16) ask { return ask{id: id, method: message.PUT, path: reported, payload: "x"} }
	remove := func(id uint16) ask { return ask{id: id, method: message.DELETE, path: reported} }

	peer.ask(put(1).with(message.IfMatch, nil)).want(t, message.PreconditionFailed)
	peer.ask(remove(2).with(message.IfMatch, nil)).want(t, message.PreconditionFailed)
	peer.ask(put(3).with(message.IfMatch, []byte("12345678"))).want(t, message.PreconditionFailed)
	first := peer.ask(put(4).with(message.IfNoneMatch, nil)).want(t, message.Created).etag(t)
	peer.ask(put(5).with(message.IfNoneMatch, nil)).want(t, message.PreconditionFailed)
	peer.ask(put(6).with(message.IfMatch, []byte("abc"))).want(t, message.PreconditionFailed)
	second := peer.ask(put(7).with(message.IfMatch, []byte("abc")).with(message.IfMatch, first)).want(t, message.Changed).etag(t)
	peer.ask(put(8).with(message.IfMatch, first)).want(t, message.PreconditionFailed)
	peer.ask(put(9).with(message.IfMatch, nil)).want(t, message.Changed)
	peer.ask(remove(10).with(message.IfMatch, second)).want(t, message.PreconditionFailed)
	last := peer.ask(put(11)).want(t, message.Changed).etag(t)
	peer.ask(remove(12).with(message.IfMatch, last)).want(t, message.Deleted)
	peer.ask(put(13).with(message.IfMatch, nil).with(message.IfNoneMatch, nil)).want(t, message.BadRequest)
}

func TestADocumentIsReadInItsOwnFormatAndOnce(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	peer.prove()
	tag := peer.ask(ask{id: 1, method: message.PUT, path: reported, payload: "\xa1\x01\x02", options: []opt{{message.ContentFormat, "\x3c"}}}).want(t, message.Created).etag(t)

	get := ask{id: 2, method: message.GET, path: reported}
	peer.ask(get.with(message.Accept, []byte{60})).want(t, message.Content)
	get.id++
	refused := peer.ask(get.with(message.Accept, []byte{50})).want(t, message.NotAcceptable)
	if !strings.Contains(string(refused.Payload), "60") {
		t.Errorf("it says %q and not which format there is", refused.Payload)
	}
	get.id++
	valid := peer.ask(get.with(message.ETag, tag)).want(t, message.Valid)
	if len(valid.Payload) > 0 || !bytes.Equal(valid.etag(t), tag) {
		t.Errorf("2.03 has the payload %q and the ETag %x, want none and %x", valid.Payload, valid.etag(t), tag)
	}
}

func TestAMessageThatComesAgainChangesADocumentOnce(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	put := ask{id: 1, method: message.PUT, path: reported, payload: "x", options: []opt{{message.IfNoneMatch, ""}}}
	first := peer.ask(put).want(t, message.Created).etag(t)
	if again := peer.ask(put).want(t, message.Created).etag(t); !bytes.Equal(again, first) {
		t.Errorf("the copy has the ETag %x, want %x", again, first)
	}
	remove := ask{id: 2, method: message.DELETE, path: reported, options: []opt{{message.IfMatch, string(first)}}}
	peer.ask(remove).want(t, message.Deleted)
	peer.ask(remove).want(t, message.Deleted)
}

func TestAChangeIsMadeAgainWhileItsOutcomeIsUnknown(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	s.set(func(s *store) { s.err = cluster.ErrUnknown; s.proposed = make(chan struct{}, 100) })
	peer.send(ask{id: 1, method: message.PUT, path: reported, payload: "x"}.encode(t))
	<-s.proposed
	<-s.proposed
	peer.silent()
	s.set(func(s *store) { s.err = nil; s.proposed = nil })
	if a := peer.answer(); a.code != message.Created {
		t.Errorf("got %v %q, want 2.01", a.code, a.payload)
	}
}

func TestChangesOfOneDocumentAreMadeInTheirOrder(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	gate := make(chan struct{})
	s.set(func(s *store) { s.gate = gate; s.proposed = make(chan struct{}, 100) })
	for i := range 4 {
		peer.send(ask{id: uint16(i), method: message.PUT, path: reported, payload: string('a' + rune(i))}.encode(t))
	}
	<-s.proposed
	peer.silent()
	s.set(func(s *store) { s.gate = nil })
	close(gate)
	for range 4 {
		peer.answer()
	}
	if doc, _ := s.Document("pump-7", fsm.Reported); string(doc.Body) != "d" {
		t.Errorf("the document is %q, want the last", doc.Body)
	}
}

func TestAChangeIsAnsweredWhenThisNodeHasIt(t *testing.T) {
	s := newStore(t)
	awaited, gate := make(chan uint64), make(chan struct{})
	server := s.serve(t, func(c *coap.Config) {
		c.Await = func(ctx context.Context, index uint64) error {
			awaited <- index
			<-gate
			return ctx.Err()
		}
	})
	peer := dialRaw(t, server.Addr().String())
	peer.send(ask{id: 1, method: message.PUT, path: reported, payload: "x"}.encode(t))
	if index := <-awaited; index != s.index {
		t.Errorf("it awaits index %d, want that of the change, %d", index, s.index)
	}
	peer.silent()
	close(gate)
	if a := peer.answer(); a.code != message.Created {
		t.Errorf("got %v %q, want 2.01", a.code, a.payload)
	}
}

func TestTooManyChangesAreRefused(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	gate := make(chan struct{})
	s.set(func(s *store) { s.gate = gate })
	for i := range 8 {
		peer.send(ask{id: uint16(i), method: message.PUT, path: reported, payload: "x"}.encode(t))
	}
	refused := peer.ask(ask{id: 100, method: message.PUT, path: reported, payload: "x"}).want(t, message.TooManyRequests)
	if seconds, _ := refused.Uint(message.MaxAge); seconds == 0 {
		t.Error("it does not say when to send again")
	}
	close(gate)
	for range 8 {
		peer.answer()
	}
	peer.ask(ask{id: 100, method: message.PUT, path: reported, payload: "x"}).want(t, message.Changed)
}

func TestTheLinksOfATwin(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	peer.prove()
	peer.ask(ask{id: 1, method: message.GET, path: "d/pump-7"}).want(t, message.NotFound)
	peer.ask(ask{id: 2, method: message.PUT, path: reported, payload: "off"}).want(t, message.Created)
	if _, err := s.apply(fsm.PutDocumentCommand{Device: "pump-7", Kind: fsm.Desired, Format: 50, Body: []byte(`{}`)}); err != nil {
		t.Fatal(err)
	}
	got := string(peer.ask(ask{id: 3, method: message.GET, path: "d/pump-7"}).want(t, message.Content).Payload)
	want := `</d/pump-7/desired>;rt="skerry.desired";ct=50;sz=2;obs,</d/pump-7/reported>;rt="skerry.reported";ct=0;sz=3;obs`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	got = string(peer.ask(ask{id: 4, method: message.GET, path: "d/pump-7/desired"}).want(t, message.Content).Payload)
	if got != "{}" {
		t.Errorf("the device is wanted to be %q", got)
	}
}

func TestWhatIsWrongWithADocumentIsSaid(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	peer.prove()
	for i, c := range []struct {
		name string
		in   ask
		want message.Code
		says string
	}{
		{"the desired document is not the device's to write", ask{method: message.PUT, path: "d/pump-7/desired"}, message.MethodNotAllowed, "operators write it"},
		{"a device of too long a name", ask{method: message.PUT, path: "d/" + strings.Repeat("x", 129) + "/reported"}, message.BadRequest, "129 bytes"},
		{"a body that is too large", ask{method: message.PUT, path: reported, payload: strings.Repeat("x", fsm.MaxDocument+1)}, message.TooLarge, "too large"},
		{"more versions than a condition takes", func() ask {
			a := ask{method: message.PUT, path: reported}
			for range fsm.MaxIfMatch + 1 {
				a = a.with(message.IfMatch, []byte("12345678"))
			}
			return a
		}(), message.BadRequest, "versions"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.in.id = uint16(i)
			got := peer.ask(c.in).want(t, c.want)
			if !strings.Contains(string(got.Payload), c.says) {
				t.Errorf("it says %q, want %q", got.Payload, c.says)
			}
		})
	}
}

func TestADeviceOfSeveralSegmentsHasATwin(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	peer.ask(ask{id: 1, method: message.PUT, path: "d/hall/pump-7/reported", payload: "x"}).want(t, message.Created)
	if _, ok := s.Document("hall/pump-7", fsm.Reported); !ok {
		t.Error("there is no document of hall/pump-7")
	}
}
