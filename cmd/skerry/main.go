// Command skerry makes a few edge gateways into one dependable store.
//
// It is the daemon (skerry agent) and the operator's command line in one
// binary. This package is flags, wiring, signals and printing; what the words
// mean is known in the rooms it joins.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(run()) }

// run is the process: it returns its exit code. The first SIGINT or SIGTERM
// ends the context, so that a command can stop cleanly; the second one kills.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	app := newApp(os.Stdout, os.Stderr)
	err := app.RunContext(ctx, arrange(app, os.Args))
	if err != nil {
		fmt.Fprintln(os.Stderr, "skerry:", oneLine(err))
	}
	return exitCode(err)
}
