// Package message is one CoAP datagram (RFC 7252 section 3): what its bytes
// mean, and whether a server answers it, resets it or stays silent.
//
// Options are read and messages written by go-coap's codec; the header and all
// judgement are here, because that codec takes what the RFC calls a message
// format error (a payload marker without payload, codes of reserved classes, an
// Empty message that is not empty) and drops options of a wrong length without
// a word, critical ones too.
//
// The package holds no state and no socket: what needs some per exchange is in
// packages block, exchange and observe.
package message
