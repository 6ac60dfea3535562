//go:build e2e

package e2e_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"
)

const (
	countDevice   = "counts"
	countResource = "warm"
	countEvery    = time.Second
	countAbove    = 4 // degrees
)

// windows are counts by the start of their window, in microseconds since 1970.
type windows map[int64]uint64

// TestCount lets a task count warm hours while they come in and its runner dies
// twice by kill -9, and compares it, window by window, with a recount of the
// store and with DuckDB's count of the bucket.
func TestCount(t *testing.T) {
	const count = 1000
	client := program(t, "coap-client-notls", "coap-client")
	s := startSite(t, 3)
	var created struct {
		ID string `json:"id"`
	}
	s.nodes[0].command(&created, "task", "create", "count",
		"--device", station+"*", "--resource", "temperature", "--where", fmt.Sprintf("> %d", countAbove),
		"--every", countEvery.String(), "--output", countDevice+"/"+countResource)

	var dead *node
	readings := weatherReadings(t, count)
	s.post(client, readings, func(i int) {
		switch i {
		case 250, 600:
			dead = s.waitRunner(created.ID, dead)
			t.Logf("kill -9 of the runner %s after %d readings", dead.name, i)
			kill(dead)
		case 400, 750:
			// Its lease must run out first.
			t.Logf("%s goes on", s.waitRunner(created.ID, dead).name)
			dead.start()
		}
	})
	s.waitLeader()

	var want windows
	eventually(t, time.Minute, "the emitted counts equal a recount of the store", func() error {
		history := s.nodes[0].history()
		want = recount(history)
		return differ(emitted(t, history), want)
	})
	t.Logf("%d windows", len(want))
	if got, warm := want.total(), warmOf(readings); got != warm {
		t.Errorf("the windows count %d warm hours, the file has %d", got, warm)
	}
	for _, n := range s.nodes {
		if err := differ(emitted(t, n.history()), want); err != nil {
			t.Errorf("at %s: %v", n.name, err)
		}
	}

	s.nodes[2].command(nil, "cloud", "sync")
	counted, shipped := countsOfBucket(t, s)
	if err := differ(counted, want); err != nil {
		t.Errorf("DuckDB's count of the bucket: %v", err)
	}
	if err := differ(shipped, want); err != nil {
		t.Errorf("the counts in the bucket: %v", err)
	}
}

// waitRunner returns the node that runs the task, once it is one that is up and
// another than last.
func (s *site) waitRunner(task string, last *node) *node {
	s.t.Helper()
	var runner *node
	eventually(s.t, startTimeout, "the task runs on another node that is up", func() error {
		var shown struct {
			Node      string  `json:"node"`
			LeaseLeft float64 `json:"lease_left"`
		}
		if err := s.running()[0].get("/v1/tasks/"+task, &shown); err != nil {
			return err
		}
		for _, n := range s.running() {
			if n != last && n.name == shown.Node && shown.LeaseLeft > 0 {
				runner = n
				return nil
			}
		}
		return fmt.Errorf("its node is %q, %g s of the lease are left", shown.Node, shown.LeaseLeft)
	})
	return runner
}

// recount counts from the store what the task counts while it runs: windows
// from the first reading of the series to the last, without holes.
func recount(history []reading) windows {
	counts := windows{}
	for _, r := range history {
		if r.Device != station || r.Resource != "temperature" {
			continue
		}
		start := r.Received.UnixMicro() - r.Received.UnixMicro()%countEvery.Microseconds()
		if _, ok := counts[start]; !ok {
			counts[start] = 0
		}
		if *r.Value > countAbove {
			counts[start]++
		}
	}
	return counts.filled()
}

func (w windows) total() (sum uint64) {
	for _, n := range w {
		sum += n
	}
	return sum
}

// warmOf is how many of the readings the task is to count.
func warmOf(readings []weatherReading) (n uint64) {
	for _, r := range readings {
		if r.resource == "temperature" && r.value > countAbove {
			n++
		}
	}
	return n
}

// filled has a zero where windows between the first and the last are missing.
func (w windows) filled() windows {
	starts := slices.Sorted(maps.Keys(w))
	if len(starts) == 0 {
		return w
	}
	for at := starts[0]; at < starts[len(starts)-1]; at += countEvery.Microseconds() {
		if _, ok := w[at]; !ok {
			w[at] = 0
		}
	}
	return w
}

// emitted are the task's counts; of one window the last one in the history,
// which has the highest revision, counts.
func emitted(t testing.TB, history []reading) windows {
	t.Helper()
	counts, revisions := windows{}, map[int64]float64{}
	for _, r := range history {
		if r.Device != countDevice || r.Value == nil {
			continue
		}
		start := r.Time.UnixMicro()
		switch r.Resource {
		case countResource:
			counts[start] = uint64(*r.Value)
		case countResource + ".rev":
			if *r.Value != revisions[start]+1 {
				t.Fatalf("window %s has revision %g after %g", r.Time, *r.Value, revisions[start])
			}
			revisions[start] = *r.Value
		}
	}
	return counts
}

// differ names the windows that are not the same.
func differ(got, want windows) error {
	var errs []error
	all := maps.Clone(want)
	maps.Copy(all, got)
	for _, start := range slices.Sorted(maps.Keys(all)) {
		g, emitted := got[start]
		w, expected := want[start]
		if g != w || emitted != expected {
			errs = append(errs, fmt.Errorf("window %s: got %d (there: %v), want %d (there: %v)",
				time.UnixMicro(start).UTC().Format(time.TimeOnly), g, emitted, w, expected))
		}
	}
	return errors.Join(errs...)
}

// countsOfBucket lets DuckDB count the readings in the bucket by the same rule,
// and returns the task's counts in the bucket beside it.
func countsOfBucket(t *testing.T, s *site) (counted, shipped windows) {
	t.Helper()
	every := countEvery.Microseconds()
	counted, shipped = windows{}, windows{}
	var rows [][2]int64
	query(t, "duckdb", s.table("readings"), fmt.Sprintf(`
		SELECT epoch_us(received) - epoch_us(received) %% %d AS start, count_if(value > %d)
		FROM bucket WHERE device LIKE '%s%%' AND resource = 'temperature'
		GROUP BY start`, every, countAbove, station), &rows)
	for _, row := range rows {
		counted[row[0]] = uint64(row[1])
	}
	query(t, "duckdb", s.table("readings"), fmt.Sprintf(`
		SELECT epoch_us(time), arg_max(value, seq)::BIGINT
		FROM bucket WHERE device = '%s' AND resource = '%s'
		GROUP BY time`, countDevice, countResource), &rows)
	for _, row := range rows {
		shipped[row[0]] = uint64(row[1])
	}
	return counted.filled(), shipped
}
