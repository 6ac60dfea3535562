//go:build e2e

package e2e_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// weatherReading is one value of the weather station's file.
type weatherReading struct {
	resource string
	unit     string
	time     time.Time
	value    float64
}

// station is the name under which the tests post the weather station's data.
const station = "seattle"

// weatherUnits are the columns of the file after the date.
var weatherUnits = map[string]string{"pressure": "hPa", "temperature": "Cel", "wind": "m/s"}

// weatherReadings are the first n values of the file, hour by hour.
func weatherReadings(t testing.TB, n int) []weatherReading {
	t.Helper()
	file, err := os.Open(peer(t, "weather.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var all []weatherReading
	for _, row := range rows[1:] {
		at, err := time.Parse("2006-01-02T15:04:05", row[0])
		if err != nil {
			t.Fatal(err)
		}
		for column, text := range row[1:] {
			value, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatal(err)
			}
			resource := rows[0][column+1]
			all = append(all, weatherReading{resource, weatherUnits[resource], at, value})
			if len(all) == n {
				return all
			}
		}
	}
	t.Fatalf("the weather file has %d values, want %d", len(all), n)
	return nil
}

// key is what makes a reading of the weather file unique.
func (r weatherReading) key() string {
	return fmt.Sprintf("%s at %s: %g %s", r.resource, r.time.Format(time.RFC3339), r.value, r.unit)
}

// postTimeout is how long a reading is offered to one node after the other.
const postTimeout = 2 * time.Minute

// offer posts a reading to the nodes that run, in turn, until one says that it
// is stored. It returns how many tries were not answered by 2.04.
func (s *site) offer(ctx context.Context, client string, first int, r weatherReading) (failed int, err error) {
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	body, err := json.Marshal(map[string]any{"value": r.value, "unit": r.unit, "time": r.time})
	if err != nil {
		return 0, err
	}
	for turn := first; ; turn++ {
		n, code := s.nodes[turn%len(s.nodes)], ""
		if n.up() {
			code, err = coapPost(ctx, client, "coap://"+n.coap+"/r/"+station+"/"+r.resource, string(body))
			failed++
		}
		switch {
		case err != nil:
			return failed, err
		case code == "2.04":
			return failed - 1, nil
		case strings.HasPrefix(code, "4.") && code != "4.29":
			return failed, fmt.Errorf("%s refused %s with %s", n.name, r.key(), code)
		case ctx.Err() != nil:
			return failed, fmt.Errorf("no node took %s in %s: the last answer was %q", r.key(), postTimeout, code)
		}
	}
}

// posters is how many of libcoap's clients run at a time.
const posters = 3

// post offers readings to the nodes in turn, some at a time, and returns when
// all are stored. before is called with the number of each reading when those
// before it are stored or on their way.
func (s *site) post(client string, readings []weatherReading, before func(i int)) {
	s.t.Helper()
	var failed atomic.Int64
	group, ctx := errgroup.WithContext(s.t.Context())
	group.SetLimit(posters)
	for i, r := range readings {
		if ctx.Err() != nil {
			break
		}
		before(i)
		group.Go(func() error {
			tries, err := s.offer(ctx, client, i, r)
			failed.Add(int64(tries))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Logf("%d readings are stored, %d tries had no 2.04", len(readings), failed.Load())
}

// TestWeather posts a weather station's readings with libcoap's client through
// the death of the leader and of the whole site, and counts them at every node
// and in the bucket.
func TestWeather(t *testing.T) {
	const count, killLeaderAt, startAgainAt, killAllAt = 1000, 300, 450, 600
	client := program(t, "coap-client-notls", "coap-client")
	readings := weatherReadings(t, count)
	s := startSite(t, 3)

	var dead *node
	s.post(client, readings, func(i int) {
		switch i {
		case killLeaderAt:
			dead = s.waitLeader()
			t.Logf("kill -9 of the leader %s after %d readings", dead.name, i)
			kill(dead)
		case startAgainAt:
			dead.start()
			s.waitLeader()
		case killAllAt:
			t.Logf("kill -9 of all nodes after %d readings", i)
			kill(s.nodes...)
			for _, n := range s.nodes {
				n.start()
			}
		}
	})

	s.waitLeader()
	s.digestsAgree()
	for _, n := range s.nodes {
		t.Run("every reading is at "+n.name+" once", func(t *testing.T) {
			n.holdsOnce(t, readings)
		})
	}

	s.nodes[1].command(nil, "cloud", "sync")
	for _, engine := range tableReaders {
		t.Run(engine+" counts every reading once", func(t *testing.T) {
			countInBucket(t, engine, s.table("readings"), count)
		})
	}
}

// holdsOnce checks that the node returns exactly these readings by skerry get.
func (n *node) holdsOnce(t *testing.T, want []weatherReading) {
	t.Helper()
	missing := map[string]int{}
	for _, r := range want {
		missing[r.key()]++
	}
	for resource, unit := range weatherUnits {
		var page struct {
			Readings []reading `json:"readings"`
		}
		n.command(&page, "get", station+"/"+resource, "--from", "2010-01-01T00:00:00Z", "--limit", "100000")
		for _, r := range page.Readings {
			if r.Value == nil || r.Unit != unit {
				t.Errorf("got %+v, want a number in %s", r, unit)
				continue
			}
			missing[weatherReading{r.Resource, r.Unit, r.Time.UTC(), *r.Value}.key()]--
		}
	}
	for key, left := range missing {
		switch {
		case left > 0:
			t.Errorf("%s was acknowledged and is not there", key)
		case left < 0:
			t.Errorf("%s is there %d times too often", key, -left)
		}
	}
}

// countInBucket checks that an outside reader counts want rows with the seqs
// 1 to want.
func countInBucket(t *testing.T, engine, table string, want uint64) {
	t.Helper()
	var rows [][3]uint64
	query(t, engine, table, "SELECT count(*), max(seq), count(DISTINCT seq) FROM bucket", &rows)
	if len(rows) != 1 || rows[0] != [3]uint64{want, want, want} {
		t.Errorf("%s sees rows, max(seq) and seqs %v, want all three %d", engine, rows, want)
	}
}
