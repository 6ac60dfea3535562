// Package delta is the format of a Delta Lake table's log, as far as skerry
// writes it and needs to read it back: commits, their actions, and what a
// sequence of them adds up to. It is pure; nothing here does I/O.
//
// It follows the Delta transaction log protocol at reader version 1 and writer
// version 2 (https://github.com/delta-io/delta/blob/master/PROTOCOL.md), which
// every engine reads.
//
// # Commit
//
// Commit n of a table is the object _delta_log/n.json, n with 20 digits. It is
// one JSON object a line, each with one key that names the action. skerry
// writes, in this order:
//
//	commitInfo  always, with a "skerry" object, see Info
//	protocol    in commit 0 only
//	metaData    in commit 0 only
//	txn         in a commit that ships: {appId: site, version: n}
//	add         in a commit that ships: the file, its size, its statistics
//
// Commit 0 and every commit without add is a claim: from there on the table
// belongs to the epoch it names.
//
// Two sums guard the log itself. Info.Previous is the SHA-256 of the whole
// commit before, so that no commit but the last can be changed or taken out
// unseen. Info.Checksum is the SHA-256 of the commit's own bytes with the 64
// digits of the checksum as zeros, so that the last cannot be changed either.
package delta
