package coap

import (
	"bytes"
	"context"

	"skerry/cluster"
	"skerry/coap/message"
	"skerry/coap/senml"
	"skerry/fsm"
)

const (
	// maxTimed is how many readings of a given time one FETCH may ask for: each
	// is a search of its own.
	maxTimed = 64
	// pageAtOneTime is how many readings of one series and time are read at once.
	pageAtOneTime = 1000
)

// fetch answers a FETCH whose body is a Fetch Pack (RFC 8132 section 2, RFC
// 8790 section 3.1). The pack that it selects from is the latest reading of each
// series; with a time, it is all history.
func (d *desk) fetch(ctx context.Context, q *call) (*reply, error) {
	if q.from.over {
		return nil, refusedRate
	}
	var err error
	if q.to.ask, err = d.ask(q); err != nil {
		return nil, err
	}
	if further := d.resume(q); further != nil {
		return further, nil
	}
	if q.to.ask.part.Num > 0 && len(q.body) == 0 {
		return nil, refuse(message.Incomplete, "the answer that this is a block of is no longer there: send the Fetch Pack again, and ask for block 0")
	}
	encoding, err := d.etchFormat(q, "a Fetch Pack")
	if err != nil {
		return nil, err
	}
	g := read{target: q.at, ask: q.to.ask}
	if g.selectors, err = senml.DecodeFetch(encoding, q.body, q.namer()); err != nil {
		return nil, err
	}
	if n := timed(g.selectors); n > maxTimed {
		return nil, refuse(message.BadRequest, "%d records have a time, at most %d are looked up in one request: send several", n, maxTimed)
	}
	return d.look(ctx, q, g)
}

// patch takes a PATCH or iPATCH whose body is a Patch Pack (RFC 8790 section
// 3.2). A history is only added to: what is set is a new reading, and the one
// that entered last is the one that counts. PATCH and iPATCH are therefore the
// same, and a removal is refused.
func (d *desk) patch(_ context.Context, q *call) (*reply, error) {
	if !d.keyed() {
		return nil, refusedNotBegun
	}
	encoding, err := d.etchFormat(q, "a Patch Pack")
	if err != nil {
		return nil, err
	}
	changes, err := senml.DecodePatch(encoding, q.body, q.namer())
	if err != nil {
		return nil, err
	}
	p := post{records: make([]fsm.Record, len(changes))}
	for i := range changes {
		if changes[i].Remove {
			return nil, refuse(message.Unprocessable, "record %d, v: null would remove a reading, and readings are kept: send a new value", i+1)
		}
		p.records[i] = changes[i].Record
	}
	return nil, d.take(q, &p)
}

// etchFormat is the encoding of a Fetch or Patch Pack by its content format;
// without one, by its first byte.
func (d *desk) etchFormat(q *call, pack string) (senml.Format, error) {
	format, given := d.msg.Uint(message.ContentFormat)
	switch {
	case given && format == formatEtchJSON:
		return senml.JSON, nil
	case given && format == formatEtchCBOR:
		return senml.CBOR, nil
	case !given && len(q.body) > 0 && q.body[0]>>5 == cborArray:
		return senml.CBOR, nil
	case !given && bytes.HasPrefix(bytes.TrimLeft(q.body, " \t\r\n"), []byte("[")):
		return senml.JSON, nil
	}
	return 0, refuse(message.UnsupportedFormat, "%s of RFC 8790 is taken here: content format 320 (JSON) or 322 (CBOR)", pack)
}

// timed counts the selectors that name a time.
func timed(selectors []senml.Selector) (n int) {
	for i := range selectors {
		if selectors[i].Timed {
			n++
		}
	}
	return n
}

// selected are the readings that a FETCH asks for, each once, in the order in
// which they were asked for.
func (g *read) selected(ctx context.Context, view Readings) (*reply, error) {
	var found []fsm.Reading
	seen := map[fsm.Seq]bool{}
	for i := range g.selectors {
		reading, ok, err := find(ctx, view, &g.selectors[i])
		if err != nil {
			return nil, err
		}
		if ok && !seen[reading.Seq] {
			seen[reading.Seq] = true
			found = append(found, reading)
		}
	}
	if len(found) == 0 {
		return nil, refuse(message.NotFound, "none of these records is there")
	}
	answer, n, err := g.fitting(found)
	if err == nil && n < len(found) { // which ones are missing could not be seen
		return nil, refuse(message.BadRequest, "the answer has more than %d bytes: ask for fewer records at once", maxBody)
	}
	return answer, err
}

// find is the reading that a selector names: of those of one time the one that
// entered last.
func find(ctx context.Context, view Readings, s *senml.Selector) (last fsm.Reading, ok bool, err error) {
	fits := func(r *fsm.Reading) bool { return s.Unit == "" || r.Unit == s.Unit }
	if !s.Timed {
		last, ok = view.Latest(s.Device, s.Resource)
		return last, ok && fits(&last), nil
	}
	q := cluster.Query{Device: s.Device, Resource: s.Resource, From: s.Time, To: s.Time + 1, Limit: pageAtOneTime}
	for {
		page, err := view.Range(ctx, q)
		if err != nil {
			return last, false, err
		}
		for i := range page.Readings { // by seq, as their time is one
			if fits(&page.Readings[i]) {
				last, ok = page.Readings[i], true
			}
		}
		if page.Next == "" {
			return last, ok, nil
		}
		q.Cursor = page.Next
	}
}
