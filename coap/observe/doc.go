// Package observe keeps who observes what (RFC 7641), and says who is to be
// notified now, and how.
//
// An observation is known by its peer and token. It ends when its peer asks for
// that, rejects a notification or does not answer one, and with its session;
// the caller learns of these and calls Remove or RemovePeer.
//
// # When
//
// The caller compares the versions of what is observed with the registry's
// (Compare), and notifies those that Take returns. An observation is due when
// its target has changed and pmin has passed since the last notification, or
// when nothing was said for pmax, or for a day: a notification a day is
// confirmable (RFC 7641 section 4.5), so that who is gone is found out even
// where nothing changes. While a notification is on its way a newer one is made
// at most once a second: a slow peer gets the latest state, not all of them
// (section 1.3), and costs little meanwhile.
//
// # Sequence numbers
//
// The Observe option of a notification is 24 bits that a client compares modulo
// their range (section 3.4). Here it is max(last + 1, log time / 4,096 us). Log
// time is the site's own clock, advanced by its log and the same on all nodes,
// so a client that goes on at another node, behind one address, does not take
// the newer for the older. A tick of 4.096 ms is shorter than the time between
// two notifications of one observation; the numbers come round after 19 hours,
// and a client forgets what it compares with after 128 s.
//
// The package has no clock, socket or goroutine. A Registry belongs to one
// goroutine at a time.
package observe
