package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"skerry/cluster/transport"
)

// listen opens a port on the loopback.
func listen(tb testing.TB, id raft.ServerID) *transport.TCP {
	tb.Helper()
	n, err := transport.ListenTCP(id, "127.0.0.1:0", "", hclog.NewNullLogger())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = n.Close() })
	return n
}

func peer(n *transport.TCP, id raft.ServerID) transport.Peer {
	return transport.Peer{ID: id, Address: n.Address()}
}

// within is a context that outlasts every answer a test waits for.
func within(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	tb.Cleanup(cancel)
	return ctx
}

// echo answers with who was asked what.
func echo(id string) transport.Handler {
	return func(_ context.Context, method string, body []byte) ([]byte, error) {
		return fmt.Appendf(nil, "%s %s %s", id, method, body), nil
	}
}

func wantAnswer(tb testing.TB, from *transport.TCP, to transport.Peer, want string) {
	tb.Helper()
	got, err := from.Call(within(tb), to, "ask", []byte("what"))
	if err != nil || string(got) != want {
		tb.Errorf("%s answers %q (%v), want %q", to.ID, got, err, want)
	}
}

func TestCallsGoBothWays(t *testing.T) {
	a, b := listen(t, "a.1"), listen(t, "b.1")
	a.Serve(echo("a"))
	b.Serve(echo("b"))
	for range 3 { // the connection is kept
		wantAnswer(t, a, peer(b, "b.1"), "b ask what")
		wantAnswer(t, b, peer(a, "a.1"), "a ask what")
	}
}

type coded struct{ code string }

func (e coded) Error() string { return "it says no" }
func (e coded) Code() string  { return e.code }

func TestAHandlersErrorComesBackWithItsCode(t *testing.T) {
	a, b := listen(t, "a.1"), listen(t, "b.1")
	for _, c := range []struct {
		err  error
		code string
	}{
		{coded{"not-leader"}, "not-leader"},
		{fmt.Errorf("wrapped: %w", coded{"missing"}), "missing"},
		{errors.New("plain"), ""},
	} {
		b.Serve(func(context.Context, string, []byte) ([]byte, error) { return nil, c.err })
		_, err := a.Call(within(t), peer(b, "b.1"), "ask", nil)
		var remote *transport.RemoteError
		if !errors.As(err, &remote) || remote.Code != c.code || remote.Text != c.err.Error() {
			t.Errorf("err = %#v, want a RemoteError with code %q and text %q", err, c.code, c.err)
		}
		if errors.Is(err, transport.ErrNotSent) {
			t.Errorf("%v is ErrNotSent, but the peer was reached", err)
		}
	}
}

func TestACallThatReachesNoHandlerWasNotSent(t *testing.T) {
	a, b := listen(t, "a.1"), listen(t, "b.1")
	closed := listen(t, "c.1")
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	mute, err := net.Listen("tcp", "127.0.0.1:0") // accepts nothing: closes before the preface
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mute.Close() }()
	go func() {
		for {
			c, err := mute.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	for _, c := range []struct {
		name  string
		to    transport.Peer
		other bool
	}{
		{"nobody listens", peer(closed, "c.1"), false},
		{"the peer breaks off", transport.Peer{ID: "m.1", Address: raft.ServerAddress(mute.Addr().String())}, false},
		{"the peer does not serve yet", peer(b, "b.1"), false},
		{"another server answers", peer(b, "b.2"), true},
		{"the address is none", transport.Peer{ID: "x.1", Address: "nowhere"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := a.Call(within(t), c.to, "ask", nil)
			if !errors.Is(err, transport.ErrNotSent) || errors.Is(err, transport.ErrWrongServer) != c.other {
				t.Errorf("err = %v, want ErrNotSent, and ErrWrongServer %t", err, c.other)
			}
		})
	}
}

func TestAnAnswerOverTheBoundIsRefusedAndSoIsABody(t *testing.T) {
	a, b := listen(t, "a.1"), listen(t, "b.1")
	b.Serve(func(_ context.Context, _ string, body []byte) ([]byte, error) {
		return make([]byte, 2*len(body)), nil
	})
	for size, ok := range map[int]bool{
		transport.MaxBody / 2: true, transport.MaxBody/2 + 1: false, transport.MaxBody + 1: false,
	} {
		b, err := a.Call(within(t), peer(b, "b.1"), "double", make([]byte, size))
		if (err == nil) != ok || (ok && len(b) != 2*size) {
			t.Errorf("a body of %d bytes is answered with %d (%v), want ok %t", size, len(b), err, ok)
		}
	}
}

func TestGarbageClosesItsOwnConnectionOnly(t *testing.T) {
	a, b := listen(t, "a.1"), listen(t, "b.1")
	b.Serve(echo("b"))
	wantAnswer(t, a, peer(b, "b.1"), "b ask what")
	for _, garbage := range []string{"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00", "X\x03b.1", "H\x00", strings.Repeat("\xff", 4096)} {
		c, err := net.Dial("tcp", string(b.Address()))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, garbage); err != nil {
			t.Fatal(err)
		}
		// A preface that is never whole is waited for; end it.
		_ = c.(*net.TCPConn).CloseWrite() // it may be closed already
		if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		rest, err := io.ReadAll(c) // a reset is an end too
		if errors.Is(err, os.ErrDeadlineExceeded) || len(rest) > 1 {
			t.Errorf("after %.10q it is answered with %q (%v), want an end", garbage, rest, err)
		}
		_ = c.Close()
		wantAnswer(t, a, peer(b, "b.1"), "b ask what")
	}
}

func TestHalfOpenConnectionsBlockNobody(t *testing.T) {
	a, b := listen(t, "a.1"), listen(t, "b.1")
	b.Serve(echo("b"))
	for i := range 50 {
		c, err := net.Dial("tcp", string(b.Address()))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		if _, err := io.WriteString(c, "H\x03b.1"[:i%5]); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now()
	wantAnswer(t, a, peer(b, "b.1"), "b ask what")
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("the answer took %s beside 50 half-open connections", took)
	}
}

func TestCloseEndsHandlersAndWaitsForThem(t *testing.T) {
	a, b := listen(t, "a.1"), listen(t, "b.1")
	began, ended := make(chan struct{}), make(chan struct{})
	b.Serve(func(ctx context.Context, _ string, _ []byte) ([]byte, error) {
		close(began)
		<-ctx.Done()
		close(ended)
		return nil, ctx.Err()
	})
	answered := make(chan error, 1)
	go func() {
		_, err := a.Call(within(t), peer(b, "b.1"), "ask", nil)
		answered <- err
	}()
	<-began
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	select {
	case <-ended:
	default:
		t.Error("Close returned while a handler ran")
	}
	err := <-answered
	var remote *transport.RemoteError
	if err == nil || errors.Is(err, transport.ErrNotSent) || errors.As(err, &remote) {
		t.Errorf("err = %v, want one that leaves open whether the peer acted", err)
	}
}

func TestACallEndsWithItsContext(t *testing.T) {
	a, b := listen(t, "a.1"), listen(t, "b.1")
	began := make(chan struct{})
	b.Serve(func(ctx context.Context, _ string, _ []byte) ([]byte, error) {
		close(began)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-began; cancel() }()
	if _, err := a.Call(ctx, peer(b, "b.1"), "ask", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v, want context.Canceled", err)
	}
}

func TestATakenPortSaysWhatToDo(t *testing.T) {
	a := listen(t, "a.1")
	_, err := transport.ListenTCP("b.1", string(a.Address()), "", hclog.NewNullLogger())
	if err == nil || !strings.Contains(err.Error(), "--cluster") {
		t.Errorf("err = %v, want one that names --cluster", err)
	}
}

func TestTheAdvertisedHostIsToldWithTheBoundPort(t *testing.T) {
	n, err := transport.ListenTCP("a.1", "127.0.0.1:0", "localhost", hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close() }()
	if host, port, _ := net.SplitHostPort(string(n.Address())); host != "localhost" || port == "0" {
		t.Errorf("address %s, want localhost and a port", n.Address())
	}
}
