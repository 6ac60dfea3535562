// Package link puts an address on a network interface of this machine for a
// lifetime, and tells the neighbours where it is: by gratuitous ARP (RFC 5227
// section 3, both the request and the reply form, because hosts differ in which
// they heed) for IPv4, by an unsolicited neighbour advertisement (RFC 4861
// section 7.2.6) for IPv6.
//
// The lifetime is the kernel's (IFA_CACHEINFO of rtnetlink): it takes the
// address off by itself, whatever becomes of this process.
//
// It is the only importer of netlink. It needs the capabilities CAP_NET_ADMIN,
// to set addresses, and CAP_NET_RAW, to announce them.
package link
