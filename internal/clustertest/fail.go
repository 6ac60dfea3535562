package clustertest

import (
	"errors"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
	"skerry/cluster/logstore/segmented"
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

// FailedNow is why the member could not go on, nil while it goes on.
func (m *Member) FailedNow() error {
	select {
	case err := <-m.ran:
		m.ran <- err
		return err
	default:
		return nil
	}
}

// Image is what a copy of a member's disk holds.
type Image struct{ disk *disk.Memory }

// Image copies the disk of a member, as a power cut would leave it.
func (m *Member) Image() Image { return Image{m.Disk.Image()} }

// Put puts a copy of an image into the place of the disk of a member that is down.
func (m *Member) Put(i Image) { m.Disk = i.disk.Image() }

// Lose takes the last entries out of the log of a member that is down, past the
// hint of the log's end: the member will notice.
func (m *Member) Lose(entries uint64) {
	m.site.tb.Helper()
	log, found, err := segmented.Open(segmented.Config{Disk: m.Disk, Dir: logDir, SegmentBytes: segmentBytes, Logger: hclog.NewNullLogger()})
	if err != nil {
		m.site.tb.Fatal(err)
	}
	err = log.Begin(found, found.Last, 0, false)
	if err == nil {
		err = log.DeleteRange(found.Last-entries+1, found.Last)
	}
	if err = errors.Join(err, log.Close()); err != nil {
		m.site.tb.Fatal(err)
	}
}
