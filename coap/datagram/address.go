package datagram

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// peerOf is the address in a name that the kernel filled.
func peerOf(name *unix.RawSockaddrInet6) netip.AddrPort {
	if name.Family == unix.AF_INET {
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		return netip.AddrPortFrom(netip.AddrFrom4(four.Addr), port(&four.Port))
	}
	addr := netip.AddrFrom16(name.Addr).Unmap()
	if name.Scope_id != 0 && addr.Is6() {
		addr = addr.WithZone(strconv.Itoa(int(name.Scope_id)))
	}
	return netip.AddrPortFrom(addr, port(&name.Port))
}

// putPeer fills a name for a socket of a family, and returns its size.
func putPeer(name *unix.RawSockaddrInet6, peer netip.AddrPort, six bool) uint32 {
	addr := peer.Addr()
	if !six {
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		*four = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: addr.As4()}
		setPort(&four.Port, peer.Port())
		return unix.SizeofSockaddrInet4
	}
	*name = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: addr.As16(), Scope_id: zone(addr)}
	setPort(&name.Port, peer.Port())
	return unix.SizeofSockaddrInet6
}

// zone is the interface's index in an address, 0 for none.
func zone(addr netip.Addr) uint32 {
	if addr.Zone() == "" {
		return 0
	}
	n, err := strconv.ParseUint(addr.Zone(), 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// port reads a port, which lies in the order of the network.
func port(p *uint16) uint16 { return binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(p))[:]) }

func setPort(p *uint16, v uint16) { binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(p))[:], v) }

// control is room for one control message with a packet's info.
type control [64]byte

// localOf is what the control messages of a datagram say of its way in.
func localOf(b []byte) Local {
	for len(b) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
		size := int(h.Len)
		if size < unix.CmsgLen(0) || size > len(b) {
			break
		}
		data := b[unix.CmsgLen(0):size]
		switch {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			info := (*unix.Inet4Pktinfo)(unsafe.Pointer(&data[0]))
			return local(netip.AddrFrom4(info.Addr), netip.AddrFrom4(info.Spec_dst), info.Ifindex)
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			info := (*unix.Inet6Pktinfo)(unsafe.Pointer(&data[0]))
			to := netip.AddrFrom16(info.Addr).Unmap()
			own := netip.Addr{}
			if to.Is4() { // what carries IPv4 takes no IPv6 address, not even none
				own = netip.IPv4Unspecified()
			}
			return local(to, own, int32(info.Ifindex))
		}
		b = b[min(len(b), unix.CmsgSpace(size-unix.CmsgLen(0))):]
	}
	return Local{}
}

// local tells a host's address from a group's; own is this host's address on
// the interface where the kernel says it.
func local(to, own netip.Addr, index int32) Local {
	if to.IsMulticast() {
		return Local{Addr: own, Interface: index, Group: true}
	}
	l := Local{Addr: to}
	if to.IsLinkLocalUnicast() {
		l.Interface = index
	}
	return l
}

// put writes a control message that has the datagram leave from l, and returns
// its size, 0 for none.
func (c *control) put(l Local, six bool) int {
	if !l.Addr.IsValid() && l.Interface == 0 {
		return 0
	}
	h := (*unix.Cmsghdr)(unsafe.Pointer(&c[0]))
	data := unsafe.Pointer(&c[unix.CmsgLen(0)])
	if !six {
		h.Level, h.Type = unix.IPPROTO_IP, unix.IP_PKTINFO
		h.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
		info := (*unix.Inet4Pktinfo)(data)
		*info = unix.Inet4Pktinfo{Ifindex: l.Interface}
		if l.Addr.Is4() {
			info.Spec_dst = l.Addr.As4()
		}
		return unix.CmsgSpace(unix.SizeofInet4Pktinfo)
	}
	h.Level, h.Type = unix.IPPROTO_IPV6, unix.IPV6_PKTINFO
	h.SetLen(unix.CmsgLen(unix.SizeofInet6Pktinfo))
	info := (*unix.Inet6Pktinfo)(data)
	*info = unix.Inet6Pktinfo{Ifindex: uint32(l.Interface)}
	if l.Addr.IsValid() {
		info.Addr = l.Addr.As16()
	}
	return unix.CmsgSpace(unix.SizeofInet6Pktinfo)
}
