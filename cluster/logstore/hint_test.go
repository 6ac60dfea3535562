package logstore_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"skerry/cluster/disk"
	"skerry/cluster/logstore"
)

func TestTheHintIsWrittenSoonForManyEntriesAndSeldomForFew(t *testing.T) {
	for _, c := range []struct {
		name  string
		every time.Duration // between two entries
		least int64         // hints in a minute
		most  int64
	}{
		{"one entry a second", time.Second, 1, 2},
		{"a hundred entries a second", 10 * time.Millisecond, 30, 60},
		{"none", time.Hour, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := disk.NewMemory()
				var hints atomic.Int64
				s, err := logstore.Open(logstore.Config{
					Disk: d, Dir: "raft", Kind: logstore.Segmented, Logger: hclog.NewNullLogger(), SegmentBytes: 1 << 20,
				})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				d.OnSync(func(name string) {
					if name == "raft/hint" {
						hints.Add(1)
					}
				})
				end := time.Now().Add(time.Minute)
				for i := uint64(1); time.Now().Before(end); i++ {
					if err := s.StoreLogs(entries(i, 1)); err != nil {
						t.Fatal(err)
					}
					time.Sleep(min(c.every, time.Until(end)))
				}
				if n := hints.Load(); n < c.least || n > c.most {
					t.Errorf("%d hints in a minute, want %d to %d", n, c.least, c.most)
				}
			})
		})
	}
}
