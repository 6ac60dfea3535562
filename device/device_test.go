package device_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"skerry/device"
	"skerry/fsm"
)

// gateway answers with a script, then with 2.04, and keeps the ids it saw.
type gateway struct {
	mu     sync.Mutex
	script []answer
	ids    []string
}

type answer struct {
	code   device.Code
	err    error
	silent bool // no answer until the device gives up
}

func (g *gateway) Post(ctx context.Context, m device.Message) (device.Code, error) {
	g.mu.Lock()
	g.ids = append(g.ids, strings.Join(m.Query, "&"))
	a := answer{code: device.Changed}
	if len(g.script) > 0 {
		a, g.script = g.script[0], g.script[1:]
	}
	g.mu.Unlock()
	if a.silent {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return a.code, a.err
}

func reading(at int64, v float64) device.Reading {
	return device.Reading{Device: "pump-7", Resource: "temperature", Unit: "Cel", Time: at, Value: fsm.NumberValue(v)}
}

// deliver posts one reading through gateways with scripts.
func deliver(t *testing.T, ctx context.Context, scripts ...[]answer) (*device.Ledger, []*gateway, error) {
	t.Helper()
	ledger := new(device.Ledger)
	var gateways []*gateway
	var senders []device.Sender
	for _, s := range scripts {
		gateways = append(gateways, &gateway{script: s})
		senders = append(senders, gateways[len(gateways)-1])
	}
	courier, err := device.NewCourier("run", ledger, senders...)
	if err != nil {
		t.Fatal(err)
	}
	r := reading(1_790_000_000_000_000, 21.6)
	m, err := device.Single(r)
	if err != nil {
		t.Fatal(err)
	}
	d, err := courier.Prepare(m, []device.Reading{r}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return ledger, gateways, d.Deliver(ctx)
}

func TestAMessageIsRepeatedUnderOneIdentityUntilItIsAnswered(t *testing.T) {
	busy, away := answer{code: device.TooManyRequests}, answer{code: device.ServiceUnavailable}
	unknown, broken := answer{code: device.GatewayTimeout}, answer{err: errors.New("connection refused")}
	bad := answer{code: 4 << 5}
	for _, c := range []struct {
		name    string
		scripts [][]answer
		tries   []int // by gateway
		counts  device.Counts
		err     error
	}{
		{"stored at once", [][]answer{nil, nil}, []int{1, 0}, device.Counts{Sent: 1, Acked: 1}, nil},
		{"the first gateway is dead", [][]answer{{broken, broken}, nil}, []int{1, 1}, device.Counts{Sent: 1, Acked: 1}, nil},
		{"the first gateway is silent", [][]answer{{{silent: true}}, nil}, []int{1, 1}, device.Counts{Sent: 1, Acked: 1}, nil},
		{"everybody is busy for a while", [][]answer{{busy, away}, {unknown, away}}, []int{3, 2}, device.Counts{Sent: 1, Acked: 1}, nil},
		{"refused for good", [][]answer{{bad}, nil}, []int{1, 0}, device.Counts{Sent: 1, Refused: 1}, device.ErrRefused},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ledger, gateways, err := deliver(t, t.Context(), c.scripts...)
				if !errors.Is(err, c.err) {
					t.Errorf("got error %v, want %v", err, c.err)
				}
				if got := ledger.Counts(); got != c.counts {
					t.Errorf("got %+v, want %+v", got, c.counts)
				}
				for i, g := range gateways {
					if len(g.ids) != c.tries[i] {
						t.Errorf("gateway %d: got %d tries, want %d", i, len(g.ids), c.tries[i])
					}
					for _, id := range g.ids {
						if id != "id=run-1" {
							t.Errorf("gateway %d: got query %q, want id=run-1", i, id)
						}
					}
				}
			})
		})
	}
}

func TestADeliveryEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		ledger, _, err := deliver(t, ctx, slices.Repeat([]answer{{silent: true}}, 100))
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
		if got, want := ledger.Counts(), (device.Counts{Sent: 1}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

func TestTheFirstAnswerCounts(t *testing.T) {
	ledger := new(device.Ledger)
	g := &gateway{script: []answer{{code: device.Changed}, {code: 4<<5 | 9}}}
	courier, _ := device.NewCourier("run", ledger, g)
	d, err := courier.Prepare(device.Message{}, []device.Reading{reading(1, 1)}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code, err := d.Repeat(t.Context()); err != nil || code.String() != "4.09" {
		t.Fatalf("got %v, %v, want 4.09", code, err)
	}
	if got, want := ledger.Counts(), (device.Counts{Sent: 1, Acked: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if courier.Tries() != 2 {
		t.Errorf("got %d tries, want 2", courier.Tries())
	}
}

func TestAHistoryIsHeldAgainstTheLedger(t *testing.T) {
	const at = 1_790_000_000_000_000
	kept := func(r device.Reading, received int64) fsm.Reading {
		if r.Time == 0 {
			r.Time = received - r.Ago
		}
		return fsm.Reading{Device: r.Device, Resource: r.Resource, Unit: r.Unit, Time: r.Time, Received: received, Value: r.Value}
	}
	timed, later := reading(at, 21.6), reading(at+1000, 21.6)
	pulse := device.Reading{Device: "meter-1", Resource: "pulses", Ago: 5e6, Value: fsm.NumberValue(7001)}
	type sent struct {
		reading device.Reading
		fate    device.Fate
	}
	for _, c := range []struct {
		name    string
		sent    []sent
		history []fsm.Reading
		want    device.Report
	}{
		{
			"all is there once", []sent{{timed, device.Acked}, {later, device.Acked}, {pulse, device.Acked}},
			[]fsm.Reading{kept(timed, at+5), kept(pulse, at+9e6), kept(later, at+6)},
			device.Report{Acked: 3, Found: 3},
		},
		{
			"one is lost", []sent{{timed, device.Acked}, {later, device.Acked}},
			[]fsm.Reading{kept(later, at)},
			device.Report{Acked: 2, Found: 1, Lost: 1},
		},
		{
			"one is there twice", []sent{{timed, device.Acked}},
			[]fsm.Reading{kept(timed, at+1), kept(timed, at+2)},
			device.Report{Acked: 1, Found: 2, Duplicates: 1},
		},
		{
			"a reading without clock is there twice, received at two times", []sent{{pulse, device.Acked}},
			[]fsm.Reading{kept(pulse, at+1), kept(pulse, at+9e6)},
			device.Report{Acked: 1, Found: 2, Duplicates: 1},
		},
		{
			"without an answer both ways are right", []sent{{timed, device.Pending}, {later, device.Pending}},
			[]fsm.Reading{kept(timed, at)},
			device.Report{Found: 1, Unanswered: 2},
		},
		{
			"without an answer twice is wrong", []sent{{timed, device.Pending}},
			[]fsm.Reading{kept(timed, at), kept(timed, at)},
			device.Report{Found: 2, Unanswered: 1, Duplicates: 1},
		},
		{
			"refused, yet stored", []sent{{timed, device.Refused}},
			[]fsm.Reading{kept(timed, at)},
			device.Report{Found: 1, Ghosts: 1},
		},
		{
			"two equal rows were sent and both are there", []sent{{timed, device.Acked}, {timed, device.Acked}},
			[]fsm.Reading{kept(timed, at), kept(timed, at)},
			device.Report{Acked: 2, Found: 2},
		},
		{
			"another value is a lost and a foreign reading", []sent{{timed, device.Acked}},
			[]fsm.Reading{kept(reading(at, 21.7), at)},
			device.Report{Acked: 1, Lost: 1, Foreign: 1},
		},
		{
			"another unit too", []sent{{timed, device.Acked}},
			[]fsm.Reading{{Device: "pump-7", Resource: "temperature", Unit: "K", Time: at, Value: fsm.NumberValue(21.6)}},
			device.Report{Acked: 1, Lost: 1, Foreign: 1},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			ledger := new(device.Ledger)
			for i, s := range c.sent {
				e, err := ledger.Open(fmt.Sprint("id-", i), []device.Reading{s.reading})
				if err != nil {
					t.Fatal(err)
				}
				if s.fate != device.Pending {
					e.Settle(s.fate)
				}
			}
			got := ledger.Compare(slices.Values(c.history))
			wrong := got.Lost + got.Duplicates + got.Ghosts
			if got.OK() != (wrong == 0) || (len(got.Details) > 0) != (wrong > 0) {
				t.Errorf("got OK = %t with details %q", got.OK(), got.Details)
			}
			got.Details = nil
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestTheLedgerAndItsReportsAreBounded(t *testing.T) {
	ledger := new(device.Ledger)
	for range 2 {
		if _, err := ledger.Open("id", make([]device.Reading, device.MaxLedger/2)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ledger.Open("id", make([]device.Reading, 1)); !errors.Is(err, device.ErrLedgerFull) {
		t.Errorf("got %v, want ErrLedgerFull", err)
	}
	lossy := new(device.Ledger)
	for i := range 3 * device.MaxDetails {
		e, err := lossy.Open("id", []device.Reading{reading(int64(i+1), 1)})
		if err != nil {
			t.Fatal(err)
		}
		e.Settle(device.Acked)
	}
	if got := lossy.Compare(slices.Values([]fsm.Reading(nil))); got.Lost != 3*device.MaxDetails || len(got.Details) != device.MaxDetails {
		t.Errorf("got %d lost and %d details", got.Lost, len(got.Details))
	}
}

func TestMessagesAreEncodedAsDevicesDo(t *testing.T) {
	yes := fsm.FlagValue(true)
	for _, c := range []struct {
		name    string
		reading device.Reading
		format  device.Format
		want    string
	}{
		{"a bare number", device.Reading{Device: "m", Resource: "n", Value: fsm.NumberValue(1790000000123)}, device.FormatText, `1790000000123`},
		{"a bare flag", device.Reading{Device: "m", Resource: "n", Value: yes}, device.FormatText, `true`},
		{"a number with unit and time", reading(1_790_000_000_250_000, 21.6), device.FormatJSON, `{"value":21.6,"unit":"Cel","time":1790000000.250000}`},
		{"text with time", device.Reading{Device: "m", Resource: "n", Time: 1_790_000_000_000_000, Value: fsm.TextValue(`"x"`)}, device.FormatJSON, `{"value":"\"x\"","time":1790000000.000000}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := device.Single(c.reading)
			if err != nil || m.Format != c.format || string(m.Payload) != c.want {
				t.Errorf("got format %d, %s, %v, want %d, %s", m.Format, m.Payload, err, c.format, c.want)
			}
		})
	}
}

func TestAPackHoldsAsManyReadingsAsFit(t *testing.T) {
	var readings []device.Reading
	for i := range 100 {
		readings = append(readings, reading(1_790_000_000_000_000+int64(i), float64(i)))
	}
	readings = append(readings,
		device.Reading{Device: "pump-7", Resource: "on", Ago: 5_500_000, Value: fsm.FlagValue(false)},
		device.Reading{Device: "pump-7", Resource: "log", Value: fsm.TextValue(strings.Repeat("x", 2000))},
	)
	total, packs := 0, 0
	for rest := readings; len(rest) > 0; packs++ {
		m, n, err := device.Pack(rest)
		if err != nil || n == 0 {
			t.Fatalf("got %d readings, %v", n, err)
		}
		if len(m.Payload) > device.MaxPayload && n > 1 {
			t.Errorf("got %d bytes in a pack of %d", len(m.Payload), n)
		}
		var records []map[string]any
		if err := json.Unmarshal(m.Payload, &records); err != nil || len(records) != n {
			t.Fatalf("got %d records of %d, %v: %s", len(records), n, err, m.Payload)
		}
		if packs == 0 && (records[1]["v"] != 1.0 || records[1]["u"] != "Cel" || records[0]["v"] != 0.0) {
			t.Errorf("got %v", records[:2])
		}
		rest = rest[n:]
		total += n
	}
	if total != len(readings) || packs < 5 {
		t.Errorf("got %d readings in %d packs", total, packs)
	}
	relative, _, err := device.Pack(readings[100:])
	if err != nil || !strings.Contains(string(relative.Payload), `{"n":"on","t":-5.500000,"vb":false}`) {
		t.Errorf("got %.60s, %v", relative.Payload, err)
	}
	if _, _, err := device.Pack([]device.Reading{reading(1, 1), {Device: "other"}}); err == nil {
		t.Error("got no error for two devices in a pack")
	}
}
