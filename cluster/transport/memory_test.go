package transport_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/transport"
)

func TestACutLinkInMemoryCarriesNothingBothWays(t *testing.T) {
	m := transport.NewMemory()
	a, b := m.Join("a.1", "a:1"), m.Join("b.1", "b:1")
	a.Serve(echo("a"))
	b.Serve(echo("b"))
	toA, toB := transport.Peer{ID: "a.1", Address: "a:1"}, transport.Peer{ID: "b.1", Address: "b:1"}
	ends := map[raft.ServerAddress]transport.Network{"a:1": a, "b:1": b}
	reached := func(want bool) {
		t.Helper()
		for from, to := range map[transport.Network]transport.Peer{a: toB, b: toA} {
			if _, err := from.Call(within(t), to, "ask", nil); (err == nil) != want || (!want && !errors.Is(err, transport.ErrNotSent)) {
				t.Errorf("a call to %s: %v, want reached %t", to.ID, err, want)
			}
			if want {
				go func() {
					rpc := <-ends[to.Address].Raft().Consumer()
					rpc.Respond(&raft.RequestVoteResponse{Granted: true}, nil)
				}()
			}
			var resp raft.RequestVoteResponse
			if err := from.Raft().RequestVote(to.ID, to.Address, &raft.RequestVoteRequest{}, &resp); (err == nil) != want {
				t.Errorf("raft's request to %s: %v, want reached %t", to.ID, err, want)
			}
		}
	}
	reached(true)
	m.Cut("a:1", "b:1", false)
	reached(false)
	m.Cut("b:1", "a:1", true)
	reached(true)
	m.Isolate("b:1", true)
	reached(false)
	m.Isolate("b:1", false)
	reached(true)
	if _, err := a.Call(within(t), transport.Peer{ID: "b.2", Address: "b:1"}, "ask", nil); !errors.Is(err, transport.ErrWrongServer) {
		t.Errorf("another server at the address: err = %v, want ErrWrongServer", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	reached(false)
}

func TestAnAnswerOverALinkThatWasCutMeanwhileNeverComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := transport.NewMemory()
		a, b := m.Join("a.1", "a:1"), m.Join("b.1", "b:1")
		b.Serve(func(context.Context, string, []byte) ([]byte, error) {
			m.Cut("a:1", "b:1", false)
			return nil, nil
		})
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		start := time.Now()
		_, err := a.Call(ctx, transport.Peer{ID: "b.1", Address: "b:1"}, "ask", nil)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Hour {
			t.Errorf("err = %v after %s, want silence for the hour", err, time.Since(start))
		}
		if err := errors.Join(a.Close(), b.Close()); err != nil {
			t.Error(err)
		}
	})
}
