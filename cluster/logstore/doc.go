// Package logstore opens the two stores that hashicorp/raft keeps on disk: the
// log, in raft-wal or raft-boltdb, and the votes and terms, in raft-boltdb.
//
// A write that fails is never retried behind an error: after a failed fsync
// nobody knows what the disk holds, so the store reports the failure to its
// owner, who ends the process (see Config.Failed).
package logstore
