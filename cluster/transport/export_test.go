package transport

import "github.com/hashicorp/raft"

// Pass gives a request to the filter.
func (f *Filter) Pass(rpc raft.RPC) { f.pass(rpc) }

// ErrNotWhole is the answer to what only a whole server does.
var ErrNotWhole = errNotWhole
