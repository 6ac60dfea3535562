package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"skerry/cmd/skerry/client"
)

func retentionCommand() *cli.Command {
	text := func(name, usage string) cli.Flag { return &cli.StringFlag{Name: name, Usage: usage} }
	return &cli.Command{
		Name:  "retention",
		Usage: "show or say what the site keeps",
		Subcommands: []*cli.Command{
			{Name: "show", Usage: "show what the site keeps", Action: retentionShow},
			{
				Name: "set", Usage: "say what the site keeps; what is not named stays as it is", Action: retentionSet,
				Description: "The settings are the site's: every node drops the same, the oldest first, in closed ranges.\n" +
					"Ages count from when the rows were closed, by the site's own clock, which no step of a wall clock\n" +
					"reaches and which stands still while there is no leader.",
				Flags: []cli.Flag{
					text("age", "`D` for which readings are kept, as 30d or 12h; 0 for no bound"),
					text("bytes", "`SIZE` of files of readings that one node keeps, as 8GiB; 0 for no bound"),
					text("frames-age", "as --age, of frames"),
					text("frames-bytes", "as --bytes, of frames"),
					text("unshipped", "what becomes of rows that the bucket lacks: keep (then readings are refused when the disks are full) or drop (each with a gap)"),
				},
			},
		},
	}
}

func retentionShow(c *cli.Context) error {
	if _, err := operands(c); err != nil {
		return err
	}
	cl, err := dial(c)
	if err != nil {
		return err
	}
	r, err := cl.Retention(c.Context)
	if err != nil {
		return err
	}
	return showRetention(c, r)
}

func showRetention(c *cli.Context, r client.Retention) error {
	return show(c, r, func(t *table) {
		t.row("", "AGE", "BYTES ON A NODE")
		t.row("readings", ageText(r.Readings.Age), sizeText(r.Readings.Bytes))
		t.row("frames", ageText(r.Frames.Age), sizeText(r.Frames.Bytes))
		if r.Unshipped == "drop" {
			t.line("what the bucket lacks goes as well, each range with a gap")
		} else {
			t.line("what the bucket lacks stays; readings are refused when the disks are full of it")
		}
	})
}

func retentionSet(c *cli.Context) error {
	if _, err := operands(c); err != nil {
		return err
	}
	if !slices.ContainsFunc([]string{"age", "bytes", "frames-age", "frames-bytes", "unshipped"}, c.IsSet) {
		return usagef("nothing is to be set: name --age, --bytes, --frames-age, --frames-bytes or --unshipped")
	}
	cl, err := dial(c)
	if err != nil {
		return err
	}
	r, err := cl.Retention(c.Context)
	if err != nil {
		return err
	}
	if err := changeRetention(c, &r); err != nil {
		return err
	}
	if r, err = cl.SetRetention(c.Context, r); client.StatusCode(err) == 412 {
		return fmt.Errorf("somebody else has just set it: look at skerry retention show and set it again")
	}
	if err != nil {
		return err
	}
	return showRetention(c, r)
}

// changeRetention puts what the flags say into r.
func changeRetention(c *cli.Context, r *client.Retention) (err error) {
	for name, to := range map[string]*float64{"age": &r.Readings.Age, "frames-age": &r.Frames.Age} {
		if c.IsSet(name) {
			if *to, err = parseAge(c.String(name)); err != nil {
				return usagef("--%s %q: %s", name, c.String(name), err)
			}
		}
	}
	for name, to := range map[string]*uint64{"bytes": &r.Readings.Bytes, "frames-bytes": &r.Frames.Bytes} {
		if c.IsSet(name) {
			if *to, err = parseSize(c.String(name)); err != nil {
				return usagef("--%s %q: %s", name, c.String(name), err)
			}
		}
	}
	switch u := c.String("unshipped"); u {
	case "":
	case "keep", "drop":
		r.Unshipped = u
	default:
		return usagef("--unshipped %q: use keep or drop", u)
	}
	return nil
}

// parseAge reads days, as 30d, or a duration of Go's, in seconds.
func parseAge(text string) (seconds float64, err error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		if err != nil || n < 0 || math.IsNaN(n) || math.IsInf(n, 0) {
			return 0, fmt.Errorf("use days, as 30d")
		}
		return n * 86400, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("use 30d, 12h or 0")
	}
	return d.Seconds(), nil
}

// ageText is the inverse of parseAge.
func ageText(seconds float64) string {
	switch {
	case seconds == 0:
		return "no bound"
	case math.Mod(seconds, 86400) == 0:
		return strconv.FormatFloat(seconds/86400, 'f', -1, 64) + "d"
	case seconds < math.MaxInt64/float64(time.Second):
		return time.Duration(seconds * float64(time.Second)).String()
	}
	return strconv.FormatFloat(seconds/86400, 'f', 1, 64) + "d"
}

// sizeUnits are what a size may end in, the longest first.
var sizeUnits = []struct {
	name  string
	bytes float64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1},
}

// parseSize reads bytes, as 8GiB, 500MB or a plain number.
func parseSize(text string) (uint64, error) {
	number, unit := text, 1.0
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(text, u.name); ok {
			number, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || n < 0 || n*unit >= 1<<62 {
		return 0, fmt.Errorf("use 8GiB, 500MB, a number of bytes or 0")
	}
	return uint64(n * unit), nil
}

// sizeText is a size for people.
func sizeText(bytes uint64) string {
	if bytes == 0 {
		return "no bound"
	}
	return byteText(float64(bytes))
}

// byteText is bytes with a unit of 1024s.
func byteText(bytes float64) string {
	for _, u := range sizeUnits[:4] {
		if bytes >= u.bytes {
			return strconv.FormatFloat(bytes/u.bytes, 'f', 1, 64) + " " + u.name
		}
	}
	return strconv.FormatFloat(bytes, 'f', 0, 64) + " B"
}
