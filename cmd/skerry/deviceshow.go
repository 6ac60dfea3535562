package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"skerry/cluster"
	"skerry/cmd/skerry/client"
	"skerry/coap"
)

// diaryPatience bounds the wait for another node's diary.
const diaryPatience = 5 * time.Second

// sighting is what one node noted of a device.
type sighting struct {
	Node string `json:"node"`
	coap.Entry
	Loss *float64 `json:"loss,omitempty"` // share, where message ids tell it
}

// silence is a node whose diary was not read.
type silence struct {
	Node string `json:"node"`
	Why  string `json:"why"`
}

// deviceAnswer is all that the site's nodes know of a device.
type deviceAnswer struct {
	Device     string               `json:"device"`
	Registered *client.Registration `json:"registered"`
	Latest     []client.Reading     `json:"latest"`
	Seen       []sighting           `json:"seen"`
	Silent     []silence            `json:"silent"`
}

func deviceShow(c *cli.Context) error {
	name, err := operands(c, "DEVICE")
	if err != nil {
		return err
	}
	cl, err := dial(c)
	if err != nil {
		return err
	}
	answer := deviceAnswer{Device: name[0], Latest: []client.Reading{}, Seen: []sighting{}, Silent: []silence{}}
	card, unknown := cl.DeviceCard(c.Context, name[0], "linearizable")
	switch {
	case unknown == nil:
		answer.Registered, answer.Latest = card.Registered, card.Latest
	case client.StatusCode(unknown) != http.StatusNotFound:
		return unknown
	}
	if err := answer.collect(c, cl, card.Seen); err != nil {
		return err
	}
	if unknown != nil && len(answer.Seen) == 0 {
		return unknown
	}
	return show(c, answer, answer.print)
}

// collect adds what each node noted; own is what the asked one did.
func (a *deviceAnswer) collect(c *cli.Context, cl *client.Client, own *coap.Entry) error {
	status, err := cl.Status(c.Context)
	if err != nil {
		return err
	}
	members, err := cl.Members(c.Context)
	if err != nil {
		return err
	}
	for i := range members {
		entry, why := own, ""
		if members[i].Name != status.Node {
			entry, why = diaryOf(c, &members[i], a.Device)
		}
		switch {
		case why != "":
			a.Silent = append(a.Silent, silence{members[i].Name, why})
		case entry != nil:
			a.Seen = append(a.Seen, sightingOf(members[i].Name, entry))
		}
	}
	return nil
}

func sightingOf(node string, e *coap.Entry) sighting {
	s := sighting{Node: node, Entry: *e}
	if share, ok := e.Loss(); ok {
		s.Loss = &share
	}
	return s
}

// diaryOf asks another node what it noted of a device; why says what hinders it.
func diaryOf(c *cli.Context, m *cluster.Member, device string) (entry *coap.Entry, why string) {
	addr, ok := outside(m.HTTP, m.Address)
	switch {
	case !m.Alive:
		return nil, "is not alive"
	case !ok:
		return nil, "has not told where its HTTP door is"
	case isLoopback(addr) && !isLoopback(m.Address):
		return nil, "opens its HTTP door to its own machine alone: ask there"
	}
	cfg, err := clientConfig(c)
	if err != nil {
		return nil, oneLine(err)
	}
	asked, err := url.Parse(cfg.Addr)
	if err != nil {
		return nil, oneLine(err)
	}
	cfg.Addr, cfg.Patience = asked.Scheme+"://"+addr, diaryPatience
	cl, err := client.New(cfg)
	if err != nil {
		return nil, oneLine(err)
	}
	ctx, cancel := context.WithTimeout(c.Context, diaryPatience)
	defer cancel()
	card, err := cl.DeviceCard(ctx, device, "local")
	if err != nil && client.StatusCode(err) != http.StatusNotFound {
		return nil, oneLine(err)
	}
	return card.Seen, ""
}

func isLoopback(hostPort string) bool {
	addr, err := netip.ParseAddrPort(hostPort)
	return err == nil && addr.Addr().IsLoopback()
}

func (a *deviceAnswer) print(t *table) {
	t.row("device", a.Device)
	if r := a.Registered; r == nil {
		t.row("registered", "no")
	} else {
		t.row("registered", timeText(r.Created)+note(r.Note))
		t.row("may write", strings.Join(append([]string{a.Device}, r.Writes...), ", "))
		for i := range r.Keys {
			t.row("key", describeKey(&r.Keys[i]))
		}
		if len(r.Keys) == 0 {
			t.row("key", "none")
		}
	}
	for i := range a.Latest {
		r := &a.Latest[i]
		t.row("latest", fmt.Sprintf("%s = %s at %s", r.Resource, r.Summary(), timeText(r.Time)))
	}
	if len(a.Seen) == 0 {
		t.row("seen", "at no node since that started")
	}
	for i := range a.Seen {
		a.Seen[i].print(t)
	}
	for _, s := range a.Silent {
		t.row("not asked", s.Node+" "+s.Why)
	}
}

func note(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

func describeKey(k *client.DeviceKey) string {
	expires := "never expires"
	if k.ExpiresIn != nil {
		expires = "expires in " + (time.Duration(*k.ExpiresIn) * time.Second).String()
	}
	return fmt.Sprintf("%s, made %s, %s", k.Identity, timeText(k.Created), expires)
}

// print prints what one node noted.
func (s *sighting) print(t *table) {
	t.row("seen at "+s.Node, fmt.Sprintf("%s from %s over %s", timeText(s.Seen), s.Address, s.Over))
	t.row("", fmt.Sprintf("%d requests, %d of them duplicates, %d blocks; %d readings stored", s.Requests, s.Duplicates, s.Blocks, s.Readings))
	if s.Loss != nil {
		t.row("", fmt.Sprintf("about %.1f %% lost: %d of %d message ids did not come", *s.Loss*100, s.Missing, s.Expected))
	}
	if r := s.Refusal; r != nil {
		t.row("", fmt.Sprintf("%d refused, last %s: %s %s", s.Refused, timeText(r.At), r.Code, cmp.Or(r.Text, "without a text")))
	}
}
