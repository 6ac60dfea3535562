package segmented_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
	"skerry/cluster/logstore/segmented"
)

const (
	dir     = "log"
	dataAt  = 8192
	perHead = 40
)

// open opens a log; of it up to durable is known to be so.
func open(tb testing.TB, d disk.Disk, bytes int64, durable uint64) (*segmented.Log, segmented.Found) {
	tb.Helper()
	l, found, err := segmented.Open(segmented.Config{Disk: d, Dir: dir, SegmentBytes: bytes, Logger: hclog.NewNullLogger()})
	if err != nil {
		tb.Fatal(err)
	}
	if err := l.Begin(found, durable, 0, false); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	return l, found
}

// entries are entries first to last with data of the same size.
func entries(term, first, last uint64, size int) (logs []*raft.Log) {
	for i := first; i <= last; i++ {
		data := bytes.Repeat([]byte{byte(i), byte(term)}, size)[:size]
		logs = append(logs, &raft.Log{Index: i, Term: term, Data: data, AppendedAt: time.Unix(0, int64(i))})
	}
	return logs
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// want checks that the log holds exactly these.
func want(tb testing.TB, l *segmented.Log, logs []*raft.Log) {
	tb.Helper()
	var first, last uint64
	if len(logs) > 0 {
		first, last = logs[0].Index, logs[len(logs)-1].Index
	}
	f, _ := l.FirstIndex()
	n, _ := l.LastIndex()
	if f != first || n != last {
		tb.Errorf("the log goes from %d to %d, want %d to %d", f, n, first, last)
	}
	for _, w := range logs {
		var got raft.Log
		if err := l.GetLog(w.Index, &got); err != nil {
			tb.Errorf("entry %d: %v", w.Index, err)
			continue
		}
		if got.Index != w.Index || got.Term != w.Term || got.Type != w.Type || !bytes.Equal(got.Data, w.Data) ||
			!bytes.Equal(got.Extensions, w.Extensions) || !got.AppendedAt.Equal(w.AppendedAt) {
			tb.Errorf("entry %d is %+v, want %+v", w.Index, got, *w)
		}
	}
}

// newest is the name of the newest segment.
func newest(tb testing.TB, d *disk.Memory) string {
	tb.Helper()
	name := ""
	for _, n := range d.Names(dir) {
		if strings.HasSuffix(n, ".log") {
			name = n
		}
	}
	return name
}

func TestEntriesOfAllSizesAndKindsComeBackAsTheyWere(t *testing.T) {
	d := disk.NewMemory()
	l, _ := open(t, d, 64<<10, 0)
	var all []*raft.Log
	for i, size := range []int{0, 1, 7, 8, 100, 16 << 10, 16<<10 - perHead, 300 << 10, 2, 60 << 10, 1 << 20, 3} {
		e := &raft.Log{Index: 5 + uint64(i), Term: uint64(1 + i/4), Type: raft.LogType(i % 6), Data: bytes.Repeat([]byte{byte(i)}, size)}
		if i%3 == 0 {
			e.Extensions, e.AppendedAt = []byte("more"), time.Unix(1_800_000_000, 7)
		}
		all = append(all, e)
	}
	must(t, errors.Join(l.StoreLogs(all[:3]), l.StoreLog(all[3]), l.StoreLogs(all[4:])))
	want(t, l, all)
	must(t, l.Close())
	l, found := open(t, d, 64<<10, all[len(all)-1].Index)
	if found.Damage != "" {
		t.Errorf("damage: %s", found.Damage)
	}
	want(t, l, all)
}

func TestOnlyWhatFollowsIsTakenAndHolesAreNotMade(t *testing.T) {
	l, _ := open(t, disk.NewMemory(), 64<<10, 0)
	must(t, l.StoreLogs(entries(1, 10, 20, 10)))
	for name, logs := range map[string][]*raft.Log{
		"one that leaves a gap": entries(1, 22, 22, 1), "one that is there": entries(1, 20, 20, 1),
		"a gap inside": append(entries(1, 21, 21, 1), entries(1, 23, 23, 1)...), "index 0": {{}},
	} {
		if err := l.StoreLogs(logs); !errors.Is(err, segmented.ErrNotNext) {
			t.Errorf("%s: %v, want ErrNotNext", name, err)
		}
	}
	if err := l.StoreLog(&raft.Log{Index: 21, Data: make([]byte, segmented.MaxData+1)}); err == nil {
		t.Error("an entry over the bound is taken")
	}
	if err := l.DeleteRange(12, 14); !errors.Is(err, segmented.ErrHole) {
		t.Errorf("a hole: %v, want ErrHole", err)
	}
	must(t, errors.Join(l.DeleteRange(1, 5), l.DeleteRange(30, 40), l.StoreLogs(nil)))
	want(t, l, entries(1, 10, 20, 10))
}

func TestAnEmptiedLogTakesAnyIndex(t *testing.T) {
	for _, next := range []uint64{3, 21, 1000} {
		d := disk.NewMemory()
		l, _ := open(t, d, 64<<10, 0)
		must(t, errors.Join(l.StoreLogs(entries(1, 10, 20, 10)), l.DeleteRange(10, 20)))
		want(t, l, nil)
		must(t, l.StoreLogs(entries(2, next, next+5, 10)))
		must(t, l.Close())
		l, found := open(t, d, 64<<10, next+5)
		want(t, l, entries(2, next, next+5, 10))
		if found.Damage != "" {
			t.Errorf("damage: %s", found.Damage)
		}
	}
}

func TestSegmentsThatAreNotWantedMakeRoomAndOneIsUsedAgain(t *testing.T) {
	const size = 32 << 10
	d := disk.NewMemory()
	l, _ := open(t, d, size, 0)
	must(t, l.StoreLogs(entries(1, 1, 1000, 200)))
	many := len(d.Names(dir))
	must(t, l.DeleteRange(1, 990))
	for end := time.Now().Add(10 * time.Second); len(d.Names(dir)) > 3; <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d files of %d are left: %q", len(d.Names(dir)), many, d.Names(dir))
		}
	}
	want(t, l, entries(1, 991, 1000, 200))
	must(t, l.StoreLogs(entries(1, 1001, 1500, 200)))
	want(t, l, entries(1, 991, 1500, 200))
	must(t, l.Close())
	l, found := open(t, d, size, 1500)
	if found.Damage != "" {
		t.Errorf("damage: %s", found.Damage)
	}
	if first, _ := l.FirstIndex(); first > 991 {
		t.Errorf("the log begins at %d", first)
	}
	var e raft.Log
	must(t, l.GetLog(1500, &e))
}

// A batch whose first record was torn and whose later ones are whole was never
// acknowledged, and its later ones must not join what comes in its place.
func TestWhatATornBatchLeftDoesNotComeBack(t *testing.T) {
	const size = 400
	d := disk.NewMemory()
	l, _ := open(t, d, 64<<10, 0)
	must(t, errors.Join(l.StoreLogs(entries(1, 1, 3, size)), l.StoreLogs(entries(1, 4, 8, size))))
	must(t, l.Close())
	d.Corrupt(newest(t, d), dataAt+3*(perHead+size)+perHead+5, 0)

	l, found := open(t, d, 64<<10, 3)
	if found.Damage != "" || found.Last != 3 {
		t.Errorf("found up to %d, damage %q; want 3 and none", found.Last, found.Damage)
	}
	must(t, l.StoreLogs(entries(2, 4, 5, size)))
	must(t, l.Close())
	for range 2 {
		l, found = open(t, d, 64<<10, 5)
		if found.Damage != "" {
			t.Errorf("damage: %s", found.Damage)
		}
		want(t, l, append(entries(1, 1, 3, size), entries(2, 4, 5, size)...))
		must(t, l.Close())
	}
}

func TestARecordThatIsMissingBeforeALaterBatchIsDamage(t *testing.T) {
	const size = 400
	for batch, first := range []uint64{1, 4, 7} {
		d := disk.NewMemory()
		l, _ := open(t, d, 64<<10, 0)
		must(t, errors.Join(l.StoreLogs(entries(1, 1, 3, size)), l.StoreLogs(entries(1, 4, 6, size)), l.StoreLogs(entries(1, 7, 9, size))))
		must(t, l.Close())
		d.Corrupt(newest(t, d), int64(dataAt+(int(first)-1)*(perHead+size)+9), 3)
		l, found := open(t, d, 64<<10, 0)
		if got := found.Damage != ""; got != (batch < 2) {
			t.Errorf("bit of batch %d flipped: damage %q", batch+1, found.Damage)
		}
		var left []*raft.Log
		if first > 1 {
			left = entries(1, 1, first-1, size)
		}
		want(t, l, left)
		must(t, l.StoreLogs(entries(2, first, first, size)))
	}
}

func TestAnyFlippedBitIsFoundOrChangesNothing(t *testing.T) {
	const size, segment = 60, 9 << 10
	all := entries(1, 1, 30, size)
	d := disk.NewMemory()
	l, _ := open(t, d, segment, 0)
	for i := 0; i < len(all); i += 3 {
		must(t, l.StoreLogs(all[i:i+3]))
	}
	must(t, l.Close())
	sizes := map[string]int{}
	for _, name := range d.Names(dir) {
		if strings.HasSuffix(name, ".log") {
			b, err := disk.ReadFile(d, name, 1<<20)
			must(t, err)
			sizes[name] = len(b)
		}
	}
	for name, n := range sizes {
		for at := 0; at < n; at += 1 + at%3 {
			d.Corrupt(name, int64(at), uint(at))
			l, found, err := segmented.Open(segmented.Config{Disk: d, Dir: dir, SegmentBytes: segment, Logger: hclog.NewNullLogger()})
			must(t, err)
			for i := found.First; i <= found.Last; i++ {
				var e raft.Log
				if err := l.GetLog(i, &e); err != nil || e.Term != 1 || !bytes.Equal(e.Data, all[i-1].Data) {
					t.Fatalf("byte %d of %s flipped: entry %d is another (%v)", at, name, i, err)
				}
			}
			if at < dataAt && found.Damage != "" {
				t.Errorf("byte %d of %s flipped, of one head of two: %s", at, name, found.Damage)
			}
			// The last batch may have been torn as far as the log can know: the
			// hint decides.
			if found.Damage == "" && found.Last < 27 {
				t.Errorf("byte %d of %s flipped: the log ends at %d without damage", at, name, found.Last)
			}
			must(t, l.Close())
			d.Corrupt(name, int64(at), uint(at)) // back: nothing was written
		}
	}
}

func TestRotUnderARunningLogIsAnErrorAndNotOtherData(t *testing.T) {
	const size = 100
	d := disk.NewMemory()
	l, _ := open(t, d, 64<<10, 0)
	must(t, l.StoreLogs(entries(1, 1, 40, size)))
	name := newest(t, d)
	for at := dataAt; at < dataAt+40*144; at++ {
		d.Corrupt(name, int64(at), uint(at))
		index := uint64((at-dataAt)/144 + 1)
		var e raft.Log
		err := l.GetLog(index, &e)
		if pad := (at - dataAt) % 144; err == nil && pad < perHead+size {
			t.Fatalf("byte %d flipped: entry %d is %+v", at, index, e)
		}
		if err != nil && !errors.Is(err, segmented.ErrRotten) {
			t.Fatalf("byte %d flipped: %v, want ErrRotten", at, err)
		}
		d.Corrupt(name, int64(at), uint(at))
	}
	want(t, l, entries(1, 1, 40, size))
}

func TestAFullDiskIsMetWhenASegmentIsMadeAndNotByAnAppendToIt(t *testing.T) {
	const size = 64 << 10
	d := disk.NewMemory()
	l, _ := open(t, d, size, 0)
	must(t, l.StoreLogs(entries(1, 1, 1, 100)))
	for end := time.Now().Add(10 * time.Second); l.Reserved() < size; <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no spare was made")
		}
	}
	d.SetCapacity(1) // nothing may grow any more
	reserved, last := l.Reserved(), uint64(1)
	for reserved > 500 {
		last++
		if err := l.StoreLog(entries(1, last, last, 100)[0]); err != nil {
			t.Fatalf("entry %d with %d bytes reserved: %v", last, reserved, err)
		}
		reserved = l.Reserved()
	}
	var err error
	for range 10 {
		last++
		if err = l.StoreLog(entries(1, last, last, 100)[0]); err != nil {
			break
		}
	}
	if err == nil {
		t.Errorf("entry %d was stored without room", last)
	}
}

func TestALogOfANewerSkerryIsNotTouched(t *testing.T) {
	d := disk.NewMemory()
	l, _ := open(t, d, 64<<10, 0)
	must(t, l.StoreLogs(entries(1, 1, 3, 10)))
	must(t, l.Close())
	name := newest(t, d)
	segmented.SetVersion(t, d, name, 2)
	before := fmt.Sprint(d.Names(""))
	if _, _, err := segmented.Open(segmented.Config{Disk: d, Dir: dir, Logger: hclog.NewNullLogger()}); !errors.Is(err, segmented.ErrNewer) {
		t.Errorf("err = %v, want ErrNewer", err)
	}
	if after := fmt.Sprint(d.Names("")); after != before {
		t.Errorf("files were %s and are %s", before, after)
	}
}

// counting is a disk that counts what is written to its files.
type counting struct {
	disk.Disk
	bytes *int64
}

type countingFile struct {
	disk.File
	bytes *int64
}

func (d counting) Open(name string) (disk.File, error) {
	f, err := d.Disk.Open(name)
	return countingFile{f, d.bytes}, err
}

func (f countingFile) WriteAt(b []byte, off int64) (int, error) {
	*f.bytes += int64(len(b))
	return f.File.WriteAt(b, off)
}

// Zeros before large batches would have the disk write them twice.
func TestSmallBatchesFindZerosAheadAndLargeOnesDoWithout(t *testing.T) {
	tests := []struct {
		name            string
		batches, size   int
		atLeast, atMost float64 // bytes written to the segment for each of a batch
	}{
		{"a batch of a page and more is written once", 16, 40_000, 1, 1.1},
		{"small batches have zeros written ahead once", 1000, 400, 1.9, 2.4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var written int64
			l, _ := open(t, counting{disk.NewMemory(), &written}, 1<<20, 0)
			must(t, l.StoreLogs(entries(1, 1, 1, 100)))
			before, last := written, uint64(1+tt.batches)
			for i := uint64(2); i <= last; i++ {
				must(t, l.StoreLogs(entries(1, i, i, tt.size)))
			}
			per := float64(written-before) / float64(tt.batches*tt.size)
			if per < tt.atLeast || per > tt.atMost {
				t.Errorf("%.2f bytes were written for each, want %.1f to %.1f", per, tt.atLeast, tt.atMost)
			}
			must(t, l.Close())
		})
	}
}
