package faultsite

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// takeover kills the leader, again and again, and measures how long it is until
// a reading is acknowledged that was posted after the kill. One device posts to
// each of the nodes that are left, and each tries again at once when it is told
// no.
func takeover(ctx context.Context, p Plan) error {
	if p.Profile == "" {
		p.Profile = "ssd"
	}
	t, err := begin(ctx, p, Config{Args: []string{"--profile", p.Profile}})
	if err != nil {
		return err
	}
	var took []time.Duration
	for ; err == nil && t.more(len(took)); t.pause(ctx, 500*time.Millisecond, time.Second) {
		var d time.Duration
		if d, err = t.loseLeader(ctx, len(took)); err == nil {
			took = append(took, d)
			err = t.recovered(ctx)
		}
	}
	faults := "no kill"
	if len(took) > 0 {
		slices.Sort(took)
		round := func(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
		faults = fmt.Sprintf("%d kills of the leader with profile %s, to the next acknowledged reading: median %s, p99 %s, max %s",
			len(took), p.Profile, round(took[len(took)/2]), round(took[(len(took)*99+99)/100-1]), round(took[len(took)-1]))
	}
	return t.finish(ctx, err, faults)
}

// loseLeader kills the leader and returns when a reading is acknowledged.
func (t *trial) loseLeader(ctx context.Context, number int) (time.Duration, error) {
	leader, err := t.WaitLeader(ctx, startTimeout, nil)
	if err != nil {
		return 0, violation("%v", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	leader.Kill()
	killed := time.Now()
	acked := make(chan time.Time, len(t.Nodes))
	var posting sync.WaitGroup
	defer posting.Wait()
	for _, n := range t.others(leader) {
		posting.Go(func() {
			for try := 0; ctx.Err() == nil; try++ {
				if n.takes(ctx, fmt.Sprintf("takeover-%s-%d-%d", n.Name, number, try)) {
					acked <- time.Now()
					return
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	select {
	case at := <-acked:
		cancel()
		return at.Sub(killed), nil
	case <-ctx.Done():
		return 0, errors.Join(violation("nothing is acknowledged %s after the leader's end", startTimeout), ctx.Err())
	}
}

// takes posts one reading and tells whether it is acknowledged.
func (n *Node) takes(ctx context.Context, id string) bool {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.url("/v1/readings?id="+id), strings.NewReader(`[{"n":"takeover/n","v":1}]`))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/senml+json")
	resp, err := n.http.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close() // the status says it all
	return resp.StatusCode/100 == 2
}
