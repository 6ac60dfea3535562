package logstore_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
	"skerry/cluster/logstore"
)

// failing is a disk that refuses every change after some.
type failing struct {
	disk.Disk
	left int
}

var errNoMore = errors.New("no more changes")

func (d *failing) change() error {
	if d.left--; d.left < 0 {
		return errNoMore
	}
	return nil
}

func (d *failing) Create(name string) (disk.File, error) {
	if err := d.change(); err != nil {
		return nil, err
	}
	f, err := d.Disk.Create(name)
	return failingFile{f, d}, err
}

func (d *failing) Open(name string) (disk.File, error) {
	f, err := d.Disk.Open(name)
	if err != nil {
		return nil, err
	}
	return failingFile{f, d}, nil
}

func (d *failing) Rename(from, to string) error {
	return errors.Join(d.change(), d.ifLeft(func() error { return d.Disk.Rename(from, to) }))
}
func (d *failing) Remove(name string) error {
	return errors.Join(d.change(), d.ifLeft(func() error { return d.Disk.Remove(name) }))
}
func (d *failing) SyncDir(dir string) error {
	return errors.Join(d.change(), d.ifLeft(func() error { return d.Disk.SyncDir(dir) }))
}

func (d *failing) ifLeft(do func() error) error {
	if d.left < 0 {
		return nil
	}
	return do()
}

type failingFile struct {
	disk.File
	d *failing
}

func (f failingFile) Sync() error     { return errors.Join(f.d.change(), f.File.Sync()) }
func (f failingFile) SyncData() error { return errors.Join(f.d.change(), f.File.SyncData()) }

func onDisk(d disk.Disk) logstore.Config {
	return logstore.Config{Disk: d, Dir: "raft", Logger: hclog.NewNullLogger(), SegmentBytes: smallSegment}
}

// wantWhole opens a directory as it is and checks that all is there.
func wantWhole(tb testing.TB, d disk.Disk, kind logstore.Kind, logs []*raft.Log) {
	tb.Helper()
	cfg := onDisk(d)
	cfg.Kind = kind
	s, err := logstore.Open(cfg)
	if err != nil {
		tb.Error(err)
		return
	}
	defer func() { _ = s.Close() }()
	if r := s.Recovery(); r.Damaged {
		tb.Errorf("damaged: %s", r.Reason)
	}
	wantEntries(tb, s, logs)
	if who, err := s.Stable.Get(keyCandidate); err != nil || string(who) != "b:1" {
		tb.Errorf("the vote is for %q (%v), want b:1", who, err)
	}
	if list, err := s.Snapshots.List(); err != nil || len(list) != 1 || list[0].Index != 15 {
		tb.Errorf("snapshots %+v (%v), want the one of entry 15", list, err)
	}
}

// filledDir is a directory with entries 11 to 60, a vote and a snapshot.
func filledDir(tb testing.TB, kind logstore.Kind) (disk.Disk, []*raft.Log) {
	tb.Helper()
	d := disk.NewOS(tb.TempDir())
	cfg := onDisk(d)
	cfg.Kind = kind
	s, err := logstore.Open(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	logs := entries(1, 60)
	err = errors.Join(vote(s, 100, "b:1"), s.StoreLogs(logs[:30]), s.StoreLogs(logs[30:]))
	snapshotAt(tb, s, 2, 15)
	if err = errors.Join(err, s.DeleteRange(1, 10), s.Close()); err != nil {
		tb.Fatal(err)
	}
	return d, logs[10:]
}

func TestALogMovesFromAnyStoreToAnyOther(t *testing.T) {
	for _, from := range logstore.Kinds {
		for _, to := range logstore.Kinds {
			t.Run(string(from)+" to "+string(to), func(t *testing.T) {
				d, logs := filledDir(t, from)
				m, err := logstore.Move(onDisk(d), to)
				want := logstore.Moved{From: from, To: to, First: 11, Last: 60}
				if err != nil || m != want {
					t.Fatalf("moved %+v (%v), want %+v", m, err, want)
				}
				wantWhole(t, d, to, logs)
				wantWhole(t, d, "", logs)
			})
		}
	}
}

// Wherever a move is cut short, the directory opens as it was or as it is to
// be, and the move can be made again.
func TestAMoveThatIsCutShortLosesNothing(t *testing.T) {
	for _, from := range logstore.Kinds {
		for _, to := range logstore.Kinds {
			if from == to {
				continue
			}
			t.Run(string(from)+" to "+string(to), func(t *testing.T) {
				t.Parallel()
				ended := false
				for cut := 0; !ended && !t.Failed(); cut++ {
					d, logs := filledDir(t, from)
					_, err := logstore.Move(onDisk(&failing{d, cut}), to)
					ended = err == nil
					wantWhole(t, d, "", logs)
					if _, err := logstore.Move(onDisk(d), to); err != nil {
						t.Errorf("cut before change %d: the second try: %v", cut, err)
					}
					wantWhole(t, d, to, logs)
				}
			})
		}
	}
}

func TestADamagedLogIsNotMoved(t *testing.T) {
	d := filled(t, 20)
	d.Corrupt(lastSegment(d), inEntry(5), 0)
	if _, err := logstore.Move(onDisk(d), logstore.Bolt); !errors.Is(err, logstore.ErrDamaged) {
		t.Errorf("err = %v, want ErrDamaged", err)
	}
	if _, err := logstore.Move(onDisk(d), "tape"); err == nil || !strings.Contains(err.Error(), "use segmented, wal or bolt") {
		t.Errorf("err = %v, want the kinds", err)
	}
}
