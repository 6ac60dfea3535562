package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	fillSeries  = 10  // series in a message
	fillRun     = 100 // readings of each, a second apart
	fillAtOnce  = 8   // messages under way
	fillTries   = 100 // of a message that is refused for now
	fillTimeout = time.Minute
)

// Fill says what history to make. A message has 100 readings of each of 10
// series, a second apart; when all series had theirs it goes round again.
type Fill struct {
	HTTP     []string // addresses of nodes, host:port; messages are dealt out to them in turn
	Series   int      // a multiple of 10
	Readings int64    // at least as many are stored
	From     int64    // how many there are already, of an earlier Fill with the same series
	Seed     uint64
	Until    func() bool // ends it early when true; nil does not
}

// Run stores the readings and returns how many there are then, with From.
func (f *Fill) Run(ctx context.Context) (int64, error) {
	if f.Series < fillSeries || f.Series%fillSeries != 0 || f.Readings < 1 {
		return 0, fmt.Errorf("%d readings of %d series: use some, and a multiple of %d series", f.Readings, f.Series, fillSeries)
	}
	const pack = fillSeries * fillRun
	var next, stored atomic.Int64
	next.Store(f.From / pack)
	stored.Store(f.From)
	client := &http.Client{Timeout: fillTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: fillAtOnce}}
	defer client.CloseIdleConnections()
	begin := time.Now().Add(-24 * time.Hour).Unix()
	g, ctx := errgroup.WithContext(ctx)
	for w := range fillAtOnce {
		g.Go(func() error {
			rng := rand.New(rand.NewPCG(f.Seed, uint64(w)))
			var body []byte
			for ctx.Err() == nil {
				n := next.Add(1) - 1
				if n*pack >= f.Readings || f.Until != nil && f.Until() {
					return nil
				}
				body = f.appendPack(body[:0], n, begin, rng)
				if err := post(ctx, client, f.HTTP[int(n)%len(f.HTTP)], body); err != nil {
					return err
				}
				stored.Add(pack)
			}
			return ctx.Err()
		})
	}
	err := g.Wait()
	return stored.Load(), err
}

// appendPack appends message n.
func (f *Fill) appendPack(b []byte, n, begin int64, rng *rand.Rand) []byte {
	groups := int64(f.Series / fillSeries)
	group, round := n%groups, n/groups
	b = append(b, '[')
	for s := range fillSeries {
		temp := 150 + rng.IntN(200)
		for i := range fillRun {
			if s+i > 0 {
				b = append(b, ',')
			}
			b = append(b, '{')
			if i == 0 {
				b = fmt.Appendf(b, `"bn":"dev-%d/","bt":%d,"bu":"Cel",`, group*fillSeries+int64(s), begin+round*fillRun)
			}
			temp = min(max(temp+rng.IntN(7)-3, 100), 999)
			b = append(b, `"n":"temperature","t":`...)
			b = strconv.AppendInt(b, int64(i), 10)
			b = append(b, `,"v":`...)
			b = strconv.AppendFloat(b, float64(temp)/10, 'f', 1, 64)
			b = append(b, '}')
		}
	}
	return append(b, ']')
}

// post stores a pack; where the site is busy it waits.
func post(ctx context.Context, client *http.Client, addr string, pack []byte) error {
	var last string
	for range fillTries {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/v1/readings", bytes.NewReader(pack))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/senml+json")
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		answer, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		_ = resp.Body.Close()
		switch {
		case resp.StatusCode == http.StatusOK:
			return nil
		case resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode < 500:
			return fmt.Errorf("%s answers %s: %s", addr, resp.Status, answer)
		}
		last = resp.Status
		wait(ctx, refusedPause)
	}
	return fmt.Errorf("%s answers %s again and again", addr, last)
}
