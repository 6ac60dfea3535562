package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"skerry/cloudsync"
	"skerry/cluster"
)

// defaultSite is the site of an agent that is told none.
const defaultSite = "demo"

// Bounds of an agent's settings.
const (
	maxExpect = 9
	maxLinger = time.Second

	minShipAfter = time.Second
	// minSnapshotAfter, in bytes, keeps snapshots from being most of the work.
	minSnapshotAfter = 64 << 10
	maxShipAfter     = 24 * time.Hour
)

// settings are an agent's: flags, environment and file put together.
type settings struct {
	name      string
	site      string
	data      string
	http      string // addresses to listen at, host:port
	doors     doorSettings
	cluster   string
	gossip    string
	advertise string // host at which others reach this node
	expect    int    // nodes that make a new site
	join      []string
	cloud     string
	profile   string
	logStore  string
	linger    time.Duration
	shipAfter time.Duration // oldest reading that waits for the bucket
	snapAfter int64         // bytes of log between two snapshots, 0 for the profile's
	reserve   int64         // bytes of the disk that are kept back, 0 for the profile's
	fetchRate int64         // bytes per second from peers, 0 for the profile's
	scrubRate int64         // bytes per second read again, 0 for the node's own
	cameras   []cameraSetting
	floating  []floatingSetting
	logLevel  slog.Level
	dev       bool
	devUnsafe bool
}

// cameraSetting is one --camera.
type cameraSetting struct{ name, source string }

// agentFlags are the keys of the config file, too; see skerry.toml.
func agentFlags() []cli.Flag {
	env := func(name string) []string {
		return []string{"SKERRY_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))}
	}
	text := func(name, value, usage string) cli.Flag {
		return &cli.StringFlag{Name: name, Value: value, Usage: usage, EnvVars: env(name)}
	}
	list := func(name, usage string) cli.Flag {
		return &cli.StringSliceFlag{Name: name, Usage: usage, EnvVars: env(name)}
	}
	return append(doorFlags(text),
		text("config", "", "TOML `FILE` with these settings"),
		text("name", hostName(), "`NAME` of the node, as people see it"),
		text("site", defaultSite, "`NAME` of the site it belongs to"),
		text("data", "skerry-data", "`DIR` it keeps everything in"),
		text("http", "127.0.0.1:7480", "`ADDRESS` of the operators' door, TCP"),
		text("cluster", "127.0.0.1:7420", "`ADDRESS` for the other nodes, TCP"),
		text("gossip", "127.0.0.1:7421", "`ADDRESS` for finding the other nodes, TCP and UDP"),
		text("advertise", "", "`HOST` at which the other nodes reach this one (default: that of --cluster)"),
		&cli.IntFlag{Name: "bootstrap-expect", Value: 3, Usage: "how many nodes, `N`, make a new site; 1 is a site of one that can grow", EnvVars: env("bootstrap-expect")},
		list("join", "gossip `ADDRESS`es of other nodes, with commas between them"),
		text("cloud", "", "`URL` of the bucket, as file:///var/lib/bucket (default: none)"),
		text("profile", "ssd", "what the disk is: ssd, sdcard, or wan where the nodes are far apart"),
		text("log-store", "", "how the log is kept: segmented, wal or bolt (default: as the folder has it, segmented in a new one)"),
		text("linger", "", "how long, `D`, a reading may wait for others to share its disk write (default: 40ms with --profile sdcard, else 0s)"),
		&cli.DurationFlag{Name: "ship-after", Value: cloudsync.DefaultAges().Latest, Usage: "how long, `D`, a reading may wait to be closed and shipped to the bucket", EnvVars: env("ship-after")},
		&cli.Int64Flag{Name: "snapshot-after", Usage: "`BYTES` of log after which a snapshot is taken; fewer start sooner and write more (default: 64 MiB for sdcard, else 256 MiB)", EnvVars: env("snapshot-after")},
		&cli.Int64Flag{Name: "reserve", Usage: "`BYTES` of the disk that are kept back for the log and for snapshots; with less left, no readings are taken (default: 32 MiB for sdcard, else 64 MiB, and 1/32 of the disk at most)", EnvVars: env("reserve")},
		&cli.Int64Flag{Name: "fetch-rate", Usage: "`BYTES` per second at which this node gets history that it lacks from the others (default: 8 MiB for ssd, 2 MiB for sdcard, 512 KiB for wan)", EnvVars: env("fetch-rate")},
		&cli.Int64Flag{Name: "scrub-rate", Usage: "`BYTES` per second at which this node reads its history again, to find what has rotted (default: all of it in a week, at most 8 MiB, 1 MiB for sdcard)", EnvVars: env("scrub-rate")},
		list("camera", "`NAME=SOURCE` of a camera to watch: an http:// MJPEG stream, folder:/dir?fps=5, or pattern:seed=7&fps=5"),
		list("floating-address", "`ADDRESS/BITS@INTERFACE` that one healthy node holds, as 10.0.0.100/24@eth0"),
		text("log-level", "info", "what is logged: debug, info, warn or error"),
		&cli.BoolFlag{Name: "dev", Usage: "no TLS, no tokens, this machine only: a trial", EnvVars: env("dev")},
		&cli.BoolFlag{Name: "dev-unsafe-addresses", Usage: "let --dev listen beyond this machine: whoever reaches it may do all", EnvVars: env("dev-unsafe-addresses")},
	)
}

// parseLinger reads --linger, "" for the profile's.
func parseLinger(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return 0, usagef("--linger %q is not a duration: write 40ms, or 0s to wait for nobody", text)
	case d < 0 || d > maxLinger:
		return 0, usagef("--linger %s is out of range: 0 to %s", d, maxLinger)
	case d == 0:
		return cluster.NoLinger, nil
	}
	return d, nil
}

// hostName is the machine's name up to its first dot, "n1" when it has none.
func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return "n1"
	}
	name, _, _ = strings.Cut(name, ".")
	return name
}

// agentSettings reads and checks the flags. Names and addresses are checked
// further by the rooms that use them.
func agentSettings(c *cli.Context) (settings, error) {
	s := settings{
		name: c.String("name"), site: c.String("site"), data: c.String("data"),
		http:    c.String("http"),
		cluster: c.String("cluster"), gossip: c.String("gossip"), advertise: c.String("advertise"),
		expect: c.Int("bootstrap-expect"), join: splitList(c.StringSlice("join")),
		cloud: c.String("cloud"), profile: c.String("profile"), logStore: c.String("log-store"),
		shipAfter: c.Duration("ship-after"), snapAfter: c.Int64("snapshot-after"), reserve: c.Int64("reserve"), fetchRate: c.Int64("fetch-rate"), scrubRate: c.Int64("scrub-rate"), dev: c.Bool("dev"), devUnsafe: c.Bool("dev-unsafe-addresses"),
	}
	var err error
	if s.doors, err = readDoors(c); err != nil {
		return settings{}, err
	}
	for _, a := range s.listenAddresses() {
		if _, _, err := net.SplitHostPort(a.value); err != nil {
			return settings{}, usagef("--%s %q is not an address: write HOST:PORT", a.flag, a.value)
		}
	}
	for _, addr := range s.join {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return settings{}, usagef("--join %q is not an address: write HOST:PORT, the --gossip of another node", addr)
		}
	}
	// One list may serve all nodes: its own address says nothing to a node.
	s.join = slices.DeleteFunc(s.join, func(addr string) bool { return addr == s.gossip })
	if s.advertise == "" {
		s.advertise, _, _ = net.SplitHostPort(s.cluster)
	}
	if s.expect < 1 || s.expect > maxExpect {
		return settings{}, usagef("--bootstrap-expect %d is out of range: 1 to %d", s.expect, maxExpect)
	}
	if s.linger, err = parseLinger(c.String("linger")); err != nil {
		return settings{}, err
	}
	if s.shipAfter < minShipAfter || s.shipAfter > maxShipAfter {
		return settings{}, usagef("--ship-after %s is out of range: %s to %s", s.shipAfter, minShipAfter, maxShipAfter)
	}
	if s.reserve < 0 {
		return settings{}, usagef("--reserve %d: use bytes, or 0 for the profile's", s.reserve)
	}
	if s.fetchRate < 0 || s.scrubRate < 0 {
		return settings{}, usagef("--fetch-rate and --scrub-rate: use bytes per second, or 0 for the node's own")
	}
	if s.snapAfter != 0 && s.snapAfter < minSnapshotAfter {
		return settings{}, usagef("--snapshot-after %d is too small: use %d or more, or 0 for the profile's", s.snapAfter, minSnapshotAfter)
	}
	if err := oneOf("profile", s.profile, "ssd", "sdcard", "wan"); err != nil {
		return settings{}, err
	}
	if s.logStore != "" {
		if err := oneOf("log-store", s.logStore, "segmented", "wal", "bolt"); err != nil {
			return settings{}, err
		}
	}
	if err := s.logLevel.UnmarshalText([]byte(c.String("log-level"))); err != nil {
		return settings{}, usagef("--log-level %s is not known: use debug, info, warn or error", c.String("log-level"))
	}
	for _, text := range c.StringSlice("camera") {
		name, source, ok := strings.Cut(text, "=")
		if !ok || name == "" || source == "" {
			return settings{}, usagef("--camera %q is not NAME=SOURCE, as door=http://10.0.0.7/stream", text)
		}
		s.cameras = append(s.cameras, cameraSetting{name, source})
	}
	s.floating, err = floatingSettings(splitList(c.StringSlice("floating-address")), s.doors.coap)
	return s, err
}

// splitList takes lists apart that were given as one, with commas.
func splitList(given []string) []string {
	var list []string
	for _, text := range given {
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				list = append(list, item)
			}
		}
	}
	return list
}

type listenAddress struct{ flag, value string }

func (s *settings) listenAddresses() []listenAddress {
	return append(s.doors.addresses(), listenAddress{"http", s.http}, listenAddress{"cluster", s.cluster}, listenAddress{"gossip", s.gossip})
}

// requireLoopback refuses addresses that another machine could reach: with
// --dev whoever reaches a node may do everything.
func (s *settings) requireLoopback() error {
	for _, a := range append(s.listenAddresses(), listenAddress{"advertise", net.JoinHostPort(s.advertise, "0")}) {
		host, _, err := net.SplitHostPort(a.value)
		if err != nil {
			return usagef("--%s %q is not an address", a.flag, a.value)
		}
		ip, err := netip.ParseAddr(host)
		if err != nil || !ip.IsLoopback() {
			return fmt.Errorf("--%s %q is reachable from outside, which --dev refuses: use 127.0.0.1, or allow it with --dev-unsafe-addresses", a.flag, host)
		}
	}
	return nil
}

// oneOf checks a flag whose value is one of a few words.
func oneOf(flag, value string, words ...string) error {
	for _, w := range words {
		if value == w {
			return nil
		}
	}
	return usagef("--%s %s is not known: use %s", flag, value, strings.Join(words, " or "))
}
