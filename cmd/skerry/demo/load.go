package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"skerry/coap"
	"skerry/device"
	"skerry/device/sim"
	"skerry/task"
)

// The count that runs beside the load.
const (
	taskID      = "warm"
	taskWhere   = "> 12"
	taskEvery   = 10 * time.Second
	derivedName = "demo-counts" // device of its output
)

// load is everything that posts.
type load struct {
	clients []*coap.Client
	sensors *sim.Sim
	replay  *replaying // nil without a file
}

// newLoad connects the devices to all gateways.
func (d *demo) newLoad() (*load, error) {
	l := &load{}
	var gateways []device.Sender
	for _, n := range d.site.Nodes {
		client, err := coap.Dial(n.Addresses.CoAP, coap.ClientConfig{})
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
		l.clients = append(l.clients, client)
		gateways = append(gateways, &sender{client, d.meter})
	}
	courier, err := device.NewCourier(rand.Text(), d.ledger, gateways...)
	if err == nil {
		quiet := slog.New(slog.DiscardHandler) // the report tells what was refused
		l.sensors, err = sim.New(sim.Config{Seed: d.cfg.Seed, Devices: d.cfg.Sensors, Every: d.cfg.Every, Log: quiet}, courier)
	}
	if err == nil && d.cfg.Replay != "" {
		l.replay, err = openReplay(d.cfg.Replay, d.cfg.Speed, courier, d.journal)
	}
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

// run posts until ctx is done and every message has its answer, or half a
// minute more is over.
func (l *load) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return l.sensors.Run(ctx) })
	if l.replay != nil {
		g.Go(func() error { return l.replay.run(ctx) })
	}
	return g.Wait()
}

func (l *load) close() error {
	var err error
	if l.replay != nil {
		err = l.replay.file.Close()
	}
	for _, c := range l.clients {
		err = errors.Join(err, c.Close())
	}
	return err
}

// startTask has the site count warm readings while it runs.
func (d *demo) startTask(ctx context.Context) error {
	spec, err := task.NewCount("*", "temperature", taskWhere, taskEvery, derivedName+"/"+taskID)
	if err != nil {
		return err
	}
	if _, err := d.site.Nodes[0].Client().CreateTask(ctx, taskID, spec); err != nil {
		return fmt.Errorf("start the count: %w", err)
	}
	return nil
}
