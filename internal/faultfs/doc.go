// Package faultfs is a disk that real processes use and a test breaks: a FUSE
// filesystem whose files are in this process's memory, kept twice. The live
// half is what a process reads back; the kept half is what it has synced.
//
// When the power is cut (Freeze, then Cut) the live half goes, but for what a
// seeded draw spares, and a spared write need not be older than a lost one:
//
//   - of a file, every 512 bytes or every 4 KiB that changed since its last
//     fsync stay or go by themselves, and its length is the synced one, the new
//     one or between;
//   - of a directory, the creations, renames and removals since its last fsync
//     stay as far as some point, and are undone after it. A synced file whose
//     name was not synced is gone.
//
// That is more than ext4 does to a program and no more than POSIX lets a
// filesystem do; Journal makes it no more than ext4 does. A write that overlaps no other is never torn inside 512 bytes.
//
// Faults besides (Inject): an error or a delay, for some time or for good, on
// reads, writes, syncs or all of a file's requests. Limit makes it a small disk.
// Flip rots a bit. A request that waits in the disk cannot be interrupted, as
// with a real one: a process that was killed goes when its request is answered.
//
// A rename into another directory is kept at once, with all that was done in both
// before: a file is never in both of them or in none. Links are refused. Mount
// needs /dev/fuse and the right to mount.
package faultfs
