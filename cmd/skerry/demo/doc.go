// Package demo shows a whole site at work on one machine, and proves at the end
// that it kept its promise.
//
// It starts the nodes as child processes, lets simulated sensors post to all of
// them over CoAP, a camera watch a test pattern, and a task count, and on
// request kills the leader with -9 again and again. The sensors keep a ledger of
// what was acknowledged. At the end the history of every node is read back and
// held against it: nothing acknowledged may be missing, nothing may be there
// twice, and the bucket must have it all.
package demo
