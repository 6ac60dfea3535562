package bench_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"skerry/cmd/skerry/bench"
)

func TestFill_GivesEachSeriesItsReadingsOnce(t *testing.T) {
	type record struct {
		Base  string  `json:"bn"`
		Since int64   `json:"bt"`
		Time  int64   `json:"t"`
		Value float64 `json:"v"`
	}
	var mu sync.Mutex
	seen := map[string]map[int64]int{}
	refused := false
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if !refused {
			refused = true
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		var pack []record
		if err := json.NewDecoder(r.Body).Decode(&pack); err != nil {
			t.Error(err)
		}
		var base record
		for _, p := range pack {
			if p.Base != "" {
				base = p
			}
			if seen[base.Base] == nil {
				seen[base.Base] = map[int64]int{}
			}
			seen[base.Base][base.Since+p.Time]++
		}
	}))
	defer node.Close()
	f := &bench.Fill{HTTP: []string{strings.TrimPrefix(node.URL, "http://")}, Series: 30, Readings: 6000, Seed: 1}
	n, err := f.Run(t.Context())
	if err != nil || n != 6000 {
		t.Fatalf("got %d readings (%v), want 6000", n, err)
	}
	if len(seen) != 30 {
		t.Errorf("got %d series, want 30", len(seen))
	}
	for series, times := range seen {
		for at, n := range times {
			if n != 1 || len(times) != 200 {
				t.Fatalf("%s has %d times, %d of them %d times; want 200, each once", series, len(times), at, n)
			}
		}
	}
}
