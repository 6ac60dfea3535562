package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"skerry/cmd/skerry/site"
	"skerry/device"
)

const (
	siteName   = "demo"
	cameraName = "camera-1"
	// cameraSource is a test pattern with something that moves now and then.
	cameraSource = "pattern:seed=7&fps=5"
	// shipAfter has the bucket filled while it is looked at, through changes
	// of the leader.
	shipAfter = "5s"
)

// Config is what is shown.
type Config struct {
	Nodes     int
	Dir       string        // an empty folder for the nodes and the bucket
	Duration  time.Duration // of the load, 0 until ctx is done
	KillEvery time.Duration // kills the leader that often, 0 never
	Sensors   int
	Every     time.Duration // between two measurements of a sensor
	Seed      uint64        // of the sensors
	Replay    string        // CSV file that is posted, too; "" for none
	Speed     float64       // times as fast as the file's own times, 0 as fast as it goes
	Out       io.Writer     // where it tells what happens
	Live      bool          // Out is a terminal: draw in place
}

// viewer shows pictures of a site and tells events.
type viewer interface {
	begin()
	show(*picture)
	said(event)
	end()
}

// demo is a run.
type demo struct {
	cfg     Config
	bucket  string // its URL
	site    *site.Site
	ledger  *device.Ledger
	meter   *meter
	journal *journal
	began   time.Time // of the load
}

// Run shows the site until the duration is over or ctx is done, then settles
// and audits it. The report is valid when err is nil; whether the promise was
// kept is report.Err.
func Run(ctx context.Context, cfg Config) (report Report, err error) {
	d := &demo{cfg: cfg, bucket: "file://" + filepath.Join(cfg.Dir, "bucket"), ledger: &device.Ledger{}, meter: &meter{}}
	var view viewer = &lines{w: cfg.Out}
	every := linesEvery
	if cfg.Live {
		view, every = &screen{lines: lines{w: cfg.Out}}, screenEvery
	}
	d.journal = &journal{listen: view.said}
	d.journal.add(fmt.Sprintf("starting %d nodes in %s", cfg.Nodes, cfg.Dir))
	d.site, err = site.Start(ctx, site.Config{
		Dir: cfg.Dir, Nodes: cfg.Nodes, Site: siteName, Cloud: d.bucket,
		Args:     []string{"--ship-after", shipAfter},
		NodeArgs: map[string][]string{"n1": {"--camera", cameraName + "=" + cameraSource}},
	})
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, d.site.Close()) }()
	for _, n := range d.site.Nodes {
		d.journal.add(fmt.Sprintf("%s: http://%s  coap://%s  log %s", n.Name, n.Addresses.HTTP, n.Addresses.CoAP, n.Log))
	}
	kills, err := d.play(ctx, view, every)
	if err != nil {
		return Report{}, err
	}
	d.journal.add("the sensors have stopped: shipping, then reading every node's history")
	report, err = d.settle(context.WithoutCancel(ctx))
	report.Kills = kills
	return report, err
}

// play runs load, kills and view until the load is over.
func (d *demo) play(ctx context.Context, view viewer, every time.Duration) (kills int, err error) {
	if err := d.startTask(ctx); err != nil {
		return 0, err
	}
	load, err := d.newLoad()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, load.close()) }()
	var cancel context.CancelFunc = func() {}
	if d.cfg.Duration > 0 {
		ctx, cancel = context.WithTimeout(ctx, d.cfg.Duration)
	}
	defer cancel()
	d.began = time.Now()
	k := killer{site: d.site, every: d.cfg.KillEvery, journal: d.journal}
	watching, stopWatching := context.WithCancel(context.WithoutCancel(ctx))
	watched := make(chan struct{})
	go func() { defer close(watched); d.watch(watching, view, every) }()
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return k.run(gctx) })
	g.Go(func() error { return load.run(gctx) })
	g.Go(func() error {
		select {
		case err := <-d.site.Failed():
			return err
		case <-gctx.Done():
			return nil
		}
	})
	err = g.Wait()
	stopWatching()
	<-watched
	return k.kills, err
}
