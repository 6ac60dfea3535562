package coap

import (
	"bytes"
	"context"
	"image/jpeg"

	"skerry/coap/key"
	"skerry/coap/message"
	"skerry/coap/senml"
	"skerry/fsm"
)

// post takes a POST or PUT; it is answered with the outcome.
func (d *desk) post(_ context.Context, q *call) (*reply, error) {
	if !d.keyed() {
		return nil, d.unkeyed(q)
	}
	var p post
	var err error
	if q.at.place == atSeries {
		if p.condition, err = d.condition(q); err != nil {
			return nil, err
		}
	}
	format, given := d.msg.Uint(message.ContentFormat)
	switch {
	case q.at.place == atSeries && given && format == formatJPEG && p.condition != nil:
		return nil, refuse(message.BadOption, "a frame takes no condition: leave If-Match and If-None-Match out")
	case q.at.place == atSeries && given && format == formatJPEG:
		p.frame, err = frame(q.at, q.body)
	case q.at.place == atSeries:
		p.records, err = d.one(q, format)
	default:
		p.records, err = pack(q, format, given)
	}
	if err != nil {
		return nil, err
	}
	return nil, d.take(q, &p)
}

// take keys a post, after a check of who may say it, and hands it to the intake
// with the turn's others.
func (d *desk) take(q *call, p *post) error {
	if p.frame != nil {
		if err := q.mayWrite(p.frame.Device); err != nil {
			return err
		}
	}
	for i := range p.records {
		if i > 0 && p.records[i].Device == p.records[i-1].Device {
			continue
		}
		if err := q.mayWrite(p.records[i].Device); err != nil {
			return err
		}
	}
	if err := d.identify(p, q); err != nil {
		return err
	}
	d.note(q, p.key, p.content)
	q.seen = d.s.diary.see(q.from.identity(p.device()), q, d.now)
	p.from, p.over, p.seen, p.to = q.from.peer, q.from.over, q.seen, q.to
	d.fly(p)
	return nil
}

// device is the one that a post is about, the first of several.
func (p *post) device() string {
	if p.frame != nil {
		return p.frame.Device
	}
	return p.records[0].Device
}

// unkeyed is what is said while the site's secret is not known. A datagram that
// an earlier process may have taken is not answered at all: its next copy finds
// the secret, unless there is no leader for long.
func (d *desk) unkeyed(q *call) error {
	if q.from.session == nil && d.now.Before(d.s.intake.inherits) {
		return nil
	}
	return refusedNotBegun
}

// keyed tells whether the site's secret is known; it is once the site has begun.
func (d *desk) keyed() bool {
	if d.keys == nil {
		if secret, ok := d.s.cfg.Store.Secret(); ok {
			d.keys = key.NewMaker(secret)
		}
	}
	return d.keys != nil
}

// one is the reading of a body with one value. It lies in the turn's chunk.
func (d *desk) one(q *call, format uint32) ([]fsm.Record, error) {
	rec, err := single(format, q.body)
	if err != nil {
		return nil, err
	}
	rec.Device, rec.Resource = q.at.device, q.at.resource
	if err := rec.Validate(); err != nil {
		return nil, refuse(message.BadRequest, "%s", err)
	}
	k := d.room()
	k.records = append(k.records, rec)
	n := len(k.records)
	return k.records[n-1 : n : n], nil
}

func pack(q *call, format uint32, given bool) ([]fsm.Record, error) {
	encoding, err := packFormat(format, given, q.body)
	if err != nil {
		return nil, err
	}
	return senml.Decode(encoding, q.body, q.namer())
}

// namer splits the names of a pack that was sent to a place.
func (q *call) namer() senml.Namer {
	if q.at.place == atDevice {
		return senml.ResourcesOf(q.at.device)
	}
	return senml.Split
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
func (d *desk) identify(p *post, q *call) error {
	records := p.records
	if f := p.frame; f != nil { // it is known again as bytes would be
		records = []fsm.Record{{Device: f.Device, Resource: f.Resource, Relative: true, Value: fsm.DataValue(f.JPEG)}}
	}
	p.bytes = sizeOf(records)
	if name, named := d.query("id"); named {
		var err error
		p.key, p.content, err = d.keys.OfName(q.from.identity(records[0].Device), string(name), records)
		if err != nil {
			return refuse(message.BadRequest, "%s", err)
		}
		return nil
	}
	var timed bool
	if p.key, timed = d.keys.OfContent(records); !timed {
		p.key = d.keyOf(q)
	}
	return nil
}

// identity is who a message's ?id= belongs to: the device that its sender
// proved to be, or else the one the message is about.
func (f *source) identity(device string) string {
	if f.session != nil && f.session.device != "" {
		return f.session.device
	}
	return device
}

// keyOf is the key of a message that only its transport can tell from others.
func (d *desk) keyOf(q *call) fsm.Key {
	if s := q.from.session; s != nil {
		return d.keys.OfSession(s.device, s.id, q.said())
	}
	return d.keys.OfDatagram(q.from.from, q.said())
}

// query is the value of the first query parameter of a name.
func (d *desk) query(name string) (value []byte, ok bool) {
	for q := range d.msg.Values(message.URIQuery) {
		if len(q) > len(name) && q[len(name)] == '=' && string(q[:len(name)]) == name {
			return q[len(name)+1:], true
		}
	}
	return nil, false
}
