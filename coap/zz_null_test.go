package coap_test

import (
	"context"
	"net/http"
	_ "net/http/pprof"
	"os"
	"testing"

	"skerry/coap"
	"skerry/fsm"
)

type nullStore struct{}

func (nullStore) Secret() ([16]byte, bool) { return testSecret, true }
func (nullStore) Propose(_ context.Context, cmd fsm.Command) (fsm.Result, error) {
	b := cmd.(*fsm.Batch)
	o := make([]fsm.Outcome, len(b.Items))
	for i := range o {
		o[i].Code = fsm.Stored
	}
	return fsm.Result{Outcomes: o}, nil
}

func TestZZNull(t *testing.T) {
	if os.Getenv("NULLSRV") == "" {
		t.Skip()
	}
	cfg := coap.DefaultConfig()
	cfg.Addr = os.Getenv("NULLSRV")
	cfg.Store = nullStore{}
	cfg.Limits.PeerRate, cfg.Limits.PeerBurst = 1e9, 1e9
	cfg.View = func(context.Context) (coap.View, error) { return nil, nil }
	s, err := coap.Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	go http.ListenAndServe("127.0.0.1:6062", nil)
	t.Fatal(s.Run(context.Background()))
}
