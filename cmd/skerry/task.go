package main

import (
	"cmp"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"skerry/cmd/skerry/client"
	"skerry/fsm"
	"skerry/task"
)

func taskCommand() *cli.Command {
	return &cli.Command{
		Name:  "task",
		Usage: "have the site work on its readings",
		Subcommands: []*cli.Command{
			{Name: "ls", Usage: "list the tasks", Action: taskList},
			{
				Name:      "create",
				Usage:     "start a task; count is the kind there is",
				ArgsUsage: "count",
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "id", Usage: "`NAME` of the task; the same one again is no second task (default: made up)"},
					&cli.StringFlag{Name: "device", Value: "*", Usage: "which devices: a `PATTERN` with * and ?"},
					&cli.StringFlag{Name: "resource", Usage: "which resource, `NAME`"},
					&cli.StringFlag{Name: "where", Usage: "what counts, as '> 10' (default: everything)"},
					&cli.DurationFlag{Name: "every", Value: time.Minute, Usage: "length of a window, `D`"},
					&cli.StringFlag{Name: "output", Usage: "`DEVICE/RESOURCE` that the counts are stored under"},
				},
				Action: taskCreate,
			},
			{Name: "show", Usage: "show one task", ArgsUsage: "TASK", Action: taskShow},
			{Name: "cancel", Usage: "end a task; what it has counted stays", ArgsUsage: "TASK", Action: taskCancel},
		},
	}
}

func taskList(c *cli.Context) error {
	if _, err := operands(c); err != nil {
		return err
	}
	cl, err := dial(c)
	if err != nil {
		return err
	}
	tasks, err := cl.Tasks(c.Context)
	if err != nil {
		return err
	}
	answer := struct {
		Tasks []client.Task `json:"tasks"`
	}{tasks}
	return show(c, answer, func(t *table) {
		t.row("TASK", "STATE", "NODE", "ATTEMPT", "CURSOR", "BEHIND", "WHAT")
		for i := range tasks {
			k := &tasks[i]
			t.row(k.ID, k.State, cmp.Or(k.Node, "-"), k.Attempt, k.Cursor, k.Behind, describe(&k.Spec))
		}
	})
}

func taskCreate(c *cli.Context) error {
	kind, err := operands(c, "count")
	if err != nil {
		return err
	}
	if kind[0] != "count" {
		return usagef("there is no task of kind %q: the kind there is is count", kind[0])
	}
	spec, err := task.NewCount(c.String("device"), c.String("resource"), c.String("where"), c.Duration("every"), c.String("output"))
	if err != nil {
		return usageError{err}
	}
	cl, err := dial(c)
	if err != nil {
		return err
	}
	id, err := cl.CreateTask(c.Context, c.String("id"), spec)
	if err != nil {
		return err
	}
	answer := struct {
		ID string `json:"id"`
	}{id}
	return show(c, answer, func(t *table) { t.line("task " + id + ": " + describe(&spec)) })
}

func taskShow(c *cli.Context) error {
	id, err := operands(c, "TASK")
	if err != nil {
		return err
	}
	cl, err := dial(c)
	if err != nil {
		return err
	}
	k, err := cl.Task(c.Context, id[0])
	if err != nil {
		return err
	}
	return show(c, k, func(t *table) {
		t.row("task", k.ID)
		t.row("what", describe(&k.Spec))
		t.row("state", k.State)
		t.row("created", timeText(k.Created))
		t.row("run", fmt.Sprintf("attempt %d on %s, its lease for %.1f s", k.Attempt, cmp.Or(k.Node, "no node"), k.LeaseLeft))
		t.row("readings", fmt.Sprintf("%d looked at since it was created, %d not yet", k.Cursor-k.Start, k.Behind))
		if len(k.Progress) > 0 {
			t.row("progress", string(k.Progress))
		}
	})
}

func taskCancel(c *cli.Context) error {
	id, err := operands(c, "TASK")
	if err != nil {
		return err
	}
	cl, err := dial(c)
	if err != nil {
		return err
	}
	if err := cl.CancelTask(c.Context, id[0]); err != nil {
		return err
	}
	answer := struct {
		Cancelled string `json:"cancelled"`
	}{id[0]}
	return show(c, answer, func(t *table) { t.line("task " + id[0] + " is cancelled") })
}

// describe is a spec in a few words.
func describe(s *fsm.TaskSpec) string {
	every := time.Duration(s.Every) * time.Microsecond
	return fmt.Sprintf("%s %s/%s %s every %s into %s/%s",
		s.Kind, s.Device, s.Resource, task.FormatWhere(s), every, s.OutputDevice, s.OutputResource)
}
