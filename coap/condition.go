package coap

import (
	"encoding/binary"

	"skerry/coap/message"
	"skerry/fsm"
)

// A series' latest value has an ETag of eight bytes: the seq of the reading and
// the content format, as each format is a representation of its own. If-Match
// asks for the reading, in whatever format it was seen. Conditions are judged
// where readings get their seqs, so that of two who saw the same value only one
// writes (RFC 7252 section 5.10.8).

// tagOf is the ETag of a reading in a format.
func tagOf(seq fsm.Seq, format uint16) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(seq)<<16|uint64(format))
}

// noSeq is the seq of no reading: they count from 1.
const noSeq fsm.Seq = 0

// conditional tells whether a place judges the conditions of a method.
func (p place) conditional(method message.Code) bool {
	switch p {
	case atSeries:
		return method == message.POST || method == message.PUT
	case atReported:
		return method != message.GET
	}
	return false
}

// checkConditions refuses a request whose condition nobody would judge: If-Match
// and If-None-Match are critical.
func (d *desk) checkConditions(q *call) error {
	if !d.msg.Conditional() || q.at.place.conditional(d.msg.Code) {
		return nil
	}
	return refuse(message.BadOption, "If-Match and If-None-Match are judged at /r/{device}/{resource} and /d/{device}/reported, of what is written there: leave them out here")
}

// condition is what a post to a series asks to be so, nil for nothing.
func (d *desk) condition(q *call) (*fsm.Condition, error) {
	if !d.msg.Conditional() {
		return nil, nil
	}
	c := fsm.Condition{Device: q.at.device, Resource: q.at.resource}
	for tag := range d.msg.Values(message.IfMatch) {
		switch {
		case len(tag) == 0:
			c.Exists = true
		case len(c.Seqs) == fsm.MaxIfMatch:
			return nil, refuse(message.BadOption, "If-Match: more than %d tags", fsm.MaxIfMatch)
		case len(tag) == 8:
			c.Seqs = append(c.Seqs, fsm.Seq(binary.BigEndian.Uint64(tag)>>16))
		default:
			c.Seqs = append(c.Seqs, noSeq)
		}
	}
	if _, c.Missing = d.msg.Option(message.IfNoneMatch); c.Missing && (c.Exists || len(c.Seqs) > 0) {
		return nil, refuse(message.BadOption, "If-Match and If-None-Match can never both be so: send one")
	}
	if c.Exists { // any reading will do
		c.Seqs = nil
	}
	return &c, nil
}
