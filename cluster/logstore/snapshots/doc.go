// Package snapshots is raft's SnapshotStore on a disk.Disk. A snapshot is one
// file, in place whole or not at all, with checksums over all of it.
//
// A file is named term-index-number, decimal, and ".snap". Little-endian:
//
//	 0  8  "skerrysn"
//	 8  4  version, 1
//	12  4  length of the description, at most MaxDescription
//	16  8  length of the data
//	24  8  CRC64 (ECMA) of the data
//	32  4  CRC32C of the description
//	36  4  0
//	40  4  CRC32C of the bytes before
//	44     the description: raft's SnapshotMeta as JSON, then the data
//
// List looks at heads and descriptions; Open and Verify read everything first.
package snapshots
