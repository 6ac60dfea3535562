package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"skerry/api"
	"skerry/cluster"
	"skerry/coap/key"
	"skerry/coap/senml"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

// packs reads SenML as a node does; secret is that of the keys.
func packs(secret func() ([16]byte, bool)) api.Packs {
	return api.Packs{
		Decode: func(contentType string, body []byte) ([]fsm.Record, error) {
			format := senml.JSON
			if strings.HasSuffix(contentType, "cbor") {
				format = senml.CBOR
			}
			records, err := senml.Decode(format, body, senml.Split)
			if errors.Is(err, senml.ErrTooLarge) {
				return nil, fmt.Errorf("%w: %w", api.ErrTooLarge, err)
			}
			return records, err
		},
		Key: func(id string, records []fsm.Record) (k fsm.Key, content uint64, named bool, err error) {
			s, ok := secret()
			if !ok {
				return k, 0, false, cluster.ErrNoLeader
			}
			maker := key.NewMaker(s)
			if id != "" {
				k, content, err = maker.OfName(records[0].Device, id, records)
				return k, content, true, err
			}
			k, named = maker.OfContent(records)
			return k, 0, named, nil
		},
		Encode: func(readings []fsm.Reading) ([]byte, error) {
			pack, n := senml.Encode(senml.JSON, readings, senml.MaxPack)
			if n < len(readings) {
				return nil, fmt.Errorf("%d of %d readings fit", n, len(readings))
			}
			return pack, nil
		},
	}
}

// door is a running server and a client of it.
type door struct {
	tb   testing.TB
	url  string
	stop context.CancelFunc // of the server
}

// open serves a site over a real socket until the test ends.
func open(tb testing.TB, site api.Site, change func(*api.Config)) *door {
	tb.Helper()
	log := slog.New(slog.DiscardHandler)
	cfg := api.Config{
		Site: site, Logger: log, Registry: prometheus.NewRegistry(),
		Packs: packs(func() ([16]byte, bool) { return [16]byte{1}, true }),
	}
	if change != nil {
		change(&cfg)
	}
	handler, err := api.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	server, err := api.Listen("127.0.0.1:0", handler, log)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Errorf("run: %v", err)
		}
	})
	return &door{tb: tb, url: "http://" + server.Addr().String(), stop: cancel}
}

// openNode serves a site of one real node.
func openNode(tb testing.TB, change func(*api.Config)) (*door, *clustertest.Member) {
	tb.Helper()
	node := clustertest.Open(tb, 1, nil).Nodes[0]
	return open(tb, api.At(node.Node), change), node
}

// reply is an answer read whole.
type reply struct {
	*http.Response
	body []byte
}

func (d *door) do(method, path, contentType, body string) reply {
	d.tb.Helper()
	header := http.Header{}
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	return d.with(method, path, header, body)
}

func (d *door) with(method, path string, header http.Header, body string) reply {
	d.tb.Helper()
	req, err := http.NewRequestWithContext(d.tb.Context(), method, d.url+path, strings.NewReader(body))
	if err != nil {
		d.tb.Fatal(err)
	}
	req.Header = header
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		d.tb.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		d.tb.Fatal(err)
	}
	return reply{res, b}
}

func (d *door) get(path string) reply {
	d.tb.Helper()
	return d.do("GET", path, "", "")
}

func (d *door) postPack(query, pack string) reply {
	d.tb.Helper()
	return d.do("POST", "/v1/readings"+query, "application/senml+json", pack)
}

// stored posts a pack that must be stored and returns its first seq.
func (d *door) stored(query, pack string) int {
	d.tb.Helper()
	res := d.postPack(query, pack)
	var out struct {
		FirstSeq int `json:"first_seq"`
	}
	res.want(d.tb, http.StatusOK, &out)
	return out.FirstSeq
}

// want checks the status and decodes the body strictly where v is not nil.
func (r reply) want(tb testing.TB, status int, v any) {
	tb.Helper()
	if r.StatusCode != status {
		tb.Fatalf("status = %d, want %d: %s", r.StatusCode, status, r.body)
	}
	if v == nil {
		return
	}
	if err := json.NewDecoder(bytes.NewReader(r.body)).Decode(v); err != nil {
		tb.Fatalf("body %s: %v", r.body, err)
	}
}

// problem checks that the answer is a problem document with a status, whose
// type ends in kind and whose detail contains advice.
func (r reply) problem(tb testing.TB, status int, kind, advice string) {
	tb.Helper()
	var p struct {
		Type, Title, Detail string
		Status              int
	}
	r.want(tb, status, &p)
	if got := r.Header.Get("Content-Type"); got != "application/problem+json" {
		tb.Errorf("Content-Type = %q, want application/problem+json", got)
	}
	if p.Status != status || p.Title == "" || p.Type != "urn:skerry:problem:"+kind || !strings.Contains(p.Detail, advice) {
		tb.Errorf("problem = %+v, want type %s and a detail with %q", p, kind, advice)
	}
}

// page is a list of readings as clients read it.
type page struct {
	Readings []struct {
		Seq      int
		Device   string
		Resource string
		Time     string
		Value    *float64
	}
	Next string
}

func (p *page) seqs() (out []int) {
	for _, r := range p.Readings {
		out = append(out, r.Seq)
	}
	return out
}
