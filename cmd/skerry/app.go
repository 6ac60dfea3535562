package main

import (
	"io"

	"github.com/urfave/cli/v2"
)

// newApp is the command line: one file of this package for each command.
func newApp(stdout, stderr io.Writer) *cli.App {
	app := &cli.App{
		Name:            "skerry",
		Usage:           "makes a few edge gateways into one dependable store",
		UsageText:       "skerry COMMAND [flags] [operands]",
		Version:         version,
		Writer:          stdout,
		ErrWriter:       stderr,
		HideHelpCommand: true,
		Flags:           append(globalFlags(), toFlag()),
		Action:          noSuchCommand,
		OnUsageError:    badFlags,
		// An address of a camera may hold a comma.
		DisableSliceFlagSeparator: true,
		// The exit code is the business of main alone.
		ExitErrHandler: func(*cli.Context, error) {},
		Commands: []*cli.Command{
			demoCommand(),
			agentCommand(),
			membersCommand(),
			statusCommand(),
			postCommand(),
			getCommand(),
			latestCommand(),
			watchCommand(),
			exportCommand(),
			leaveCommand(),
			logStoreCommand(),
			cloudCommand(),
			deviceCommand(),
			retentionCommand(),
			taskCommand(),
			snapshotCommand(),
			benchCommand(),
			doctorCommand(),
			versionCommand(),
		},
	}
	for _, c := range app.Commands {
		settle(c)
	}
	return app
}

// settle gives a command, or the commands of a group, what all of them share.
// Global flags are parsed by the command itself: arrange has moved them there.
func settle(c *cli.Command) {
	c.HideHelpCommand = true
	c.OnUsageError = badFlags
	if len(c.Subcommands) == 0 {
		c.Flags = append(c.Flags, globalFlags()...)
		return
	}
	c.Action = noSuchCommand
	for _, sub := range c.Subcommands {
		settle(sub)
	}
}
