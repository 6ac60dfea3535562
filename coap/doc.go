// Package coap is the devices' front door: it takes readings over CoAP (RFC
// 7252) on one UDP socket, and from sessions at further doors, names and keys
// them, gives them to the site, and answers 2.04 when the site has them on a
// majority of disks.
//
// # The way of a request
//
// One goroutine reads up to 64 datagrams at a time, judges each (package
// message), and turns posts into items (bodies, package senml, package key).
// What one read brought goes to the intake in one step. The intake keeps a few
// proposals on their way; what comes in meanwhile gathers into the next one, so
// load makes batches and rest makes none. Proposals are offered to the site, not
// waited for: one goroutine answers the senders of all that were decided
// meanwhile, with one system call. The reader waits for nobody: what exceeds a
// bound is refused with 4.29 there and then.
//
// # What an answer means
//
// 2.04: stored, now or by an earlier copy. 4.29 and 5.03: nothing was stored by
// any copy, as far as this gateway knows; where it has doubts (a copy that was
// sent to the site and not decided) it says 5.04, which promises nothing: the
// same message may be sent again and is stored once. A copy that comes in while
// an earlier one is on its way shares that one's outcome. A post is never
// acknowledged with an empty ACK: a sleepy device would not hear the response
// after it, while it does send a CON again that got no answer. A read that takes
// over 1.5 s is, and its answer follows in a message of its own.
//
// # Bodies in blocks
//
// A body that comes in blocks (package block) is one message from its last block
// on; its key is of that datagram and of the whole body. What the body became is
// noted with the last block, so that this block, sent again, joins the outcome
// instead of being refused for the blocks that are gone. Answers are cut when they
// are sent, and kept while their further blocks are asked for.
//
// # Observing
//
// What the site has applied is compared, at most every 5 ms, with what observers
// were told (package observe). Notifications are made by the code that answers a
// GET, leave by the way the request came, and go through one table (package
// exchange), which sends them again, holds them back for peers that are slow, and
// finds out which are gone.
//
// # What is not a reading
//
// Documents of twins and registrations of the resource directory change one at a
// time: each has a line of changes, and a goroutine while there is one. A change
// is made so that to propose it again changes nothing, which is done while its
// outcome is unknown. What is said here of discovery, lookups and documents is
// what this node has applied; a change is answered when it has.
//
// What is sent to all CoAP nodes is overheard: only discovery is answered, later
// by chance, in at most three times its size, and where there is something to say.
//
// # What a peer can do to others
//
// Each endpoint (address and port) has a token bucket and a bound of messages on
// their way; beyond twice its burst it is not even answered. A datagram holds no
// state that another could end.
//
// What it asks for that is more than its datagram paid for, a large answer or
// notifications, it gets once it has shown that it is where it says.
//
// # Sessions
//
// The peers of DTLS (package secure), TCP and TLS (package stream) have sessions,
// and are served at a desk as datagrams are. Who comes with a key or certificate
// is a device of the replicated registry: it writes under its own name and those
// that the operator allows. Each message and each answer asks whether that is
// still so, at the cost of a comparison while the registry has not changed; a
// device that was revoked is told 4.01 at most, and its session ends.
package coap
