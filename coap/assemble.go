package coap

import (
	"encoding/binary"
	"fmt"

	"skerry/coap/block"
	"skerry/coap/message"
	"skerry/coap/senml"
	"skerry/fsm"
)

// Of a body in blocks only the last message can come again: it is known by what
// became of the body, which is noted when its key is made. A FETCH changes nothing:
// its copy is answered by asking once more.
var (
	continued     = reply{code: message.Continue}
	refusedPieces = &refusal{message.Incomplete, reasonRequest, 0, 0, "the blocks before this one are not there, or no longer: send the body again, from its first block"}
	refusedBlocks = &refusal{message.TooManyRequests, reasonQueue, waitQueue, 0, "too many bodies are on their way in blocks: finish those that you began, or send this block again later"}
)

// assemble gathers a body that comes in blocks (RFC 7959 section 2.5). When whole
// is true q.body is all of it. Else the reply answers the block in hand; without
// one its answer comes later.
func (d *desk) assemble(q *call) (whole bool, answer *reply, err error) {
	value, blockwise := d.msg.Option(message.Block1)
	if !blockwise {
		return true, nil, nil
	}
	o, err := q.from.block(value)
	if err != nil {
		return false, nil, refuse(message.BadRequest, "%s", err)
	}
	if err := d.mayBegin(q, o); err != nil {
		return false, nil, err
	}
	if d.msg.Code == message.FETCH && !d.proven(q.from) { // else its answer might wait for a proof, and the body be gone
		d.challenge(q)
		return false, nil, nil
	}
	in := block.Block{Option: o, Payload: d.msg.Payload, Limit: d.largest(q)}
	in.ID, in.Peer = d.s.blocks.name(q.from, &d.msg)
	in.Size1, _ = d.msg.Uint(message.Size1)
	if q.from.session == nil || !q.from.session.stream {
		in.Message, in.MessageID = q.from.datagram, d.msg.ID
	}
	r := d.s.blocks.uploads.Add(d.now, in)
	q.to.block1, q.to.blockwise = r.Option.Uint(), true
	switch r.Kind {
	case block.Continue:
		q.from.peer.refund()
		return false, &continued, nil
	case block.Whole:
		q.body, q.upload, q.pieces = r.Body, in.ID, o.Num > 0
		if q.pieces && d.msg.Code == message.FETCH {
			d.s.blocks.keepQuestion(d.now, &in, q.body)
		}
		return true, nil, nil
	case block.Again:
		if d.msg.Code != message.FETCH {
			return false, d.recall(q, r.Note), nil
		}
		question, kept := d.s.blocks.downloads.Get(d.now, d.s.blocks.question(in.ID))
		if !kept {
			return false, nil, refusedPieces
		}
		q.body = question.Body
		return true, nil, nil
	case block.Incomplete:
		return false, nil, refusedPieces
	case block.TooLarge:
		return false, nil, tooLarge(in.Limit, fmt.Sprintf("at most %d bytes are taken here", in.Limit))
	case block.Busy:
		return false, nil, refusedBlocks
	}
	return false, nil, refuse(message.BadRequest, "the block has %d bytes, and its option says %d: only the last one may be shorter", len(d.msg.Payload), o.Size())
}

// block reads a block option of a message: only a stream can hold several blocks
// in one.
func (f *source) block(value []byte) (block.Option, error) {
	if f.session != nil && f.session.stream {
		return block.ParseBERT(value)
	}
	return block.Parse(value)
}

// mayBegin refuses with the first block what would be refused with the last. A
// last block is refused by what becomes of the body, since it may be a copy.
func (d *desk) mayBegin(q *call, o block.Option) error {
	switch {
	case !o.More:
		return nil
	case q.from.over:
		return refusedRate
	case d.msg.Code != message.FETCH && !d.keyed():
		return refusedNotBegun
	case q.at.device != "" && d.msg.Code != message.FETCH:
		return q.mayWrite(q.at.device)
	}
	return nil
}

// largest is the largest body that is taken at a place, in bytes.
func (d *desk) largest(q *call) int {
	switch q.at.place {
	case atPacks, atDevice:
		return senml.MaxPack
	case atReported:
		return fsm.MaxDocument
	case atDirectory, atRegistration:
		return fsm.MaxLinks
	case atSeries:
		switch format, _ := d.msg.Uint(message.ContentFormat); format {
		case formatJPEG:
			return fsm.MaxFrame
		case formatOctets:
			return fsm.MaxData
		case formatText:
			return fsm.MaxText
		}
		return maxSingle
	}
	return 0
}

// note keeps what a body that came in blocks is known by.
func (d *desk) note(q *call, k fsm.Key, content uint64) {
	if !q.pieces {
		return
	}
	var n block.Note
	copy(n[:], k[:])
	binary.LittleEndian.PutUint64(n[len(k):], content)
	d.s.blocks.uploads.Finish(q.upload, n)
}

// recall answers the last block of a body that was whole before: as the body
// was, or with its outcome, which may be on its way.
func (d *desk) recall(q *call, n block.Note) *reply {
	p := post{from: q.from.peer, over: q.from.over, to: q.to, recalled: true}
	copy(p.key[:], n[:])
	p.content = binary.LittleEndian.Uint64(n[len(p.key):])
	again, waits := d.s.changes.find(p.key, d.now)
	if again != nil {
		d.s.stats.duplicates.Add(1)
	} else if !waits {
		d.fly(&p)
	}
	return again
}

// said is what tells a message of a peer from its others: the datagram, and the
// whole of a body that came in blocks.
func (q *call) said() []byte {
	if !q.pieces {
		return q.from.datagram
	}
	said := make([]byte, 0, len(q.from.datagram)+len(q.body)+8)
	said = append(append(said, q.from.datagram...), q.body...)
	return binary.LittleEndian.AppendUint64(said, uint64(len(q.body)))
}
