package main

import (
	"net"
	"net/netip"

	"skerry/cluster"
	"skerry/coap"
)

// gateways lists the doors of the nodes that are alive, by name. A door that is
// open at all of its node's addresses is told by the one at which the other
// nodes reach it.
func gateways(node string, members []cluster.Member) (list []coap.Gateway) {
	for i := range members {
		m := &members[i]
		host, port, err := net.SplitHostPort(m.CoAP)
		if err != nil || !m.Alive {
			continue
		}
		if addr, err := netip.ParseAddr(host); host == "" || err == nil && addr.IsUnspecified() {
			if host, _, err = net.SplitHostPort(m.Address); err != nil {
				continue
			}
		}
		list = append(list, coap.Gateway{Name: m.Name, Addr: net.JoinHostPort(host, port), Own: m.Name == node})
	}
	return list
}
