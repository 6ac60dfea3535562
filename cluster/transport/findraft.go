package transport

import (
	"io"

	"github.com/hashicorp/raft"
)

// findingRaft is a raft transport whose requests go to where find says.
type findingRaft struct {
	raft.Transport
	find Find
}

// AppendEntries is raft.Transport's.
func (t findingRaft) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	return t.Transport.AppendEntries(id, t.find(id, target), args, resp)
}

// RequestVote is raft.Transport's.
func (t findingRaft) RequestVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	return t.Transport.RequestVote(id, t.find(id, target), args, resp)
}

// RequestPreVote is raft.WithPreVote's.
func (t findingRaft) RequestPreVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	return t.Transport.(raft.WithPreVote).RequestPreVote(id, t.find(id, target), args, resp)
}

// InstallSnapshot is raft.Transport's.
func (t findingRaft) InstallSnapshot(id raft.ServerID, target raft.ServerAddress, args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	return t.Transport.InstallSnapshot(id, t.find(id, target), args, resp, data)
}

// TimeoutNow is raft.Transport's.
func (t findingRaft) TimeoutNow(id raft.ServerID, target raft.ServerAddress, args *raft.TimeoutNowRequest, resp *raft.TimeoutNowResponse) error {
	return t.Transport.TimeoutNow(id, t.find(id, target), args, resp)
}
