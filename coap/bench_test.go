package coap_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"skerry/coap"
	"skerry/coap/message"
	"skerry/fsm"
)

// nothing is a site that says "stored" and keeps nothing, so that what is
// measured is the front door alone.
type nothing struct{}

func (nothing) Known(fsm.Key, uint64) (o fsm.Outcome, ok bool) { return o, false }
func (nothing) Secret() ([16]byte, bool)                       { return testSecret, true }

func (nothing) Propose(_ context.Context, cmd fsm.Command) (fsm.Result, error) {
	outcomes := make([]fsm.Outcome, len(cmd.(*fsm.Batch).Items))
	for i := range outcomes {
		outcomes[i].Code = fsm.Stored
	}
	return fsm.Result{Outcomes: outcomes}, nil
}

// BenchmarkPost keeps a window of plain CON posts on their way. It counts the
// client's allocations too: those are none.
func BenchmarkPost(b *testing.B) {
	for _, window := range []int{1, 64} {
		b.Run(fmt.Sprintf("window of %d", window), func(b *testing.B) {
			cfg := coap.DefaultConfig()
			cfg.Addr, cfg.Store = "127.0.0.1:0", nothing{}
			cfg.View = func(context.Context) (coap.View, error) { return nil, nil }
			cfg.Logger = slog.New(slog.DiscardHandler)
			cfg.Limits.PeerRate, cfg.Limits.PeerBurst = 1e9, 1e9
			server, err := coap.Listen(cfg)
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan error)
			go func() { ended <- server.Run(ctx) }()
			flow(b, dialRaw(b, server.Addr().String()), window)
			cancel()
			if err := <-ended; err != nil {
				b.Fatal(err)
			}
			if err := server.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// flow sends b.N posts, each another message, never more than window at once.
func flow(b *testing.B, peer *raw, window int) {
	datagram := post(b, 0, "token678", "21.6")
	reply := make([]byte, 1500)
	b.ReportAllocs()
	b.ResetTimer()
	for sent, got := 0, 0; got < b.N; {
		if sent < b.N && sent-got < window {
			sent++
			datagram[2], datagram[3], datagram[4] = byte(sent>>8), byte(sent), byte(sent>>16)
			if _, err := peer.conn.Write(datagram); err != nil {
				b.Fatal(err)
			}
			continue
		}
		n, err := peer.conn.Read(reply)
		if err != nil || n < 4 || message.Code(reply[1]) != message.Changed {
			b.Fatalf("reply %x: %v", reply[:n], err)
		}
		got++
	}
}
