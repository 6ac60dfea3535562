package main

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"

	"skerry/api"
	"skerry/cluster"
	"skerry/cluster/address"
	"skerry/cluster/address/link"
	"skerry/fsm"
)

// maxFloating bounds the floating addresses of a site: each is a lease that is
// renewed all the time.
const maxFloating = 4

// floatingSetting is one --floating-address.
type floatingSetting struct {
	address netip.Prefix
	link    string // interface
}

// floatingSettings reads what --floating-address names. The devices' door, at
// coap, must be open at an address that comes later.
func floatingSettings(texts []string, coap string) ([]floatingSetting, error) {
	if len(texts) > maxFloating {
		return nil, usagef("--floating-address names %d addresses: at most %d are kept", len(texts), maxFloating)
	}
	var list []floatingSetting
	for _, text := range texts {
		f, err := parseFloating(text, coap)
		if err != nil {
			return nil, err
		}
		list = append(list, f)
	}
	return list, nil
}

func parseFloating(text, coap string) (floatingSetting, error) {
	prefix, link, ok := strings.Cut(text, "@")
	address, err := netip.ParsePrefix(prefix)
	if !ok || err != nil || link == "" {
		return floatingSetting{}, usagef("--floating-address %q is not ADDRESS/BITS@INTERFACE, as 10.0.0.100/24@eth0", text)
	}
	ip := address.Addr()
	if ip.IsUnspecified() || ip.IsLoopback() || ip.IsMulticast() || ip.Is4In6() {
		return floatingSetting{}, usagef("--floating-address %s is not an address that one machine can have and others reach", ip)
	}
	host, port, err := net.SplitHostPort(coap)
	if err != nil {
		return floatingSetting{}, usagef("--coap %q is not an address: write HOST:PORT", coap)
	}
	at, _ := netip.ParseAddr(host)
	switch {
	case host == "" || at.Is6() && at.IsUnspecified():
	case ip.Is4() && at.Is4() && at.IsUnspecified():
	case ip.Is6():
		return floatingSetting{}, usagef("--floating-address %s needs the devices' door on all addresses: use --coap [::]:%s", ip, port)
	default:
		return floatingSetting{}, usagef("--floating-address %s needs the devices' door on all addresses: use --coap 0.0.0.0:%s", ip, port)
	}
	return floatingSetting{address, link}, nil
}

// floating is a floating address and where this node puts it.
type floating struct {
	*address.Keeper
	address netip.Addr
	link    *link.Link
}

// openFloating makes ready what --floating-address names. Nothing is put on an
// interface before the keeper runs.
func openFloating(f floatingSetting, s settings, p *parts) (floating, error) {
	times, err := address.TimesOf(s.profile)
	if err != nil {
		return floating{}, err
	}
	l, err := link.Open(f.address, f.link)
	if err != nil {
		return floating{}, err
	}
	ip := f.address.Addr()
	keeper, err := address.NewKeeper(address.Config{
		Address: ip, Node: s.name, Times: times, Log: p.log.With("node", s.name),
	}, leaseSite{p.node}, l)
	if err != nil {
		return floating{}, errors.Join(err, l.Close())
	}
	return floating{keeper, ip, l}, nil
}

// leaseSite is a node as the keeper of an address sees it.
type leaseSite struct{ *cluster.Node }

// Lease is of this node's own view, which waits for nobody.
func (s leaseSite) Lease(name string) (fsm.Lease, bool) {
	v, err := s.View(context.Background(), cluster.Local)
	if err != nil {
		return fsm.Lease{}, false
	}
	return v.Lease(name)
}

func (s leaseSite) Role() (serves, leads bool) {
	status := s.Status()
	return status.Ready, status.Leader == s.Name()
}

// floatingSamples are the floating addresses' figures for /metrics.
func floatingSamples(list []floating) []api.Sample {
	var samples []api.Sample
	for _, f := range list {
		held := 0.0
		if f.Holding() {
			held = 1
		}
		samples = append(samples, api.Sample{
			Name: "floating_address_held", Help: "1 where this node holds the floating address.",
			Label: [2]string{"address", f.address.String()}, Value: held,
		})
	}
	return samples
}
