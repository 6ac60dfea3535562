//go:build e2e

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"testing"
	"time"
)

const (
	// pauses is how many leaders in turn are stopped and resumed.
	pauses = 5
	// readers is how many reads wait at each of them when it wakes up.
	readers = 8
)

// TestStaleReads stops a leader, lets the others elect another one and take a
// write, and lets reads wait at the old leader when it wakes up: it answers with
// an error or with the new value.
func TestStaleReads(t *testing.T) {
	client := program(t, "coap-client-notls", "coap-client")
	s := startSite(t, 3)
	written := 0
	write := func() {
		t.Helper()
		written++
		at := time.Unix(1_700_000_000+int64(written), 0).UTC()
		r := weatherReading{resource: "level", unit: "m", time: at, value: float64(written)}
		if _, err := s.offer(t.Context(), client, written, r); err != nil {
			t.Fatal(err)
		}
	}
	refused, told := 0, 0
	for range pauses {
		write()
		old := s.waitLeader()
		old.pause()
		begun := time.Now()
		write()
		t.Logf("%s sleeps: the next write was acknowledged after %s", old.name, time.Since(begun).Round(time.Millisecond))
		answers := s.askAsleep(old)
		old.resume()
		for range readers {
			switch a := <-answers; {
			case a.err != nil:
				refused++
			case a.level < written:
				t.Errorf("the old leader %s told %d after %d was acknowledged", old.name, a.level, written)
			default:
				told++
			}
		}
	}
	t.Logf("%d reads were answered with the truth, %d with an error", told, refused)

	t.Run("a leader without a majority does not answer", func(t *testing.T) {
		leader := s.waitLeader()
		for _, n := range s.nodes {
			if n != leader {
				n.pause()
			}
		}
		if a := leader.level(t.Context()); a.err == nil {
			t.Errorf("got level %d while no majority could confirm it, want an error", a.level)
		}
		for _, n := range s.nodes {
			if n != leader {
				n.resume()
			}
		}
		s.waitLeader()
	})
}

// answer is what a linearizable read gave: the last level written, or an error.
type answer struct {
	level int
	err   error
}

// askAsleep sends reads to a node that is paused and returns when all requests
// lie in its sockets.
func (s *site) askAsleep(n *node) <-chan answer {
	s.t.Helper()
	sent, answers := make(chan struct{}, readers), make(chan answer, readers)
	ctx := httptrace.WithClientTrace(s.t.Context(), &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { sent <- struct{}{} },
	})
	for range readers {
		go func() { answers <- n.level(ctx) }()
	}
	for range readers {
		select {
		case <-sent:
		case <-time.After(askTimeout):
			s.t.Fatalf("the requests did not reach the sockets of %s", n.name)
		}
	}
	return answers
}

// level reads the last level that the node knows, at the consistency that is
// promised when nothing is said. Each read has a connection of its own.
func (n *node) level(ctx context.Context) answer {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.http+"/v1/readings/"+station+"/level", nil)
	if err != nil {
		return answer{err: err}
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	var page struct {
		Readings []reading `json:"readings"`
	}
	if err == nil {
		err = json.Unmarshal(body, &page)
	}
	if err != nil {
		return answer{err: err}
	}
	level := 0
	for _, r := range page.Readings {
		level = max(level, int(*r.Value))
	}
	return answer{level: level}
}
