package logstore_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	wal "github.com/hashicorp/raft-wal"
	"go.etcd.io/bbolt"

	"skerry/cluster/disk"
	"skerry/cluster/logstore"
	"skerry/cluster/logstore/segmented"
)

const (
	// benchBatch is how many entries raft stores at a time, at most.
	benchBatch = 64
	// benchKept is how much log is kept, in bytes of data: what is older is
	// deleted, as after snapshots.
	benchKept = 32 << 20
)

// benchStores are the logs that are compared, bare: without hint and cache.
var benchStores = []struct {
	name string
	open func(dir string) (raft.LogStore, io.Closer, error)
}{
	{"bolt-default", func(dir string) (raft.LogStore, io.Closer, error) {
		b, err := raftboltdb.New(raftboltdb.Options{Path: filepath.Join(dir, "log")})
		return b, b, err
	}},
	{"bolt-tuned", func(dir string) (raft.LogStore, io.Closer, error) {
		b, err := raftboltdb.New(raftboltdb.Options{
			Path: filepath.Join(dir, "log"), BoltOptions: &bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType},
		})
		return b, b, err
	}},
	{"wal", func(dir string) (raft.LogStore, io.Closer, error) {
		w, err := wal.Open(dir, wal.WithLogger(hclog.NewNullLogger()), wal.WithSegmentSize(16<<20))
		return w, w, err
	}},
	{"segmented", func(dir string) (raft.LogStore, io.Closer, error) {
		l, found, err := segmented.Open(segmented.Config{Disk: disk.NewOS(dir), Dir: "log", SpareBytes: 2 * benchKept, Logger: hclog.NewNullLogger()})
		if err == nil {
			err = l.Begin(found, 0, 0, false)
		}
		return l, l, err
	}},
}

// BenchmarkLogStore stores entries that several goroutines wait for, one each,
// as raft does: those that came during a write go together into the next.
func BenchmarkLogStore(b *testing.B) {
	for _, size := range []int{100, 10 << 10} {
		for _, appenders := range []int{1, 16, 256} {
			for _, s := range benchStores {
				b.Run(fmt.Sprintf("%dB/%d/%s", size, appenders, s.name), func(b *testing.B) {
					l, c, err := s.open(b.TempDir())
					if err != nil {
						b.Fatal(err)
					}
					last := lived(b, l)
					before := usageNow(b)
					b.ResetTimer()
					took := appendAll(b, l, last, size, appenders)
					b.StopTimer()
					report(b, before, took)
					if err := c.Close(); err != nil {
						b.Fatal(err)
					}
				})
			}
		}
	}
}

// lived brings a log to where it has been for long in a node: much was stored
// and dropped again. It returns the last index.
func lived(b *testing.B, l raft.LogStore) (last uint64) {
	const size = 10 << 10
	for last*size < 4*benchKept {
		logs := make([]*raft.Log, benchBatch)
		for i := range logs {
			last++
			logs[i] = &raft.Log{Index: last, Term: 1, Data: make([]byte, size)}
		}
		if err := l.StoreLogs(logs); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.DeleteRange(1, last-1); err != nil {
		b.Fatal(err)
	}
	return last
}

// appendAll stores b.N entries after the last one and returns how long each
// took.
func appendAll(b *testing.B, l raft.LogStore, index uint64, size, appenders int) []time.Duration {
	type entry struct {
		data []byte
		done chan struct{}
	}
	queue := make(chan entry, benchBatch)
	took := make([][]time.Duration, appenders)
	var wg sync.WaitGroup
	for a := range appenders {
		n := b.N / appenders
		if a < b.N%appenders {
			n++
		}
		wg.Go(func() {
			data, done := make([]byte, size), make(chan struct{}, 1)
			for range n {
				start := time.Now()
				queue <- entry{data, done}
				<-done
				took[a] = append(took[a], time.Since(start))
			}
		})
	}
	go func() { wg.Wait(); close(queue) }()
	first := index
	for e := range queue {
		batch := []entry{e}
		for len(batch) < benchBatch {
			select {
			case e, ok := <-queue:
				if ok {
					batch = append(batch, e)
					continue
				}
			default:
			}
			break
		}
		logs := make([]*raft.Log, len(batch))
		for i, e := range batch {
			index++
			logs[i] = &raft.Log{Index: index, Term: 1, Data: e.data, AppendedAt: time.Now()}
		}
		if err := l.StoreLogs(logs); err != nil {
			b.Fatal(err)
		}
		for _, e := range batch {
			e.done <- struct{}{}
		}
		if keep := uint64(benchKept / size); index-first > 2*keep {
			if err := l.DeleteRange(first, index-keep); err != nil {
				b.Fatal(err)
			}
			first = index - keep + 1
		}
	}
	return slices.Concat(took...)
}

// usage is what the process and the machine's disks have used so far.
type usage struct {
	cpu, at time.Duration
	written int64 // by the process to a disk, in bytes
	sectors int64 // of 512 bytes, by all processes, on all disks
}

func usageNow(tb testing.TB) usage {
	tb.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		tb.Fatal(err)
	}
	u := usage{cpu: time.Duration(r.Utime.Nano() + r.Stime.Nano()), at: time.Duration(time.Now().UnixNano())}
	io, _ := os.ReadFile("/proc/self/io") // where there is none, 0 is reported
	for line := range strings.Lines(string(io)) {
		_, _ = fmt.Sscanf(line, "write_bytes: %d", &u.written)
	}
	stats, _ := filepath.Glob("/sys/block/*/stat")
	for _, name := range stats {
		b, err := os.ReadFile(name)
		if fields := strings.Fields(string(b)); err == nil && len(fields) > 6 {
			var n int64
			_, _ = fmt.Sscan(fields[6], &n)
			u.sectors += n
		}
	}
	return u
}

func report(b *testing.B, before usage, took []time.Duration) {
	b.Helper()
	now, n := usageNow(b), float64(b.N)
	slices.Sort(took)
	b.ReportMetric(n/(now.at-before.at).Seconds(), "entries/s")
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-us")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us")
	b.ReportMetric(float64((now.cpu-before.cpu).Microseconds())/n, "cpu-us/entry")
	b.ReportMetric(float64(now.written-before.written)/n, "B-written/entry")
	b.ReportMetric(float64(now.sectors-before.sectors)*512/n, "B-disk/entry")
}

// BenchmarkVote stores a term and a vote in it.
func BenchmarkVote(b *testing.B) {
	bolt := func(dir string) (raft.StableStore, io.Closer, error) {
		s, err := raftboltdb.New(raftboltdb.Options{Path: filepath.Join(dir, "stable")})
		return s, s, err
	}
	own := func(dir string) (raft.StableStore, io.Closer, error) {
		s, err := logstore.Open(logstore.Config{Disk: disk.NewOS(dir), Dir: "raft", Logger: hclog.NewNullLogger()})
		if err != nil {
			return nil, nil, err
		}
		return s.Stable, s, nil
	}
	for _, s := range []struct {
		name string
		open func(string) (raft.StableStore, io.Closer, error)
	}{{"bolt", bolt}, {"own", own}} {
		b.Run(s.name, func(b *testing.B) {
			v, c, err := s.open(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			before := usageNow(b)
			var took []time.Duration
			for i := range uint64(b.N) {
				start := time.Now()
				if err := errors.Join(v.SetUint64(keyTerm, i), v.SetUint64(keyVoteTerm, i), v.Set(keyCandidate, []byte("10.0.0.1:7420"))); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(start))
			}
			report(b, before, took)
			if err := c.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
