// Package transport carries a node's traffic to the other nodes of its site:
// raft's own messages and calls (forwarded proposals, read indexes, ranges of
// segments) over one port.
//
// Every connection begins with a preface that says what it carries and which
// server it wants, so that an address that now belongs to another server is
// noticed before a byte is believed:
//
//	offset size
//	0      1    'R' for raft, 'H' for HTTP/1.1
//	1      1    n, length of the wanted ServerID
//	2      n    ServerID
//
// The acceptor answers one byte: 0 goes on, 1 means that the ServerID is not
// its own and closes the connection.
//
// TCP is the real thing; Memory is a network inside one process that a test
// can cut, and that runs under testing/synctest.
package transport
