// Package site runs a whole site on this machine: each node is a child process
// of the binary that is running, as skerry agent --dev on loopback addresses.
//
// The processes are real, so that they can be killed with -9 and started
// again on what they left on disk. They die with this process, also when it is
// killed itself.
package site
