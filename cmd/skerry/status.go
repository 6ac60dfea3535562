package main

import (
	"cmp"
	"encoding/json"
	"fmt"

	"github.com/urfave/cli/v2"

	"skerry/cluster"
)

func statusCommand() *cli.Command {
	return &cli.Command{
		Name:   "status",
		Usage:  "show how the asked node sees itself and the site",
		Action: status,
	}
}

func status(c *cli.Context) error {
	if _, err := operands(c); err != nil {
		return err
	}
	cl, err := dial(c)
	if err != nil {
		return err
	}
	// What the node adds to its status is passed on in JSON as it came.
	raw, err := cl.Raw(c.Context, "/v1/status", nil)
	if err != nil {
		return err
	}
	var s cluster.Status
	if err := json.Unmarshal(raw, &s); err != nil {
		return fmt.Errorf("status: %w", err)
	}
	return show(c, raw, func(t *table) {
		t.row("node", fmt.Sprintf("%s (%s) of site %s", s.Node, s.State, s.Site))
		t.row("leader", cmp.Or(s.Leader, "none"))
		t.row("term", s.Term)
		t.row("index", fmt.Sprintf("%d committed, %d applied", s.CommitIndex, s.AppliedIndex))
		t.row("readings", fmt.Sprintf("%d, of them %d in the head, %d cuts", s.LastSeq, s.HeadReadings, s.Cuts))
		t.row("frames", s.LastFrame)
		t.row("in the bucket", fmt.Sprintf("readings up to %d, %d gaps", s.SyncedSeq, s.Gaps))
		t.row("missing here", fmt.Sprintf("%d cuts", s.Missing))
		t.row("digest", s.Digest)
		t.row("clock", s.Clock)
		t.row("ready", yesNo(s.Ready))
		t.row("version", s.Version)
		t.row("level", levelOf(&s))
	})
}

// levelOf is the site's level and what it waits for.
func levelOf(s *cluster.Status) string {
	if s.LevelWaits == "" {
		return fmt.Sprint(s.Level)
	}
	return fmt.Sprintf("%d; %s", s.Level, s.LevelWaits)
}
