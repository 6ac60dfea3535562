// Package task does the work that people want done on a site's readings.
//
// A task is state: its spec, its cursor, what its runner saved, and which node
// has the current run until when. The Scheduler is a leader's duty that gives
// runs to nodes; a lease in log time says how long a node may be silent. The
// Runner, on every node, works on the runs given to it: it reads committed
// readings in seq order from the cursor on, and moves cursor, saved state and
// output in one command (fsm.AdvanceRunCommand). So however often a run dies,
// its next attempt goes on exactly where the last committed step ended, and a
// runner that wakes up after its run was given away can change nothing.
//
// # Count
//
// A count has a criterion (device pattern, resource, comparison) and windows
// of one length over received: window n holds n*every <= received < (n+1)*every,
// counted from 1970. Readings of the criterion's series count where the
// comparison holds; where it does not, they still show that the window was
// alive.
//
// Windows go from that of the first such reading to that of the last, without
// holes: one in which nothing matched gives 0. A window is emitted when a
// reading of a later window was read, or when the node's clock is past the
// window's end by Grace and everything committed until then was read. A
// reading that falls into an emitted window (a leader's clock went back) makes
// that window be emitted again, with the next revision, under the same rule.
//
// An emission is two readings with the window's start as their time:
// OUTPUTDEVICE/OUTPUTRESOURCE is the count and OUTPUTDEVICE/OUTPUTRESOURCE.rev
// its revision: 1, then 2, 3, ... Of one window the highest revision counts. A
// task never reads these two series itself.
//
// # Bounds
//
// The last MaxKept windows stay open to corrections; a reading older than
// these is not counted but added to Progress.Late. Where readings pause for
// MaxKept windows or longer, the pause gives no zeros; its windows are added to
// Progress.Skipped.
//
// A run costs a command each third of a Lease while nothing happens, and one
// each flush or window while readings come; each run reads all readings of the
// site on its own.
//
// # Saved state
//
// A CBOR map (RFC 8949) with integer keys, to which keys are only added:
//
//	1  version, 1
//	2  number of the first window kept
//	3  counts of the windows kept, in order
//	4  their last revisions, 0 for a window never emitted
//	5  positions in 3 of emitted windows whose count has changed since
//	6  number of the window of the last reading read, of any series
//	7  late readings
//	8  windows skipped
package task
