package coap

import (
	"bytes"
	"slices"
	"time"

	"skerry/coap/block"
	"skerry/coap/key"
	"skerry/coap/message"
)

const (
	// maxBody is the largest list of readings in an answer, in bytes. The largest
	// reading fits: bytes of fsm.MaxData, a third more in SenML JSON.
	maxBody = 320 << 10
	// maxStreamed is the largest payload that goes over a stream in one message
	// where nobody asked for blocks: with its options it is within the 64 KiB
	// that are taken there.
	maxStreamed = block.MaxBERT
)

// ask is how the client of a GET or FETCH wants its representation.
type ask struct {
	accept uint32
	choosy bool // accept is meant
	etags  [][]byte

	part     block.Option // the block that is asked for
	sized    bool         // it is meant: else the first one, of any size
	stream   bool         // it need not fit into a datagram
	transfer block.ID
	bodiless block.ID // of a FETCH: the transfer, as those who leave the body out of further requests name it
	peer     block.Peer
	proven   bool // its peer receives what is sent there
	kept     bool // the representation is in Downloads
	unkept   bool // it is not, and would have to be
}

// ask reads how the client wants its representation.
func (d *desk) ask(q *call) (*ask, error) {
	a := &ask{part: block.Option{SZX: block.MaxSZX}, proven: d.proven(q.from)}
	a.stream = q.from.session != nil && q.from.session.stream
	a.accept, a.choosy = d.msg.Uint(message.Accept)
	for tag := range d.msg.Values(message.ETag) {
		a.etags = append(a.etags, bytes.Clone(tag))
	}
	value, sized := d.msg.Option(message.Block2)
	if sized {
		var err error
		if a.part, err = q.from.block(value); err != nil {
			return nil, refuse(message.BadRequest, "%s", err)
		}
		a.sized = true
	}
	a.transfer, a.peer = d.s.blocks.name(q.from, &d.msg)
	if d.msg.Code == message.FETCH && len(q.body) > 0 { // the body is part of what is asked for (RFC 8132 section 2)
		a.bodiless, a.transfer = a.transfer, d.s.blocks.withBody(a.transfer, q.body)
	}
	return a, nil
}

// resume answers with a further block of the representation whose first one the
// client has (RFC 7959 section 2.4); nil where it has to be made anew.
func (d *desk) resume(q *call) *reply {
	a := q.to.ask
	if a.part.Num == 0 {
		return nil
	}
	r, ok := d.s.blocks.downloads.Get(d.now, a.transfer)
	if !ok {
		return nil
	}
	a.kept = true
	q.from.peer.refund()
	return &reply{code: message.Content, format: r.Format, typed: true, etag: r.ETag, payload: r.Body}
}

// validate turns an answer that the client has already into 2.03 (RFC 7252
// section 5.10.6.2).
func (a *ask) validate(r *reply) *reply {
	if len(r.etag) == 0 || !slices.ContainsFunc(a.etags, func(tag []byte) bool { return bytes.Equal(tag, r.etag) }) {
		return r
	}
	return &reply{code: message.Valid, etag: r.etag, maxAge: r.maxAge}
}

// shape gives an answer with content the form its client asked for: the block it
// wants, the first one where all do not fit into a datagram, or 2.03.
func (s *Server) shape(a *ask, r *reply) *reply {
	whole := len(r.payload) <= a.part.Size() || a.stream && !a.sized && len(r.payload) <= maxStreamed
	if !whole && len(r.etag) == 0 {
		tagged := *r
		tagged.etag = sumOf(r.payload)
		r = &tagged
	}
	if known := a.validate(r); known != r || whole && !a.sized {
		return known
	}
	part, o, err := block.Slice(r.payload, a.part)
	if err != nil {
		said := refuse(message.BadRequest, "%s, which is at %d bytes", err, len(r.payload)).reply()
		return &said
	}
	if !whole && !a.kept {
		s.keep(a, r)
	}
	shaped := *r
	shaped.payload, shaped.block2, shaped.sliced = part, o.Uint(), true
	if o.Num == 0 {
		shaped.size2 = uint32(len(r.payload))
	}
	return &shaped
}

// strangers share what one peer may have of Downloads: they are all those that
// proved nothing, and one may be as many as it likes.
var strangers block.Peer

// keep keeps an answer while its further blocks are read. What strangers push
// out is made anew, where each request says all that it asks for.
func (s *Server) keep(a *ask, r *reply) {
	if !a.proven {
		if a.unkept = a.bodiless != (block.ID{}); a.unkept {
			return
		}
		a.peer = strangers
	}
	now, whole := time.Now(), block.Representation{Body: r.payload, Format: r.format, ETag: r.etag}
	s.blocks.downloads.Put(now, a.transfer, a.peer, whole)
	if a.bodiless != (block.ID{}) {
		s.blocks.downloads.Put(now, a.bodiless, a.peer, whole)
	}
}

// sumOf is the ETag of a body that has no version. It is the same at every node,
// so that a client may go on at another one.
func sumOf(body []byte) []byte {
	var public [16]byte
	sum := key.Sum128(&public, body)
	return sum[:8]
}
