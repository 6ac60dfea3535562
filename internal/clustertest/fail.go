package clustertest

import (
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/transport"
)

// wrapped is a network whose raft transport is what Wrap makes of it.
func (m *Member) wrapped(n transport.Network) transport.Network {
	if m.Wrap == nil {
		return n
	}
	return wrapped{n, m.Wrap(n.Raft())}
}

type wrapped struct {
	transport.Network
	raft raft.Transport
}

// Raft is transport.Network's.
func (w wrapped) Raft() raft.Transport { return w.raft }

// Failed waits until the member cannot go on and returns why. Crash it then.
func (m *Member) Failed() error {
	m.site.tb.Helper()
	select {
	case err := <-m.ran:
		m.ran <- err
		return err
	case <-time.After(settleTimeout):
		m.site.tb.Fatalf("%s goes on after %s: %s", m.Name, settleTimeout, m.site.describe())
		return nil
	}
}
