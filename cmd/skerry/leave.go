package main

import (
	"github.com/urfave/cli/v2"
)

func leaveCommand() *cli.Command {
	return &cli.Command{
		Name:   "leave",
		Usage:  "take the asked node out of its site and stop it",
		Action: leave,
	}
}

func leave(c *cli.Context) error {
	if _, err := operands(c); err != nil {
		return err
	}
	cl, err := dial(c)
	if err != nil {
		return err
	}
	s, err := cl.Status(c.Context)
	if err != nil {
		return err
	}
	if err := cl.Leave(c.Context); err != nil {
		return err
	}
	answer := struct {
		Left string `json:"left"`
	}{s.Node}
	return show(c, answer, func(t *table) {
		t.line("node " + s.Node + " leaves the site and stops")
	})
}
