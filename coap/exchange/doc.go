// Package exchange is the message layer of what a server sends without being
// asked: notifications, separate responses, pings (RFC 7252 sections 4.2 to
// 4.8). A request and its piggy-backed answer need none of it.
//
// A Table knows which message is on its way to whom. A confirmable message is
// sent again after 2 to 3 s, then after twice the wait each time, until it is
// acknowledged, rejected, or five copies got no answer. Towards one peer only
// one confirmable message is on its way (NSTART is 1); the next ones wait.
// Non-confirmable ones keep the round-trip time between them, or 3 s where none
// was measured (RFC 7641 section 4.5.1). Each message has a name that the
// caller chose: a newer message of a name takes the place of an older one that
// still waits, and of one that would have to be sent again, with the number of
// copies kept (RFC 7641 section 4.5.2). So a peer that hears nothing costs five
// datagrams, whatever happens meanwhile.
//
// Message ids are those from FirstID on, one count for each peer from a random
// start. None is used again towards the peer for 247 s (EXCHANGE_LIFETIME): a
// peer that is sent too much waits for its ids. The ids below FirstID belong to
// the non-confirmable answers, which are not counted by peer.
//
// The package has no clock, socket or goroutine: time comes in, datagrams and
// endings come out. A Table belongs to one goroutine at a time.
package exchange
