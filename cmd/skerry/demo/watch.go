package demo

import (
	"context"
	"sync"
	"time"

	"skerry/cluster"
	"skerry/cmd/skerry/site"
)

// askTimeout bounds the wait for one node's status: the screen shows what came.
const askTimeout = 800 * time.Millisecond

// nodeView is one node on the screen. Status is the zero value where the node
// did not answer.
type nodeView struct {
	name   string
	pid    int // 0 while it is down
	http   string
	status cluster.Status
}

// state is the node's role in a word.
func (n *nodeView) state() string {
	switch {
	case n.pid == 0:
		return "killed"
	case n.status.Node == "":
		return "starting"
	case !n.status.Ready:
		return "replaying"
	}
	return n.status.State
}

// picture is what the screen shows at one moment.
type picture struct {
	elapsed  time.Duration
	duration time.Duration // 0 is until Ctrl-C
	nodes    []nodeView
	traffic  traffic
	bucket   string
	events   []event
}

// leader is the name of the node that leads by the word of the highest term,
// "" when none does.
func (p *picture) leader() (name string, term uint64) {
	for i := range p.nodes {
		if s := &p.nodes[i].status; s.Leader != "" && s.Term >= term {
			name, term = s.Leader, s.Term
		}
	}
	return name, term
}

// best is the status of the node that has applied most.
func (p *picture) best() cluster.Status {
	var best cluster.Status
	for i := range p.nodes {
		if p.nodes[i].status.AppliedIndex >= best.AppliedIndex {
			best = p.nodes[i].status
		}
	}
	return best
}

// look asks all nodes at once how they are.
func look(ctx context.Context, nodes []*site.Node) []nodeView {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	views := make([]nodeView, len(nodes))
	var wg sync.WaitGroup
	for i, n := range nodes {
		views[i] = nodeView{name: n.Name, pid: n.PID(), http: n.Addresses.HTTP}
		if views[i].pid == 0 {
			continue
		}
		wg.Go(func() {
			if s, err := n.Client().Status(ctx); err == nil {
				views[i].status = s
			}
		})
	}
	wg.Wait()
	return views
}

// How often the site is looked at.
const (
	screenEvery = time.Second
	linesEvery  = 5 * time.Second
)

// watch shows a picture now and again until ctx is done.
func (d *demo) watch(ctx context.Context, view viewer, every time.Duration) {
	view.begin()
	defer view.end()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	d.meter.take(time.Now())
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := time.Now()
		p := picture{
			elapsed: now.Sub(d.began), duration: d.cfg.Duration,
			nodes: look(ctx, d.site.Nodes), traffic: d.meter.take(now), bucket: d.bucket, events: d.journal.events(),
		}
		if ctx.Err() == nil {
			view.show(&p)
		}
	}
}
