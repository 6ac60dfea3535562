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
		t.row("kept", keptText(&s))
		t.row("disk", diskText(&s))
		t.row("missing here", fmt.Sprintf("%d cuts", s.Missing))
		t.row("digest", s.Digest)
		if s.Alarm != "" {
			t.row("ALARM", s.Alarm)
		}
		t.row("clock", s.Clock)
		t.row("ready", yesNo(s.Ready))
		t.row("version", s.Version)
		t.row("level", levelOf(&s))
	})
}

// keptText is what the site still has.
func keptText(s *cluster.Status) string {
	text := fmt.Sprintf("readings from %d, frames from %d on", s.RetainedFrom, s.RetainedFrame)
	if s.GapReadings+s.GapFrames > 0 {
		text += fmt.Sprintf("; %d readings and %d frames were dropped that the bucket lacks", s.GapReadings, s.GapFrames)
	}
	if s.CopiesFrom > s.RetainedFrom {
		text += fmt.Sprintf("; this node has copies from %d on", s.CopiesFrom)
	}
	return text
}

// diskText is how much room the node has, and for how long.
func diskText(s *cluster.Status) string {
	d := &s.Disk
	text := fmt.Sprintf("%s, %s of %s free, %s in files", d.State, byteText(float64(d.Free)), byteText(float64(d.Total)), byteText(float64(d.Readings+d.Frames)))
	if d.DaysUntilFull != nil {
		text += fmt.Sprintf(", full in %.1f days", *d.DaysUntilFull)
	}
	switch {
	case s.Refusing:
		text += "; readings are refused: no majority of the nodes has room"
	case d.State == "full":
		text += "; this node takes nothing until there is room"
	}
	return text
}

// levelOf is the site's level and what it waits for.
func levelOf(s *cluster.Status) string {
	if s.LevelWaits == "" {
		return fmt.Sprint(s.Level)
	}
	return fmt.Sprintf("%d; %s", s.Level, s.LevelWaits)
}
