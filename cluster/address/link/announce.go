package link

import (
	"encoding/binary"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// ethernetAddress is the length of an Ethernet address in bytes.
const ethernetAddress = 6

var (
	broadcast = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	allNodes  = netip.MustParseAddr("ff02::1")
	// allNodesEthernet is where allNodes go (RFC 2464 section 7).
	allNodesEthernet = net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1}
)

// packet is what goes into one Ethernet frame.
type packet struct {
	protocol uint16 // EtherType
	to       net.HardwareAddr
	body     []byte
}

// announcements tell all neighbours that an address is at a hardware address.
func announcements(address netip.Addr, at net.HardwareAddr) []packet {
	if address.Is4() {
		return []packet{
			{unix.ETH_P_ARP, broadcast, gratuitousARP(arpRequest, address, at)},
			{unix.ETH_P_ARP, broadcast, gratuitousARP(arpReply, address, at)},
		}
	}
	return []packet{{unix.ETH_P_IPV6, allNodesEthernet, neighbourAdvertisement(address, at)}}
}

// Operations of ARP (RFC 826).
const (
	arpRequest = 1
	arpReply   = 2
)

// gratuitousARP is an ARP packet about the sender itself: both protocol
// addresses are the one announced (RFC 5227 section 3, RFC 5944 section 4.6).
// The target's hardware address is the sender's in a reply, and not known in a
// request.
func gratuitousARP(operation uint16, address netip.Addr, at net.HardwareAddr) []byte {
	b := binary.BigEndian.AppendUint16(nil, 1) // Ethernet
	b = binary.BigEndian.AppendUint16(b, unix.ETH_P_IP)
	b = append(b, ethernetAddress, 4) // lengths
	b = binary.BigEndian.AppendUint16(b, operation)
	b = append(append(b, at...), address.AsSlice()...)
	if operation == arpReply {
		b = append(b, at...)
	} else {
		b = append(b, make([]byte, ethernetAddress)...)
	}
	return append(b, address.AsSlice()...)
}

// Of a neighbour advertisement (RFC 4861 section 4.4).
const (
	typeAdvertisement = 136
	flagOverride      = 0x20 // replace what the neighbour remembers
	optionTarget      = 2    // target link-layer address, section 4.6.1
	hopLimit          = 255  // proves that it comes from this link
)

// neighbourAdvertisement is an IPv6 packet that tells all nodes, unasked, where
// address is.
func neighbourAdvertisement(address netip.Addr, at net.HardwareAddr) []byte {
	message := []byte{typeAdvertisement, 0, 0, 0, flagOverride, 0, 0, 0}
	message = append(message, address.AsSlice()...)
	message = append(message, optionTarget, 1) // in units of 8 bytes
	message = append(message, at...)
	binary.BigEndian.PutUint16(message[2:], checksum(address, allNodes, message))

	b := []byte{6 << 4, 0, 0, 0} // version, traffic class, flow label
	b = binary.BigEndian.AppendUint16(b, uint16(len(message)))
	b = append(b, unix.IPPROTO_ICMPV6, hopLimit)
	b = append(append(b, address.AsSlice()...), allNodes.AsSlice()...)
	return append(b, message...)
}

// checksum is that of an ICMPv6 message of even length, over the pseudo-header
// too (RFC 4443 section 2.3, RFC 8200 section 8.1).
func checksum(from, to netip.Addr, message []byte) uint16 {
	sum := uint32(len(message)) + unix.IPPROTO_ICMPV6
	for _, part := range [][]byte{from.AsSlice(), to.AsSlice(), message} {
		for i := 0; i < len(part); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(part[i:]))
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// networkOrder is how a packet socket wants its EtherType: big-endian in memory.
func networkOrder(protocol uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, protocol))
}
