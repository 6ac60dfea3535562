package main

import "github.com/urfave/cli/v2"

func deviceErase(c *cli.Context) error {
	name, err := operands(c, "DEVICE")
	if err != nil {
		return err
	}
	if !c.Bool("yes") {
		return usagef("what device %s has sent would be gone for good: say --yes", name[0])
	}
	cl, err := dial(c)
	if err != nil {
		return err
	}
	if err := cl.Erase(c.Context, name[0]); err != nil {
		return err
	}
	answer := struct {
		Erased string `json:"erased"`
	}{name[0]}
	return show(c, answer, func(t *table) {
		t.line("what device " + name[0] + " has sent is in no answer any more; each node rewrites its files, see erasing in skerry status -o json")
		t.line("what the bucket has of it already stays there")
	})
}
