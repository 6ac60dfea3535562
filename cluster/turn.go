package cluster

// turn is a lock that is held over the disk or over calls to peers, which may
// stall for seconds. So nothing that Apply, reads or status wait for is guarded by
// one: who needs a turn and a mutex takes the turn first. It is a channel because
// a mutex that somebody waits for would stop the clock of a test in virtual time.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

// Lock waits for the turn.
func (t turn) Lock() { t <- struct{}{} }

// Unlock gives it to the next one.
func (t turn) Unlock() { <-t }
