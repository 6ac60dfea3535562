package main

import (
	"net/url"
	"strconv"

	"github.com/urfave/cli/v2"

	"skerry/cluster"
)

func latestCommand() *cli.Command {
	return &cli.Command{
		Name:      "latest",
		Usage:     "print the latest reading of every series, or of those that a pattern picks",
		ArgsUsage: "[DEVICE[/RESOURCE]]",
		Description: "DEVICE and RESOURCE are patterns: * stands for any characters, '/' too, ? for one. Quote them for\n" +
			"the shell. A pattern with a '/' in the device ends with one more. -o takes table, json and csv.",
		Flags:  []cli.Flag{consistencyFlag()},
		Action: latest,
	}
}

func consistencyFlag() cli.Flag {
	return &cli.StringFlag{Name: "consistency", Value: "linearizable", Usage: "what the answer must hold: linearizable, leader or local"}
}

// picked is the query of the patterns in an optional operand.
func picked(c *cli.Context) (url.Values, error) {
	query := url.Values{}
	if c.NArg() > 1 {
		_, err := operands(c, "[DEVICE[/RESOURCE]]")
		return nil, err
	}
	device, resource := splitSeries(c.Args().First())
	if device != "" {
		query.Set("device", device)
	}
	if resource != "" {
		query.Set("resource", resource)
	}
	return query, nil
}

func latest(c *cli.Context) error {
	query, err := picked(c)
	if err != nil {
		return err
	}
	if _, err := cluster.ParseConsistency(c.String("consistency")); err != nil {
		return usageError{err}
	}
	query.Set("consistency", c.String("consistency"))
	query.Set("limit", strconv.Itoa(pageReadings))
	out, err := newReadingWriter(c.App.Writer, c.String("o"))
	if err != nil {
		return err
	}
	cl, err := connect(c)
	if err != nil {
		return err
	}
	for {
		page, err := cl.LatestPage(c.Context, query)
		if err != nil {
			return err
		}
		if err := out.page(page.Readings); err != nil {
			return err
		}
		if page.Next == "" {
			return out.close("")
		}
		query.Set("cursor", page.Next)
	}
}
