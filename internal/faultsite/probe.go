package faultsite

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// probeDevice is posted to by the probe alone, one number after the other.
const probeDevice = "probe"

// probe writes numbers into one series, each when the one before is
// acknowledged, and asks all nodes what the latest is. A linearizable read must
// not answer with less than what was acknowledged before it began.
type probe struct {
	site *Site

	mu    sync.Mutex
	acked float64 // the highest number
	err   error   // the first violation
	reads int     // that were answered
}

// run probes until ctx is done.
func (p *probe) run(ctx context.Context) {
	var reading sync.WaitGroup
	for _, n := range p.site.Nodes {
		reading.Go(func() { p.read(ctx, n) })
	}
	for number := 1.0; ctx.Err() == nil; number++ {
		for ctx.Err() == nil && !p.write(ctx, number) {
			time.Sleep(pollEvery)
		}
	}
	reading.Wait()
}

// write posts a number to any node and tells whether it is stored. Its key makes
// copies one reading.
func (p *probe) write(ctx context.Context, number float64) bool {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	n := p.site.Nodes[rand.IntN(len(p.site.Nodes))]
	body := fmt.Sprintf(`[{"n":"%s/n","v":%g}]`, probeDevice, number)
	target := n.url(fmt.Sprintf("/v1/readings?id=probe-%g", number))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/senml+json")
	resp, err := n.http.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acked = number
	return true
}

// read asks one node again and again.
func (p *probe) read(ctx context.Context, n *Node) {
	for ctx.Err() == nil {
		p.mu.Lock()
		least := p.acked
		p.mu.Unlock()
		if got, ok := p.latest(ctx, n); ok {
			p.mu.Lock()
			if p.reads++; got < least && p.err == nil {
				p.err = violation("a linearizable read at %s answered %g after %g was acknowledged", n.Name, got, least)
			}
			p.mu.Unlock()
		}
		time.Sleep(pollEvery)
	}
}

func (p *probe) latest(ctx context.Context, n *Node) (float64, bool) {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	var device struct {
		Latest []struct {
			Value *float64 `json:"value"`
		} `json:"latest"`
	}
	query := url.Values{"consistency": {"linearizable"}}
	if err := n.get(ctx, "/v1/devices/"+probeDevice+"?"+query.Encode(), &device); err != nil || len(device.Latest) == 0 {
		return 0, false
	}
	return *device.Latest[0].Value, true
}

// found returns the first violation and how many reads were answered.
func (p *probe) found() (reads int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reads, p.err
}
