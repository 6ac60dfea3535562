// Package gossip lets the nodes of a site find each other: who is there, under
// which identity, at which addresses. What it says is a hint. Membership is
// decided in the raft configuration alone.
package gossip
