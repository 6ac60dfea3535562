package coap

import (
	"context"

	"skerry/coap/link"
	"skerry/fsm"
)

// lookup answers with the endpoints or the resources that are registered (RFC
// 9176 section 6). It gives up when ctx ends: what there is to look through may
// be 32 MiB of links.
func (g *read) lookup(ctx context.Context, view Directory) (*reply, error) {
	p := pager{search: g.search}
	for _, r := range view.Registrations() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if g.lookInto(&r, &p); p.full() {
			break
		}
	}
	return g.links(p.found)
}

// lookInto takes what is searched of a registration.
func (g *read) lookInto(r *fsm.Registration, p *pager) {
	endpoint := endpointLink(r)
	if g.place == atEndpoints && p.filter.Matches(&endpoint) {
		p.take(endpoint) // whatever its resources are
		return
	}
	resources := resourceLinks(r)
	if g.place == atEndpoints {
		if p.findsEndpoint(&endpoint, resources) {
			p.take(endpoint)
		}
		return
	}
	for i := range resources { // each criterion is met by the resource or its endpoint
		if p.filter.MatchesAny(&resources[i], &endpoint) {
			p.take(resources[i])
		}
	}
}

// endpointLink is a registration as an endpoint lookup shows it: its lifetime
// is nobody's concern (RFC 9176 section 6.4).
func endpointLink(r *fsm.Registration) link.Link {
	l := link.Link{Target: link.Path("rd", r.ID), Attrs: []link.Attr{text("ep", r.Endpoint), text("base", r.Base)}}
	if r.Sector != "" {
		l.Attrs = append(l.Attrs, text("d", r.Sector))
	}
	for _, a := range r.Attributes {
		if name, value, valued := cutQuery(a); name != explicitBase {
			l.Attrs = append(l.Attrs, link.Attr{Name: name, Value: value, Bare: !valued})
		}
	}
	l.Attrs = append(l.Attrs, text("rt", "core.rd-ep"))
	return l
}

// resourceLinks are the links of a registration, resolved. They and their base
// were parsed when they came in.
func resourceLinks(r *fsm.Registration) []link.Link {
	base, err := link.ParseBase(r.Base)
	if err != nil {
		return nil
	}
	links, err := link.Parse([]byte(r.Links))
	if err != nil {
		return nil
	}
	resolved := links[:0]
	for _, l := range links {
		if l, err := base.ResolveLink(l); err == nil {
			resolved = append(resolved, l)
		}
	}
	return resolved
}

// findsEndpoint tells whether an endpoint is searched: each criterion is met by
// itself or by one of its resources.
func (s *search) findsEndpoint(endpoint *link.Link, resources []link.Link) bool {
	all := make([]*link.Link, 0, 1+len(resources))
	all = append(all, endpoint)
	for i := range resources {
		all = append(all, &resources[i])
	}
	return s.filter.MatchesAny(all...)
}

// pager keeps the links of one page.
type pager struct {
	*search
	found []link.Link
	seen  int // links that were searched, on earlier pages too
}

func (p *pager) take(l link.Link) {
	if p.seen++; p.full() || p.seen <= p.page*p.count {
		return
	}
	p.found = append(p.found, l)
}

// full tells that the page has all its links, or an answer as many as it may.
func (p *pager) full() bool {
	return len(p.found) >= maxListed || p.count > 0 && len(p.found) >= p.count
}

// registered answers with the links of one registration, as they were sent.
func (g *read) registered(view Directory) (*reply, error) {
	r, ok := view.Registration(g.target.id)
	if !ok {
		return nil, errNoRegistration
	}
	links, err := link.Parse([]byte(r.Links))
	if err != nil {
		return nil, err
	}
	return g.links(links)
}
