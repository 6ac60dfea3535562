package wire_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/transport"
	"skerry/internal/faultlab/wire"
)

// pair are two ends, of which b answers raft's requests with success and counts
// them, and calls with what they were asked.
type pair struct {
	net  *wire.Net
	a, b *wire.End
	got  chan any // commands that reached b
}

func newPair(t *testing.T, seed uint64) *pair {
	n := wire.New(seed)
	p := &pair{net: n, a: n.Join("a.1", "a"), b: n.Join("b.1", "b"), got: make(chan any, 100)}
	done := make(chan struct{})
	go func() {
		for {
			select {
			case rpc := <-p.b.Raft().Consumer():
				p.answer(rpc)
			case <-done:
				return
			}
		}
	}()
	p.b.Serve(func(_ context.Context, method string, body []byte) ([]byte, error) {
		p.got <- method
		return body, nil
	})
	t.Cleanup(func() {
		close(done)
		if err := errors.Join(p.a.Close(), p.b.Close()); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p *pair) answer(rpc raft.RPC) {
	p.got <- rpc.Command
	if _, ok := rpc.Command.(*raft.InstallSnapshotRequest); ok {
		b, err := io.ReadAll(rpc.Reader)
		rpc.Respond(&raft.InstallSnapshotResponse{Success: err == nil && len(b) == 1000}, err)
		return
	}
	rpc.Respond(&raft.AppendEntriesResponse{Success: true}, nil)
}

func (p *pair) append() error {
	var resp raft.AppendEntriesResponse
	err := p.a.Raft().AppendEntries("b.1", "b", &raft.AppendEntriesRequest{Term: 3, PrevLogEntry: 1}, &resp)
	if err == nil && !resp.Success {
		return errors.New("no success")
	}
	return err
}

func (p *pair) call(within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	b, err := p.a.Call(ctx, transport.Peer{ID: "b.1", Address: "b"}, "echo", []byte("x"))
	if err == nil && string(b) != "x" {
		return errors.New("another answer")
	}
	return err
}

func (p *pair) reached() int {
	synctest.Wait()
	return len(p.got)
}

func TestInFineWeatherEverythingArrivesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, begun := newPair(t, 1), time.Now()
		if err := errors.Join(p.append(), p.call(time.Second)); err != nil {
			t.Error(err)
		}
		var resp raft.InstallSnapshotResponse
		if err := p.a.Raft().InstallSnapshot("b.1", "b", &raft.InstallSnapshotRequest{}, &resp, bytes.NewReader(make([]byte, 1000))); err != nil || !resp.Success {
			t.Errorf("snapshot: %+v (%v)", resp, err)
		}
		if took := time.Since(begun); took > 0 {
			t.Errorf("it took %s", took)
		}
	})
}

func TestACutOfOneDirectionLosesRequestsOrAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, 1)
		p.net.Cut("a", "b", true)
		if p.append() == nil || p.call(5*time.Second) == nil || p.reached() > 0 {
			t.Errorf("%d requests came over a link that is cut", p.reached())
		}
		p.net.Cut("a", "b", false)
		p.net.Cut("b", "a", true)
		if p.append() == nil || p.call(5*time.Second) == nil {
			t.Error("an answer came over a link that is cut")
		}
		if p.reached() != 2 {
			t.Errorf("%d requests came whose answers were lost, want 2", p.reached())
		}
		p.net.Heal()
		if err := errors.Join(p.append(), p.call(time.Second)); err != nil {
			t.Error(err)
		}
	})
}

func TestASplitCutsBothWaysBetweenSidesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, 1)
		p.net.Split([]raft.ServerAddress{"a", "b"}, []raft.ServerAddress{"c"})
		if err := p.append(); err != nil {
			t.Errorf("two of one side: %v", err)
		}
		p.net.Split([]raft.ServerAddress{"a"}, []raft.ServerAddress{"b"})
		if p.append() == nil {
			t.Error("two of different sides reach each other")
		}
	})
}

func TestAPausedEndReadsLaterWhatItWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, 1)
		p.net.Pause("b")
		if p.append() == nil || p.call(5*time.Second) == nil || p.reached() > 0 {
			t.Error("a paused end answers")
		}
		time.Sleep(time.Minute)
		p.net.Resume("b")
		if p.reached() != 2 {
			t.Errorf("after the pause %d requests were read, want the 2 whose senders gave up", p.reached())
		}
	})
}

func TestALateMessageArrivesWhenItsSenderHasGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, 1)
		p.net.Weather(wire.Weather{Late: 1, LateFrom: 4 * time.Minute, LateBy: 5 * time.Minute})
		if p.append() == nil || p.call(10*time.Second) == nil || p.reached() > 0 {
			t.Error("a late message was answered")
		}
		p.net.Heal()
		time.Sleep(5 * time.Minute)
		if p.reached() != 2 {
			t.Errorf("%d messages arrived late, want 2", p.reached())
		}
	})
}

func TestADoubledRequestArrivesTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, 1)
		p.net.Weather(wire.Weather{Twice: 1, LateBy: time.Second})
		if err := p.append(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if p.reached() != 2 {
			t.Errorf("it arrived %d times, want 2", p.reached())
		}
	})
}

func TestABrokenSnapshotEndsInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, 1)
		p.net.Weather(wire.Weather{Broken: 1})
		var resp raft.InstallSnapshotResponse
		err := p.a.Raft().InstallSnapshot("b.1", "b", &raft.InstallSnapshotRequest{}, &resp, bytes.NewReader(make([]byte, 1000)))
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("err = %v, want the reader's", err)
		}
	})
}

func TestAnEndIsAskedByItsName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, 1)
		var resp raft.AppendEntriesResponse
		err := p.a.Raft().AppendEntries("b.2", "b", &raft.AppendEntriesRequest{Term: 3, PrevLogEntry: 1}, &resp)
		_, callErr := p.a.Call(context.Background(), transport.Peer{ID: "b.2", Address: "b"}, "echo", nil)
		if !errors.Is(err, transport.ErrWrongServer) || !errors.Is(callErr, transport.ErrWrongServer) {
			t.Errorf("%v, %v: want ErrWrongServer", err, callErr)
		}
		_, callErr = p.a.Call(context.Background(), transport.Peer{ID: "c.1", Address: "c"}, "echo", nil)
		if !errors.Is(callErr, transport.ErrNotSent) {
			t.Errorf("nobody is there: %v, want ErrNotSent", callErr)
		}
	})
}

func TestHeartbeatsPassByABusyMainLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := wire.New(1)
		a, b := n.Join("a.1", "a"), n.Join("b.1", "b") // nobody reads b's requests
		b.Raft().SetHeartbeatHandler(func(rpc raft.RPC) { rpc.Respond(&raft.AppendEntriesResponse{Success: true}, nil) })
		var resp raft.AppendEntriesResponse
		if err := a.Raft().AppendEntries("b.1", "b", &raft.AppendEntriesRequest{Term: 3}, &resp); err != nil || !resp.Success {
			t.Errorf("heartbeat: %+v (%v)", resp, err)
		}
		if a.Raft().AppendEntries("b.1", "b", &raft.AppendEntriesRequest{Term: 3, PrevLogEntry: 1}, &resp) == nil {
			t.Error("an append was answered by nobody")
		}
		if err := errors.Join(a.Close(), b.Close()); err != nil {
			t.Error(err)
		}
	})
}

// The fate of a link's n-th message is a function of the seed.
func TestFatesAreASeedsOwn(t *testing.T) {
	fates := func(seed uint64) (fate string) {
		synctest.Test(t, func(t *testing.T) {
			p := newPair(t, seed)
			p.net.Weather(wire.Weather{Lost: 0.5})
			for range 30 {
				if p.append() == nil {
					fate += "+"
				} else {
					fate += "-"
				}
			}
		})
		return fate
	}
	if a, b := fates(1), fates(1); a != b {
		t.Errorf("one seed gave %s and %s", a, b)
	}
	if a, b := fates(1), fates(2); a == b {
		t.Errorf("two seeds gave %s", a)
	}
}
