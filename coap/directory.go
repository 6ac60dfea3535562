package coap

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"

	"skerry/coap/link"
	"skerry/coap/message"
	"skerry/fsm"
)

// defaultLifetime is that of a registration that says none, in seconds (RFC
// 9176 section 5).
const defaultLifetime = 90_000

// Directory is the part of a view that holds the resource directory.
type Directory interface {
	// Registrations are those whose time is not over, by ID.
	Registrations() []fsm.Registration
	Registration(id string) (fsm.Registration, bool)
}

// entry is what the queries of a registration or its renewal say.
type entry struct {
	endpoint, sector string
	base             string // "" for the address the request came from
	lifetime         int64  // seconds; 0 for none given
	attributes       []string
}

// reserved are names that no endpoint may give an attribute: they would be
// taken for something else in a lookup.
var reserved = []string{"page", "count", "rt", "href", "anchor"}

// entry reads the queries (RFC 9176 sections 5 and 5.3.1).
func (d *desk) entry() (e entry, err error) {
	for query := range d.msg.Values(message.URIQuery) {
		name, value, valued := cutQuery(string(query))
		switch name {
		case "ep":
			e.endpoint = value
		case "d":
			e.sector = value
		case "lt":
			if e.lifetime, err = strconv.ParseInt(value, 10, 64); err != nil || e.lifetime < 1 || e.lifetime > fsm.MaxRegistrationLife {
				return e, refuse(message.BadRequest, "lt=%s: send the lifetime in seconds, 1 to %d", cut(value, 32), int64(fsm.MaxRegistrationLife))
			}
		case "base":
			base, err := link.ParseBase(value)
			if err != nil {
				return e, refuse(message.BadRequest, "%s", err)
			}
			e.base = base.String()
		default:
			a := link.Attr{Name: name, Value: value, Bare: !valued}
			if err := a.Validate(); err != nil || slices.Contains(reserved, name) {
				return e, refuse(message.BadRequest, "%q cannot be an attribute of an endpoint", cut(name, 32))
			}
			e.attributes = append(e.attributes, string(query))
		}
	}
	return e, nil
}

// baseOf is the base of a registration: the one it gives, or the address that
// the request came from. One that only its own link understands is refused,
// since lookups come from anywhere.
func (e *entry) baseOf(from *source) (string, error) {
	base := link.BaseOf(from.scheme(), from.from)
	switch {
	case e.base != "":
		base, _ = link.ParseBase(e.base) // it is one that was parsed
	case from.session != nil && from.session.stream:
		return "", refuse(message.BadRequest, "nobody can call back where a TCP connection comes from: register with base=coap://ADDRESS")
	}
	if base.LinkLocal() {
		return "", refuse(message.BadRequest, "%s means nothing beyond its link: register with base=coap://ADDRESS of another kind", base)
	}
	return base.String(), nil
}

// explicitBase marks a registration that gave its base: it stays when a renewal
// gives none, where the address that the first came from gives way to that of
// the renewal.
const explicitBase = "base"

// scheme is that of the URIs under which the sender of a datagram is reached.
func (f *source) scheme() string {
	if f.session == nil {
		return "coap"
	}
	return "coaps"
}

// register enters an endpoint and its links into the directory (RFC 9176
// section 5).
func (d *desk) register(ctx context.Context, q *call) (*reply, error) {
	e, err := d.entry()
	if err != nil {
		return nil, err
	}
	cmd, err := d.registering(q, &e)
	if err != nil {
		return nil, err
	}
	if err := d.checkFormat(); err != nil {
		return nil, err
	}
	if err := checkLinks(q.body, cmd.Base); err != nil {
		return nil, err
	}
	cmd.Links = string(q.body)
	created := &reply{code: message.Created, options: []option{{message.LocationPath, []byte("rd")}, {message.LocationPath, []byte(cmd.ID)}}}
	return nil, d.change(ctx, q, change{
		of: link.Path("rd", cmd.ID), command: cmd,
		answer: func(o fsm.Outcome) (*reply, error) { return created.unless(o) },
	})
}

// registering is the command that enters an endpoint, but for its links. Its ID
// follows from endpoint and sector, so that each gateway gives the same.
func (d *desk) registering(q *call, e *entry) (cmd fsm.RegisterCommand, err error) {
	if s := q.from.session; e.endpoint == "" && s != nil {
		e.endpoint = s.device
	}
	if e.endpoint == "" {
		return cmd, refuse(message.BadRequest, "ep is missing: register as /rd?ep=NAME")
	}
	if err := q.mayWrite(e.endpoint); err != nil {
		return cmd, err
	}
	base, err := e.baseOf(q.from)
	if err != nil {
		return cmd, err
	}
	if !d.keyed() {
		return cmd, refusedNotBegun
	}
	if e.base != "" {
		e.attributes = append(e.attributes, explicitBase)
	}
	if e.lifetime == 0 {
		e.lifetime = defaultLifetime
	}
	key := d.keys.OfEndpoint(e.endpoint, e.sector)
	return fsm.RegisterCommand{
		ID: base64.RawURLEncoding.EncodeToString(key[:8]), Endpoint: e.endpoint, Sector: e.sector,
		Base: base, Attributes: e.attributes, Lifetime: e.lifetime,
	}, nil
}

// unless is the reply to a stored change, or why it was refused.
func (r *reply) unless(o fsm.Outcome) (*reply, error) {
	if o.Code != fsm.Stored {
		return nil, refusalOfOutcome(o)
	}
	return r, nil
}

// checkFormat checks that a payload is links.
func (d *desk) checkFormat() error {
	if format, given := d.msg.Uint(message.ContentFormat); given && format != formatLinks {
		return refuse(message.UnsupportedFormat, "links are taken in link-format (40)")
	}
	return nil
}

// checkLinks checks what is to be registered: links that can be resolved.
func checkLinks(body []byte, base string) error {
	if len(body) > fsm.MaxLinks {
		return tooLarge(fsm.MaxLinks, "too many links: register the top ones only")
	}
	links, err := link.Parse(body)
	if err != nil {
		return refuse(message.BadRequest, "%s", err)
	}
	b, err := link.ParseBase(base)
	if err != nil {
		return refuse(message.BadRequest, "%s", err)
	}
	for i := range links {
		if _, err := b.ResolveLink(links[i]); err != nil {
			return refuse(message.BadRequest, "link %d: %s", i+1, err)
		}
	}
	return nil
}

// renew prolongs a registration and changes what the queries name (RFC 9176
// section 5.3.1).
func (d *desk) renew(ctx context.Context, q *call) (*reply, error) {
	was, err := d.registration(ctx, q)
	if err != nil {
		return nil, err
	}
	if len(q.body) > 0 {
		return nil, refuse(message.BadRequest, "a renewal has no payload: POST to /rd to register other links")
	}
	e, err := d.entry()
	if err != nil {
		return nil, err
	}
	if e.endpoint != "" && e.endpoint != was.Endpoint || e.sector != "" && e.sector != was.Sector {
		return nil, refuse(message.BadRequest, "ep and d of a registration do not change: POST to /rd for another")
	}
	cmd := fsm.RenewRegistrationCommand{ID: q.at.id}
	if e.lifetime != 0 {
		cmd.Lifetime = &e.lifetime
	}
	explicit := slices.Contains(was.Attributes, explicitBase)
	if e.base != "" || !explicit {
		base, err := e.baseOf(q.from)
		if err != nil {
			return nil, err
		}
		cmd.Base = &base
	}
	if e.base != "" && !explicit {
		e.attributes = append(e.attributes, explicitBase)
	}
	if len(e.attributes) > 0 {
		all := replaced(was.Attributes, e.attributes)
		cmd.Attributes = &all
	}
	changed := &reply{code: message.Changed}
	return nil, d.change(ctx, q, change{
		of: link.Path("rd", q.at.id), command: cmd,
		answer: func(o fsm.Outcome) (*reply, error) { return changed.unless(o) },
	})
}

// replaced are attributes with those of the same names exchanged for others.
func replaced(attributes, by []string) []string {
	kept := slices.DeleteFunc(slices.Clone(attributes), func(a string) bool {
		name, _, _ := cutQuery(a)
		return slices.ContainsFunc(by, func(b string) bool { n, _, _ := cutQuery(b); return n == name })
	})
	return append(kept, by...)
}

// unregister takes a registration out (RFC 9176 section 5.3.2).
func (d *desk) unregister(ctx context.Context, q *call) (*reply, error) {
	_, err := d.registration(ctx, q)
	switch bound := q.from.session != nil && q.from.session.access != nil; {
	case errors.Is(err, errNoRegistration) && bound: // it may be another's, which this node does not know yet
		return d.removed(q)
	case err != nil && !errors.Is(err, errNoRegistration): // the site knows whether it is there, and whether it was
		return nil, err
	}
	deleted := &reply{code: message.Deleted}
	return nil, d.change(ctx, q, change{
		of: link.Path("rd", q.at.id), command: fsm.UnregisterCommand{ID: q.at.id},
		answer: func(o fsm.Outcome) (*reply, error) { return deleted.unless(o) },
	})
}

// removed answers the copy of a removal as that was; what else removes what is
// not there, is refused.
func (d *desk) removed(q *call) (*reply, error) {
	if !d.keyed() {
		return nil, refusedNotBegun
	}
	again, waits := d.s.changes.find(d.keyOf(q), d.now)
	if again == nil && !waits {
		return nil, errNoRegistration
	}
	return again, nil
}

// registration is the one that a request changes, which its sender may.
func (d *desk) registration(ctx context.Context, q *call) (fsm.Registration, error) {
	view, err := d.s.cfg.View(ctx)
	if err != nil {
		return fsm.Registration{}, d.s.refusalOfRead(err)
	}
	r, ok := view.Registration(q.at.id)
	if !ok {
		return r, errNoRegistration
	}
	return r, q.mayWrite(r.Endpoint)
}

var errNoRegistration = refuse(message.NotFound, "there is no such registration, or its time is over: register again at /rd")

// cutQuery splits a query at its first =.
func cutQuery(q string) (name, value string, valued bool) { return strings.Cut(q, "=") }
