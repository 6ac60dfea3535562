package coap_test

import (
	"context"
	"sync"
	"testing"

	"skerry/coap"
	"skerry/coap/message"
	"skerry/fsm"
)

// wide is the view of a site with a device of very many resources: what reads
// them all waits for gate.
type wide struct {
	coap.View
	gate <-chan struct{}
}

func (w wide) CountOf(_ string, most int) int { return most }

func (w wide) LatestOf(device string) []fsm.Reading {
	<-w.gate
	return w.View.LatestOf(device)
}

func (w wide) LastOf(device string) fsm.Seq {
	<-w.gate
	return w.View.LastOf(device)
}

// TestADeviceOfManyResourcesDelaysNobody has one peer read all of a device while
// another posts.
func TestADeviceOfManyResourcesDelaysNobody(t *testing.T) {
	for _, c := range []struct {
		name    string
		options []opt
		proven  bool
	}{
		{"read by a stranger", nil, false},
		{"read by a peer that is known", nil, true},
		{"observed by a stranger", []opt{{message.Observe, ""}}, false},
		{"observed by a peer that is known", []opt{{message.Observe, ""}}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStore(t)
			gate := make(chan struct{})
			open := sync.OnceFunc(func() { close(gate) })
			server := s.serve(t, func(c *coap.Config) {
				c.View = func(context.Context) (coap.View, error) { return wide{s, gate}, nil }
			})
			t.Cleanup(open)
			other, peer := dialRaw(t, server.Addr().String()), dialRaw(t, server.Addr().String())
			other.ask(ask{id: 1, method: message.POST, path: "r/pump-7/temperature", payload: "20"}).want(t, message.Changed)
			if c.proven {
				peer.prove()
			}
			peer.send(ask{id: 2, method: message.GET, path: "r/pump-7", options: c.options}.encode(t))
			other.ask(ask{id: 2, method: message.POST, path: "r/pump-7/temperature", payload: "21"}).want(t, message.Changed)
			open()
			if a := peer.answer(); a.code != message.Content {
				t.Errorf("got %v, want 2.05", a.code)
			}
		})
	}
}
