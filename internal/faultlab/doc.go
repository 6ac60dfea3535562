// Package faultlab is the fault laboratory in virtual time: a whole site of
// cluster.Node under testing/synctest, over a network that loses and holds up
// messages (package wire) and disks that lose and tear what was not synced
// (package flash), with clocks that jump, while clients write and read. Oracles
// look at all that is answered and, whenever faults have been healed for a while,
// at all that the nodes hold.
//
// A run is a row of epochs: some minutes of faults, then a quiet time in which
// every node has to come back by itself and agree with the others. What the
// oracles hold against a site:
//
//   - an acknowledged reading is on every node, once, at the seq of its answer;
//   - a reading that was refused for certain is nowhere, ever;
//   - a seq means one reading for ever, and seqs have no holes: so nothing was
//     ever read, at any node, that was not committed;
//   - a linearizable read sees all that was acknowledged before it began;
//     documents and conditional readings are linearizable (porcupine);
//   - a lease has one holder at a time, by its holders' clocks;
//   - digests at one index are the same on all nodes;
//   - a quiet site has a leader, and all of its nodes are up and whole.
//
// All decisions about faults and load are drawn from sources made of the seed:
// schedule, victims, loads and, as a function of its number on its link, each
// message's fate. What is not reproducible is Go's scheduler and hashicorp/raft's
// own random time-outs, so the same seed meets the same faults and the same load
// in the same order, but not always the same interleaving of them: a violation
// that a seed found may need several runs of that seed to be seen again.
package faultlab
