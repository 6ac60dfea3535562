package gossip

import (
	"context"
	"log"
	"net"
	"slices"
	"sync"
	"time"
)

const (
	// askAtOnce bounds the peers that went, and those to join, that are asked in
	// one round. Where there are more, the next round goes on with the others.
	askAtOnce    = 3
	resolveLimit = 5 * time.Second
)

// pace says when peers that are missing are asked. The first round is soon after
// one went, and each wait is twice the one before.
type pace struct {
	first time.Duration
	alone time.Duration // at most, while no peer is alive
	most  time.Duration // at most
}

var defaultPace = pace{first: time.Second, alone: 5 * time.Second, most: time.Minute}

// search asks for peers that are missing. Two parts of a site that were cut off
// from each other for longer than memberlist remembers would not meet again, nor
// would a node that was given no addresses to join, or only those of one part. A
// peer that left is asked as one that died is: it may have started again in the
// other part, and to ask costs an attempt to connect.
type search struct {
	pace    pace
	port    string          // of an address to join that has none
	missed  <-chan struct{} // has a value after a peer went
	missing func() absence
	ask     func(address string)
	log     *log.Logger
}

// absence is what a node knows of where peers may be that it does not hear.
type absence struct {
	alone bool
	gone  []string // where peers of the site gossiped that went
	heard []string // where somebody is who is heard, this node too
}

// run asks until ctx is done.
func (s *search) run(ctx context.Context, join []string) {
	wait, due := s.pace.first, time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for turn := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-s.missed:
			wait = s.pace.first
			if soon := time.Now().Add(wait); soon.Before(due) {
				due = soon
				timer.Reset(wait)
			}
			continue
		case <-timer.C:
		}
		alone := s.round(ctx, join, turn)
		turn += askAtOnce
		if alone {
			wait = min(wait, s.pace.alone)
		}
		due = time.Now().Add(wait)
		timer.Reset(wait)
		wait = min(2*wait, s.pace.most)
	}
}

// round asks some of those missing, all at the same time, and reports whether the
// node had no live peer. It takes as long as the slowest answer, or its time limit.
func (s *search) round(ctx context.Context, join []string, turn int) (alone bool) {
	a := s.missing()
	var asking sync.WaitGroup
	defer asking.Wait()
	gone := some(a.gone, turn)
	for _, address := range gone {
		asking.Go(func() { s.ask(address) })
	}
	known := slices.Concat(a.heard, gone)
	for _, address := range some(join, turn) {
		asking.Go(func() {
			for _, address := range s.resolve(ctx, address) {
				if !slices.Contains(known, address) {
					s.ask(address)
				}
			}
		})
	}
	return a.alone
}

// some is at most askAtOnce of all, others with each turn.
func some(all []string, turn int) (some []string) {
	for i := range min(askAtOnce, len(all)) {
		some = append(some, all[(turn+i)%len(all)])
	}
	return some
}

// resolve is where an address to join is. A name may have several, and one that is
// not known now may be later.
func (s *search) resolve(ctx context.Context, address string) (found []string) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host, port = address, s.port
	}
	ctx, cancel := context.WithTimeout(ctx, resolveLimit)
	defer cancel()
	ips, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		s.log.Printf("[WARN] gossip: %q is not asked: %v", address, err)
	}
	for _, ip := range ips {
		found = append(found, net.JoinHostPort(ip.String(), port))
	}
	return found
}

func (m *Memberlist) missing() absence {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := absence{alone: true}
	for id, s := range m.seen {
		a.heard = append(a.heard, s.at)
		a.alone = a.alone && id == m.self.ID
	}
	for _, s := range m.dead {
		if s.at != "" && !slices.Contains(a.heard, s.at) && !slices.Contains(a.gone, s.at) {
			a.gone = append(a.gone, s.at)
		}
	}
	return a
}

// ask exchanges with who gossips at the address, IP:port, all that both know.
func (m *Memberlist) ask(address string) {
	_, _ = m.list.Join([]string{address}) // memberlist logs who did not answer
}
