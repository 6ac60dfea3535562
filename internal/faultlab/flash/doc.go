// Package flash is the fault laboratory's disk: a disk.Disk in memory that does
// what cheap flash does when its power goes, and what it does as it dies.
//
// A file is an image and layers of what was written since the last sync, each
// layer with the sectors it overwrote. A power cut decides for every sector of
// every layer whether it reached the flash; directories lose the end of what was
// done in them and not synced, a rename being one step. What was synced is never
// lost, unless the disk is told to lie.
//
// All decisions are drawn from the disk's own seeded source.
package flash
