package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"skerry/cloudsync"
)

func cloudCommand() *cli.Command {
	return &cli.Command{
		Name:  "cloud",
		Usage: "see and move what goes to the bucket",
		Subcommands: []*cli.Command{
			{Name: "status", Usage: "show backlog, lag and last commit", Action: cloudStatus},
			{Name: "sync", Usage: "close what is open, ship it, and return when the bucket has it", Action: cloudSync},
			{
				Name:  "verify",
				Usage: "read the tables and say what is wrong with them",
				Description: "Without --cloud it reads the bucket of the node at --addr, which must be reachable from here,\n" +
					"and compares it with what the site has shipped. With --cloud it needs no node.",
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "cloud", EnvVars: []string{"SKERRY_CLOUD"}, Usage: "`URL` of the bucket (default: that of the node)"},
					&cli.StringFlag{Name: "site", EnvVars: []string{"SKERRY_SITE"}, Usage: "`NAME` of the site (default: that of the node, or demo with --cloud)"},
				},
				Action: cloudVerify,
			},
		},
	}
}

func cloudStatus(c *cli.Context) error {
	if _, err := operands(c); err != nil {
		return err
	}
	cl, err := dial(c)
	if err != nil {
		return err
	}
	raw, err := cl.Raw(c.Context, "/v1/cloud", nil)
	if err != nil {
		return err
	}
	return showCloud(c, raw)
}

func cloudSync(c *cli.Context) error {
	if _, err := operands(c); err != nil {
		return err
	}
	cl, err := dial(c)
	if err != nil {
		return err
	}
	raw, err := cl.Sync(c.Context)
	if err != nil {
		return err
	}
	return showCloud(c, raw)
}

// showCloud prints a bucket's status as a node wrote it.
func showCloud(c *cli.Context, raw json.RawMessage) error {
	var s cloudsync.Status
	if err := json.Unmarshal(raw, &s); err != nil {
		return fmt.Errorf("status of the bucket: %w", err)
	}
	return show(c, raw, func(t *table) {
		t.line(fmt.Sprintf("%s, %s at node %s", s.URL, s.State, s.Node))
		if s.LastError != "" {
			t.line("last error: " + s.LastError)
		}
		t.row("TABLE", "SITE HAS", "BUCKET HAS", "BACKLOG ROWS", "BACKLOG BYTES", "LAG", "COMMIT", "WHEN")
		for _, b := range s.Tables {
			when := "-"
			if b.LastCommit != nil {
				when = timeText(*b.LastCommit)
			}
			lag := time.Duration(b.LagSeconds * float64(time.Second)).Round(time.Second)
			t.row(b.Table, b.Last, b.Synced, b.BacklogRows, b.BacklogBytes, lag, b.Commit, when)
		}
	})
}

func cloudVerify(c *cli.Context) error {
	if _, err := operands(c); err != nil {
		return err
	}
	if _, err := wantsJSON(c); err != nil {
		return err
	}
	url, site, known, err := bucketOf(c)
	if err != nil {
		return err
	}
	report, err := cloudsync.Verify(c.Context, url, site)
	if err != nil {
		return err
	}
	for _, t := range known {
		report.Expect(t.Table, t.Commit)
	}
	if err := show(c, report, func(t *table) { verifyTable(t, &report) }); err != nil {
		return err
	}
	if n := len(report.Findings); n > 0 {
		return fmt.Errorf("the bucket %s is damaged: %d findings", url, n)
	}
	return nil
}

// bucketOf is the bucket to verify, and what the site says of its tables where
// a node was asked.
func bucketOf(c *cli.Context) (url, site string, known []cloudsync.TableStatus, err error) {
	url, site = c.String("cloud"), c.String("site")
	if url != "" {
		if site == "" {
			site = defaultSite
		}
		return url, site, nil, nil
	}
	if site != "" {
		return "", "", nil, usagef("--site without --cloud: a node's bucket is of its own site")
	}
	cl, err := dial(c)
	if err != nil {
		return "", "", nil, err
	}
	node, err := cl.Status(c.Context)
	if err != nil {
		return "", "", nil, err
	}
	var status cloudsync.Status
	raw, err := cl.Raw(c.Context, "/v1/cloud", nil)
	if err == nil {
		err = json.Unmarshal(raw, &status)
	}
	if err == nil && status.URL == "" {
		err = errors.New("the node names no bucket: give --cloud URL")
	}
	return status.URL, node.Site, status.Tables, err
}

func verifyTable(t *table, r *cloudsync.Report) {
	t.row("TABLE", "COMMITS TO", "FILES", "ROWS", "LAST", "BYTES")
	for _, b := range r.Tables {
		t.row(b.Table, b.Commit, b.Files, b.Rows, b.Last, b.Bytes)
	}
	for _, f := range r.Notes {
		t.line("note: " + f.String())
	}
	for _, f := range r.Findings {
		t.line("WRONG: " + f.String())
	}
	if r.OK() {
		t.line("nothing is wrong")
	}
}
