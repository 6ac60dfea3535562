package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"
)

// errNotSecured ends an agent without --dev.
var errNotSecured = errors.New("a secured site comes with a later version; for a trial on this machine use --dev")

func agentCommand() *cli.Command {
	return &cli.Command{
		Name:  "agent",
		Usage: "run a node: the daemon",
		Description: "Every flag has an environment variable, SKERRY_ and its name in capitals with _ for -, and a\n" +
			"key of its name in the TOML file that --config names. A flag goes before the environment, and\n" +
			"the environment before the file. skerry.toml in the sources shows all keys.",
		Flags:  agentFlags(),
		Action: agent,
	}
}

func agent(c *cli.Context) error {
	if _, err := operands(c); err != nil {
		return err
	}
	if err := readConfigFile(c, c.String("config")); err != nil {
		return err
	}
	s, err := agentSettings(c)
	if err != nil {
		return err
	}
	if !s.dev {
		return errNotSecured
	}
	if !s.devUnsafe {
		if err := s.requireLoopback(); err != nil {
			return err
		}
	}
	if err := runAgent(c.Context, s, c.App.ErrWriter); err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	return nil
}
