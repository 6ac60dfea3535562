// Command faultreal runs the campaigns of the fault laboratory with real
// processes (package faultsite) and ends with 1 where one found a violation. It
// needs root, /dev/fuse, and the programs ip and iptables.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"skerry/internal/faultsite"
)

func main() {
	names := flag.String("campaigns", "", "campaigns to run, with commas between them (default: all)")
	seed := flag.Uint64("seed", 0, "of all draws; 0 draws one")
	count := flag.Int("count", 10, "faults in each campaign")
	limit := flag.Duration("time", 0, "after which a campaign begins no further fault; 0 is no limit")
	binary := flag.String("skerry", "bin/skerry", "the binary to break")
	next := flag.String("next", "bin/skerry-next", "the version after it, for the campaign upgrade")
	kind := flag.Bool("ext4", false, "disks that are as kind with names as ext4: every fsync keeps the directories' changes before it")
	profile := flag.String("profile", "", "of the nodes in the campaign takeover: ssd, sdcard or wan (default ssd)")
	dir := flag.String("dir", "", "for logs and what a violation left; a temporary one, kept only after a violation, by default")
	small := flag.Bool("within", false, "run the program that follows in a small gateway's memory, and print what it took")
	flag.Parse()
	code, done, err := faultsite.Isolate()
	if err == nil && !done {
		if *seed == 0 {
			*seed = rand.Uint64N(1 << 32)
		}
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		if *small {
			err = within(ctx, flag.Args())
		} else {
			err = run(ctx, *names, *dir, faultsite.Plan{Binary: *binary, Next: *next, Seed: *seed, Count: *count, Kind: *kind, Time: *limit, Profile: *profile, Print: os.Stdout})
		}
		stop()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "faultreal:", err)
		code = 1
	}
	os.Exit(code)
}

// within runs a program in the smallest gateway.
func within(ctx context.Context, argv []string) error {
	if len(argv) == 0 {
		return errors.New("-within needs a program to run")
	}
	dir, err := os.MkdirTemp("", "faultreal-*")
	if err != nil {
		return err
	}
	return faultsite.Within(ctx, dir, os.Stdout, argv...)
}

// run runs the campaigns in turn; one that fails does not stop the others.
func run(ctx context.Context, names, dir string, p faultsite.Plan) error {
	campaigns, err := faultsite.Find(names)
	if err != nil {
		return err
	}
	if p.Binary, err = filepath.Abs(p.Binary); err != nil {
		return err
	}
	if _, err := os.Stat(p.Binary); err != nil {
		return fmt.Errorf("%w: build it with make bin/skerry", err)
	}
	if p.Next, err = filepath.Abs(p.Next); err != nil {
		return err
	}
	if dir == "" {
		if dir, err = os.MkdirTemp("", "faultreal-*"); err != nil {
			return err
		}
	}
	var all error
	for _, c := range campaigns {
		if ctx.Err() != nil {
			break
		}
		fmt.Printf("%s: %s (seed %d)\n", c.Name, c.Says, p.Seed)
		p.Dir = filepath.Join(dir, c.Name)
		if left, err := os.ReadDir(p.Dir); err == nil && len(left) > 0 {
			return fmt.Errorf("%s is what an earlier run left: remove it, or name another -dir", p.Dir)
		}
		began := time.Now()
		if err := c.Run(ctx, p); err != nil {
			fmt.Printf("  FAILED after %s: %v\n", time.Since(began).Round(time.Second), err)
			all = errors.Join(all, fmt.Errorf("%s, seed %d, see %s: %w", c.Name, p.Seed, p.Dir, err))
			continue
		}
		_ = os.RemoveAll(p.Dir)
	}
	_ = os.Remove(dir) // which only works when nothing is kept in it
	return all
}
