package cluster_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/cluster/disk"
	"skerry/cluster/logstore"
	"skerry/internal/clustertest"
)

// stalling is a disk whose syncs wait while it is stalled.
type stalling struct {
	disk.Disk
	mu   sync.Mutex
	gate chan struct{} // closed when it goes on; nil is open
	met  chan struct{} // closed when a sync waits; nil is nobody asked
}

// reached is closed when the next sync waits.
func (d *stalling) reached() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.met = make(chan struct{})
	return d.met
}

func (d *stalling) stall() (resume func()) {
	gate := make(chan struct{})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gate = gate
	return sync.OnceFunc(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.gate = nil
		close(gate)
	})
}

func (d *stalling) wait() {
	d.mu.Lock()
	gate := d.gate
	if gate != nil && d.met != nil {
		close(d.met)
		d.met = nil
	}
	d.mu.Unlock()
	if gate != nil {
		<-gate
	}
}

// Walk is for disk.Walk.
func (d *stalling) Walk(dir string) ([]string, error) { return disk.Walk(d.Disk, dir) }

// Create is disk.Disk's.
func (d *stalling) Create(name string) (disk.File, error) {
	f, err := d.Disk.Create(name)
	return stallingFile{f, d}, err
}

// Open is disk.Disk's.
func (d *stalling) Open(name string) (disk.File, error) {
	f, err := d.Disk.Open(name)
	return stallingFile{f, d}, err
}

// SyncDir is disk.Disk's.
func (d *stalling) SyncDir(dir string) error { d.wait(); return d.Disk.SyncDir(dir) }

type stallingFile struct {
	disk.File
	d *stalling
}

// Sync is disk.File's.
func (f stallingFile) Sync() error { f.d.wait(); return f.File.Sync() }

// SyncData is disk.File's.
func (f stallingFile) SyncData() error { f.d.wait(); return f.File.SyncData() }

// siteOn is a site of three with a profile, on disks, by node, that can be
// stalled.
func siteOn(t *testing.T, profile string) (*clustertest.Site, map[string]*stalling) {
	disks := map[string]*stalling{}
	s := clustertest.Open(t, 3, nil, func(c *cluster.Config) {
		c.Profile = profile
		disks[c.Name] = &stalling{Disk: c.Seams.Disk}
		c.Seams.Disk = disks[c.Name]
	})
	return s, disks
}

// The defects are hashicorp/raft issues 503 and 614: a leader whose disk hangs
// keeps the lead by its heartbeats, and takes nothing.
func TestALeaderWhoseDiskStallsForGoodIsReplaced(t *testing.T) {
	for _, profile := range []string{"ssd", "sdcard", "wan"} {
		t.Run(profile, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, disks := siteOn(t, profile)
				post(t, s, 0, 3)
				<-time.After(10 * time.Second) // nothing else is on its way to the disk
				lead := s.Leader()
				resume := disks[lead.Name].stall()
				defer resume()
				start := time.Now()
				next := s.Followers()[0]
				if _, err := next.Propose(context.Background(), clustertest.Reading(t, "pump-7", "temperature", 9e6, 1)); err != nil {
					t.Errorf("propose: %v", err)
				}
				if took := time.Since(start); took > 15*time.Second {
					t.Errorf("the next reading was stored after %s, want within 15 s", took)
				}
				if err := lead.Failed(); !errors.Is(err, logstore.ErrStalled) {
					t.Errorf("the leader ends with %v, want ErrStalled", err)
				}
				resume()
				lead.Crash()
				lead.Start(3)
				s.Leader()
				wantCount(t, s, 4)
			})
		})
	}
}

func TestAStallOfTwoSecondsChangesNoLeaderOnAnSDCard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, disks := siteOn(t, "sdcard")
		post(t, s, 0, 3)
		<-time.After(10 * time.Second)
		lead := s.Leader()
		term := lead.Status().Term
		for range 5 {
			resume := disks[lead.Name].stall()
			time.AfterFunc(2*time.Second, resume)
			post(t, s, 3, 1)
			resume()
			<-time.After(5 * time.Second)
		}
		if st := s.Leader().Status(); st.Node != lead.Name || st.Term != term {
			t.Errorf("%s leads in term %d, want %s in %d still", st.Node, st.Term, lead.Name, term)
		}
	})
}
