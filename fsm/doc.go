// Package fsm is the meaning of skerry: the nouns a site keeps, the commands
// that change them, and State, which applies committed commands in order.
//
// The package is pure. It reads no clock, draws no random number, starts no
// goroutine, touches no disk and never lets the order of a map, the locale or
// a local setting reach a result: two replicas that apply the same commands
// hold the same state, bit for bit, and print the same digest. What a command
// needs from outside (log time, the leader's wall clock, keys, secrets) is
// stamped into it before it is committed.
//
// A proposer encodes a Command (Encode, or an Encoder for batches), the leader
// checks what it was given (Check) and puts it into an entry (AppendEntry), and
// every replica applies the entry (State.Apply). State.Snapshot and Restore
// carry a whole state from one replica to another.
//
// # Once
//
// An item's key is looked up before anything else. A known key is answered
// with its first answer for KnownFor; an unknown one is stored only if its copy
// was born at most BornWithin ago and the window has room. As a key is kept for
// at least BornWithin, a copy that was on its way when its key was stored is
// never stored again, however long it was held up.
//
// # Entry
//
// One raft log entry holds one command. Integers are little-endian; uvarint
// and varint are those of encoding/binary.
//
//	offset size
//	0      1    format version, 1
//	1      1    opcode (append-only, see Op)
//	2      1    flags: bit 0 set when the leader did not know the time
//	3      1    zero
//	4      4    CRC32C of the whole entry with these four bytes zero
//	8      8    log time, microseconds
//	16     8    received, microseconds since 1970 UTC, the leader's wall clock
//	24          body
//
// The body of OpReadings is the sub-batches of the proposers one after the
// other, each as uvarint length and bytes; their layout stands in batch.go, that
// of the body of OpFrame in framecodec.go, that of OpConditional in
// conditional.go, and that of a snapshot in snapshot.go. All other bodies are
// CBOR maps with integer keys, to which keys are only ever added.
package fsm
