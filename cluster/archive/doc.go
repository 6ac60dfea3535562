// Package archive is the file that a whole site fits into: its state, all its
// history, and the bytes of its open frames, as they were at one moment.
//
// # Layout
//
// Integers are little-endian.
//
//	8   "skerry\x00A"
//	4   format version, 1
//	    sections, each:
//	      1   kind, see Kind
//	      8   first: the first seq of the cut, or the seq of the frame
//	      8   last: the last seq of the cut, or the seq of the frame
//	      8   length of the body in bytes
//	      4   CRC32C of the 25 bytes before
//	      n   body
//	      4   CRC32C of the body
//	    and the last section, of kind End, whose body is
//	      32  SHA-256 of everything before the section
//
// The order is: Manifest, State, the Readings segments, the Frames segments, the
// Frame sections of the open frames, End; within a kind by seq. Nothing follows
// End. The body of Manifest is JSON, that of State a snapshot of fsm, those of
// segments are Parquet files of fsm/segment, that of Frame is the JPEG.
//
// A file is written and read in one go, with memory for one piece of a section.
// A reader trusts nothing of a section before its end: the caller keeps what it
// read only when Next after it, and at last End, found no fault.
package archive
