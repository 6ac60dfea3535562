// Package secure serves CoAP's sessions over DTLS 1.2 (RFC 6347, RFC 7252
// section 9) on one UDP socket. A session's peer has proved who it is, by a
// pre-shared key of its own or by a certificate, before anybody hears of it.
// The cryptography and the handshake are pion's; which datagram belongs to
// whom, and how much a stranger may cost, is decided here.
//
// # Finding a session again
//
// A session is found by its connection ID (RFC 9146) where the peer speaks that,
// and else by the peer's address and port. With a connection ID a device behind
// a NAT that forgot it goes on from a new port: the new address counts once a
// record from there was authenticated and is the newest, as section 6 of that
// RFC asks for. A session rests for hours and holds no socket.
//
// A ClientHello from the address of a session begins another one beside it, and
// takes its place when it is complete: a device that was switched off and on is
// heard at once, and nobody ends a session with a forged hello.
//
// # What a stranger costs
//
// Before a peer has returned a cookie (RFC 6347 section 4.2.1) it holds a place
// among a bounded number of handshakes. When half of those places are taken by
// peers that returned none, no more are given: a hello is then answered with a
// cookie that needs no memory, and who returns it is remembered by its IP
// address and told to begin again (a fatal alert; devices do), because the
// library cannot enter a handshake in its middle. So a flood of hellos from
// forged addresses costs a MAC and a datagram of 60 bytes each, and real devices
// get in at their second try. Where all places are taken the oldest handshake
// ends, one without a cookie first.
//
// Established sessions are bounded, all together and per identity; the ones not
// heard for the longest time are closed. Records of epoch 0, which anybody can
// forge, do not reach an established session.
package secure
