package replay_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"skerry/device"
	"skerry/device/replay"
)

// gateway writes down what it is sent as "device/resource value@time".
type gateway struct {
	answer device.Code

	mu    sync.Mutex
	lines []string
	at    []time.Time
}

func (g *gateway) Post(_ context.Context, m device.Message) (device.Code, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var records []struct {
		Name  string      `json:"n"`
		Unit  string      `json:"u"`
		Time  json.Number `json:"t"`
		Value *float64    `json:"v"`
		Flag  *bool       `json:"vb"`
		Text  *string     `json:"vs"`
	}
	if err := json.Unmarshal(m.Payload, &records); err != nil || m.Format != device.FormatSenMLJSON {
		return 4 << 5, nil
	}
	for _, r := range records {
		var v any
		switch {
		case r.Value != nil:
			v = *r.Value
		case r.Flag != nil:
			v = *r.Flag
		case r.Text != nil:
			v = *r.Text
		}
		at, _, _ := strings.Cut(string(r.Time), ".")
		g.lines = append(g.lines, fmt.Sprintf("%s/%s %v%s@%s", m.Path[1], r.Name, v, r.Unit, at))
		g.at = append(g.at, time.Now())
	}
	if g.answer != 0 {
		return g.answer, nil
	}
	return device.Changed, nil
}

// run replays a file, in virtual time, and returns its log, too.
func run(t *testing.T, c replay.Config, g *gateway, file string) (replay.Stats, *device.Ledger, string) {
	t.Helper()
	var log bytes.Buffer
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	if c.Device == "" {
		c.Device = "station"
	}
	ledger := new(device.Ledger)
	var stats replay.Stats
	synctest.Test(t, func(t *testing.T) {
		courier, err := device.NewCourier("run", ledger, g)
		if err != nil {
			t.Fatal(err)
		}
		r, err := replay.New(c, strings.NewReader(file), courier)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		stats = r.Stats()
	})
	return stats, ledger, log.String()
}

func TestTablesOfEveryShapeAreRead(t *testing.T) {
	const at = "1262307600" // 2010-01-01 01:00 UTC
	for _, c := range []struct {
		name, file string
		want       []string
	}{
		{"wide", "date,pressure,wind\n2010-01-01T01:00:00,1016.6,3.8\n", []string{"station/pressure 1016.6@" + at, "station/wind 3.8@" + at}},
		{"wide with the time in the middle", "wind,Timestamp,ok\n3.8,2010-01-01T02:00:00+01:00,true\n", []string{"station/wind 3.8@" + at, "station/ok true@" + at}},
		{"wide without header", "2010/01/01 01:00,3.8,calm\n", []string{"station/column-2 3.8@" + at, "station/column-3 calm@" + at}},
		{"one value without header", at + ",3.8\n", []string{"station/value 3.8@" + at}},
		{"long", "time,device,resource,value\n" + at + ",pump-7,temperature,21.6\n", []string{"pump-7/temperature 21.6@" + at}},
		{"long in another order, with units", "unit,value,resource,device,time\nCel,21.6,temperature,pump-7," + at + "000\n", []string{"pump-7/temperature 21.6Cel@" + at}},
		{"long without header", at + ",pump-7,state,on\n", []string{"pump-7/state on@" + at}},
		{"semicolons and a byte order mark", "\ufefftime;wind\r\n2010-01-01 01:00;3.8\r\n", []string{"station/wind 3.8@" + at}},
		{"tabs", "time\twind\n2010-01-01 01:00:00\t-3.8e1\n", []string{"station/wind -38@" + at}},
		{"dates alone", "date,rain\n2010-01-01,0\n2010/01/02,1\n", []string{"station/rain 0@1262304000", "station/rain 1@1262390400"}},
		{"quotes", "time,say\n" + at + `,"a, ""b"""` + "\n", []string{`station/say a, "b"@` + at}},
		{"cells without a value", "time,a,b,c,d\n" + at + ",,NaN,na,1\n" + at + ",,,,\n", []string{"station/d 1@" + at}},
		{"numbers only as people write them", "time,a,b\n" + at + ",0x10,Inf\n", []string{"station/a 0x10@" + at, "station/b Inf@" + at}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := new(gateway)
			stats, ledger, log := run(t, replay.Config{}, g, c.file)
			if !slices.Equal(g.lines, c.want) {
				t.Errorf("got %q, want %q", g.lines, c.want)
			}
			if stats.Bad != 0 || stats.Readings != int64(len(c.want)) || log != "" {
				t.Errorf("got %+v and log %s", stats, log)
			}
			if got := ledger.Counts(); got.Acked != int64(len(c.want)) {
				t.Errorf("got %+v in the ledger, want %d acknowledged", got, len(c.want))
			}
		})
	}
}

func TestBadRowsAreReportedWithTheirLineAndSkipped(t *testing.T) {
	file := strings.Join([]string{
		"time,device,resource,value",
		"2010-01-01,pump-7,t,1",
		"yesterday,pump-7,t,2",
		"",
		"2010-01-01,pump-7,t",
		`2010-01-01,pump-7,t,"4`,
		"2010-01-01,,t,5",
		"2010-01-01,pump-7,a/b,6",
		"1969-01-01,pump-7,t,7",
		"2010-01-01,pump-7,t,1e400",
		"2010-01-01,pump-7,t,9007199254740993",
		"2010-01-01,pump-7,t,9",
	}, "\n")
	g := new(gateway)
	stats, _, log := run(t, replay.Config{}, g, file)
	if want := []string{"pump-7/t 1@1262304000", "pump-7/t 9@1262304000"}; !slices.Equal(g.lines, want) {
		t.Errorf("got %q, want %q", g.lines, want)
	}
	if stats.Rows != 10 || stats.Bad != 8 || stats.Readings != 2 {
		t.Errorf("got %+v, want 10 rows, 8 of them bad", stats)
	}
	for _, line := range []int{3, 5, 6, 7, 8, 9, 10, 11} {
		if !strings.Contains(log, fmt.Sprintf("line %d: ", line)) {
			t.Errorf("got no report of line %d in\n%s", line, log)
		}
	}
}

func TestTheLogOfBadRowsIsBounded(t *testing.T) {
	stats, _, log := run(t, replay.Config{}, new(gateway), "time,a\n"+strings.Repeat("never,1\n", 500))
	if got := strings.Count(log, "row skipped"); stats.Bad != 500 || got != 20 {
		t.Errorf("got %d bad rows and %d of them logged, want 500 and 20", stats.Bad, got)
	}
}

func TestWhatIsNoTableIsRefused(t *testing.T) {
	courier, err := device.NewCourier("run", new(device.Ledger), new(gateway))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, file string }{
		{"nothing", ""},
		{"empty lines", "\n\n"},
		{"one column", "time\n2010-01-01\n"},
		{"no time", "a,b\n1,2\n"},
		{"a resource with a slash", "time,m/s\n2010-01-01,2\n"},
		{"a resource without name", "time,\n2010-01-01,2\n"},
		{"a torn quote", "time,\"a\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := replay.New(replay.Config{Device: "d"}, strings.NewReader(c.file), courier); !errors.Is(err, replay.ErrNoTable) {
				t.Errorf("got %v, want ErrNoTable", err)
			}
		})
	}
	long := io.MultiReader(strings.NewReader("time,a\n"), strings.NewReader(strings.Repeat("x", 2<<20)))
	r, err := replay.New(replay.Config{Device: "d"}, long, courier)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("got %v, want the line that is too long", err)
	}
}

func TestTheFilesTimeRunsAtTheChosenSpeed(t *testing.T) {
	var file strings.Builder
	file.WriteString("time,v\n")
	for i := range 25 {
		fmt.Fprintf(&file, "%d,%d\n", 1262304000+3600*i, i)
	}
	for _, c := range []struct {
		speed string
		want  time.Duration
	}{{"x3600", 24 * time.Second}, {"1", 24 * time.Hour}, {"max", 0}} {
		t.Run(c.speed, func(t *testing.T) {
			speed, err := replay.ParseSpeed(c.speed)
			if err != nil {
				t.Fatal(err)
			}
			g := new(gateway)
			run(t, replay.Config{Speed: speed}, g, file.String())
			if len(g.lines) != 25 {
				t.Fatalf("got %d readings, want 25", len(g.lines))
			}
			if got := g.at[24].Sub(g.at[0]).Round(time.Millisecond); got != c.want {
				t.Errorf("got %s from first to last, want %s", got, c.want)
			}
		})
	}
	for _, s := range []string{"", "x", "0", "-1", "NaN", "Inf", "fast"} {
		if _, err := replay.ParseSpeed(s); err == nil {
			t.Errorf("got no error for speed %q", s)
		}
	}
}

func TestReadingsOfADeviceKeepTheirOrder(t *testing.T) {
	var file strings.Builder
	file.WriteString("time,device,resource,value\n")
	for i := range 3000 {
		fmt.Fprintf(&file, "%d,d%d,v,%d\n", 1262304000+i, i%7, i)
	}
	g := new(gateway)
	stats, _, _ := run(t, replay.Config{}, g, file.String())
	last := make(map[string]int)
	for _, line := range g.lines {
		var name string
		var v int
		if _, err := fmt.Sscanf(strings.Replace(line, "/v ", " ", 1), "%s %d@", &name, &v); err != nil {
			t.Fatal(err)
		}
		if v < last[name] {
			t.Fatalf("%s: got %d after %d", name, v, last[name])
		}
		last[name] = v
	}
	if stats.Readings != 3000 || len(g.lines) != 3000 {
		t.Errorf("got %d readings posted of %d", len(g.lines), stats.Readings)
	}
}

func TestRefusedReadingsAreCounted(t *testing.T) {
	stats, ledger, log := run(t, replay.Config{}, &gateway{answer: 4 << 5}, "time,a,b\n2010-01-01,1,2\n")
	if stats.Refused != 2 || ledger.Counts().Refused != 2 || !strings.Contains(log, "4.00") {
		t.Errorf("got %+v and log %s", stats, log)
	}
}

func TestAReplayEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		courier, err := device.NewCourier("run", new(device.Ledger), new(gateway))
		if err != nil {
			t.Fatal(err)
		}
		r, err := replay.New(replay.Config{Device: "d", Speed: 1}, strings.NewReader("time,a\n2010-01-01,1\n2011-01-01,2\n"), courier)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := r.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
		if got := r.Stats().Readings; got != 1 {
			t.Errorf("got %d readings, want 1", got)
		}
	})
}

// slow answers after a while.
type slow struct{ gateway }

func (s *slow) Post(ctx context.Context, m device.Message) (device.Code, error) {
	time.Sleep(time.Second)
	return s.gateway.Post(ctx, m)
}

func TestWhatIsUnderWayAtTheEndComesToItsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := new(device.Ledger)
		courier, err := device.NewCourier("run", ledger, new(slow))
		if err != nil {
			t.Fatal(err)
		}
		file := "time,a\n" + strings.Repeat("2010-01-01,1\n", 1000)
		r, err := replay.New(replay.Config{Device: "d"}, strings.NewReader(file), courier)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		if err := r.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
		if got := ledger.Counts(); got.Sent == 0 || got.Sent == 1000 || got.Acked != got.Sent {
			t.Errorf("got %+v, want some sent and all of them acknowledged", got)
		}
	})
}
