package logstore_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
	"skerry/cluster/logstore"
)

// inEntry is where, in the first segment, the data of an entry of filled begins.
func inEntry(i uint64) int64 {
	at := int64(8192 + 40)
	if i < 10 {
		return at + int64(i-1)*48
	}
	return at + 9*48 + int64(i-10)*56
}

// abandon ends a life of the disk without a clean close.
func abandon(d *disk.Memory, s *logstore.Store) {
	d.Cut()
	_ = s.Close() // its files are gone; the goroutines end
}

// filled is a disk on which entries 1 to n were stored, one at a time, and
// closed.
func filled(tb testing.TB, n uint64) *disk.Memory {
	tb.Helper()
	d := disk.NewMemory()
	s := mustOpenOn(tb, d)
	err := s.Stable.SetUint64(keyTerm, 100)
	for i := uint64(1); i <= n; i++ {
		err = errors.Join(err, s.StoreLogs(entries(i, 1)))
	}
	if err = errors.Join(err, s.Close()); err != nil {
		tb.Fatal(err)
	}
	return d
}

// lastSegment is the newest segment's name.
func lastSegment(d *disk.Memory) (name string) {
	for _, n := range d.Names("raft/log/") {
		if strings.HasSuffix(n, ".log") {
			name = n
		}
	}
	return name
}

func wantDamaged(tb testing.TB, s *logstore.Store, damaged bool, last uint64) {
	tb.Helper()
	if r := s.Recovery(); r.Damaged != damaged || r.Last != last || (r.Reason != "") != damaged {
		tb.Errorf("found %+v, want damaged %t and the last entry %d", r, damaged, last)
	}
}

func TestALogShorterThanItsHintIsDamagedUntilItIsSaidToBeWholeAgain(t *testing.T) {
	d := filled(t, 20)
	d.Corrupt(lastSegment(d), inEntry(20), 0)
	for range 2 { // a restart does not forget it
		s := mustOpenOn(t, d)
		wantDamaged(t, s, true, 19)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		d.Cut()
	}
	s := mustOpenOn(t, d)
	if err := errors.Join(s.StoreLogs(entries(20, 5)), s.Recovered()); err != nil {
		t.Fatal(err)
	}
	abandon(d, s)
	wantDamaged(t, mustOpenOn(t, d), false, 24)
}

func TestATornTailAfterTheHintIsNotDamage(t *testing.T) {
	d := filled(t, 20)
	s := mustOpenOn(t, d)
	if err := s.StoreLogs(entries(21, 3)); err != nil {
		t.Fatal(err)
	}
	abandon(d, s) // the hint says 20
	d.Corrupt(lastSegment(d), inEntry(22), 0)
	s = mustOpenOn(t, d)
	wantDamaged(t, s, false, 21)
	wantEntries(t, s, entries(1, 21))
}

// What a node that takes part may vote for is owed, though nothing is appended.
func TestAllThatIsInTheLogIsOwedByANodeThatTakesPart(t *testing.T) {
	d := filled(t, 20)
	s := mustOpenOn(t, d)
	if err := s.StoreLogs(entries(21, 3)); err != nil {
		t.Fatal(err)
	}
	abandon(d, s) // the hint says 20
	s = mustOpenOn(t, d)
	if err := s.Owe(); err != nil {
		t.Fatal(err)
	}
	abandon(d, s)
	d.Corrupt(lastSegment(d), inEntry(1), 0) // of the newest segment: entry 21
	wantDamaged(t, mustOpenOn(t, d), true, 20)
}

func TestTheHintFollowsAppendsInTimeAndIdleLogsWriteNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := filled(t, 1)
		s := mustOpenOn(t, d)
		if err := s.StoreLogs(entries(2, 3)); err != nil {
			t.Fatal(err)
		}
		<-time.After(logstore.HintWithin + time.Millisecond)
		synctest.Wait()
		var synced []string
		d.OnSync(func(name string) { synced = append(synced, name) })
		<-time.After(time.Hour)
		if len(synced) > 0 {
			t.Errorf("an idle log syncs %q in an hour", synced)
		}
		d.OnSync(nil)
		abandon(d, s)
		s = mustOpenOn(t, d)
		if got := s.Recovery().Hint; got != 4 {
			t.Errorf("the hint says %d, want 4", got)
		}
		_ = s.Close()
	})
}

func TestAHintThatIsGoneMakesTheLogSuspect(t *testing.T) {
	for name, harm := range map[string]func(*disk.Memory){
		"gone": func(d *disk.Memory) { _ = d.Remove("raft/hint") },
		"damaged": func(d *disk.Memory) {
			for at := range int64(4) {
				d.Corrupt("raft/hint", at*2048+9, 1)
			}
		},
	} {
		d := filled(t, 5)
		harm(d)
		s := mustOpenOn(t, d)
		if r := s.Recovery(); !r.Damaged || r.Last != 5 {
			t.Errorf("%s: found %+v, want damage and all entries", name, r)
		}
	}
}

func TestARotOfAnyEntryIsFoundAtTheStart(t *testing.T) {
	for i := range uint64(10) {
		d := filled(t, 10)
		d.Corrupt(lastSegment(d), inEntry(i+1)-23, 3)
		s := mustOpenOn(t, d)
		wantDamaged(t, s, true, i)
	}
}

// snapshotAt takes a snapshot.
func snapshotAt(tb testing.TB, s *logstore.Store, term, index uint64) {
	tb.Helper()
	sink, err := s.Snapshots.Create(1, index, term, raft.Configuration{}, 1, nil)
	if err == nil {
		_, err = io.WriteString(sink, "state")
		err = errors.Join(err, sink.Close())
	}
	if err != nil {
		tb.Fatal(err)
	}
}

// A leader's snapshot was installed and the power went before the log, which
// ends before it or was another's, was emptied.
func TestALogThatDoesNotBelongToTheNewestSnapshotIsEmptied(t *testing.T) {
	for _, c := range []struct {
		name        string
		index, term uint64
		left        uint64 // last entry
	}{
		{"the snapshot is after the log", 50, 9, 0},
		{"the log has another entry in its place", 10, 9, 0},
		{"the snapshot is the log's own", 10, 2, 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := filled(t, 20)
			s := mustOpenOn(t, d)
			snapshotAt(t, s, c.term, c.index)
			abandon(d, s)
			for range 2 {
				s = mustOpenOn(t, d)
				wantDamaged(t, s, false, c.left)
				_ = s.Close()
			}
			s = mustOpenOn(t, d)
			if err := s.StoreLogs(entries(max(c.index, c.left)+1, 2)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestALostLogIsNoDamageWhereTheSnapshotHasAllOfIt(t *testing.T) {
	d := filled(t, 20)
	s := mustOpenOn(t, d)
	snapshotAt(t, s, 2, 20)
	_ = s.Close()
	for _, name := range d.Names("raft/log/") {
		_ = d.Remove(name)
	}
	wantDamaged(t, mustOpenOn(t, d), false, 0)
}

// hung opens a store on a disk whose syncs hang when told so.
func hung(tb testing.TB, failed func(error)) (s *logstore.Store, hang func() (resume func())) {
	tb.Helper()
	d := disk.NewMemory()
	s, err := logstore.Open(logstore.Config{
		Disk: d, Dir: "raft", Logger: hclog.NewNullLogger(), SegmentBytes: smallSegment,
		Failed: failed, Stall: 2 * time.Second, HintEvery: time.Hour,
	})
	if err != nil {
		tb.Fatal(err)
	}
	if err := errors.Join(s.Stable.SetUint64(keyTerm, 1), s.StoreLogs(entries(1, 3))); err != nil {
		tb.Fatal(err)
	}
	synctest.Wait()
	return s, func() func() {
		gate := make(chan struct{})
		d.OnSync(func(string) { <-gate })
		return func() { close(gate); d.OnSync(nil) }
	}
}

func TestAWriteThatTakesTooLongIsToldAndNothingIsTakenAfterIt(t *testing.T) {
	for name, write := range map[string]func(*logstore.Store) error{
		"an append":  func(s *logstore.Store) error { return s.StoreLogs(entries(4, 1)) },
		"a deletion": func(s *logstore.Store) error { return s.DeleteRange(3, 3) },
		"a vote":     func(s *logstore.Store) error { return s.Stable.SetUint64(keyTerm, 2) },
	} {
		for _, stall := range []time.Duration{1900 * time.Millisecond, 2100 * time.Millisecond} {
			t.Run(name+" of "+stall.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					told := make(chan error, 10)
					s, hang := hung(t, func(err error) { told <- err })
					resume := hang()
					wrote := make(chan error, 1)
					go func() { wrote <- write(s) }()
					<-time.After(stall)
					synctest.Wait()
					late := stall > 2*time.Second
					select {
					case err := <-told: // the write itself has not returned
						if !late || !errors.Is(err, logstore.ErrStalled) {
							t.Errorf("told of %v after %s", err, stall)
						}
					default:
						if late {
							t.Errorf("nothing was told in %s", stall)
						}
					}
					resume()
					if err := <-wrote; (err != nil) != late {
						t.Errorf("the write returns %v after %s", err, stall)
					}
					if err := s.Stable.SetUint64(keyTerm, 9); (err != nil) != late {
						t.Errorf("a later write returns %v", err)
					}
					if len(told) > 0 {
						t.Errorf("told again: %v", <-told)
					}
					_ = s.Close()
				})
			})
		}
	}
}

func TestARottenEntryIsToldWhenItIsRead(t *testing.T) {
	d := filled(t, 10)
	var told []error
	s, err := logstore.Open(logstore.Config{
		Disk: d, Dir: "raft", Logger: hclog.NewNullLogger(), SegmentBytes: smallSegment, Failed: func(err error) { told = append(told, err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	d.Corrupt(lastSegment(d), inEntry(5), 0)
	var e raft.Log
	if err := s.GetLog(5, &e); err == nil || len(told) != 1 || s.StoreLogs(entries(11, 1)) == nil {
		t.Errorf("the entry is read as %v, told of %v; want an error that is told and ends all writes", err, told)
	}
}
