package transport

import (
	"io"

	"github.com/hashicorp/raft"
)

// Mute takes the server out of the site, for good: raft is asked nothing more,
// and nothing that it says gets out, its answer to the request in hand included.
// CallElection still works: it is not raft's word.
func (f *Filter) Mute() { f.muted.Store(true) }

// ask hands a request to raft and passes the answer on, unless the server was
// muted meanwhile.
func (f *Filter) ask(rpc raft.RPC) {
	answer := make(chan raft.RPCResponse, 1)
	asked := rpc
	asked.RespChan = answer
	select {
	case f.consumer <- asked:
	case <-f.done:
		rpc.Respond(nil, raft.ErrTransportShutdown)
		return
	}
	select {
	case r := <-answer:
		if !f.muted.Load() {
			rpc.Respond(r.Response, r.Error)
			return
		}
	case <-f.done:
	}
	rpc.Respond(nil, raft.ErrTransportShutdown)
}

// speaks is nil while raft may send requests.
func (f *Filter) speaks() error {
	if f.muted.Load() {
		return raft.ErrTransportShutdown
	}
	return nil
}

// InstallSnapshot is raft.Transport's.
func (f *Filter) InstallSnapshot(id raft.ServerID, target raft.ServerAddress, args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	if err := f.speaks(); err != nil {
		return err
	}
	return f.Transport.InstallSnapshot(id, target, args, resp, data)
}
