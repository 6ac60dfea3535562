package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"skerry/api"
	"skerry/cloudsync"
	"skerry/cluster"
	"skerry/coap"
	"skerry/coap/key"
	"skerry/coap/senml"
	"skerry/fsm"
	"skerry/task"
)

// listenCoAP binds the devices' door.
func listenCoAP(s settings, p *parts) (*coap.Server, error) {
	cfg := coap.DefaultConfig()
	if err := s.doors.open(&cfg); err != nil {
		return nil, err
	}
	cfg.Store, cfg.Logger = p.node, p.log
	cfg.View = func(ctx context.Context) (coap.View, error) {
		v, err := p.node.View(ctx, cluster.Local)
		if err != nil {
			return nil, err
		}
		return v, nil
	}
	cfg.Heir = p.heir
	cfg.Await, cfg.Multicast = p.node.Await, cfg.Addr != ""
	cfg.Gateways = func() []coap.Gateway { return gateways(p.node.Name(), p.node.Members()) }
	return coap.Listen(cfg)
}

// listenHTTP binds the operators' door.
func listenHTTP(s settings, p *parts) (*api.Server, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	if err := collectRaft(registry); err != nil {
		return nil, err
	}
	cfg := api.Config{
		Site: api.At(p.node), Logger: p.log, Registry: registry,
		Packs: api.Packs{Decode: decodePack, Key: packKey(p.node), Encode: encodePack},
		Samples: []func() []api.Sample{
			func() []api.Sample { return coapSamples(p.devices.Stats()) },
			func() []api.Sample { return floatingSamples(p.floating) },
		},
		Progress: func(t *fsm.Task) (any, error) { return task.ProgressOf(t) },
		Diary:    func(device string) (any, bool) { return p.devices.Diary(device) },
		Save:     p.node.Save,
		Leave: func(ctx context.Context) error {
			if err := p.node.Leave(ctx); err != nil {
				return err
			}
			p.leave()
			return nil
		},
	}
	if p.bucket != nil {
		cfg.Cloud = bucketDoor{p.bucket}
		cfg.Samples = append(cfg.Samples, func() []api.Sample { return bucketSamples(p.bucket) })
	}
	handler, err := api.New(cfg)
	if err != nil {
		return nil, err
	}
	return api.Listen(s.http, handler, p.log)
}

// bucketDoor is the bucket as the operators' door shows it.
type bucketDoor struct{ syncer *cloudsync.Syncer }

func (b bucketDoor) Status() any {
	status, err := b.syncer.Status(context.Background()) // of this node's own view, which waits for nobody
	if err != nil {
		status.LastError = err.Error()
	}
	return status
}

func (b bucketDoor) Sync(ctx context.Context) (any, error) {
	if err := b.syncer.Sync(ctx); err != nil {
		return nil, err
	}
	return b.syncer.Status(ctx)
}

// decodePack reads a SenML pack as the devices' door does.
func decodePack(contentType string, body []byte) ([]fsm.Record, error) {
	format := senml.JSON
	if strings.HasSuffix(contentType, "cbor") {
		format = senml.CBOR
	}
	records, err := senml.Decode(format, body, senml.Split)
	if errors.Is(err, senml.ErrTooLarge) {
		return nil, fmt.Errorf("%w: %w", api.ErrTooLarge, err)
	}
	return records, err
}

// packKey makes the keys of packs that name themselves.
func packKey(site interface{ Secret() ([16]byte, bool) }) func(string, []fsm.Record) (fsm.Key, uint64, bool, error) {
	return func(id string, records []fsm.Record) (k fsm.Key, content uint64, named bool, err error) {
		secret, ok := site.Secret()
		if !ok {
			return k, 0, false, cluster.ErrNoLeader
		}
		maker := key.NewMaker(secret)
		if id != "" {
			k, content, err = maker.OfName(records[0].Device, id, records)
			return k, content, true, err
		}
		k, named = maker.OfContent(records)
		return k, 0, named, nil
	}
}

// encodePack writes readings of any devices as one SenML JSON pack.
func encodePack(readings []fsm.Reading) ([]byte, error) {
	pack, _ := senml.Encode(senml.JSON, readings, math.MaxInt)
	return pack, nil
}

// cameraDomain keeps cameras' keys apart from those of package key.
const cameraDomain = 'p'

// cameraKey makes the keys of cameras' events: the same parts, the same key.
func cameraKey(node *cluster.Node) func(parts ...[]byte) (fsm.Key, error) {
	return func(parts ...[]byte) (fsm.Key, error) {
		secret, ok := node.Secret()
		if !ok {
			return fsm.Key{}, cluster.ErrNoLeader
		}
		said := []byte{cameraDomain}
		for _, part := range parts {
			said = binary.LittleEndian.AppendUint64(said, uint64(len(part)))
			said = append(said, part...)
		}
		return key.Sum128(&secret, said), nil
	}
}
