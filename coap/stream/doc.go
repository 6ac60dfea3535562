// Package stream serves CoAP over TCP and TLS (RFC 8323), for devices behind
// networks that lose UDP. go-coap's TCP server keeps the connections, cuts them
// into messages and answers signals; this package bounds it, reads each message
// again from its bytes (the library passes over options of a wrong length,
// critical ones too) and sends without waiting for anybody.
//
// Over TLS a device shows a certificate that the site's authorities vouch for;
// its subject's common name is its identity. Pre-shared keys are for DTLS
// (package secure): Go's TLS has none. Over plain TCP a peer has no identity.
//
// A connection costs three goroutines and two buffers. One that is silent is
// asked for a sign of life and closed when it gives none; one that does not read
// its answers is closed when those that wait for it are too many; one that sends
// what is no CoAP is told so (7.05 Abort) and closed. None of it is felt by
// another connection.
package stream
