package main

import (
	"cmp"

	"github.com/urfave/cli/v2"

	"skerry/cluster"
)

func membersCommand() *cli.Command {
	return &cli.Command{
		Name:   "members",
		Usage:  "list the site's nodes as the asked node knows them",
		Action: members,
	}
}

func members(c *cli.Context) error {
	if _, err := operands(c); err != nil {
		return err
	}
	cl, err := dial(c)
	if err != nil {
		return err
	}
	list, err := cl.Members(c.Context)
	if err != nil {
		return err
	}
	answer := struct {
		Members []cluster.Member `json:"members"`
	}{list}
	return show(c, answer, func(t *table) {
		t.row("NAME", "ROLE", "ALIVE", "ADDRESS", "HTTP", "COAP", "ID")
		for _, m := range list {
			t.row(m.Name, m.Role, yesNo(m.Alive), m.Address, cmp.Or(m.HTTP, "-"), cmp.Or(m.CoAP, "-"), m.ID)
		}
	})
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
