package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"skerry/cluster"
	"skerry/cluster/logstore"
)

func logStoreCommand() *cli.Command {
	return &cli.Command{
		Name:  "log-store",
		Usage: "how a node that does not run keeps its log",
		Subcommands: []*cli.Command{{
			Name:  "move",
			Usage: "bring the log of a data folder to another store",
			Description: "Works on the folder of a node that does not run, and is refused while one does. The old log counts\n" +
				"until the new one is whole and on disk: cut short anywhere, the node starts as it was, or the move\n" +
				"is made again. It needs as much free space as the log takes.",
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "data", Value: "skerry-data", EnvVars: []string{"SKERRY_DATA"}, Usage: "`DIR` that the node keeps everything in"},
				&cli.StringFlag{Name: "to", Usage: "the `STORE`: segmented, wal or bolt"},
			},
			Action: moveLog,
		}},
	}
}

func moveLog(c *cli.Context) error {
	if _, err := operands(c); err != nil {
		return err
	}
	if _, err := wantsJSON(c); err != nil {
		return err
	}
	if err := oneOf("to", c.String("to"), "segmented", "wal", "bolt"); err != nil {
		return err
	}
	m, err := cluster.MoveLog(c.String("data"), logstore.Kind(c.String("to")))
	if err != nil {
		return err
	}
	answer := struct {
		From  logstore.Kind `json:"from"`
		To    logstore.Kind `json:"to"`
		First uint64        `json:"first"`
		Last  uint64        `json:"last"`
	}{m.From, m.To, m.First, m.Last}
	return show(c, answer, func(t *table) {
		if m.From == m.To {
			t.line(fmt.Sprintf("the log is kept by %s already: nothing was moved", m.To))
			return
		}
		t.line(fmt.Sprintf("entries %d to %d of the log went from %s to %s", m.First, m.Last, m.From, m.To))
	})
}
