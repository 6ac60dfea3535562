package demo

import (
	"cmp"
	"fmt"
	"io"
	"sync"
	"time"
)

// lines tells by plain lines what screen shows, where nobody looks at a terminal.
type lines struct {
	mu sync.Mutex // one line at a time
	w  io.Writer
}

func (l *lines) begin() {}
func (l *lines) end()   {}

func (l *lines) said(e event) { l.printf("%s  %s\n", e.at.Format(time.TimeOnly), e.text) }

func (l *lines) show(p *picture) {
	leader, term := p.leader()
	best := p.best()
	l.printf("%5s  leader %s term %d  %.0f messages/s  p99 %s  readings %d  head %d  behind %d\n",
		p.elapsed.Round(time.Second), cmp.Or(leader, "none"), term, p.traffic.rate, shortDuration(p.traffic.p99),
		best.LastSeq, best.HeadReadings, best.LastSeq-min(best.SyncedSeq, best.LastSeq))
}

func (l *lines) printf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = fmt.Fprintf(l.w, format, args...)
}
