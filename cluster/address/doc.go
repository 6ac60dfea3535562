// Package address keeps a floating address: one that devices know, and that one
// healthy node of the site holds.
//
// Who may hold it is a lease in the replicated state, on log time. A Keeper runs
// on every node; the one that gets the lease puts the address on a network
// interface, with a lifetime after which the kernel takes it off again. It
// renews the lease several times in that lifetime, and only a renewal that the
// site has answered gives the address another one.
//
// Never two: let the holder ask for the lease at t, and set the address at s > t.
//
//	s + Lifetime + KernelLate <= t + Lease
//
// is checked before and after it sets, so the kernel has taken the address off
// before anybody else can get the lease, whatever becomes of the process: it
// may be killed, stopped, cut off, or starve. Log time never runs faster than a
// monotonic clock and stands still without a leader, so the site's Lease is at
// least as long as the holder's. A process that was stopped between the check
// and the kernel's call has set the address late; it finds out in its very next
// instruction, takes it off again and has told nobody of it.
//
// What does not hold: a machine whose clocks stand still as a whole, such as a
// virtual machine that is frozen or one that is suspended, goes on with the
// address for what was left of its lifetime when it wakes.
//
// How an address is put on an interface is package link.
package address
