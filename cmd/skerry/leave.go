package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"skerry/cluster"
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
	members, err := cl.Members(c.Context)
	if err != nil {
		return err
	}
	if isLast(s.Node, members) {
		return fmt.Errorf("%s is the site's last node, there is no other to keep the data: stop its process instead", s.Node)
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

// isLast reports whether no other node of the site has a vote.
func isLast(name string, members []cluster.Member) bool {
	for _, m := range members {
		if m.Name != name && (m.Role == "voter" || m.Role == "leader") {
			return false
		}
	}
	return true
}
