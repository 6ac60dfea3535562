package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"skerry/cmd/skerry/bench"
	"skerry/cmd/skerry/site"
)

const (
	// startPoll is how exactly a start is timed.
	startPoll = 2 * time.Millisecond
	// singleSlice is how long readings come one by one before the log is looked at.
	singleSlice = 2 * time.Second
)

func benchStartCommand() *cli.Command {
	return &cli.Command{
		Name:  "start",
		Usage: "time the start of a node that holds much",
		Description: "It fills a site of its own with a history, then with log and with known messages that no snapshot\n" +
			"has yet, kills a follower, has the kernel forget its files, and times it until it is ready.",
		Flags: []cli.Flag{
			&cli.Int64Flag{Name: "readings", Value: 1_000_000, Usage: "`N` readings of history"},
			&cli.IntFlag{Name: "series", Value: 1000, Usage: "`N` series"},
			&cli.Int64Flag{Name: "log", Value: 64, Usage: "`MIB` of log that the start replays"},
			&cli.Float64Flag{Name: "singles", Value: 0.5, Usage: "`SHARE` of that log that came as single readings, whose messages are known"},
			&cli.IntFlag{Name: "clients", Value: 256, Usage: "`N` clients that send them"},
			&cli.StringFlag{Name: "profile", Value: "sdcard", Usage: "`PROFILE` of the nodes"},
			&cli.IntFlag{Name: "starts", Value: 5, Usage: "`N` starts"},
			&cli.DurationFlag{Name: "rest", Value: time.Minute, Usage: "how long, `D`, the node rests after the last start before its memory is read"},
			&cli.StringFlag{Name: "dir", Usage: "`DIR` for the site, kept afterwards (default: a temporary one)"},
			&cli.StringFlag{Name: "again", Usage: "`DIR` that an earlier run was told to keep: its site is started again as it is"},
			&cli.StringSliceFlag{Name: "agent-flag", Usage: "`FLAG=VALUE` for the agents, as log-store=bolt"},
			&cli.Uint64Flag{Name: "seed", Usage: "`SEED` of the values (default: random)"},
		},
		Action: benchStart,
	}
}

// started is what was measured.
type started struct {
	Readings  int64       `json:"readings"`
	Series    int         `json:"series"`
	Files     int         `json:"files"`      // of the node's history
	DiskBytes float64     `json:"disk_bytes"` // of them, a reading
	LogBytes  int64       `json:"log_bytes"`
	Starts    []startTook `json:"starts"`
	Rest      memory      `json:"rest"`
}

type startTook struct {
	Seconds float64 `json:"seconds"` // until ready
	Memory  memory  `json:"memory"`  // then
}

type memory struct {
	RSS  int64 `json:"rss_bytes"`
	Peak int64 `json:"peak_rss_bytes"`
}

func benchStart(c *cli.Context) (err error) {
	if _, err := operands(c); err != nil {
		return err
	}
	if _, err := wantsJSON(c); err != nil {
		return err
	}
	again := c.String("again")
	dir, remove := again, func(error) {}
	if again == "" {
		if dir, remove, err = workDir(c.String("dir")); err != nil {
			return err
		}
	}
	defer func() { remove(err) }()
	// A snapshot comes only with a quarter more log than is to be replayed.
	args := []string{"--profile", c.String("profile"), "--snapshot-after", fmt.Sprint(c.Int64("log") << 20 * 5 / 4)}
	for _, f := range c.StringSlice("agent-flag") {
		args = append(args, "--"+f)
	}
	s, err := site.Start(c.Context, site.Config{Dir: dir, Nodes: 3, Site: "bench", Args: args})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	result, err := fillAndStart(c, s)
	if err != nil {
		return err
	}
	return show(c, result, func(t *table) { startTable(t, &result) })
}

func fillAndStart(c *cli.Context, s *site.Site) (r started, err error) {
	leader, err := s.WaitLeader(c.Context)
	if err != nil {
		return r, err
	}
	node := s.Nodes[0] // the one that is started again
	if node == leader {
		node = s.Nodes[1]
	}
	seed := c.Uint64("seed")
	if !c.IsSet("seed") {
		seed = rand.Uint64()
	}
	if c.String("again") != "" {
		return timeStarts(c, node)
	}
	fill := &bench.Fill{HTTP: []string{leader.Addresses.HTTP}, Series: c.Int("series"), Readings: c.Int64("readings"), Seed: seed}
	stored, err := fill.Run(c.Context)
	if err != nil {
		return r, err
	}
	if err := fillLog(c, fill, stored, leader, node); err != nil {
		return r, err
	}
	return timeStarts(c, node)
}

// timeStarts starts the node again and again, and looks at what it then holds.
func timeStarts(c *cli.Context, node *site.Node) (r started, err error) {
	for range c.Int("starts") {
		took, err := timeStart(c.Context, node)
		if err != nil {
			return r, err
		}
		r.Starts = append(r.Starts, took)
	}
	if err := sleep(c.Context, c.Duration("rest"), context.Canceled); err != nil {
		return r, err
	}
	if r.Rest, err = memoryOf(node.PID()); err != nil {
		return r, err
	}
	st, err := node.Client().Status(c.Context)
	if err != nil {
		return r, err
	}
	r.Series, r.LogBytes, r.Readings = c.Int("series"), st.LogBytes, int64(st.LastSeq)
	r.Files, r.DiskBytes, err = historyOf(node.Dir)
	r.DiskBytes /= float64(st.LastSeq - st.HeadReadings)
	return r, err
}

// fillLog goes on until the node holds as much log after a snapshot as is
// asked for, the last part of it in single readings.
func fillLog(c *cli.Context, fill *bench.Fill, stored int64, leader, node *site.Node) error {
	logBytes := func() int64 {
		st, err := node.Client().Status(c.Context)
		if err != nil {
			return 0
		}
		return st.LogBytes
	}
	want := c.Int64("log") << 20
	packs := int64(float64(want) * (1 - c.Float64("singles")))
	more := *fill
	more.From, more.Readings = stored, 1<<62
	// A snapshot first, so that the log is as long as is asked for and no longer.
	more.Until = func() bool { return logBytes() < 4<<20 }
	var err error
	if more.From, err = more.Run(c.Context); err != nil {
		return err
	}
	more.Until = func() bool { return logBytes() >= packs }
	if more.From, err = more.Run(c.Context); err != nil {
		return err
	}
	to, err := netip.ParseAddrPort(leader.Addresses.CoAP)
	if err != nil {
		return err
	}
	for logBytes() < want {
		r, err := bench.Run(c.Context, bench.Config{To: []netip.AddrPort{to}, Clients: c.Int("clients"), Duration: singleSlice, Seed: rand.Uint64()})
		if err != nil {
			return err
		}
		if r.Errors > 0 { // the window of known messages is full
			break
		}
	}
	more.Until = func() bool { return logBytes() >= want }
	_, err = more.Run(c.Context)
	return err
}

// timeStart kills a node and starts it again with nothing of its files in the
// kernel's memory.
func timeStart(ctx context.Context, n *site.Node) (took startTook, err error) {
	if err := n.Kill(); err != nil {
		return took, err
	}
	if err := forget(n.Dir); err != nil {
		return took, err
	}
	began := time.Now()
	if err := n.Start(); err != nil {
		return took, err
	}
	for n.Client().Ready(ctx) != nil {
		if err := sleep(ctx, startPoll, context.Canceled); err != nil {
			return took, err
		}
		if time.Since(began) > time.Minute {
			return took, fmt.Errorf("node %s is not ready after a minute: see %s", n.Name, n.Log)
		}
	}
	took.Seconds = time.Since(began).Seconds()
	took.Memory, err = memoryOf(n.PID())
	return took, err
}

// forget has the kernel drop what it holds of the files of a folder.
func forget(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		// What is not on the disk yet stays.
		err = errors.Join(f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
		return errors.Join(err, f.Close())
	})
}

func memoryOf(pid int) (m memory, err error) {
	m.RSS, m.Peak, err = bench.Memory(pid)
	return m, err
}

// historyOf counts the files of a node's history and their bytes.
func historyOf(dir string) (files int, bytes float64, err error) {
	err = filepath.WalkDir(filepath.Join(dir, "segments", "readings"), func(_ string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			files, bytes = files+1, bytes+float64(info.Size())
		}
		return err
	})
	return files, bytes, err
}

func startTable(t *table, r *started) {
	t.row("history", fmt.Sprintf("%d readings of %d series in %d files, %.1f bytes a reading", r.Readings, r.Series, r.Files, r.DiskBytes))
	t.row("log", fmt.Sprintf("%d MiB since the last snapshot", r.LogBytes>>20))
	for _, s := range r.Starts {
		t.row("start", fmt.Sprintf("ready after %.2f s, with %d MiB resident, %d MiB at most", s.Seconds, s.Memory.RSS>>20, s.Memory.Peak>>20))
	}
	t.row("rest", fmt.Sprintf("%d MiB resident, %d MiB at most", r.Rest.RSS>>20, r.Rest.Peak>>20))
}
