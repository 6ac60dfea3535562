// Package arch keeps skerry's rooms apart. Its test reads the imports of every
// file and fails on one against the arrows of docs/architecture.md:
//
//	cmd/skerry -> api coap device task cloudsync -> cluster -> fsm
//
// Siblings never import each other, and each large dependency has one door.
// Tests are free: a test may set its scene from any room.
package arch
