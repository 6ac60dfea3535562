//go:build trial

package main

import (
	"context"
	"time"

	"skerry/cluster"
	"skerry/fsm"
)

// A build with the tag trial acts as the version after this one: it knows a level
// more, with a command and a field of its own. `make bin/skerry-next` builds it,
// for tests of upgrades alone.

// tryEvery is how often the trial command is tried, and its field looked at.
const tryEvery = 200 * time.Millisecond

// nextVersion has the node know the level that no release has.
func nextVersion(c *cluster.Config) { c.Seams.Level = fsm.TrialLevel }

// tryNext gives the trial command until the site takes it, and says what its
// field is each time that it changes.
func (p *parts) tryNext(ctx context.Context) {
	tick := time.NewTicker(tryEvery)
	defer tick.Stop()
	said := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		text := p.node.Trial()
		if text != said {
			p.log.Info("the trial field", "node", p.node.Name(), "text", text)
			said = text
		}
		if text != "" {
			continue
		}
		trying, cancel := context.WithTimeout(ctx, time.Second)
		_, err := p.node.Propose(trying, fsm.Trial{Text: "set by " + p.node.Name()})
		cancel()
		p.log.Debug("the trial command", "node", p.node.Name(), "err", err)
	}
}
