package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// Exit codes of every command.
const (
	exitDone   = 0
	exitFailed = 1 // refused or failed
	exitUsage  = 2 // the command line, the environment or the config file is wrong
)

// usageError is a mistake in what was typed; it ends the program with exitUsage.
type usageError struct{ error }

// Unwrap gives the error inside.
func (e usageError) Unwrap() error { return e.error }

// usagef makes a usageError. Its words say what to type instead.
func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exitCode is the exit code that err stands for.
func exitCode(err error) int {
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		return exitUsage
	}
	return exitFailed
}

// oneLine is the error as one line, whatever is inside of it.
func oneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}

// badFlags turns the flag parser's complaint into a usageError.
func badFlags(c *cli.Context, err error, _ bool) error {
	return usagef("%w: see skerry %s--help", err, commandWords(c))
}

// noSuchCommand is the action of the program and of groups of commands, which
// do nothing by themselves.
func noSuchCommand(c *cli.Context) error {
	if name := c.Args().First(); name != "" {
		return usagef("there is no command %q: see skerry %s--help", name, commandWords(c))
	}
	return usagef("a command is missing: see skerry %s--help", commandWords(c))
}

// commandWords are the words of the command at hand, each followed by a space;
// none for the program itself.
func commandWords(c *cli.Context) string {
	words := ""
	for _, at := range c.Lineage() {
		if at.Command == nil || at.Command.Name == "" || at.Command.Name == c.App.Name {
			continue
		}
		words = at.Command.Name + " " + words
	}
	return words
}

// operands returns the command's operands, which must be as many as names. The
// first one names something and is not empty.
func operands(c *cli.Context, names ...string) ([]string, error) {
	got := c.Args().Slice()
	if len(got) == len(names) {
		if len(got) > 0 && got[0] == "" {
			return nil, usagef("%s is empty: see skerry %s--help", names[0], commandWords(c))
		}
		return got, nil
	}
	want := strings.Join(names, " ")
	if len(names) == 0 {
		want = "nothing"
	}
	return nil, usagef("skerry %stakes %s, got %d words: see skerry %s--help", commandWords(c), want, len(got), commandWords(c))
}
