package coap

import (
	"context"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"skerry/cluster"
	"skerry/coap/link"
	"skerry/coap/message"
)

const (
	// formatLinks is application/link-format (RFC 6690 section 7.2).
	formatLinks = 40
	// maxListed bounds the links of one answer that grow with the site.
	maxListed = 512
)

// Inventory is the part of a view that knows what there is.
type Inventory interface {
	// Devices are the devices that posted, with their resources, all sorted.
	Devices() []cluster.Device
	// DocumentDevices are the devices that have documents, sorted.
	DocumentDevices() []string
}

// Gateway is the devices' door of one of the site's nodes.
type Gateway struct {
	Name string
	Addr string // host:port at which devices reach it with plain CoAP
	Own  bool   // it is this one
}

// shelf are the resources that every gateway has.
var shelf = []link.Link{
	describe("/r", "skerry.readings", text("if", "core.b"), text("ct", "110 112"), text("title", "POST a SenML pack; one reading at /r/{device}/{resource}")),
	describe("/d", "skerry.twins", text("if", "core.ll"), number("ct", formatLinks), text("title", "documents: /d/{device}/desired and /reported")),
	describe("/time", "skerry.time", text("if", "core.rp"), number("ct", formatText), number("sz", len("1700000000.000")), text("title", "Unix time in seconds")),
	describe("/rd", "core.rd", text("if", "core.ll"), number("ct", formatLinks)),
	describe("/rd-lookup/ep", "core.rd-lookup-ep", text("if", "core.ll"), number("ct", formatLinks)),
	describe("/rd-lookup/res", "core.rd-lookup-res", text("if", "core.ll"), number("ct", formatLinks)),
	describe("/gateways", "skerry.gateways", text("if", "core.ll"), number("ct", formatLinks), text("title", "where else the site is reached")),
}

// aSeries is what the link of a series says, but for its target.
var aSeries = describe("", "skerry.series", text("if", "core.s"), text("ct", "0 110 112"), link.Flag("obs"))

// describe makes a link of a resource type.
func describe(target, rt string, more ...link.Attr) link.Link {
	return link.Link{Target: target, Attrs: append([]link.Attr{text("rt", rt)}, more...)}
}

func text(name, value string) link.Attr { return link.Attr{Name: name, Value: value} }

func number(name string, value int) link.Attr { return text(name, strconv.Itoa(value)) }

// search is what a client wants of a list of links.
type search struct {
	filter   link.Filter
	page     int
	count    int       // links of a page; 0 for all
	gateways []Gateway // of the site, where they are listed
}

// search reads the queries of a request for links (RFC 6690 section 4.1, RFC
// 9176 section 6.2).
func (d *desk) search(at place) (*search, error) {
	s := &search{}
	if (at == atCore || at == atGateways) && d.s.cfg.Gateways != nil {
		s.gateways = d.s.cfg.Gateways()
	}
	paged := false
	for query := range d.msg.Values(message.URIQuery) {
		q := string(query)
		switch name, value, _ := cutQuery(q); {
		case name == "page" && at.pages():
			n, err := strconv.ParseUint(value, 10, 16)
			if err != nil {
				return nil, refuse(message.BadRequest, "page=%s: send a number from 0", cut(value, 32))
			}
			s.page, paged = int(n), true
		case name == "count" && at.pages():
			n, err := strconv.ParseUint(value, 10, 16)
			if err != nil || n == 0 || n > maxListed {
				return nil, refuse(message.BadRequest, "count=%s: send a number of links, 1 to %d", cut(value, 32), maxListed)
			}
			s.count = int(n)
		default:
			if err := s.filter.Add(q); err != nil {
				return nil, refuse(message.BadRequest, "%s", err)
			}
		}
	}
	if paged && s.count == 0 {
		return nil, refuse(message.BadRequest, "page is of use with count only")
	}
	return s, nil
}

// lists tells whether a place answers with links that can be searched.
func (p place) lists() bool {
	return p == atTwins || p == atCore || p == atGateways || p.pages()
}

// pages tells whether a place takes page and count.
func (p place) pages() bool { return p == atEndpoints || p == atResources }

// wide tells whether an answer is made of the whole site.
func (g *read) wide() bool {
	switch g.place {
	case atTwins, atEndpoints, atResources:
		return true
	case atCore:
		return g.namesSeries()
	}
	return false
}

// namesSeries tells whether a filter asks for series, which are too many to be
// listed where they are not meant.
func (g *read) namesSeries() bool {
	for i := range g.search.filter {
		c := &g.search.filter[i]
		if c.Name == "rt" && c.Value != "" && c.Matches(&aSeries) || c.Name == "href" && len(c.Value) >= len("/r/") && c.Value[:len("/r/")] == "/r/" {
			return true
		}
	}
	return false
}

// beyondReadings answers a read of what is not below /r.
func (g *read) beyondReadings(ctx context.Context, view View) (*reply, error) {
	switch g.place {
	case atDesired, atReported:
		return g.document(view)
	case atTwin:
		return g.twin(view)
	case atTwins:
		return g.twins(view)
	case atRegistration:
		return g.registered(view)
	case atEndpoints, atResources:
		return g.lookup(ctx, view)
	case atGateways:
		return g.links(g.search.add(nil, g.search.doors(true)...))
	}
	return g.core(view)
}

// core answers with what there is here (RFC 6690 section 4).
func (g *read) core(view Inventory) (*reply, error) {
	found := g.search.add(nil, shelf...)
	found = g.search.add(found, g.search.doors(false)...)
	if !g.namesSeries() {
		return g.links(found)
	}
	for _, device := range view.Devices() {
		for _, resource := range device.Resources {
			l := aSeries
			l.Target = link.Path("r", device.Name, resource)
			if found = g.search.add(found, l); len(found) >= maxListed {
				return g.links(found)
			}
		}
	}
	return g.links(found)
}

// doors are the links of the site's gateways, this one among them where all
// are asked for.
func (s *search) doors(all bool) (links []link.Link) {
	for _, gateway := range s.gateways {
		if all || !gateway.Own {
			links = append(links, describe(gateway.uri(), "skerry.gateway", text("title", gateway.Name)))
		}
	}
	return links
}

// add adds the links that are searched.
func (s *search) add(found []link.Link, links ...link.Link) []link.Link {
	for i := range links {
		if s.filter.Matches(&links[i]) {
			found = append(found, links[i])
		}
	}
	return found
}

// uri is the gateway's, without the port that it means anyway.
func (g *Gateway) uri() string {
	host := g.Addr
	if name, port, err := net.SplitHostPort(g.Addr); err == nil && port == DefaultPort {
		host = strings.TrimSuffix(net.JoinHostPort(name, ""), ":")
	}
	return (&url.URL{Scheme: "coap", Host: host}).String()
}

// twins answers with the places of all devices' documents: of those that posted,
// and of those that have documents alone.
func (g *read) twins(view Inventory) (*reply, error) {
	names := view.DocumentDevices()
	for _, device := range view.Devices() {
		names = append(names, device.Name)
	}
	slices.Sort(names)
	var found []link.Link
	for _, name := range slices.Compact(names) {
		found = g.search.add(found, describe(link.Path("d", name), "skerry.twin", number("ct", formatLinks)))
		if len(found) >= maxListed {
			break
		}
	}
	return g.links(found)
}

// links answers with a list of links.
func (g *read) links(links []link.Link) (*reply, error) {
	if g.choosy && g.accept != formatLinks {
		return nil, unacceptable("link-format (40)")
	}
	answer := content(formatLinks, link.Append(nil, links...))
	answer.etag = sumOf(answer.payload)
	return answer, nil
}
