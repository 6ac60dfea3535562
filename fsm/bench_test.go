package fsm_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"skerry/fsm"
)

// perEntry is what a leader under load puts into one entry.
const perEntry = 64

// load is a stream of batches of perEntry messages with one reading each, from
// a thousand devices, each under a key of its own.
type load struct {
	batch fsm.Batch
	rng   *rand.ChaCha8
	key   uint64
}

func newLoad() *load {
	l := &load{rng: rand.NewChaCha8([32]byte{1})}
	for range perEntry {
		l.batch.Items = append(l.batch.Items, fsm.Item{Records: make([]fsm.Record, 1)})
	}
	return l
}

var loadDevices = func() (names [1000]string) {
	for i := range names {
		names[i] = fmt.Sprintf("sensor-%04d", i)
	}
	return names
}()

func (l *load) next(born fsm.LogTime) *fsm.Batch {
	l.batch.Born = born
	for i := range l.batch.Items {
		it := &l.batch.Items[i]
		l.key++
		binary.LittleEndian.PutUint64(it.Key[:], l.rng.Uint64())
		binary.LittleEndian.PutUint64(it.Key[8:], l.key)
		it.Records[0] = number(loadDevices[l.key%1000], float64(l.key%400)/10)
	}
	return &l.batch
}

// BenchmarkApply applies entries of 64 messages while log time runs as it does
// at a rate of messages, with a window of the size that the rate gives it.
func BenchmarkApply(b *testing.B) {
	for _, rate := range []int{100, 1_000, 10_000} {
		b.Run(fmt.Sprintf("%d messages a second", rate), func(b *testing.B) { benchmarkApply(b, rate) })
	}
}

func benchmarkApply(b *testing.B, rate int) {
	step := uint64(perEntry * second / rate)
	s := fsm.NewState()
	g := testGenesis()
	g.CutRows, g.CutBytes, g.WindowBytes = fsm.DefaultCutRows, fsm.DefaultCutBytes, 256<<20
	_, body := fsm.Encode(g)
	apply := func(index uint64, entry []byte) {
		if _, err := s.Apply(index, 1, entry); err != nil {
			b.Fatal(err)
		}
	}
	apply(1, fsm.AppendEntry(nil, fsm.Header{Op: fsm.OpGenesis, Received: noon}, body))
	l := newLoad()
	var e fsm.Encoder
	entry := func(index uint64) []byte {
		h := fsm.Header{Op: fsm.OpReadings, LogTime: fsm.LogTime(index * step), Received: noon + int64(index*step)}
		return fsm.AppendEntry(nil, h, e.Append(nil, l.next(h.LogTime)))
	}
	index := uint64(2)
	for ; index*step < 256*second; index++ {
		apply(index, entry(index))
	}
	entries := make([][]byte, 1000)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%len(entries) == 0 {
			b.StopTimer()
			for i := range entries {
				entries[i] = entry(index + uint64(i))
			}
			b.StartTimer()
		}
		apply(index, entries[n%len(entries)])
		index++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/perEntry, "ns/reading")
	b.ReportMetric(float64(s.Remembered()), "keys")
}

// BenchmarkApplyDocument replaces documents in a site that has as many as it
// takes, one of each ten after a snapshot.
func BenchmarkApplyDocument(b *testing.B) {
	r := newReplicas(b)
	fill(r, 20)
	entries := make([][]byte, 10_000)
	for i := range entries {
		op, body := fsm.Encode(fsm.PutDocumentCommand{Device: fmt.Sprint("d", i*9), Format: 60, Body: make([]byte, 20)})
		entries[i] = fsm.AppendEntry(nil, fsm.Header{Op: op, LogTime: second, Received: noon}, body)
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%10 == 0 {
			r.a.Snapshot()
		}
		if _, err := r.a.Apply(uint64(1<<20+n), 1, entries[n%len(entries)]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	batch := newLoad().next(1)
	var e fsm.Encoder
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = e.Append(buf[:0], batch)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/perEntry, "ns/reading")
	b.ReportMetric(float64(len(buf))/perEntry, "bytes/reading")
}

func BenchmarkCheckBatch(b *testing.B) {
	sub := fsm.EncodeBatch(nil, newLoad().next(1))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := fsm.CheckBatch(sub); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/perEntry, "ns/reading")
}

// BenchmarkWindow reports the memory of a window of 2.5 million keys.
func BenchmarkWindow(b *testing.B) {
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		w := fsm.NewTestWindow(3_000_000)
		rng := rand.NewChaCha8([32]byte{2})
		for i := range 2_500_000 {
			var k fsm.Key
			_, _ = rng.Read(k[:])
			w.Remember(k, fsm.LogTime(i)*100) // 250 s
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB")
		runtime.KeepAlive(w)
	}
}
