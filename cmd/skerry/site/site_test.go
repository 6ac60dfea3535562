package site_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"skerry/cluster"
	"skerry/cmd/skerry/site"
)

// TestMain makes this binary an agent where a site starts it as one: it serves
// what a site asks of a node, and says that n1 leads.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) != "skerry" {
		os.Exit(m.Run())
	}
	if err := pretend(os.Args[1:]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// pretend runs an agent that agrees with everybody until SIGTERM.
func pretend(args []string) error {
	flag := func(name string) string { return args[slices.Index(args, name)+1] }
	if slices.Contains(args, "--broken") {
		return fmt.Errorf("this node is broken: mend it")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	mux := http.NewServeMux()
	mux.HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/v1/status", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(cluster.Status{Node: flag("--name"), Leader: "n1", Term: 1, Ready: true})
	})
	server := &http.Server{Addr: flag("--http"), Handler: mux, ReadHeaderTimeout: time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// start starts a site that the test's end stops.
func start(tb testing.TB, cfg site.Config) *site.Site {
	tb.Helper()
	cfg.Dir = tb.TempDir()
	s, err := site.Start(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
		if pids := s.PIDs(); len(pids) > 0 {
			tb.Errorf("processes %v run after Close", pids)
		}
	})
	return s
}

func TestANodeThatIsKilledCanBeStartedAgain(t *testing.T) {
	s := start(t, site.Config{Nodes: 3})
	leader := s.Leader(t.Context())
	if leader == nil || leader.Name != "n1" {
		t.Fatalf("leader: got %v, want n1", leader)
	}
	first := leader.PID()
	if err := leader.Kill(); err != nil {
		t.Fatal(err)
	}
	if got := leader.PID(); got != 0 || len(s.PIDs()) != 2 {
		t.Errorf("got pid %d and %d processes, want none and 2", got, len(s.PIDs()))
	}
	if got := s.Leader(t.Context()); got != nil {
		t.Errorf("got leader %s, want nobody who says so of itself", got.Name)
	}
	if err := leader.Start(); err != nil {
		t.Fatal(err)
	}
	if err := leader.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := leader.PID(); got == 0 || got == first {
		t.Errorf("got pid %d, want another one than %d", got, first)
	}
	if err := leader.Start(); err == nil {
		t.Error("a running node was started twice")
	}
	select {
	case err := <-s.Failed():
		t.Errorf("got %v, though the end was asked for", err)
	default:
	}
}

func TestANodeThatEndsByItselfIsTold(t *testing.T) {
	s := start(t, site.Config{Nodes: 2})
	if err := syscall.Kill(s.Nodes[1].PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	select {
	case err := <-s.Failed():
		if !strings.Contains(err.Error(), "node n2 ended by itself") {
			t.Errorf("got %v, want n2 named", err)
		}
	case <-ctx.Done():
		t.Error("nobody was told")
	}
}

func TestASiteThatCannotStartSaysItsNodesLastWords(t *testing.T) {
	dir := t.TempDir()
	_, err := site.Start(t.Context(), site.Config{Dir: dir, Nodes: 2, NodeArgs: map[string][]string{"n2": {"--broken"}}})
	if err == nil || !strings.Contains(err.Error(), "this node is broken: mend it") {
		t.Errorf("got %v, want the last words of n2", err)
	}
}

func TestStartRefusesWhatItCannotRun(t *testing.T) {
	for _, n := range []int{-1, 0, site.MaxNodes + 1} {
		if _, err := site.Start(t.Context(), site.Config{Dir: t.TempDir(), Nodes: n}); err == nil {
			t.Errorf("%d nodes: got no error", n)
		}
	}
}

func TestFreeAddressesAreFreeAndDiffer(t *testing.T) {
	list, err := site.FreeAddresses(site.MaxNodes)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, node := range list {
		for _, addr := range []string{node.HTTP, node.CoAP, node.Cluster, node.Gossip} {
			if seen[addr] {
				t.Errorf("%s is given twice", addr)
			}
			seen[addr] = true
			l, err := net.Listen("tcp", addr)
			if err != nil {
				t.Errorf("listen: %v", err)
				continue
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if want := 4 * site.MaxNodes; len(seen) != want {
		t.Errorf("got %d addresses, want %d", len(seen), want)
	}
}
