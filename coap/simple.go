package coap

import (
	"context"
	"net/netip"
	"time"

	"skerry/coap/link"
	"skerry/coap/message"
	"skerry/fsm"
)

// How an endpoint is asked for its links: soon enough that its own request is
// still waiting, and no more often than a few times.
const (
	fetchTimeout = 20 * time.Second
	fetchRetries = 2
)

// registerSimply registers an endpoint that only asks for it: its links are read
// from its own /.well-known/core (RFC 9176 section 5.1). It proves first that it
// is where it says, so that nobody is asked for what he did not offer.
func (d *desk) registerSimply(ctx context.Context, q *call) (*reply, error) {
	switch {
	case q.from.session != nil:
		return nil, refuse(message.BadRequest, "this is for plain CoAP over UDP: POST your links to /rd")
	case len(q.body) > 0:
		return nil, refuse(message.BadRequest, "links are POSTed to /rd; here they are read from your /.well-known/core")
	case q.from.over:
		return nil, refusedRate
	}
	e, err := d.entry()
	if err != nil {
		return nil, err
	}
	if e.base != "" {
		return nil, refuse(message.BadRequest, "base is not taken here: POST your links to /rd")
	}
	cmd, err := d.registering(q, &e)
	if err != nil {
		return nil, err
	}
	if !d.proven(q.from) {
		d.challenge(q)
		return nil, nil
	}
	from, changed := q.from.from, &reply{code: message.Changed}
	return nil, d.change(ctx, q, change{
		of: link.Path("rd", cmd.ID), command: cmd,
		complete: func(ctx context.Context) (fsm.Command, error) {
			links, err := fetchLinks(ctx, from)
			if err != nil {
				return nil, err
			}
			cmd.Links = string(links)
			return cmd, checkLinks(links, cmd.Base)
		},
		answer: func(o fsm.Outcome) (*reply, error) { return changed.unless(o) },
	})
}

// fetchLinks asks an endpoint for its links.
func fetchLinks(ctx context.Context, from netip.AddrPort) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	cfg := DefaultClientConfig()
	cfg.MaxRetransmit = fetchRetries
	client, err := Dial(from.String(), cfg)
	if err != nil {
		return nil, refuse(message.BadRequest, "your links cannot be read: %s", err)
	}
	defer client.Close()
	r, err := client.Do(ctx, Request{Method: message.GET, Path: []string{".well-known", "core"}, Choosy: true, Accept: formatLinks})
	if err == nil {
		err = r.Err()
	}
	switch {
	case err != nil:
		return nil, refuse(message.BadRequest, "your links cannot be read: %s", err)
	case r.Typed && r.Format != formatLinks:
		return nil, refuse(message.BadRequest, "your /.well-known/core is of content format %d, not link-format (40)", r.Format)
	}
	return r.Payload, nil
}
