package faultlab

import "os"

// Environ is what a process of one site is started with. One thread keeps its
// goroutines' order close to that of the run before. Garbage is collected seldom, as
// memory is there, and goroutines begin with stacks as deep as most come to need: a
// virtual hour starts a million of them.
func Environ() []string {
	return append(os.Environ(), "GOMAXPROCS=1", "GOGC=400", "GODEBUG=adaptivestackstart=1,asyncpreemptoff=1,memprofilerate=0")
}
