package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

// arrange puts a command line into the order package flag can parse: the
// program, the command's words, its flags, "--", its operands. So flags may
// stand before the command and after its operands, and a negative number is an
// operand and not a flag.
func arrange(app *cli.App, args []string) []string {
	if len(args) == 0 {
		return args
	}
	words := args[:1:1]
	var flags, rest []string
	known, commands := []cli.Flag(nil), app.Commands
	args = args[1:]
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			rest = append(rest, args...)
			args = nil
		case isFlag(arg):
			flags = append(flags, arg)
			if takesNext(arg, known, app.Flags) && len(args) > 0 {
				flags = append(flags, args[0])
				args = args[1:]
			}
		default:
			cmd := find(commands, arg)
			if cmd == nil || len(rest) > 0 {
				rest = append(rest, arg)
				continue
			}
			words = append(words, arg)
			known, commands = cmd.Flags, cmd.Subcommands
		}
	}
	words = append(words, flags...)
	if len(rest) == 0 {
		return words
	}
	return append(append(words, "--"), rest...)
}

// isFlag tells a flag from an operand. "-" and negative numbers are operands.
func isFlag(arg string) bool {
	if len(arg) < 2 || arg[0] != '-' {
		return false
	}
	_, err := strconv.ParseFloat(arg, 64)
	return err != nil
}

// takesNext reports whether the value of a flag is the argument after it. A
// flag that nobody knows takes none: the parser will name it.
func takesNext(arg string, sets ...[]cli.Flag) bool {
	name := strings.TrimLeft(arg, "-")
	if strings.Contains(name, "=") {
		return false
	}
	for _, set := range sets {
		for _, f := range set {
			if !slices.Contains(f.Names(), name) {
				continue
			}
			doc, ok := f.(cli.DocGenerationFlag)
			return ok && doc.TakesValue()
		}
	}
	return false
}

func find(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}
