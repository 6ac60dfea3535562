package faultsite

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"time"

	"skerry/fsm"
)

// pageLimit is how many readings a node is asked for at once.
const pageLimit = 20_000

// history reads all that one node holds.
type history struct {
	node *Node
	last uint64 // seq
	err  error  // why it ended early
}

// page is an answer of /v1/readings.
type page struct {
	Readings []struct {
		Seq      uint64    `json:"seq"`
		Device   string    `json:"device"`
		Resource string    `json:"resource"`
		Unit     string    `json:"unit"`
		Time     time.Time `json:"time"`
		Value    *float64  `json:"value"`
		Text     *string   `json:"text"`
	} `json:"readings"`
	Next string `json:"next"`
}

// after yields readings that came before those of the node, and then those.
func (h *history) after(ctx context.Context, before []fsm.Reading) iter.Seq[fsm.Reading] {
	return func(yield func(fsm.Reading) bool) {
		for _, r := range before {
			if !yield(r) {
				return
			}
		}
		h.readings(ctx)(yield)
	}
}

// readings yields the history after last in seq order and stops at a hole.
func (h *history) readings(ctx context.Context) iter.Seq[fsm.Reading] {
	return func(yield func(fsm.Reading) bool) {
		for {
			var p page
			query := url.Values{"after": {fmt.Sprint(h.last)}, "limit": {fmt.Sprint(pageLimit)}, "consistency": {"local"}}
			if h.err = h.node.get(ctx, "/v1/readings?"+query.Encode(), &p); h.err != nil {
				return
			}
			for _, r := range p.Readings {
				if r.Seq != h.last+1 {
					h.err = violation("%d follows %d", r.Seq, h.last)
					return
				}
				h.last = r.Seq
				out := fsm.Reading{Seq: fsm.Seq(r.Seq), Device: r.Device, Resource: r.Resource, Unit: r.Unit, Time: r.Time.UnixMicro()}
				switch {
				case r.Value != nil:
					out.Value = fsm.NumberValue(*r.Value)
				case r.Text != nil:
					out.Value = fsm.TextValue(*r.Text)
				}
				if !yield(out) {
					return
				}
			}
			if p.Next == "" || len(p.Readings) == 0 {
				return
			}
		}
	}
}
