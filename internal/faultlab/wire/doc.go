// Package wire is the fault laboratory's network: a transport.Network in memory
// whose messages are lost, held up, delivered late or twice, and whose links are
// cut one way or both.
//
// It carries raft's requests and calls as TCP does for skerry: a request whose
// sender gave up may still arrive, minutes later, because it waited in a buffer;
// an answer may be lost after the request was acted upon; a heartbeat passes by
// what raft's main loop is busy with. A paused end neither sends nor receives:
// what is meant for it waits.
//
// Fates are drawn from a source of each directed link, so they are a function of
// the seed and of the message's number on the link.
package wire
