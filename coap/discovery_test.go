package coap_test

import (
	"fmt"
	"strings"
	"testing"

	"skerry/coap"
	"skerry/coap/link"
	"skerry/coap/message"
	"skerry/fsm"
)

// targets are the targets of a reply's links.
func (s *said) targets(tb testing.TB) (list []string) {
	tb.Helper()
	s.want(tb, message.Content)
	if format, typed := s.Uint(message.ContentFormat); !typed || format != 40 {
		tb.Fatalf("the content format is %d, want 40", format)
	}
	links, err := link.Parse(s.Payload)
	if err != nil {
		tb.Fatal(err)
	}
	for i := range links {
		list = append(list, links[i].Target)
	}
	return list
}

func twoGateways() []coap.Gateway {
	return []coap.Gateway{
		{Name: "n1", Addr: "10.0.0.1:5683", Own: true},
		{Name: "n2", Addr: "[2001:db8::2]:5690"},
	}
}

func TestDiscovery(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t, func(c *coap.Config) { c.Gateways = twoGateways }).Addr().String())
	peer.exchange(request(t, 1, "t", typed(coap.ReadingPath("pump-7", "temperature"), 0, "1"))).want(t, message.Changed, "t")
	peer.exchange(request(t, 2, "t", typed(coap.ReadingPath("hall/küche", "x"), 0, "1"))).want(t, message.Changed, "t")
	peer.prove()

	const shelf = "/r /d /time /rd /rd-lookup/ep /rd-lookup/res /gateways"
	for i, c := range []struct{ name, query, want string }{
		{"all that is not a series", "", shelf + " coap://[2001:db8::2]:5690"},
		{"by resource type", "rt=core.rd", "/rd"},
		{"by the beginning of a resource type", "rt=core.rd*", "/rd /rd-lookup/ep /rd-lookup/res"},
		{"by interface", "if=core.b", "/r"},
		{"by size", "sz=14", "/time"},
		{"by content format", "ct=0", "/time"},
		{"by a number of a list of formats", "ct=112", "/r"},
		{"by target", "href=/time", "/time"},
		{"by the beginning of a target", "href=/rd-*", "/rd-lookup/ep /rd-lookup/res"},
		{"by any resource type", "rt=*", shelf + " coap://[2001:db8::2]:5690"},
		{"what has a title", "title=*", "/r /d /time /gateways coap://[2001:db8::2]:5690"},
		{"by what nothing has", "foo=*", ""},
		{"by two criteria", "rt=core.rd*&href=/rd", "/rd"},
		{"the other gateways", "rt=skerry.gateway", "coap://[2001:db8::2]:5690"},
		{"the series, because they are named", "rt=skerry.series", "/r/hall%2Fk%C3%BCche/x /r/pump-7/temperature"},
		{"the series of a device", "href=/r/pump-7/*", "/r/pump-7/temperature"},
		{"what can be observed below /r/", "href=/r/*&obs=*", "/r/hall%2Fk%C3%BCche/x /r/pump-7/temperature"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := peer.ask(ask{id: uint16(10 + i), method: message.GET, path: ".well-known/core", query: c.query}).targets(t)
			if strings.Join(got, " ") != c.want {
				t.Errorf("got  %s\nwant %s", strings.Join(got, " "), c.want)
			}
		})
	}
	t.Run("Accept of link-format", func(t *testing.T) {
		peer.ask(ask{id: 100, method: message.GET, path: ".well-known/core"}.with(message.Accept, []byte{40})).want(t, message.Content)
	})
	t.Run("Accept of another format", func(t *testing.T) {
		peer.ask(ask{id: 101, method: message.GET, path: ".well-known/core"}.with(message.Accept, []byte{50})).want(t, message.NotAcceptable)
	})
	t.Run("a query that is no filter", func(t *testing.T) {
		peer.ask(ask{id: 102, method: message.GET, path: ".well-known/core", query: "rt"}).want(t, message.BadRequest)
	})
	t.Run("what a client has is not sent again", func(t *testing.T) {
		get := ask{id: 103, method: message.GET, path: ".well-known/core", query: "rt=core.rd"}
		tag := peer.ask(get).want(t, message.Content).etag(t)
		get.id++
		peer.ask(get.with(message.ETag, tag)).want(t, message.Valid)
	})
	t.Run("all gateways", func(t *testing.T) {
		got := peer.ask(ask{id: 105, method: message.GET, path: "gateways"}).want(t, message.Content)
		want := `<coap://10.0.0.1>;rt="skerry.gateway";title="n1",<coap://[2001:db8::2]:5690>;rt="skerry.gateway";title="n2"`
		if string(got.Payload) != want {
			t.Errorf("got  %s\nwant %s", got.Payload, want)
		}
	})
	t.Run("one gateway by its name", func(t *testing.T) {
		got := peer.ask(ask{id: 106, method: message.GET, path: "gateways", query: "title=n2"}).targets(t)
		if fmt.Sprint(got) != "[coap://[2001:db8::2]:5690]" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("the twins of all devices", func(t *testing.T) {
		got := peer.ask(ask{id: 107, method: message.GET, path: "d"}).targets(t)
		if strings.Join(got, " ") != "/d/hall%2Fk%C3%BCche /d/pump-7" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("of a device with a document alone too", func(t *testing.T) {
		s.change(t, fsm.PutDocumentCommand{Device: "new", Kind: fsm.Desired, Body: []byte("1")})
		got := peer.ask(ask{id: 108, method: message.GET, path: "d", query: "href=/d/n*"}).targets(t)
		if strings.Join(got, " ") != "/d/new" {
			t.Errorf("got %s", got)
		}
	})
}

func TestDiscoveryWithoutOtherGateways(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	if got := peer.ask(ask{id: 1, method: message.GET, path: "gateways"}).targets(t); len(got) != 0 {
		t.Errorf("got %s, want none", got)
	}
}
