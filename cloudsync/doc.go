// Package cloudsync brings what a site has closed into a bucket, each row once,
// as three plain Delta tables: readings, frames and gaps.
//
// # Layout
//
// Under the cloud URL, for each of the three streams:
//
//	<site>/<stream>/_delta_log/<20 digits>.json        the commits
//	<site>/readings/data/<date>/<first>-<last>-<sha>.parquet
//	<site>/frames/data/<date>/<first>-<last>-<sha>.parquet
//	<site>/gaps/data/<first>-<last>-<sha>.parquet
//
// date is the UTC date of received, first and last are seqs, sha is the first
// 16 hexadecimal digits of the file's SHA-256. A file is in the table when a
// commit adds it and not before; package delta says what is in a commit.
//
// # Once
//
// Only committed rows in closed ranges (cuts) are shipped, so every leader
// ships the same rows under the same seqs. A commit is put under the next free
// number, and of several writers of one number one wins. A new leader first
// claims the tables with a commit of its epoch (incarnation, term); a leader
// that was deposed while it slept then finds its number taken, reads a higher
// epoch there and stops. No clock takes part.
//
// What a table has is told by its log, not by the site's state: a leader may
// have died, or lost the answer, between a commit and the mark in the state.
// So each leader reads the log from the last mark on and proposes the marks
// that are missing before it ships anything.
//
// # Orphans
//
// A file that no commit ever named is left where a leader ended between a put
// and its commit, and another brought the rows in another file. The leader
// removes it after a day, see sweeper.
//
// # Not here
//
// What this leaves to others: closing ranges by size and date is fsm's, files
// of segments are cluster's, stores are package target's.
package cloudsync
