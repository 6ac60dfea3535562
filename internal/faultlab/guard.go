package faultlab

import (
	"errors"
	"runtime"

	"github.com/hashicorp/raft"
)

// hashicorp/raft panics when votes cannot be written and when a log entry cannot
// be read, and so ends the process. Here a process is one of several in a
// program: the goroutine that would have panicked ends, and the node is told to.

// guardedStable is a raft.StableStore whose failure is the process's end.
type guardedStable struct {
	raft.StableStore
	failed func(error)
}

func (g guardedStable) Set(k, v []byte) error { return g.ends(g.StableStore.Set(k, v)) }
func (g guardedStable) SetUint64(k []byte, v uint64) error {
	return g.ends(g.StableStore.SetUint64(k, v))
}

func (g guardedStable) ends(err error) error {
	if err != nil {
		g.failed(err)
		runtime.Goexit()
	}
	return nil
}

// guardedLog is a raft.LogStore whose unreadable entry is the process's end.
type guardedLog struct {
	raft.LogStore
	failed func(error)
}

func (g guardedLog) GetLog(index uint64, l *raft.Log) error {
	err := g.LogStore.GetLog(index, l)
	if err != nil && !errors.Is(err, raft.ErrLogNotFound) {
		g.failed(err)
		runtime.Goexit()
	}
	return err
}
