package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"skerry/api"
	"skerry/cloudsync"
	"skerry/cluster"
	"skerry/cluster/logstore"
	"skerry/coap"
	"skerry/device/camera"
	"skerry/task"
)

// How long the steps of a clean stop may take. What takes longer is cut off:
// the disk is safe at every moment, a clean stop only saves the others an
// election.
const (
	drainTimeout    = 10 * time.Second // doors, cameras and task runs end
	handOverTimeout = 15 * time.Second // duties end, the lead goes to another node
	closeTimeout    = 10 * time.Second // stores and sockets close
)

// errSlowStop: a part did not end in its time.
var errSlowStop = errors.New("did not stop in time")

// parts are what an agent is made of.
type parts struct {
	log       *slog.Logger
	node      *cluster.Node
	bucket    *cloudsync.Syncer // nil without --cloud
	devices   *coap.Server
	operators *api.Server
	cameras   []*camera.Camera
	floating  []floating
	shipAfter time.Duration
	profile   string
	heir      bool               // the data directory was there before
	leave     context.CancelFunc // ends the agent when its node has left the site
	failed    bool               // the node cannot go on: see run
}

// runAgent runs a node until ctx is done, the node has left its site, or a part
// cannot go on.
func runAgent(ctx context.Context, s settings, logTo io.Writer) error {
	log := slog.New(slog.NewTextHandler(logTo, &slog.HandlerOptions{Level: s.logLevel}))
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	p := parts{log: log, leave: stop, shipAfter: s.shipAfter, profile: s.profile}
	// Nothing that was acknowledged waits for the stores to close, so what goes
	// wrong then is told and fails nothing.
	defer func() {
		if p.failed {
			return
		}
		if err := within("closing the stores", closeTimeout, p.close); err != nil {
			log.Warn("closing", "node", s.name, "err", err)
		}
	}()
	if err := p.open(s); err != nil {
		return err
	}
	log.Info("skerry runs", append([]any{"node", s.name, "site", s.site, "version", version,
		"http", p.operators.Addr().String(), "cluster", s.cluster, "gossip", s.gossip}, opened(p.devices)...)...)
	err := p.run(ctx)
	log.Info("skerry stops", "node", s.name)
	return err
}

// open opens the parts in the order in which they need each other. Where it
// fails, close closes those that are open.
func (p *parts) open(s settings) (err error) {
	p.heir = !isEmpty(s.data)
	c := cluster.Config{
		Name: s.name, Site: s.site, Dir: s.data,
		Cluster: s.cluster, Gossip: s.gossip, Advertise: s.advertise, HTTP: s.http, CoAP: s.doors.coap,
		BootstrapExpect: s.expect, Join: s.join,
		Profile: s.profile, LogStore: logstore.Kind(s.logStore), Linger: s.linger, SnapshotBytes: s.snapAfter, Reserve: s.reserve,
		FetchRate: s.fetchRate, ScrubRate: s.scrubRate, NoReplaceWait: s.dev,
		Version: version, Logger: p.log,
	}
	nextVersion(&c)
	if p.node, err = cluster.Open(c); err != nil {
		return err
	}
	if s.cloud != "" {
		p.bucket, err = cloudsync.Open(cloudsync.Config{URL: s.cloud, Version: version, Log: p.log}, cloudsync.OfNode(p.node))
		if err != nil {
			return err
		}
	}
	if p.devices, err = listenCoAP(s, p); err != nil {
		return err
	}
	if p.operators, err = listenHTTP(s, p); err != nil {
		return err
	}
	for _, c := range s.cameras {
		cam, err := camera.New(camera.Config{Name: c.name, Source: c.source, Key: cameraKey(p.node), Log: p.log}, p.node)
		if err != nil {
			return err
		}
		p.cameras = append(p.cameras, cam)
	}
	for _, f := range s.floating {
		held, err := openFloating(f, s, p)
		if err != nil {
			return err
		}
		p.floating = append(p.floating, held)
	}
	return nil
}

// run runs the parts. When ctx is done it stops them in reverse: first what
// brings work in, then the duties and the lead. When the node cannot go on it
// returns at once and waits for nothing: a write to the disk may hang for good,
// and whoever waits for it, while the other nodes wait for this process to end.
func (p *parts) run(ctx context.Context) error {
	agreeing, stopNode := context.WithCancel(context.WithoutCancel(ctx))
	defer stopNode()
	agreement := make(chan error, 1)
	go func() { // ends with agreeing; the receive below waits for it
		agreement <- p.node.Run(agreeing, p.duties()...)
	}()
	g, doors := errgroup.WithContext(ctx)
	g.Go(func() error { return p.devices.Run(doors) })
	g.Go(func() error { return p.operators.Run(doors) })
	g.Go(func() error { mindMemory(doors, p.profile, p.node); return nil })
	g.Go(func() error { return task.NewRunner(task.At(p.node), p.node.Name(), p.log).Run(doors) })
	g.Go(func() error { p.tryNext(doors); return nil })
	for _, cam := range p.cameras {
		g.Go(func() error { p.watch(doors, cam); return nil })
	}
	for _, f := range p.floating {
		g.Go(func() error { return f.Run(doors) })
	}
	select {
	case <-doors.Done():
	case err := <-agreement:
		p.failed = true
		return err
	}
	err := within("ending the requests in hand", drainTimeout, g.Wait)
	stopNode()
	return errors.Join(err, within("handing the lead over", handOverTimeout, func() error { return <-agreement }))
}

// duties are the leader's.
func (p *parts) duties() []cluster.Duty {
	scheduler := task.NewScheduler(task.At(p.node), p.node.Members, p.log)
	duties := []cluster.Duty{scheduler.Duty}
	if p.bucket != nil {
		ages := cloudsync.DefaultAges()
		ages.Latest = p.shipAfter
		cutter := cloudsync.NewCutter(ages, cloudsync.OfNode(p.node), p.log)
		duties = append(duties, p.bucket.Duty, cutter.Duty)
	}
	return duties
}

// watch runs a camera. One that cannot go on is no reason to stop a node.
func (p *parts) watch(ctx context.Context, cam *camera.Camera) {
	if err := cam.Run(ctx); err != nil {
		p.log.Error("a camera ended", "err", err)
	}
}

// close closes what open has opened, in reverse.
func (p *parts) close() error {
	var err error
	for _, f := range p.floating {
		err = errors.Join(err, f.link.Close())
	}
	if p.operators != nil {
		err = errors.Join(err, p.operators.Close())
	}
	if p.devices != nil {
		err = errors.Join(err, p.devices.Close())
	}
	if p.node != nil {
		err = errors.Join(err, p.node.Close())
	}
	return err
}

// within returns what step returns, or errSlowStop when it takes longer than
// timeout; the process is about to end then, and step with it.
func within(what string, timeout time.Duration, step func() error) error {
	done := make(chan error, 1)
	go func() { done <- step() }()
	t := time.NewTimer(timeout)
	defer t.Stop()
	select {
	case err := <-done:
		return err
	case <-t.C:
		return fmt.Errorf("%s: %w (%s)", what, errSlowStop, timeout)
	}
}
