// Package key makes the keys by which the site knows a message again: 128-bit
// SipHash under the site's secret, made where the message comes in.
//
// There are three, each with a domain byte of its own:
//
//   - OfContent, where every reading carries its own absolute time: the
//     readings are the key, by whatever way and however often they come.
//   - OfName, where the sender names the message with ?id=.
//   - OfDatagram, for all else over plain CoAP: the datagram and where it came
//     from. A retransmission is the same datagram (RFC 7252 section 4.2); a
//     device that restarted its message ids sends another.
//
// What is hashed is injective: integers are little-endian and of fixed size,
// strings and bytes have their length before them.
package key
