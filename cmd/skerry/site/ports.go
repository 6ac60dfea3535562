package site

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are taken from below the range that Linux gives to outgoing
// connections (32768 and up): there, nobody takes a node's port while it is
// down for a moment.
const (
	lowestPort  = 15_000
	highestPort = 32_000
	portTries   = 200
)

// Addresses are where one node listens, as host:port.
type Addresses struct {
	HTTP    string `json:"http"`
	CoAP    string `json:"coap"`
	Cluster string `json:"cluster"`
	Gossip  string `json:"gossip"`
}

// FreeAddresses picks addresses for n nodes that are free now, for TCP and UDP.
func FreeAddresses(n int) ([]Addresses, error) {
	list := make([]Addresses, n)
	taken := map[int]bool{}
	for i := range list {
		for _, a := range []*string{&list[i].HTTP, &list[i].CoAP, &list[i].Cluster, &list[i].Gossip} {
			port, err := freePort(taken)
			if err != nil {
				return nil, err
			}
			taken[port] = true
			*a = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		}
	}
	return list, nil
}

func freePort(taken map[int]bool) (int, error) {
	for range portTries {
		port := lowestPort + rand.IntN(highestPort-lowestPort)
		if !taken[port] && isFree(port) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port found between %d and %d", lowestPort, highestPort)
}

func isFree(port int) bool {
	ip := net.IPv4(127, 0, 0, 1)
	tcp, err := net.ListenTCP("tcp", &net.TCPAddr{IP: ip, Port: port})
	if err != nil {
		return false
	}
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: ip, Port: port})
	if err != nil {
		_ = tcp.Close()
		return false
	}
	return udp.Close() == nil && tcp.Close() == nil
}
