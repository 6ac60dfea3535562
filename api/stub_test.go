package api_test

import (
	"context"
	"errors"

	"skerry/api"
	"skerry/cluster"
	"skerry/fsm"
)

// stub is a site in trouble.
type stub struct {
	viewErr    error
	proposeErr error
	outcome    fsm.Outcome
	status     cluster.Status
	// breaksAfter is the seq after which readings cannot be read.
	breaksAfter fsm.Seq
	// index is where the outcome was decided, applied what was waited for.
	index, applied uint64
}

func (s *stub) Await(_ context.Context, index uint64) error {
	s.applied = index
	return nil
}

func (s *stub) Propose(context.Context, fsm.Command) (fsm.Result, error) {
	return fsm.Result{Index: s.index, Outcomes: []fsm.Outcome{s.outcome}}, s.proposeErr
}

func (s *stub) View(context.Context, cluster.Consistency) (api.View, error) {
	if s.viewErr != nil {
		return nil, s.viewErr
	}
	return brokenView{s: s}, nil
}

func (s *stub) Status() cluster.Status    { return s.status }
func (s *stub) Members() []cluster.Member { return nil }

// brokenView gives readings up to one seq and then a fault.
type brokenView struct {
	api.View
	s *stub
}

func (v brokenView) Scan(q cluster.ScanQuery) api.Scanner { return &brokenScan{v.s, q.After} }

func (v brokenView) Applied() <-chan struct{} { return nil }

// brokenScan gives readings up to one seq and then a fault.
type brokenScan struct {
	s  *stub
	at fsm.Seq
}

func (b *brokenScan) Next(_ context.Context, _ fsm.Seq, limit int) ([]fsm.Reading, error) {
	if b.at >= b.s.breaksAfter {
		return nil, errors.New("read sector 7: secret detail")
	}
	out := make([]fsm.Reading, limit)
	for i := range out {
		b.at++
		out[i] = fsm.Reading{Seq: b.at, Device: "a", Resource: "b", Value: fsm.NumberValue(1)}
	}
	return out, nil
}

func (b *brokenScan) At() fsm.Seq           { return b.at }
func (b *brokenScan) Skipped() fsm.Interval { return fsm.Interval{} }
func (b *brokenScan) Close()                {}

func (v brokenView) Last(fsm.Stream) fsm.Seq { return 1 << 40 }
