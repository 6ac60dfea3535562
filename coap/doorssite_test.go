package coap_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"skerry/cluster"
	"skerry/coap"
	"skerry/coap/message"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

// gatewayOf opens a DTLS door at a node of a real site, until the test ends.
func gatewayOf(tb testing.TB, node *cluster.Node) *coap.Server {
	tb.Helper()
	cfg := coap.DefaultConfig()
	cfg.Addr, cfg.Doors.DTLS = "", "127.0.0.1:0"
	cfg.Store, cfg.Logger = node, slog.New(slog.DiscardHandler)
	cfg.View = func(ctx context.Context) (coap.View, error) { return node.View(ctx, cluster.Local) }
	server, err := coap.Listen(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Error(err)
		}
	})
	return server
}

func TestADeviceIsKnownAndRevokedAtEachGateway(t *testing.T) {
	site := clustertest.Open(t, 3, nil)
	first := site.Nodes[0]
	first.MustPropose(fsm.PutDeviceCommand{Name: "pump-7", Create: true})
	given := first.MustPropose(fsm.AddKeyCommand{Device: "pump-7", Identity: "pump-7", Secret: []byte("secret of pump-7")})
	var sessions []*secured
	for _, m := range site.Nodes {
		server := gatewayOf(t, m.Node)
		if err := m.Await(t.Context(), given.Index); err != nil {
			t.Fatal(err)
		}
		d := enter(t, server, "pump-7")
		if answer := d.ask(putReading("pump-7", "temperature", "21.6")); answer.Code != message.Changed {
			t.Fatalf("%s: got %v %q, want 2.04", m.Name, answer.Code, answer.Payload)
		}
		sessions = append(sessions, d)
	}
	revoked := first.MustPropose(fsm.RevokeKeyCommand{Device: "pump-7"})
	for i, m := range site.Nodes {
		if err := m.Await(t.Context(), revoked.Index); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if answer, err := sessions[i].try(putReading("pump-7", "temperature", "99")); err == nil && answer.Code != message.Unauthorized {
			t.Errorf("%s: got %v %q, want 4.01 or the end", m.Name, answer.Code, answer.Payload)
		}
		if answer, err := sessions[i].read(patience); err == nil {
			t.Errorf("%s: the session goes on: %v", m.Name, answer.Code)
		}
		if took := time.Since(begun); took > patience/2 {
			t.Errorf("%s: it took %v", m.Name, took)
		}
	}
}
