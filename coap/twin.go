package coap

import (
	"bytes"
	"context"
	"encoding/binary"
	"unicode/utf8"

	"skerry/coap/link"
	"skerry/coap/message"
	"skerry/fsm"
)

// Twins is the part of a view that holds devices' documents.
type Twins interface {
	Document(device string, kind fsm.DocumentKind) (fsm.Document, bool)
}

// kind is the side of a twin that a place shows.
func (p place) kind() fsm.DocumentKind {
	if p == atDesired {
		return fsm.Desired
	}
	return fsm.Reported
}

// document answers with one side of a twin, as it was written.
func (g *read) document(view Twins) (*reply, error) {
	kind := g.place.kind()
	doc, ok := view.Document(g.device, kind)
	switch {
	case !ok:
		return nil, refuse(message.NotFound, "there is no %v document of %s", kind, g.device)
	case g.choosy && g.accept != uint32(doc.Format):
		return nil, refuse(message.NotAcceptable, "Accept: this document is of content format %d", doc.Format)
	}
	answer := content(doc.Format, doc.Body)
	answer.etag = etagOf(doc.Version)
	return answer, nil
}

// twin answers with the links of a device's documents that there are.
func (g *read) twin(view Twins) (*reply, error) {
	var links []link.Link
	for _, kind := range []fsm.DocumentKind{fsm.Desired, fsm.Reported} {
		if doc, ok := view.Document(g.device, kind); ok {
			links = append(links, describe(link.Path("d", g.device, kind.String()), "skerry."+kind.String(), number("ct", int(doc.Format)), number("sz", len(doc.Body)), link.Flag("obs")))
		}
	}
	if len(links) == 0 {
		return nil, refuse(message.NotFound, "there is no document of %s", g.device)
	}
	return g.links(links)
}

// etagOf is the ETag of a document's version.
func etagOf(version uint64) []byte { return binary.BigEndian.AppendUint64(nil, version) }

// putDocument takes a document from its device.
func (d *desk) putDocument(ctx context.Context, q *call) (*reply, error) {
	if len(q.body) > fsm.MaxDocument {
		return nil, tooLarge(fsm.MaxDocument, "the document is too large: send less, or readings to /r")
	}
	cmd := fsm.PutDocumentCommand{Body: bytes.Clone(q.body), Format: d.documentFormat(q.body)}
	return d.changeDocument(ctx, q, cmd, func(was bool, o fsm.Outcome) (*reply, error) {
		if o.Code != fsm.Stored {
			return nil, refusalOfOutcome(o)
		}
		code := message.Changed
		if !was && !o.Known {
			code = message.Created
		}
		return &reply{code: code, etag: etagOf(uint64(o.First))}, nil
	})
}

// deleteDocument deletes a document; one that is not there is as good as
// deleted (RFC 7252 section 5.8.4).
func (d *desk) deleteDocument(ctx context.Context, q *call) (*reply, error) {
	cmd := fsm.PutDocumentCommand{Delete: true}
	return d.changeDocument(ctx, q, cmd, func(_ bool, o fsm.Outcome) (*reply, error) {
		if o.Code != fsm.Stored && o.Code != fsm.NotFound {
			return nil, refusalOfOutcome(o)
		}
		return &reply{code: message.Deleted}, nil
	})
}

// changeDocument has the site change a document under the request's conditions.
// answer is told whether there was a document before.
func (d *desk) changeDocument(ctx context.Context, q *call, cmd fsm.PutDocumentCommand, answer func(was bool, o fsm.Outcome) (*reply, error)) (*reply, error) {
	cmd.Device, cmd.Kind = q.at.device, q.at.place.kind()
	if err := q.mayWrite(cmd.Device); err != nil {
		return nil, err
	}
	if !d.keyed() {
		return nil, refusedNotBegun
	}
	cmd.By = d.keyOf(q)
	d.conditions(&cmd)
	view, err := d.s.cfg.View(ctx)
	if err != nil {
		return nil, d.s.refusalOfRead(err)
	}
	_, was := view.Document(cmd.Device, cmd.Kind)
	return nil, d.change(ctx, q, change{
		of:      link.Path("d", cmd.Device, cmd.Kind.String()),
		command: cmd,
		answer: func(o fsm.Outcome) (*reply, error) {
			if o.Code == fsm.NotFound && cmd.IfExists {
				o.Code = fsm.Precondition
			}
			return answer(was, o)
		},
	})
}

// documentFormat is the content format of a document; without one it is text
// where it can be.
func (d *desk) documentFormat(body []byte) uint16 {
	if format, given := d.msg.Uint(message.ContentFormat); given {
		return uint16(format)
	}
	if utf8.Valid(body) {
		return formatText
	}
	return formatOctets
}

// conditions reads If-Match and If-None-Match (RFC 7252 section 5.10.8).
func (d *desk) conditions(cmd *fsm.PutDocumentCommand) {
	for tag := range d.msg.Values(message.IfMatch) {
		switch len(tag) {
		case 0:
			cmd.IfExists = true
		case 8:
			cmd.IfMatch = append(cmd.IfMatch, binary.BigEndian.Uint64(tag))
		default:
			cmd.IfMatch = append(cmd.IfMatch, noVersion)
		}
	}
	if cmd.IfExists { // any version will do
		cmd.IfMatch = nil
	}
	_, cmd.IfNone = d.msg.Option(message.IfNoneMatch)
}

// noVersion is the version of no document: they count from 1.
const noVersion = 0
