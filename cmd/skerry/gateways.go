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
		if addr, ok := outside(m.CoAP, m.Address); ok && m.Alive {
			list = append(list, coap.Gateway{Name: m.Name, Addr: addr, Own: m.Name == node})
		}
	}
	return list
}

// outside is the address of a node's door as others reach it, by what the door
// listens on and by the node's address for the other nodes. ok is false where
// there is no door.
func outside(door, cluster string) (addr string, ok bool) {
	host, port, err := net.SplitHostPort(door)
	if err != nil {
		return "", false
	}
	if addr, err := netip.ParseAddr(host); host == "" || err == nil && addr.IsUnspecified() {
		if host, _, err = net.SplitHostPort(cluster); err != nil {
			return "", false
		}
	}
	return net.JoinHostPort(host, port), true
}
