package coap

import (
	"bytes"
	"image/jpeg"
	"net/netip"

	"skerry/coap/key"
	"skerry/coap/message"
	"skerry/coap/senml"
	"skerry/fsm"
)

// post turns a POST or PUT into what the intake takes.
func (r *reader) post(at target, datagram []byte, from netip.AddrPort) (post, error) {
	if !r.keyed() {
		return post{}, refusedNotBegun
	}
	var p post
	var err error
	format, given := r.msg.Uint(message.ContentFormat)
	switch {
	case at.place == atSeries && given && format == formatJPEG:
		p.frame, err = frame(at, r.msg.Payload)
	case at.place == atSeries:
		p.records, err = r.one(at, format)
	default:
		p.records, err = r.pack(at, format, given)
	}
	if err != nil {
		return post{}, err
	}
	return p, r.identify(&p, datagram, from)
}

// keyed tells whether the site's secret is known; it is once the site has begun.
func (r *reader) keyed() bool {
	if r.keys == nil {
		if secret, ok := r.s.cfg.Store.Secret(); ok {
			r.keys = key.NewMaker(secret)
		}
	}
	return r.keys != nil
}

// one is the reading of a body with one value. It lies in the read's own chunk
// of records, so that 64 posts cost one allocation.
func (r *reader) one(at target, format uint32) ([]fsm.Record, error) {
	rec, err := single(format, r.msg.Payload)
	if err != nil {
		return nil, err
	}
	rec.Device, rec.Resource = at.device, at.resource
	if err := rec.Validate(); err != nil {
		return nil, refuse(message.BadRequest, "%s", err)
	}
	if r.records == nil {
		r.records = make([]fsm.Record, 0, r.expected) // never grows
	}
	r.records = append(r.records, rec)
	n := len(r.records)
	return r.records[n-1 : n : n], nil
}

func (r *reader) pack(at target, format uint32, given bool) ([]fsm.Record, error) {
	encoding, err := packFormat(format, given, r.msg.Payload)
	if err != nil {
		return nil, err
	}
	if at.place == atDevice {
		return senml.Decode(encoding, r.msg.Payload, senml.ResourcesOf(at.device))
	}
	return senml.Decode(encoding, r.msg.Payload, senml.Split)
}

// frame is a camera's picture, taken now. Its size in pixels is read from the
// JPEG's header; the picture itself is neither decoded nor changed.
func frame(at target, body []byte) (*fsm.FrameCommand, error) {
	if len(body) > fsm.MaxFrame {
		return nil, tooLarge(fsm.MaxFrame, "the frame is too large: send a smaller picture")
	}
	name := fsm.Record{Device: at.device, Resource: at.resource, Value: fsm.FlagValue(true)}
	if err := name.Validate(); err != nil {
		return nil, refuse(message.BadRequest, "%s", err)
	}
	size, err := jpeg.DecodeConfig(bytes.NewReader(body))
	if err != nil {
		return nil, refuse(message.BadRequest, "this is not a JPEG: %s", err)
	}
	return &fsm.FrameCommand{
		Device: at.device, Resource: at.resource, Relative: true,
		Width: uint32(size.Width), Height: uint32(size.Height), JPEG: bytes.Clone(body),
	}, nil
}

// identify gives a post its key, and its size.
func (r *reader) identify(p *post, datagram []byte, from netip.AddrPort) error {
	records := p.records
	if f := p.frame; f != nil { // it is known again as bytes would be
		records = []fsm.Record{{Device: f.Device, Resource: f.Resource, Relative: true, Value: fsm.DataValue(f.JPEG)}}
	}
	p.bytes = sizeOf(records)
	if name, named := r.query("id"); named {
		var err error
		p.key, p.content, err = r.keys.OfName(records[0].Device, string(name), records)
		if err != nil {
			return refuse(message.BadRequest, "%s", err)
		}
		return nil
	}
	var timed bool
	if p.key, timed = r.keys.OfContent(records); !timed {
		p.key = r.keys.OfDatagram(from, datagram)
	}
	return nil
}

// query is the value of the first query parameter of a name.
func (r *reader) query(name string) (value []byte, ok bool) {
	for q := range r.msg.Values(message.URIQuery) {
		if len(q) > len(name) && q[len(name)] == '=' && string(q[:len(name)]) == name {
			return q[len(name)+1:], true
		}
	}
	return nil, false
}
