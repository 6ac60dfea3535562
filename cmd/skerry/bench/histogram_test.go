package bench_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"skerry/cmd/skerry/bench"
)

func TestHistogram_QuantilesAreWithinOneBucketOfTheTruth(t *testing.T) {
	const seed = 11
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, seed))
	var h, half bench.Histogram
	var all []time.Duration
	for i := range 20_000 {
		d := time.Duration(rng.ExpFloat64() * float64(3*time.Millisecond))
		if i%100 == 0 {
			d *= 1000
		}
		all = append(all, d)
		if i%2 == 0 {
			h.Record(d)
		} else {
			half.Record(d)
		}
	}
	h.Merge(&half)
	slices.Sort(all)
	for _, q := range []float64{0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1} {
		want := all[max(int(q*float64(len(all)))-1, 0)]
		got := h.Quantile(q)
		if got < want || float64(got) > float64(want)*(1+1.0/64)+1 {
			t.Errorf("quantile %g: got %s, want %s or up to 1/64 above", q, got, want)
		}
	}
	if got := h.Count(); got != uint64(len(all)) {
		t.Errorf("count: got %d, want %d", got, len(all))
	}
}

func TestHistogram_Edges(t *testing.T) {
	tests := []struct {
		name   string
		record []time.Duration
		want   time.Duration
	}{
		{"nothing recorded is zero", nil, 0},
		{"a negative duration counts as zero", []time.Duration{-time.Second}, 0},
		{"small values are exact", []time.Duration{63}, 63},
		{"the first shared bucket ends at 129", []time.Duration{128}, 129},
		{"the longest duration has a bucket", []time.Duration{1<<63 - 1}, 1<<63 - 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var h bench.Histogram
			for _, d := range tt.record {
				h.Record(d)
			}
			if got := h.Quantile(1); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}
