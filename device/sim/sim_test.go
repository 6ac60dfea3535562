package sim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"skerry/device"
	"skerry/device/sim"
	"skerry/fsm"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// site is a store that keeps each identity once, behind gateways that lose
// messages and answers. With twice set it forgets identities.
type site struct {
	twice bool

	mu      sync.Mutex
	rand    *rand.Rand
	known   map[string]bool
	history []fsm.Reading
}

func newSite(seed uint64) *site {
	return &site{rand: rand.New(rand.NewPCG(seed, 1)), known: make(map[string]bool)}
}

// Post stores what a message holds, loses one in ten and its answer in ten.
func (s *site) Post(_ context.Context, m device.Message) (device.Code, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rand.IntN(10) == 0 {
		return 0, errors.New("message lost")
	}
	if id := strings.Join(m.Query, ""); !s.known[id] || s.twice {
		s.known[id] = true
		readings, err := decode(m, time.Now().UnixMicro())
		if err != nil {
			return 4 << 5, nil
		}
		s.history = append(s.history, readings...)
	}
	if s.rand.IntN(10) == 0 {
		return 0, errors.New("answer lost")
	}
	return device.Changed, nil
}

// decode reads the messages that this repository's devices send.
func decode(m device.Message, received int64) ([]fsm.Reading, error) {
	type body struct {
		Name  string       `json:"n"`
		Unit  string       `json:"u"`
		Time  *json.Number `json:"t"`
		Value *float64     `json:"v"`
		Flag  *bool        `json:"vb"`
		Text  *string      `json:"vs"`
	}
	var records []body
	switch m.Format {
	case device.FormatText:
		v, err := strconv.ParseFloat(string(m.Payload), 64)
		if err != nil {
			return nil, err
		}
		records = []body{{Name: m.Path[2], Value: &v}}
	case device.FormatJSON:
		var one struct {
			Value any          `json:"value"`
			Unit  string       `json:"unit"`
			Time  *json.Number `json:"time"`
		}
		if err := json.Unmarshal(m.Payload, &one); err != nil {
			return nil, err
		}
		b := body{Name: m.Path[2], Unit: one.Unit, Time: one.Time}
		switch v := one.Value.(type) {
		case float64:
			b.Value = &v
		case bool:
			b.Flag = &v
		case string:
			b.Text = &v
		}
		records = []body{b}
	default:
		if err := json.Unmarshal(m.Payload, &records); err != nil {
			return nil, err
		}
	}
	var out []fsm.Reading
	for _, b := range records {
		r := fsm.Reading{Device: m.Path[1], Resource: b.Name, Unit: b.Unit, Time: received, Received: received}
		if b.Time != nil {
			s, err := b.Time.Float64()
			if err != nil {
				return nil, err
			}
			if r.Time = int64(s*1e6 + 0.5); s < 1<<28 {
				r.Time = received + int64(s*1e6)
			}
		}
		switch {
		case b.Value != nil:
			r.Value = fsm.NumberValue(*b.Value)
		case b.Flag != nil:
			r.Value = fsm.FlagValue(*b.Flag)
		case b.Text != nil:
			r.Value = fsm.TextValue(*b.Text)
		}
		out = append(out, r)
	}
	return out, nil
}

// simulate runs a crowd for a while, in virtual time.
func simulate(t *testing.T, s *site, c sim.Config, d time.Duration) *device.Ledger {
	t.Helper()
	ledger := new(device.Ledger)
	synctest.Test(t, func(t *testing.T) {
		courier, err := device.NewCourier(fmt.Sprint("run", c.Seed), ledger, s, s, s)
		if err != nil {
			t.Fatal(err)
		}
		c.Log = quiet
		crowd, err := sim.New(c, courier)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		if err := crowd.Run(ctx); err != nil {
			t.Fatal(err)
		}
	})
	return ledger
}

func TestWhatTheCrowdSentIsInTheHistoryOnce(t *testing.T) {
	for seed := uint64(1); seed <= 3; seed++ {
		s := newSite(seed)
		ledger := simulate(t, s, sim.Config{Seed: seed, Devices: 60, Every: time.Second}, 4*time.Minute)
		got := ledger.Compare(slices.Values(s.history))
		t.Logf("seed %d: %+v", seed, got)
		if !got.OK() || got.Foreign != 0 || got.Unanswered != 0 || got.Acked < 10_000 || got.Acked != len(s.history) {
			t.Errorf("seed %d: got %+v of %d readings", seed, got, len(s.history))
		}
	}
}

func TestAStoreThatForgetsIdentitiesIsFoundOut(t *testing.T) {
	s := newSite(9)
	s.twice = true
	ledger := simulate(t, s, sim.Config{Seed: 9, Devices: 20, Every: time.Second}, time.Minute)
	if got := ledger.Compare(slices.Values(s.history)); got.Duplicates == 0 || got.Lost != 0 {
		t.Errorf("got %+v, want duplicates", got)
	}
}

func TestAStoreThatLosesReadingsIsFoundOut(t *testing.T) {
	s := newSite(10)
	ledger := simulate(t, s, sim.Config{Seed: 10, Devices: 20, Every: time.Second}, time.Minute)
	const lost = 5
	if got := ledger.Compare(slices.Values(s.history[lost:])); got.Lost != lost || got.Duplicates != 0 {
		t.Errorf("got %+v, want %d lost", got, lost)
	}
}

func TestTheCrowdIsAsMixedAsRealOnes(t *testing.T) {
	s := newSite(4)
	simulate(t, s, sim.Config{Seed: 4, Devices: 200, Every: 10 * time.Second, Prefix: "hall/"}, time.Hour)
	kinds := make(map[fsm.Kind]int)
	var wrong, fair int
	for _, r := range s.history {
		kinds[r.Value.Kind]++
		if !strings.HasPrefix(r.Device, "hall/") {
			t.Fatalf("got device %q without its prefix", r.Device)
		}
		if off := time.Duration(r.Received-r.Time) * time.Microsecond; off.Abs() > 30*time.Minute {
			wrong++
		} else {
			fair++
		}
		rec := fsm.Record{Device: r.Device, Resource: r.Resource, Unit: r.Unit, Value: r.Value}
		if err := rec.Validate(); err != nil {
			t.Fatal(err)
		}
	}
	if kinds[fsm.Number] == 0 || kinds[fsm.Flag] == 0 || kinds[fsm.Text] == 0 {
		t.Errorf("got kinds %v, want numbers, flags and texts", kinds)
	}
	if wrong == 0 || fair < wrong {
		t.Errorf("got %d readings by fair clocks and %d by wrong ones, want more fair than wrong", fair, wrong)
	}
}

func TestTemperaturesFollowTheDay(t *testing.T) {
	s := newSite(5)
	simulate(t, s, sim.Config{Seed: 5, Devices: 4, Every: time.Minute}, 48*time.Hour)
	var night, noon, nights, noons float64
	for _, r := range s.history {
		if r.Resource != "temperature" {
			continue
		}
		if v := r.Value.Number; v < -30 || v > 50 || fsm.FormatNumber(v) != strconv.FormatFloat(v, 'f', -1, 64) || len(fsm.FormatNumber(v)) > 5 {
			t.Fatalf("got %v, want a temperature with one decimal", v)
		}
		switch time.UnixMicro(r.Received).UTC().Hour() {
		case 2:
			night, nights = night+r.Value.Number, nights+1
		case 14:
			noon, noons = noon+r.Value.Number, noons+1
		}
	}
	if nights == 0 || noon/noons-night/nights < 2 {
		t.Errorf("got %.1f by night and %.1f by day", night/nights, noon/noons)
	}
}

func TestTheSameSeedMeasuresTheSame(t *testing.T) {
	var series [2][]string
	for i := range series {
		s := newSite(6)
		simulate(t, s, sim.Config{Seed: 6, Devices: 4, Every: time.Second}, time.Minute)
		for _, r := range s.history {
			series[i] = append(series[i], fmt.Sprint(r.Device, r.Resource, r.Value))
		}
		slices.Sort(series[i])
	}
	if !slices.Equal(series[0], series[1]) {
		t.Errorf("got %d and %d readings that differ", len(series[0]), len(series[1]))
	}
}

func TestAWrongSimulationIsRefused(t *testing.T) {
	courier, err := device.NewCourier("run", new(device.Ledger), newSite(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []sim.Config{
		{Devices: 0, Every: time.Second}, {Devices: sim.MaxDevices + 1, Every: time.Second}, {Devices: 1},
	} {
		if _, err := sim.New(c, courier); err == nil {
			t.Errorf("got no error for %+v", c)
		}
	}
}
