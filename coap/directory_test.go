package coap_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"skerry/coap/message"
	"skerry/fsm"
)

// node1 is the registration of RFC 9176 section 5.
const node1 = `</sensors/temp>;rt="temperature-c";if="sensor",<http://www.example.com/sensors/temp>;anchor="/sensors/temp";rel="describedby"`

func register(id uint16, query, links string) ask {
	return ask{id: id, method: message.POST, path: "rd", query: query, payload: links, options: []opt{{message.ContentFormat, "\x28"}}}
}

// directory is a server with a peer that has proved itself.
func directory(t *testing.T) (*store, *raw) {
	t.Helper()
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	peer.prove()
	return s, peer
}

// look is a lookup.
func (r *raw) look(id uint16, kind, query string) string {
	r.tb.Helper()
	return string(r.ask(ask{id: id, method: message.GET, path: "rd-lookup/" + kind, query: query}).want(r.tb, message.Content).Payload)
}

func TestAnEndpointRegistersIsFoundAndGoes(t *testing.T) {
	s, peer := directory(t)
	at := peer.ask(register(1, "ep=node1&d=floor-3&et=oic.d.sensor", node1)).want(t, message.Created).location()
	if !strings.HasPrefix(at, "/rd/") || len(at) != len("/rd/")+11 {
		t.Fatalf("the location is %q", at)
	}
	base := "coap://" + peer.conn.LocalAddr().String()
	want := `<` + at + `>;ep="node1";base="` + base + `";d="floor-3";et="oic.d.sensor";rt="core.rd-ep"`
	if got := peer.look(2, "ep", ""); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	want = `<` + base + `/sensors/temp>;rt="temperature-c";if="sensor",<http://www.example.com/sensors/temp>;anchor="` + base + `/sensors/temp";rel="describedby"`
	if got := peer.look(3, "res", ""); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := string(peer.ask(ask{id: 4, method: message.GET, path: at[1:]}).want(t, message.Content).Payload); got != node1 {
		t.Errorf("got  %s\nwant %s", got, node1)
	}
	if r := s.Registrations(); len(r) != 1 || r[0].Lifetime != 90_000 {
		t.Errorf("registered is %+v, want one for 90,000 s", r)
	}
	remove := ask{id: 5, method: message.DELETE, path: at[1:]}
	peer.ask(remove).want(t, message.Deleted)
	peer.ask(remove).want(t, message.Deleted) // the same message
	remove.id++
	peer.ask(remove).want(t, message.NotFound)
	peer.ask(ask{id: 7, method: message.GET, path: at[1:]}).want(t, message.NotFound)
	if got := peer.look(8, "ep", ""); got != "" {
		t.Errorf("there is still %s", got)
	}
}

func TestAnEndpointThatRegistersAgainKeepsItsPlace(t *testing.T) {
	_, peer := directory(t)
	at := peer.ask(register(1, "ep=node1", node1)).want(t, message.Created).location()
	if again := peer.ask(register(2, "ep=node1&base=coap://h", `</b>`)).want(t, message.Created).location(); again != at {
		t.Errorf("it moved from %s to %s", at, again)
	}
	if got := peer.look(3, "res", ""); got != "<coap://h/b>" {
		t.Errorf("its links are %s, want the new ones", got)
	}
	if other := peer.ask(register(4, "ep=node1&d=floor-4", "")).want(t, message.Created).location(); other == at {
		t.Error("an endpoint of another sector took its place")
	}
}

func TestARegistrationIsRenewed(t *testing.T) {
	s, peer := directory(t)
	at := peer.ask(register(1, "ep=node1&lt=500&et=a&x=1", node1)).want(t, message.Created).location()[1:]
	first := s.Registrations()[0]

	s.set(func(s *store) { s.skipped = 400 * time.Second })
	other := dialRaw(t, peer.conn.RemoteAddr().String())
	other.ask(ask{id: 2, method: message.POST, path: at}).want(t, message.Changed)
	r := s.Registrations()[0]
	if r.Expires <= first.Expires || r.Lifetime != 500 {
		t.Errorf("it ends at %d with a lifetime of %d s, want later than %d and 500 s", r.Expires, r.Lifetime, first.Expires)
	}
	if want := "coap://" + other.conn.LocalAddr().String(); r.Base != want {
		t.Errorf("its base is %s, want where the renewal came from: %s", r.Base, want)
	}
	other.ask(ask{id: 3, method: message.POST, path: at, query: "lt=600&base=coaps://new.example.com:5684&et=b"}).want(t, message.Changed)
	other.ask(ask{id: 4, method: message.POST, path: at}).want(t, message.Changed)
	if r = s.Registrations()[0]; r.Lifetime != 600 || r.Base != "coaps://new.example.com:5684" {
		t.Errorf("it has a lifetime of %d s and the base %s, want what was given", r.Lifetime, r.Base)
	}
	if want := `et="b"`; !strings.Contains(peer.look(5, "ep", "x=1"), want) {
		t.Errorf("got %s, want %s in it", peer.look(6, "ep", ""), want)
	}
	peer.ask(ask{id: 7, method: message.POST, path: at, query: "ep=node2"}).want(t, message.BadRequest)
	peer.ask(ask{id: 8, method: message.POST, path: at, payload: "</x>"}).want(t, message.BadRequest)
	peer.ask(ask{id: 9, method: message.POST, path: "rd/nobody"}).want(t, message.NotFound)

	s.set(func(s *store) { s.skipped = 1_100 * time.Second })
	peer.ask(register(10, "ep=node2", "")).want(t, message.Created) // moves log time on
	peer.ask(ask{id: 11, method: message.POST, path: at}).want(t, message.NotFound)
	if got := peer.look(12, "ep", "ep=node1"); got != "" {
		t.Errorf("its time is over and it is found: %s", got)
	}
}

func TestALookupIsFilteredAndPaged(t *testing.T) {
	_, peer := directory(t)
	for i := range 6 {
		links := `</t>;rt="temperature";ct=0,</l>;rt="light lux";if="core.s"`
		query := fmt.Sprintf("ep=node%d&base=coap://h%d&d=floor-%d", i, i, i%2)
		peer.ask(register(uint16(i), query, links)).want(t, message.Created)
	}
	for i, c := range []struct {
		name, kind, query string
		want              int
	}{
		{"all endpoints", "ep", "", 6},
		{"endpoints of a sector", "ep", "d=floor-1", 3},
		{"endpoints that have a resource", "ep", "rt=lux", 6},
		{"endpoints by their type", "ep", "rt=core.rd-ep", 6},
		{"endpoints that have no such resource", "ep", "rt=humidity", 0},
		{"endpoints by two criteria", "ep", "rt=lux&ep=node3", 1},
		{"endpoints by the beginning of a name", "ep", "ep=node*", 6},
		{"all resources", "res", "", 12},
		{"resources of a type", "res", "rt=temperature", 6},
		{"resources of an endpoint", "res", "ep=node2", 2},
		{"resources of a sector by interface", "res", "d=floor-0&if=core.s", 3},
		{"resources by their target", "res", "href=coap://h4/t", 1},
		{"resources by the base of their endpoint", "res", "base=coap://h4", 2},
		{"the first page", "res", "page=0&count=5", 5},
		{"the last page", "res", "page=2&count=5", 2},
		{"a page after the last", "res", "page=3&count=5", 0},
		{"a count without a page", "ep", "count=4", 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := peer.ask(ask{id: uint16(100 + i), method: message.GET, path: "rd-lookup/" + c.kind, query: c.query}).targets(t)
			if len(got) != c.want {
				t.Errorf("found %s, want %d", got, c.want)
			}
		})
	}
	t.Run("pages have different links", func(t *testing.T) {
		seen := map[string]bool{}
		for page := range 6 {
			for _, target := range peer.ask(ask{id: uint16(200 + page), method: message.GET, path: "rd-lookup/res", query: fmt.Sprintf("page=%d&count=2", page)}).targets(t) {
				seen[target] = true
			}
		}
		if len(seen) != 12 {
			t.Errorf("the pages have %d links, want 12", len(seen))
		}
	})
}

func TestWhatIsWrongWithARegistrationIsSaid(t *testing.T) {
	s, peer := directory(t)
	for i, c := range []struct {
		name string
		in   ask
		want message.Code
		says string
	}{
		{"no endpoint name", register(0, "lt=60", ""), message.BadRequest, "ep is missing"},
		{"a name that is too long", register(0, "ep="+strings.Repeat("x", 64), ""), message.BadRequest, "64 bytes"},
		{"a name with a control character", register(0, "ep=a\x01", ""), message.BadRequest, "control character"},
		{"a sector that is too long", register(0, "ep=a&d="+strings.Repeat("x", 64), ""), message.BadRequest, "64 bytes"},
		{"a lifetime of nothing", register(0, "ep=a&lt=0", ""), message.BadRequest, "1 to 4294967295"},
		{"a lifetime beyond 32 bits", register(0, "ep=a&lt=4294967296", ""), message.BadRequest, "1 to 4294967295"},
		{"a base with a path", register(0, "ep=a&base=coap://h/x", ""), message.BadRequest, "without path"},
		{"a base that only one link knows", register(0, "ep=a&base=coap://[fe80::1]", ""), message.BadRequest, "beyond its link"},
		{"an attribute that is a word of lookups", register(0, "ep=a&href=x", ""), message.BadRequest, `"href"`},
		{"links that are none", register(0, "ep=a", "</a"), message.BadRequest, "byte 1"},
		{"a target that is no reference", register(0, "ep=a", "</%zz>"), message.BadRequest, "link 1"},
		{"more links than are kept", register(0, "ep=a", "</"+strings.Repeat("x", fsm.MaxLinks)+">"), message.TooLarge, "too many"},
		{"links in another format", ask{method: message.POST, path: "rd", query: "ep=a", payload: "[]", options: []opt{{message.ContentFormat, "\x32"}}}, message.UnsupportedFormat, "40"},
		{"GET of the directory", ask{method: message.GET, path: "rd"}, message.MethodNotAllowed, "rd-lookup"},
		{"a page without a count", ask{method: message.GET, path: "rd-lookup/ep", query: "page=1"}, message.BadRequest, "count"},
		{"a count of nothing", ask{method: message.GET, path: "rd-lookup/ep", query: "count=0"}, message.BadRequest, "1 to 512"},
		{"a lookup of something else", ask{method: message.GET, path: "rd-lookup/gp"}, message.NotFound, ".well-known/core"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.in.id = uint16(i)
			got := peer.ask(c.in).want(t, c.want)
			if !strings.Contains(string(got.Payload), c.says) {
				t.Errorf("it says %q, want %q", got.Payload, c.says)
			}
		})
	}
	if r := s.Registrations(); len(r) != 0 {
		t.Errorf("registered are %+v", r)
	}
}

func TestAFullDirectoryRefuses(t *testing.T) {
	s, peer := directory(t)
	for i := range fsm.MaxRegistrations {
		c := fsm.RegisterCommand{ID: fmt.Sprint(i), Endpoint: fmt.Sprint(i), Base: "coap://h", Lifetime: 100}
		if _, err := s.apply(c); err != nil {
			t.Fatal(err)
		}
	}
	refused := peer.ask(register(1, "ep=one-more", "")).want(t, message.ServiceUnavailable)
	if seconds, _ := refused.Uint(message.MaxAge); seconds == 0 {
		t.Error("it does not say when to try again")
	}
	if got := peer.ask(ask{id: 2, method: message.GET, path: "rd-lookup/ep", query: "count=3&page=1000"}).targets(t); len(got) != 3 {
		t.Errorf("page 1000 has %s", got)
	}
}

func TestEachGatewayGivesARegistrationTheSameID(t *testing.T) {
	s := newStore(t)
	var places []string
	for i := range 2 {
		peer := dialRaw(t, s.serve(t).Addr().String())
		places = append(places, peer.ask(register(uint16(i), "ep=node1", node1)).want(t, message.Created).location())
	}
	if places[0] != places[1] || len(s.Registrations()) != 1 {
		t.Errorf("it is at %s, and %d are registered", places, len(s.Registrations()))
	}
}
