package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"skerry/cmd/skerry/client"
	"skerry/cmd/skerry/site"
)

// scriptNodes is how many nodes' addresses a script finds in its environment:
// HTTP1, COAP1, CLUSTER1, GOSSIP1 and so on.
const scriptNodes = 2

// readyTimeout bounds a script's wait for a node.
const readyTimeout = 30 * time.Second

// TestMain lets scripts, and the program itself, run this test's binary as
// skerry, in processes of their own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"skerry": func() { os.Exit(run()) }})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata",
		Setup: giveAddresses,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":   exits,
			"ready":   ready,
			"shows":   shows,
			"reaches": reaches,
		},
		RequireExplicitExec: true,
	})
}

// giveAddresses sets free addresses in the script's environment.
func giveAddresses(env *testscript.Env) error {
	list, err := site.FreeAddresses(scriptNodes)
	for i, a := range list {
		n := strconv.Itoa(i + 1)
		env.Setenv("HTTP"+n, a.HTTP)
		env.Setenv("COAP"+n, a.CoAP)
		env.Setenv("CLUSTER"+n, a.Cluster)
		env.Setenv("GOSSIP"+n, a.Gossip)
	}
	return err
}

// exits CODE PROGRAM ARGS... runs a program, which must end with the code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS...")
	}
	code := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("run %s: %v", args[1], err)
	}
	if want := args[0]; strconv.Itoa(code) != want {
		ts.Fatalf("exit code %d, want %s", code, want)
	}
}

// ready ADDRESS waits until the node whose HTTP address it is serves.
func ready(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ready ADDRESS")
	}
	cl, err := client.New(client.Config{Addr: "http://" + args[0]})
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for cl.Ready(ctx) != nil {
		select {
		case <-ctx.Done():
			ts.Check(fmt.Errorf("node at %s is not ready after %s", args[0], readyTimeout))
		case <-ticker.C:
		}
	}
}

// reaches waits until a metric has a value.
func reaches(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: reaches ADDRESS METRIC VALUE")
	}
	want := "\n" + args[1] + " " + args[2] + "\n"
	for end := time.Now().Add(20 * time.Second); !strings.Contains(metrics(ts, args[0]), want); {
		if time.Now().After(end) {
			ts.Fatalf("%s did not become %s", args[1], args[2])
		}
		<-time.After(50 * time.Millisecond)
	}
}

func metrics(ts *testscript.TestScript, address string) string {
	answer, err := http.Get("http://" + address + "/metrics")
	ts.Check(err)
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	ts.Check(err)
	return string(text)
}

// shows checks that a node's metrics have a figure of this name.
func shows(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: shows ADDRESS METRIC")
	}
	if !strings.Contains(metrics(ts, args[0]), "\n"+args[1]+" ") {
		ts.Fatalf("/metrics has no %s", args[1])
	}
}
