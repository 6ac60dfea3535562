package fsm

import (
	"fmt"
	"slices"
)

// Bounds of documents.
const (
	MaxDocument      = 8 << 10 // bytes of one
	MaxDocuments     = 100_000 // of both kinds
	MaxDocumentBytes = 64 << 20
	MaxIfMatch       = 16 // versions in one condition
)

// DocumentKind tells the two sides of a device's twin apart. The numbers are in
// the log: append-only.
type DocumentKind uint8

const (
	Desired  DocumentKind = iota // written by operators, read by the device
	Reported                     // written by the device
	kinds    = iota
)

func (k DocumentKind) String() string {
	if k == Desired {
		return "desired"
	}
	return "reported"
}

// Document is one side of a device's twin, kept as it was sent.
type Document struct {
	Format uint16 `cbor:"1,keyasint"` // CoAP Content-Format
	Body   []byte `cbor:"2,keyasint"` // shared, not to be changed
	// Version is given by the site and never again, whatever becomes of the
	// document: it serves as its ETag.
	Version uint64 `cbor:"3,keyasint"`
	Updated int64  `cbor:"4,keyasint"` // received of the writing entry, microseconds
}

// storedDocument remembers the message that wrote a document.
type storedDocument struct {
	Document
	By Key `cbor:"5,keyasint"`
}

// PutDocumentCommand replaces a document, or deletes it. Its outcome has the
// version. A message that wrote the document last is known and changes nothing;
// for any other the conditions are looked at first: Precondition when the
// version is none of IfMatch, or IfNone is set and there is a document; NotFound
// when there is none and IfExists or Delete is set.
type PutDocumentCommand struct {
	Device   string       `cbor:"1,keyasint"`
	Kind     DocumentKind `cbor:"2,keyasint"`
	Format   uint16       `cbor:"3,keyasint,omitempty"`
	Body     []byte       `cbor:"4,keyasint,omitempty"`
	Delete   bool         `cbor:"5,keyasint,omitempty"`
	IfMatch  []uint64     `cbor:"6,keyasint,omitempty"` // RFC 7252, section 5.10.8.1
	IfExists bool         `cbor:"7,keyasint,omitempty"`
	IfNone   bool         `cbor:"8,keyasint,omitempty"` // RFC 7252, section 5.10.8.2
	By       Key          `cbor:"9,keyasint"`           // of the message; zero for none
}

func (PutDocumentCommand) Op() Op                       { return OpPutDocument }
func (c PutDocumentCommand) appendBody(b []byte) []byte { return appendCBOR(b, c) }

func (c PutDocumentCommand) validate() error {
	if err := ValidateName("device", c.Device, MaxDevice); err != nil {
		return err
	}
	switch {
	case c.Kind >= kinds:
		return fmt.Errorf("document kind %d is not known", c.Kind)
	case len(c.Body) > MaxDocument:
		return fmt.Errorf("document has %d bytes, at most %d are taken", len(c.Body), MaxDocument)
	case len(c.IfMatch) > MaxIfMatch:
		return fmt.Errorf("condition names %d versions, at most %d are taken", len(c.IfMatch), MaxIfMatch)
	case c.Delete && (len(c.Body) > 0 || c.Format != 0):
		return fmt.Errorf("a document that is deleted has no body")
	case c.IfNone && (c.Delete || c.IfExists || len(c.IfMatch) > 0):
		return fmt.Errorf("conditions contradict each other: there must be no document, and there must be one")
	}
	return nil
}

// documents are both sides of all twins.
type documents struct {
	kinds   [kinds]ordered[storedDocument] // by device
	bytes   int                            // of all bodies
	version uint64                         // the last one given
}

func (d *documents) count() int { return d.kinds[Desired].n + d.kinds[Reported].n }

// set replaces a document, nil for none.
func (d *documents) set(kind DocumentKind, device string, is *storedDocument) {
	if was := d.kinds[kind].get(device); was != nil {
		d.bytes -= len(was.Body)
	}
	if is == nil {
		d.kinds[kind].remove(device)
		return
	}
	d.bytes += len(is.Body)
	d.kinds[kind].set(device, is)
}

func (s *State) putDocument(c *PutDocumentCommand) Outcome {
	was := s.documents.kinds[c.Kind].get(c.Device)
	switch {
	case was != nil && c.By != Key{} && was.By == c.By && !c.Delete:
		return Outcome{Code: Stored, First: Seq(was.Version), Known: true}
	case c.IfNone && was != nil, len(c.IfMatch) > 0 && (was == nil || !slices.Contains(c.IfMatch, was.Version)):
		return Outcome{Code: Precondition}
	case was == nil && (c.IfExists || c.Delete):
		return Outcome{Code: NotFound}
	case c.Delete:
		s.documents.set(c.Kind, c.Device, nil)
		return Outcome{Code: Stored}
	}
	held := 0
	if was != nil {
		held = len(was.Body)
	}
	if s.documents.bytes-held+len(c.Body) > MaxDocumentBytes || was == nil && s.documents.count() >= MaxDocuments {
		return Outcome{Code: Full}
	}
	s.documents.version++
	is := &storedDocument{Document{c.Format, c.Body, s.documents.version, s.received}, c.By}
	s.documents.set(c.Kind, c.Device, is)
	return Outcome{Code: Stored, First: Seq(is.Version)}
}

// Document is one side of a device's twin.
func (s *State) Document(device string, kind DocumentKind) (Document, bool) {
	if kind >= kinds {
		return Document{}, false
	}
	if d := s.documents.kinds[kind].get(device); d != nil {
		return d.Document, true
	}
	return Document{}, false
}

// DocumentDevices are the devices that have a document, by name.
func (s *State) DocumentDevices() []string {
	names := make([]string, 0, s.documents.count())
	for kind := range s.documents.kinds {
		for name := range s.documents.kinds[kind].all() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
