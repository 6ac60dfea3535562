//go:build e2e && engines

package e2e_test

import "testing"

// TestSpark lets Spark count a bucket that grew by several commits.
func TestSpark(t *testing.T) {
	const batches, each = 3, 100
	client := program(t, "coap-client-notls", "coap-client")
	s := startSite(t, 3)
	readings := weatherReadings(t, batches*each)
	for i := range batches {
		s.post(client, readings[i*each:(i+1)*each], func(int) {})
		s.nodes[0].command(nil, "cloud", "sync")
	}
	countInBucket(t, "spark", s.table("readings"), batches*each)
	t.Run("times and values come through", func(t *testing.T) {
		var rows [][2]int64
		query(t, "spark", s.table("readings"),
			"SELECT unix_micros(time), CAST(value * 10 AS BIGINT) FROM bucket WHERE resource = 'pressure' ORDER BY time LIMIT 1", &rows)
		first := readings[0]
		if len(rows) != 1 || rows[0] != [2]int64{first.time.UnixMicro(), int64(first.value * 10)} {
			t.Errorf("got %v, want %s", rows, first.key())
		}
	})
}
