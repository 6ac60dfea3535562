// Package cluster is agreement: who leads, what is committed, where it is kept.
//
// A Node takes commands with Propose on any node and returns when they are on
// a majority of disks and applied; it gives views of the state at a stated
// consistency, merged from the state's open head and the node's own segment
// files; it runs the leader's duties. The meaning of commands is package fsm.
//
// It is the only importer of hashicorp/raft, its stores, and memberlist.
package cluster
