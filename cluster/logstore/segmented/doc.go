// Package segmented is a raft log of our own, made for flash and power cuts:
// files of a fixed size that are written in order, one fdatasync for a batch,
// and a checksum over everything that is read.
//
// # Promise
//
// What StoreLogs returned nil for is there after a power cut. What DeleteRange
// took from the end never comes back. GetLog gives the entry that was stored,
// or ErrRotten; it never gives other data. Open tells a torn tail, which nobody
// was told of, from damage.
//
// # Segments
//
// A segment is named by its serial, 16 hexadecimal digits and ".log". It has the
// size of Config.SegmentBytes, or what one larger entry takes, from the
// beginning: its blocks were taken, or it was a segment whose entries were
// dropped. So an append finds its blocks there and cannot meet a full disk. Small
// ones also find zeros in them, and change no metadata. The head, little-endian,
// lies at 0 and again at 4096:
//
//	 0  8  "skerrylg"
//	 8  4  version, 1
//	12  4  flags: 1, all entries of segments before are void
//	16  8  serial
//	24  8  salt, random
//	32  8  index of the first record; entries from it on in segments before are
//	       void
//	40  4  0
//	44  4  CRC32C of the bytes before
//
// Records lie one after the other from 8192 on, at multiples of 8:
//
//	 0  4  CRC32C of the segment's salt and all that follows but the padding
//	 4  4  length of the data
//	 8  8  index
//	16  8  term
//	24  8  when the leader appended it, Unix nanoseconds, 0 for unknown
//	32  4  batch: which write to this segment it came in, 1 for the first
//	36  2  length of the extensions
//	38  1  type
//	39  1  flags: 1, the last of its batch
//	40     data, extensions, zeros
//
// The salt is in no other segment, so what an earlier use of the file left is
// never a record.
//
// # Truncation
//
// To delete entries from i on, a new segment is put in place whose first index
// is i: a rename, which happens or does not. Nothing is overwritten. Segments
// are removed in the order of their serials, each durably before the next, or
// void entries could outlive the segment that says so.
//
// # Opening
//
// Records are taken up to the first that is missing or damaged. If a record of a
// later batch follows, or the segment is not the last, or the caller's hint says
// that more was durable, that is damage, else a torn batch, which was never
// acknowledged. What may not be durable, because a failed fsync can leave pages
// that look clean, is the tail after the hint: Begin writes it again, into a new
// segment, before anything is added.
package segmented
