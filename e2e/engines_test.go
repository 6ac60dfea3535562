//go:build e2e && engines

package e2e_test

import (
	"fmt"
	"regexp"
	"testing"
)

// timeZeros is a fraction of a second without meaning, as Flink prints it.
var timeZeros = regexp.MustCompile(`\.0+`)

// TestSparkAndFlink lets Spark and Flink read a bucket that grew by several
// commits. Flink has no Delta reader here: it reads the table's files.
func TestSparkAndFlink(t *testing.T) {
	const batches, each = 3, 100
	client := program(t, "coap-client-notls", "coap-client")
	s := startSite(t, 3)
	readings := weatherReadings(t, batches*each)
	for i := range batches {
		s.post(client, readings[i*each:(i+1)*each], func(int) {})
		s.nodes[0].command(nil, "cloud", "sync")
	}
	sum := 0.0
	for _, r := range readings {
		sum += r.value
	}
	for _, engine := range []string{"spark", "flink"} {
		t.Run(engine+" counts every reading once", func(t *testing.T) {
			countInBucket(t, engine, s.table("readings"), batches*each)
		})
		t.Run(engine+" reads names, times and values", func(t *testing.T) {
			var rows [][4]string
			query(t, engine, s.table("readings"), "SELECT max(device), CAST(CAST(round(sum(`value`) * 10) AS BIGINT) AS STRING),"+
				" CAST(min(`time`) AS STRING), CAST(max(`time`) AS STRING) FROM bucket", &rows)
			const layout = "2006-01-02 15:04:05"
			want := fmt.Sprintf("[[%s %.0f %s %s]]", station, sum*10,
				readings[0].time.Format(layout), readings[len(readings)-1].time.Format(layout))
			if got := timeZeros.ReplaceAllString(fmt.Sprint(rows), ""); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}
