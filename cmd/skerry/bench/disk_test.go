package bench_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"skerry/device"
	"skerry/device/sim"
	"skerry/fsm"
	"skerry/fsm/segment"
)

// collector is a gateway that keeps readings as a site's head does: in the order
// in which they come, one stamp for those that come at the same moment.
type collector struct {
	mu     sync.Mutex
	rows   fsm.Rows
	names  fsm.Names
	series map[fsm.SeriesName]uint32
	units  map[string]uint32
	err    error
}

// Post keeps a message's readings.
func (c *collector) Post(_ context.Context, m device.Message) (device.Code, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.keep(m, time.Now().UnixMicro()); err != nil {
		c.err = err
	}
	return device.Changed, nil
}

// record is one of the simulator's, in a pack or alone.
type record struct {
	Name string       `json:"n"`
	Unit string       `json:"u"`
	Time *json.Number `json:"t"`
	V    *float64     `json:"v"`
	VB   *bool        `json:"vb"`
	VS   *string      `json:"vs"`

	Value    any          `json:"value"`
	LongUnit string       `json:"unit"`
	LongTime *json.Number `json:"time"`
}

func (c *collector) keep(m device.Message, received int64) error {
	var records []record
	var err error
	switch m.Format {
	case device.FormatText:
		var v float64
		v, err = strconv.ParseFloat(string(m.Payload), 64)
		records = []record{{Name: m.Path[2], V: &v}}
	case device.FormatJSON:
		records = []record{{Name: m.Path[2]}}
		err = json.Unmarshal(m.Payload, &records[0])
	default:
		err = json.Unmarshal(m.Payload, &records)
	}
	for _, r := range records {
		at := received
		if t := cmp.Or(r.Time, r.LongTime); t != nil && err == nil {
			var s float64
			s, err = t.Float64()
			at = int64(math.Round(s * 1e6))
			if s < 1<<28 { // relative to now
				at += received
			}
		}
		c.add(m.Path[1], &r, at, received)
	}
	return err
}

func (c *collector) add(device string, r *record, at, received int64) {
	name := fsm.SeriesName{Device: device, Resource: r.Name}
	series, ok := c.series[name]
	if !ok {
		series = uint32(len(c.names.Series))
		c.series[name] = series
		c.names.Series = append(c.names.Series, name)
	}
	text := cmp.Or(r.Unit, r.LongUnit)
	unit, ok := c.units[text]
	if !ok {
		unit = uint32(len(c.names.Units))
		c.units[text] = unit
		c.names.Units = append(c.names.Units, text)
	}
	kind, bits := fsm.Number, uint64(0)
	number := func(v float64) { bits = math.Float64bits(v) }
	flag := func(v bool) {
		if kind = fsm.Flag; v {
			bits = 1
		}
	}
	word := func(s string) {
		kind, bits = fsm.Text, uint64(len(c.rows.Blob))<<32|uint64(len(s))
		c.rows.Blob = append(c.rows.Blob, s...)
	}
	switch v := r.Value.(type) {
	case float64:
		number(v)
	case bool:
		flag(v)
	case string:
		word(v)
	}
	switch {
	case r.V != nil:
		number(*r.V)
	case r.VB != nil:
		flag(*r.VB)
	case r.VS != nil:
		word(*r.VS)
	}
	if n := len(c.rows.Stamps); n == 0 || c.rows.Stamps[n-1].Received != received {
		c.rows.Stamps = append(c.rows.Stamps, fsm.Stamp{Row: uint32(c.rows.Len()), Received: received})
	}
	c.rows.Series, c.rows.Unit, c.rows.Time = append(c.rows.Series, series), append(c.rows.Unit, unit), append(c.rows.Time, at)
	c.rows.Kind, c.rows.Bits = append(c.rows.Kind, kind), append(c.rows.Bits, bits)
}

// close is what came since the last call.
func (c *collector) close() fsm.Rows {
	c.mu.Lock()
	defer c.mu.Unlock()
	rows := c.rows
	c.rows = fsm.Rows{First: rows.Last() + 1}
	return rows
}

// fileOf is the segment of rows.
func fileOf(b *testing.B, rows *fsm.Rows, names *fsm.Names) *segment.Segment {
	var file bytes.Buffer
	cut := fsm.Cut{First: rows.First, Last: rows.Last()}
	for i := range rows.Len() {
		r := rows.Reading(i, names)
		cut.Digest.Add(fsm.HashReading(&r))
	}
	if _, err := segment.Write(&file, "bench", cut, rows, names); err != nil {
		b.Fatal(err)
	}
	s, err := segment.Open(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkDiskOfSimulatedReadings lets the simulator's devices live for some
// cuts of 15 minutes, and says what a reading takes in their files, before and
// after these are merged.
func BenchmarkDiskOfSimulatedReadings(b *testing.B) {
	const cuts = 4
	for _, devices := range []int{10, 100, 400} {
		b.Run(fmt.Sprintf("%d_devices", devices), func(b *testing.B) {
			c := &collector{rows: fsm.Rows{First: 1}, names: fsm.Names{Units: []string{""}}, series: map[fsm.SeriesName]uint32{}, units: map[string]uint32{"": 0}}
			var closed []fsm.Rows
			synctest.Test(&testing.T{}, func(t *testing.T) {
				courier, err := device.NewCourier("r", &device.Ledger{}, c)
				if err != nil {
					b.Fatal(err)
				}
				s, err := sim.New(sim.Config{Seed: 1, Devices: devices, Every: time.Second, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}, courier)
				if err != nil {
					b.Fatal(err)
				}
				ctx, stop := context.WithCancel(context.Background())
				var wg sync.WaitGroup
				wg.Go(func() { _ = s.Run(ctx) }) // ended by ctx
				for range cuts {
					time.Sleep(15 * time.Minute)
					closed = append(closed, c.close())
				}
				stop()
				wg.Wait()
			})
			if c.err != nil {
				b.Fatal(c.err)
			}
			var files []*segment.Segment
			var whole fsm.Cut
			size := 0.0
			for i := range closed {
				f := fileOf(b, &closed[i], &c.names)
				files = append(files, f)
				size += float64(f.Stats().Size)
				if i == 0 {
					whole = f.Cut()
				} else {
					whole.Last = f.Cut().Last
					whole.Digest.Add(f.Cut().Digest)
				}
			}
			for b.Loop() {
				stats, err := segment.Merge(b.Context(), io.Discard, "bench", whole, files)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(stats.Size)/float64(stats.Rows), "B/row")
				b.ReportMetric(size/float64(stats.Rows), "B/row-before")
				b.ReportMetric(float64(stats.Rows), "rows")
			}
		})
	}
}
