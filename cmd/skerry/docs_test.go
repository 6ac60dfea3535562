package main

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// TestDocumentedCommandsExist reads every command line in the documents that
// begins with skerry, and looks its words and flags up.
func TestDocumentedCommandsExist(t *testing.T) {
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range append(files, "../../README.md") {
		for _, line := range commandLines(t, file) {
			found++
			if wrong := unknownIn(line); wrong != "" {
				t.Errorf("%s: %q: there is no %s", filepath.Base(file), line, wrong)
			}
		}
	}
	if found == 0 {
		t.Error("no command is documented")
	}
}

// commandLines are the lines of a document's code blocks that run skerry, with
// continued lines joined.
func commandLines(tb testing.TB, file string) []string {
	tb.Helper()
	f, err := os.Open(file)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	var lines []string
	inCode, line := false, ""
	for sc := bufio.NewScanner(f); sc.Scan(); {
		text := strings.TrimSpace(sc.Text())
		if strings.HasPrefix(text, "```") {
			inCode, line = !inCode, ""
			continue
		}
		more := strings.HasSuffix(text, "\\")
		line += strings.TrimSuffix(text, "\\")
		if more {
			continue
		}
		line = strings.TrimPrefix(strings.TrimPrefix(line, "$ "), "bin/")
		if inCode && strings.HasPrefix(line, "skerry ") {
			lines = append(lines, line)
		}
		line = ""
	}
	return lines
}

// unknownIn names the first word or flag of a command line that skerry does
// not have, "" when it has all.
func unknownIn(line string) string {
	line, _, _ = strings.Cut(line, " #")
	line, _, _ = strings.Cut(line, " |")
	app := newApp(io.Discard, io.Discard)
	commands, flags := app.Commands, app.Flags
	words := strings.Fields(line)[1:]
	for len(words) > 0 && len(commands) > 0 && !isFlag(words[0]) {
		c := find(commands, words[0])
		if c == nil {
			return "command " + words[0]
		}
		commands, flags, words = c.Subcommands, append(slices.Clone(flags), c.Flags...), words[1:]
	}
	for _, w := range words {
		if w = strings.Trim(w, "'\"[]()"); isFlag(w) && !hasFlag(flags, w) {
			return "flag " + w
		}
	}
	return ""
}

func hasFlag(flags []cli.Flag, word string) bool {
	name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
	if name == "help" || name == "version" {
		return true
	}
	return slices.ContainsFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
}
