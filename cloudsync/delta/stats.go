package delta

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Stats are what engines know of a file without opening it. A column is left
// out of MinValues and MaxValues when nothing safe can be said about it.
type Stats struct {
	NumRecords int64            `json:"numRecords"`
	MinValues  map[string]any   `json:"minValues"`
	MaxValues  map[string]any   `json:"maxValues"`
	NullCount  map[string]int64 `json:"nullCount"`
}

// NewStats are the statistics of rows rows, with no column said anything about.
func NewStats(rows int64) *Stats {
	return &Stats{NumRecords: rows, MinValues: map[string]any{}, MaxValues: map[string]any{}, NullCount: map[string]int64{}}
}

// Set gives the smallest and largest value of a column without nulls.
func (s *Stats) Set(column string, smallest, largest any) {
	s.MinValues[column], s.MaxValues[column] = smallest, largest
	s.NullCount[column] = 0
}

// Years that an ISO 8601 string can say, in microseconds since 1970.
var (
	firstYear = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	lastYear  = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).UnixMicro()
)

// SetTime is Set for a timestamp column in microseconds since 1970 UTC. Engines
// compare statistics in milliseconds, so the largest is rounded up: a file
// must never look as if it ended before its last row.
func (s *Stats) SetTime(column string, smallest, largest int64) {
	s.NullCount[column] = 0
	if smallest < firstYear || largest > lastYear {
		return
	}
	s.MinValues[column] = isoMillis(floorDiv(smallest, 1000))
	s.MaxValues[column] = isoMillis(-floorDiv(-largest, 1000))
}

func isoMillis(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }

// floorDiv rounds towards negative infinity, as times before 1970 need.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// Encode is the JSON for Add.Stats.
func (s *Stats) Encode() (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return "", fmt.Errorf("encode statistics: %w", err)
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}

// DecodeStats reads the JSON of Add.Stats. Numbers in MinValues and MaxValues
// are json.Number, because seqs pass through float64 badly.
func DecodeStats(stats string) (*Stats, error) {
	var s Stats
	dec := json.NewDecoder(bytes.NewReader([]byte(stats)))
	dec.UseNumber()
	if err := dec.Decode(&s); err != nil {
		return nil, fmt.Errorf("%w: statistics: %w", ErrFormat, err)
	}
	return &s, nil
}

// Range is the range of an integer column.
func (s *Stats) Range(column string) (r Range, ok bool) {
	first, okFirst := integer(s.MinValues[column])
	last, okLast := integer(s.MaxValues[column])
	return Range{first, last}, okFirst && okLast
}

func integer(v any) (uint64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := n.Int64()
	return uint64(i), err == nil && i >= 0
}
