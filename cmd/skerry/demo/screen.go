package demo

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// ANSI sequences (ECMA-48) of the live screen.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l" // alternate screen, no cursor
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	toTop       = "\x1b[H"
	clearRest   = "\x1b[K" // of the line
	clearBelow  = "\x1b[J"
)

// screen shows pictures in place on a terminal, and tells by lines what happens
// before and after them.
type screen struct {
	lines
	open bool // guarded by lines.mu: pictures are shown, and the events with them
}

func (s *screen) begin() { s.turn(true, enterScreen) }
func (s *screen) end()   { s.turn(false, leaveScreen) }

func (s *screen) turn(open bool, sequence string) {
	s.printf("%s", sequence)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = open
}

func (s *screen) said(e event) {
	s.mu.Lock()
	open := s.open
	s.mu.Unlock()
	if !open {
		s.lines.said(e)
	}
}

func (s *screen) show(p *picture) {
	s.printf("%s", toTop+strings.ReplaceAll(draw(p), "\n", clearRest+"\n")+clearBelow)
}

// draw is the picture as lines of text.
func draw(p *picture) string {
	var b strings.Builder
	leader, term := p.leader()
	if leader == "" {
		leader = "none, electing"
	}
	left := "Ctrl-C ends it"
	if p.duration > 0 {
		left = max(p.duration-p.elapsed, 0).Round(time.Second).String() + " left"
	}
	fmt.Fprintf(&b, "skerry demo  %s  (%s)\n\n", p.elapsed.Round(time.Second), left)
	fmt.Fprintf(&b, "leader      %s in term %d\n", leader, term)
	fmt.Fprintf(&b, "devices     %.0f messages/s acknowledged, p50 %s, p99 %s, %d so far, %d tried again\n",
		p.traffic.rate, shortDuration(p.traffic.p50), shortDuration(p.traffic.p99), p.traffic.acked, p.traffic.retried)
	best := p.best()
	fmt.Fprintf(&b, "site        %d readings, %d in the head, %d cuts, %d frames\n", best.LastSeq, best.HeadReadings, best.Cuts, best.LastFrame)
	fmt.Fprintf(&b, "bucket      %s, %d readings behind\n\n", p.bucket, best.LastSeq-min(best.SyncedSeq, best.LastSeq))
	drawNodes(&b, p.nodes)
	b.WriteString("\n")
	for _, e := range p.events {
		fmt.Fprintf(&b, "%s  %s\n", e.at.Format(time.TimeOnly), e.text)
	}
	return b.String()
}

func drawNodes(b *strings.Builder, nodes []nodeView) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NODE\tPID\tSTATE\tREADINGS\tHEAD\tDIGEST\tHTTP")
	for i := range nodes {
		n := &nodes[i]
		fmt.Fprintf(w, "%s\t%d\t%s\t%d\t%d\t%.20s\thttp://%s\n",
			n.name, n.pid, n.state(), n.status.LastSeq, n.status.HeadReadings, n.status.Digest, n.http)
	}
	_ = w.Flush() // a strings.Builder takes everything
}

// shortDuration is a latency with three digits.
func shortDuration(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Microsecond).String()
}
