package link

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// ErrBase: a base that is no URI of scheme and authority.
var ErrBase = errors.New("the base is a URI of a scheme, a host and maybe a port, without path, query and fragment")

// Base is the URI that the references of a registration are relative to, as in
// coap://[2001:db8::1]:61616 (RFC 9176 section 5). The zero Base resolves
// nothing.
type Base struct {
	uri *url.URL
	// whole is the base as it was given, without the slash that may end it.
	whole string
}

// ParseBase reads a base. The error wraps ErrBase.
func ParseBase(s string) (Base, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Host == "" || u.User != nil ||
		u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return Base{}, fmt.Errorf("%w: %.128q", ErrBase, s)
	}
	u.Path = ""
	return Base{u, u.String()}, nil
}

// BaseOf is the base of an endpoint that is heard from an address (RFC 9176
// section 5). The zone of a link-local one is left out, as it must be, and the
// port where it is the scheme's own.
func BaseOf(scheme string, from netip.AddrPort) Base {
	addr := from.Addr().Unmap().WithZone("")
	host := netip.AddrPortFrom(addr, from.Port()).String()
	if from.Port() == defaultPort(scheme) {
		host = strings.TrimSuffix(host, ":"+strconv.Itoa(int(from.Port())))
	}
	u := &url.URL{Scheme: scheme, Host: host}
	return Base{u, u.String()}
}

// defaultPort is the port that a URI of a CoAP scheme means when it names none
// (RFC 7252 section 6, RFC 8323 section 8); 0 for other schemes.
func defaultPort(scheme string) uint16 {
	switch scheme {
	case "coap", "coap+tcp":
		return 5683
	case "coaps", "coaps+tcp":
		return 5684
	}
	return 0
}

// LinkLocal tells whether the base is an address that means something on one
// link only.
func (b Base) LinkLocal() bool {
	if b.uri == nil {
		return false
	}
	addr, err := netip.ParseAddr(b.uri.Hostname())
	return err == nil && addr.IsLinkLocalUnicast()
}

// String is the URI without a slash at its end.
func (b Base) String() string { return b.whole }

// Resolve is the URI that a reference names (RFC 3986 section 5.2). One that is
// a URI comes back as it was written. The error wraps ErrValue.
func (b Base) Resolve(reference string) (string, error) {
	if b.uri == nil {
		return "", ErrBase
	}
	u, err := url.Parse(reference)
	if err != nil {
		return "", fmt.Errorf("%w: the reference %.128q", ErrValue, reference)
	}
	if u.IsAbs() {
		return reference, nil
	}
	return b.uri.ResolveReference(u).String(), nil
}

// ResolveLink is a link as a resource lookup gives it: target, and anchor where
// there is one, as URIs (RFC 9176 section 6.1). The link itself is not changed.
func (b Base) ResolveLink(l Link) (Link, error) {
	var err error
	if l.Target, err = b.Resolve(l.Target); err != nil {
		return Link{}, err
	}
	at := slices.IndexFunc(l.Attrs, func(a Attr) bool { return a.Name == "anchor" })
	if at < 0 {
		return l, nil
	}
	l.Attrs = slices.Clone(l.Attrs)
	l.Attrs[at].Value, err = b.Resolve(l.Attrs[at].Value)
	return l, err
}
