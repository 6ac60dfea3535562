package logstore

import "github.com/hashicorp/raft"

// NewLog wraps inner; failed is called once, with the first write error.
func NewLog(inner raft.LogStore, failed func(error)) *Log {
	return newLog(inner, newGuard(failed, 0), nil)
}
