package link_test

import (
	"errors"
	"net/netip"
	"testing"

	"skerry/coap/link"
)

func TestParseBase(t *testing.T) {
	for base, want := range map[string]string{
		"coap://[2001:db8:3::123]:61616": "coap://[2001:db8:3::123]:61616",
		"coaps://new.example.com:5684/":  "coaps://new.example.com:5684",
		"http://10.0.0.7":                "http://10.0.0.7",
	} {
		t.Run(base, func(t *testing.T) {
			got, err := link.ParseBase(base)
			if err != nil || got.String() != want {
				t.Errorf("got %v, %v, want %s", got, err, want)
			}
		})
	}
	for name, base := range map[string]string{
		"nothing":              "",
		"a path":               "/r",
		"a host alone":         "example.com:5683",
		"a scheme alone":       "coap:",
		"a URI with a path":    "coap://h/p",
		"a URI with a query":   "coap://h?x",
		"a URI with a user":    "coap://u@h",
		"a URI with a zone":    "coap://[fe80::1%eth0]",
		"a URN":                "urn:dev:ow:1",
		"a port not a number":  "coap://h:x",
		"an open bracket":      "coap://[2001:db8::1",
		"a control character":  "coap://h\n",
		"a URI with a # alone": "coap://h#x",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := link.ParseBase(base); !errors.Is(err, link.ErrBase) {
				t.Errorf("got %v, %v, want ErrBase", got, err)
			}
		})
	}
}

func TestBaseOf(t *testing.T) {
	for name, c := range map[string]struct{ scheme, from, want string }{
		"IPv4 with a port of its own":   {"coap", "10.0.0.7:61616", "coap://10.0.0.7:61616"},
		"the port of the scheme":        {"coap", "10.0.0.7:5683", "coap://10.0.0.7"},
		"the port of another scheme":    {"coaps", "10.0.0.7:5683", "coaps://10.0.0.7:5683"},
		"IPv6":                          {"coap", "[2001:db8::1]:5683", "coap://[2001:db8::1]"},
		"IPv4 as IPv6 sockets write it": {"coap", "[::ffff:10.0.0.7]:1", "coap://10.0.0.7:1"},
		"the zone is left out":          {"coap", "[fe80::1%eth0]:1", "coap://[fe80::1]:1"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := link.BaseOf(c.scheme, netip.MustParseAddrPort(c.from)).String(); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestLinkLocal(t *testing.T) {
	for base, want := range map[string]bool{
		"coap://[fe80::1]:1":   true,
		"coap://169.254.3.4":   true,
		"coap://[2001:db8::1]": false,
		"coap://example.com":   false,
	} {
		b, err := link.ParseBase(base)
		if err != nil || b.LinkLocal() != want {
			t.Errorf("%s: got %v, %v, want %v", base, b.LinkLocal(), err, want)
		}
	}
	if (link.Base{}).LinkLocal() {
		t.Error("no base is link-local")
	}
}

func TestResolve(t *testing.T) {
	base, err := link.ParseBase("coap://[2001:db8::1]:61616")
	if err != nil {
		t.Fatal(err)
	}
	for reference, want := range map[string]string{
		"/temp":                        "coap://[2001:db8::1]:61616/temp",
		"temp":                         "coap://[2001:db8::1]:61616/temp",
		"/a%2Fb/c%20d":                 "coap://[2001:db8::1]:61616/a%2Fb/c%20d",
		"/a/../b?x=1":                  "coap://[2001:db8::1]:61616/b?x=1",
		"//other/temp":                 "coap://other/temp",
		"":                             "coap://[2001:db8::1]:61616",
		"http://www.example.com/%7Ea":  "http://www.example.com/%7Ea",
		"coap://h/../kept/as/./it/was": "coap://h/../kept/as/./it/was",
	} {
		t.Run(reference, func(t *testing.T) {
			got, err := base.Resolve(reference)
			if err != nil || got != want {
				t.Errorf("got %s, %v, want %s", got, err, want)
			}
		})
	}
	t.Run("what is no reference is refused", func(t *testing.T) {
		if got, err := base.Resolve("/%zz"); !errors.Is(err, link.ErrValue) {
			t.Errorf("got %s, %v, want ErrValue", got, err)
		}
	})
	t.Run("no base resolves nothing", func(t *testing.T) {
		if got, err := (link.Base{}).Resolve("/a"); !errors.Is(err, link.ErrBase) {
			t.Errorf("got %s, %v, want ErrBase", got, err)
		}
	})
}

// TestResolveLink resolves the links that RFC 9176 registers in its section 5.
func TestResolveLink(t *testing.T) {
	base, err := link.ParseBase("coap://local-proxy.example.com")
	if err != nil {
		t.Fatal(err)
	}
	registered, err := link.Parse([]byte(`</sensors/temp>;rt="temperature-c";if="sensor",<http://www.example.com/sensors/temp>;anchor="/sensors/temp";rel="describedby"`))
	if err != nil {
		t.Fatal(err)
	}
	before := string(link.Append(nil, registered...))
	var got []link.Link
	for _, l := range registered {
		l, err := base.ResolveLink(l)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, l)
	}
	want := `<coap://local-proxy.example.com/sensors/temp>;rt="temperature-c";if="sensor",<http://www.example.com/sensors/temp>;anchor="coap://local-proxy.example.com/sensors/temp";rel="describedby"`
	if got := string(link.Append(nil, got...)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if after := string(link.Append(nil, registered...)); after != before {
		t.Errorf("the registered links became %s", after)
	}
}
