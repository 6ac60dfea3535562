package main

import (
	"net"
	"net/netip"
	"strings"

	"github.com/urfave/cli/v2"

	"skerry/coap"
)

// coapTargets are the nodes that --to names, as host:port.
func coapTargets(c *cli.Context) ([]string, error) {
	to := c.String("to")
	if to == "" {
		to = defaultTo
	}
	var list []string
	for text := range strings.SplitSeq(to, ",") {
		target, err := coap.ParseTarget(strings.TrimSpace(text))
		if err != nil {
			return nil, usagef("--to %s: %w", text, err)
		}
		list = append(list, target)
	}
	return list, nil
}

// coapAddresses are the targets with their names looked up.
func coapAddresses(c *cli.Context) ([]netip.AddrPort, error) {
	targets, err := coapTargets(c)
	if err != nil {
		return nil, err
	}
	list := make([]netip.AddrPort, len(targets))
	for i, target := range targets {
		udp, err := net.ResolveUDPAddr("udp", target)
		if err != nil {
			return nil, err
		}
		a := udp.AddrPort()
		list[i] = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	}
	return list, nil
}
