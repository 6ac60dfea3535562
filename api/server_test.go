package api_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"skerry/api"
	"skerry/fsm"
)

func TestATakenAddressIsNamed(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	first, err := api.Listen("127.0.0.1:0", http.NotFoundHandler(), log)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	_, err = api.Listen(first.Addr().String(), http.NotFoundHandler(), log)
	if err == nil || !strings.Contains(err.Error(), "is taken") || !strings.Contains(err.Error(), first.Addr().String()) {
		t.Errorf("error = %v, want one that names the address", err)
	}
}

func TestARequestInHandEndsBeforeTheServerDoes(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	slow := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-release
		_, _ = io.WriteString(w, "whole")
	})
	s, err := api.Listen("127.0.0.1:0", slow, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended, got := make(chan error, 1), make(chan string, 1)
	go func() { ended <- s.Run(ctx) }()
	go func() {
		res, err := http.Get("http://" + s.Addr().String())
		if err != nil {
			got <- err.Error()
			return
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		got <- string(b)
	}()
	<-begun
	cancel()
	close(release)
	if body := <-got; body != "whole" {
		t.Errorf("answer = %q, want it whole", body)
	}
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
}

func TestCloseEndsRun(t *testing.T) {
	s, err := api.Listen("127.0.0.1:0", http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(context.Background()) }()
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
}

func TestAPageOfAnotherOriginChangesNothing(t *testing.T) {
	left := false
	d := open(t, &stub{outcome: fsm.Outcome{Code: fsm.Stored}}, func(c *api.Config) {
		c.Leave = func(context.Context) error { left = true; return nil }
	})
	req, err := http.NewRequest("POST", d.url+"/v1/leave", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", "https://elsewhere.example")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	reply{res, body}.problem(t, http.StatusForbidden, "foreign-origin", "elsewhere.example")
	if left {
		t.Error("the node left")
	}
}
