// Emptydoor serves the devices' door without a site behind it: what is posted is
// answered as stored and kept nowhere. It is there to measure what the door
// alone costs, beside another CoAP server.
//
//	go run ./internal/emptydoor -addr 127.0.0.1:5683
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/pprof"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"skerry/coap"
	"skerry/fsm"
)

// nowhere says that all is stored, and keeps nothing.
type nowhere struct{}

func (nowhere) Known(fsm.Key, uint64) (o fsm.Outcome, ok bool) { return o, false }
func (nowhere) Secret() ([16]byte, bool)                       { return [16]byte{1}, true }

func (nowhere) Propose(_ context.Context, cmd fsm.Command) (fsm.Result, error) {
	n := 1
	if b, ok := cmd.(*fsm.Batch); ok {
		n = len(b.Items)
	}
	outcomes := make([]fsm.Outcome, n)
	for i := range outcomes {
		outcomes[i].Code = fsm.Stored
	}
	return fsm.Result{Outcomes: outcomes}, nil
}

// Offer decides at once.
func (n nowhere) Offer(ctx context.Context, cmd fsm.Command, done func(fsm.Result, error)) {
	done(n.Propose(ctx, cmd))
}

func main() {
	addr := flag.String("addr", "127.0.0.1:5683", "UDP address to serve")
	debug := flag.String("debug", "", "TCP address of profiles and of /mem, the allocations so far")
	flag.Parse()
	if err := serve(*addr, *debug); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(addr, debug string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cfg := coap.DefaultConfig()
	cfg.Addr, cfg.Store = addr, nowhere{}
	cfg.View = func(context.Context) (coap.View, error) { return nil, errors.New("there is no site") }
	cfg.Limits.PeerRate, cfg.Limits.PeerBurst = 1e9, 1e9
	server, err := coap.Listen(cfg)
	if err != nil {
		return err
	}
	if debug != "" {
		go func() { // ends with the process
			fmt.Fprintln(os.Stderr, http.ListenAndServe(debug, profiles()))
		}()
	}
	return errors.Join(server.Run(ctx), server.Close())
}

func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/profile", pprof.Profile)
	mux.HandleFunc("/mem", func(w http.ResponseWriter, _ *http.Request) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Fprintf(w, "%d mallocs, %d bytes\n", m.Mallocs, m.TotalAlloc)
	})
	return mux
}
