package cluster

import "sync"

// jobs are short goroutines that their owner waits for at its end, whoever
// starts one at that moment.
type jobs struct {
	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

// start runs f in a goroutine of its own. It reports false, and runs nothing,
// after close.
func (j *jobs) start(f func()) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return false
	}
	j.wg.Go(f)
	return true
}

// close refuses new jobs and waits for those that run.
func (j *jobs) close() {
	j.mu.Lock()
	j.closed = true
	j.mu.Unlock()
	j.wg.Wait()
}
