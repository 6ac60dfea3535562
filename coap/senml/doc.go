// Package senml reads and writes SenML packs (RFC 8428) in JSON and CBOR, and
// reads Fetch and Patch Packs (RFC 8790).
//
// Decode turns a pack into records whose base fields are resolved, whose names
// are split into device and resource, and which fsm has found valid. A pack is
// taken whole or not at all: the first thing wrong is returned as an *Error
// that names the record and the label. What the RFC lets a receiver choose is
// chosen here:
//
//   - A record with base fields only gives no reading.
//   - Labels that are not known are ignored, unless they end in "_": those must
//     be understood, so the pack is refused.
//   - A label twice in one record is refused: receivers differ in which one
//     they keep, and a device should not be stored differently by each.
//   - A sum (s) beside a value is read and not kept; a sum alone is refused.
//   - Integers beyond 2^53 are refused: a double would round them.
//   - Times below 2^28 s, after the base time is added, count from the moment
//     the message came in (RFC 8428 section 4.5.3) and stay relative.
//
// DecodeFetch and DecodePatch read the packs of RFC 8790 by the same rules: what
// to read, and what to change.
//
// CBOR may use text labels ("n" for 0), indefinite lengths and decimal
// fractions. The package is pure: it knows no clock, socket or log.
package senml

// Bounds of one pack.
const (
	MaxRecords = 1000
	MaxPack    = 128 << 10 // encoded bytes
	maxDepth   = 8         // nesting, of labels that are not known too
	maxVersion = 10        // bver of RFC 8428
)

// Format is an encoding of packs.
type Format uint8

const (
	JSON Format = 1 + iota // content formats 110 and 111, and 320 of RFC 8790
	CBOR                   // content formats 112 and 113, and 322 of RFC 8790
)
