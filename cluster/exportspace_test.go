package cluster

import (
	"context"

	"skerry/fsm"
)

// WriteSegments writes its segments until ctx is done.
func (r Replica) WriteSegments(ctx context.Context) { r.writeSegments(ctx) }

// JudgeRoom is judgeRoom in words.
func JudgeRoom(was string, free, reserve int64, held bool) string {
	for state := roomOK; ; state++ {
		if state.String() == was {
			return judgeRoom(state, free, reserve, held).String()
		}
	}
}

// RemoveFiles removes the files of a stream that the replica is not to hold.
func (r Replica) RemoveFiles(s fsm.Stream) error { return r.removeFiles(s) }
