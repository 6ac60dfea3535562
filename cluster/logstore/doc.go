// Package logstore keeps what raft has on disk: the log, the votes and terms,
// and the snapshots. Room segmented is the log of our own; raft-wal and
// raft-boltdb can take its place on a real directory. Room slots keeps one small
// value, room snapshots the snapshots.
//
// A write that fails or hangs is never retried behind an error: after a failed
// fsync nobody knows what the disk holds, so the store tells its owner, who ends
// the process (see Config.Failed), and refuses everything after.
//
// # The hint
//
// File "hint" says up to which entry the log is known to be durable. It is
// written HintEvery after appends where they are many, HintWithin after them
// where they are few, at Close, and when the node takes part (Owe), and lowered
// before entries are deleted from the end. Opening a whole log does not change it. A log that ends before its hint has lost entries that this node
// acknowledged; one that ends after it may have a torn tail. Its record, in a
// file of slots, little-endian:
//
//	 0  8  last durable index, 0 where none is owed
//	 8  8  first index that is wanted
//	16  4  flags: 1, entries were lost and have not come back
//	20     why, in words, at most 200 bytes
//
// # Votes
//
// File "votes" holds raft's current term and last vote as one record of a file
// of slots: number of keys (1 byte), then for each its length (1 byte), the key,
// the length of the value (2 bytes), the value; sorted by key. raft sets the
// term of a vote and then its candidate: the first is kept back until the second
// comes, so a vote is on disk whole or not at all.
//
// # Which log
//
// File "kind" names the store of the log. Directories from before it have their
// votes in raft-boltdb and their snapshots in raft's files; Open takes both
// over.
package logstore
