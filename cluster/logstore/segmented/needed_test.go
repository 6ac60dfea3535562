package segmented_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
	"skerry/cluster/logstore/segmented"
)

// Whatever bit flips in entries that a snapshot covers, the log goes on behind
// it, over restarts; whatever flips in one that is needed is damage.
func TestRotInWhatIsNotNeededIsSkippedAndInWhatIsNeededFound(t *testing.T) {
	const size, segment, needed, count = 60, 9 << 10, 20, 30
	all := entries(1, 1, count, size)
	d := disk.NewMemory()
	cfg := segmented.Config{Disk: d, Dir: dir, SegmentBytes: segment, Logger: hclog.NewNullLogger(), Needed: func() uint64 { return needed }}
	l, _ := open(t, d, segment, 0)
	for i := 0; i < count; i += 3 {
		must(t, l.StoreLogs(all[i:i+3]))
	}
	must(t, l.Close())
	const record = (perHead + size + 7) / 8 * 8
	flips, skipped, damaged := 0, 0, 0
	for _, name := range d.Names(dir) {
		if !strings.HasSuffix(name, ".log") {
			continue
		}
		b, err := disk.ReadFile(d, name, 1<<20)
		must(t, err)
		inFile := (len(b) - dataAt) / record
		for at := dataAt; at < dataAt+inFile*record; at++ {
			d.Corrupt(name, int64(at), uint(at))
			flips++
			l, found, err := segmented.Open(cfg)
			must(t, err)
			switch {
			case found.Damage != "":
				damaged++
				if found.Last+1 < needed {
					t.Fatalf("byte %d of %s flipped: damage after entry %d, which is not needed", at, name, found.Last)
				}
			case found.Skipped != "":
				skipped++
				if found.First > needed || found.Last != count {
					t.Fatalf("byte %d of %s flipped: entries %d to %d are left", at, name, found.First, found.Last)
				}
			case found.First != 1 || found.Last < count-3:
				t.Fatalf("byte %d of %s flipped: entries %d to %d are left and nothing is said", at, name, found.First, found.Last)
			}
			for i := found.First; i <= found.Last; i++ {
				var e raft.Log
				if err := l.GetLog(i, &e); err != nil || !bytes.Equal(e.Data, all[i-1].Data) {
					t.Fatalf("byte %d of %s flipped: entry %d is another (%v)", at, name, i, err)
				}
			}
			must(t, l.Close())
			d.Corrupt(name, int64(at), uint(at))
		}
	}
	if skipped == 0 || damaged == 0 {
		t.Errorf("%d flips were skipped and %d were damage, want some of both", skipped, damaged)
	}
	t.Logf("%d flips, %d skipped, %d damage", flips, skipped, damaged)
}

func TestALogThatSkippedRotTakesEntriesAndDropsWhatIsBefore(t *testing.T) {
	const size, segment, needed, count = 60, 9 << 10, 20, 30
	all := entries(1, 1, count+3, size)
	d := disk.NewMemory()
	cfg := segmented.Config{Disk: d, Dir: dir, SegmentBytes: segment, Logger: hclog.NewNullLogger(), Needed: func() uint64 { return needed }}
	l, _ := open(t, d, segment, 0)
	must(t, l.StoreLogs(all[:count]))
	must(t, l.Close())
	var names []string
	for _, name := range d.Names(dir) {
		if strings.HasSuffix(name, ".log") {
			names = append(names, name)
		}
	}
	d.Corrupt(names[0], dataAt+perHead+1, 1) // the first entry
	d.Corrupt(names[1], dataAt+perHead+1, 1)
	for round := range 2 {
		l, found, err := segmented.Open(cfg)
		must(t, err)
		if found.Damage != "" || found.First > needed {
			t.Fatalf("start %d: entries from %d on, damage %q", round, found.First, found.Damage)
		}
		must(t, l.Begin(found, found.Last, found.First, false))
		if round == 0 {
			must(t, l.StoreLogs(all[count:]))
		}
		want(t, l, all[found.First-1:])
		must(t, l.Close())
	}
}

func TestAHeadOfWhichACopyRotsIsMadeWhole(t *testing.T) {
	d := disk.NewMemory()
	l, _ := open(t, d, 64<<10, 0)
	must(t, l.StoreLogs(entries(1, 1, 3, 60)))
	name := newest(t, d)
	for _, at := range []int64{5, 4096 + 20} { // one after the other: no copy is left but for the repair
		d.Corrupt(name, at, 1)
		if mended, err := l.CheckHeads(); err != nil || len(mended) != 1 {
			t.Errorf("mended %q (%v), want one", mended, err)
		}
	}
	if mended, err := l.CheckHeads(); err != nil || len(mended) != 0 {
		t.Errorf("mended %q (%v), want none", mended, err)
	}
	must(t, l.Close())
	l, found := open(t, d, 64<<10, 3)
	if found.Damage != "" {
		t.Errorf("damage: %s", found.Damage)
	}
	want(t, l, entries(1, 1, 3, 60))
}
