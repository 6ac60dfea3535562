package site

import (
	"os/exec"
	"runtime"
	"syscall"
)

// spawner starts children from one thread that lives as long as it does: the
// kernel kills them (Pdeathsig) when the thread that started them ends, which
// for an ordinary goroutine may be long before the process does.
type spawner struct {
	jobs chan spawn
	done chan struct{}
}

type spawn struct {
	cmd *exec.Cmd
	err chan<- error
}

func newSpawner() *spawner {
	s := &spawner{jobs: make(chan spawn), done: make(chan struct{})}
	go func() {
		defer close(s.done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for job := range s.jobs {
			job.err <- job.cmd.Start()
		}
	}()
	return s
}

// start starts a child in a process group of its own, so that Ctrl-C in a
// terminal reaches this process alone.
func (s *spawner) start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	s.jobs <- spawn{cmd, started}
	return <-started
}

// close ends the thread; children that still run are killed by that.
func (s *spawner) close() {
	close(s.jobs)
	<-s.done
}
