package senml

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strings"

	"skerry/fsm"
)

// fields are one record as it stands in a pack.
type fields struct {
	set          labels
	bn, bu, n, u string
	bt, bv, t, v float64
	ignored      float64 // bs, s, ut: read for their type, not kept
	bver         float64
	vs           string
	vb           bool
	vd           []byte
	null         bool // v is null: a Patch Pack's removal
}

// values reads the value of the label a format's decoder stands at. The errors
// are reasons; the caller knows record and label.
type values interface {
	number() (float64, error)
	text() (string, error)
	flag() (bool, error)
	data() ([]byte, error)
}

// read takes the value of a known label.
func (f *fields) read(l label, from values) (err error) {
	if f.set.has(l) {
		return errors.New("stands twice in one record: send it once")
	}
	f.set.add(l)
	switch l {
	case labelBN:
		f.bn, err = from.text()
	case labelBT:
		f.bt, err = from.number()
	case labelBU:
		f.bu, err = from.text()
	case labelBV:
		f.bv, err = from.number()
	case labelBVer:
		f.bver, err = from.number()
	case labelN:
		f.n, err = from.text()
	case labelU:
		f.u, err = from.text()
	case labelV:
		f.v, err = from.number()
	case labelVS:
		f.vs, err = from.text()
	case labelVB:
		f.vb, err = from.flag()
	case labelT:
		f.t, err = from.number()
	case labelVD:
		f.vd, err = from.data()
	case labelS, labelBS, labelUT:
		f.ignored, err = from.number()
	}
	return err
}

// kind is what the records of a pack become.
type kind uint8

const (
	ofReadings  kind = iota // RFC 8428
	ofSelectors             // a Fetch Pack, RFC 8790 section 3.1
	ofChanges               // a Patch Pack, RFC 8790 section 3.2
)

// resolver holds the base fields in effect and what came of the records so far:
// of the three lists, the one of its kind.
type resolver struct {
	kind      kind
	name      Namer
	seen      int    // records, those without a reading too
	base      fields // set tells which base fields are in effect
	readings  []fsm.Record
	selectors []Selector
	changes   []Change
}

// wrong makes the error of the record in hand.
func (r *resolver) wrong(label, reason string) error {
	return &Error{Record: r.seen, Label: label, Reason: reason}
}

// expect makes room for n records.
func (r *resolver) expect(n int) {
	switch r.kind {
	case ofSelectors:
		r.selectors = make([]Selector, 0, n)
	case ofChanges:
		r.changes = make([]Change, 0, n)
	default:
		r.readings = make([]fsm.Record, 0, n)
	}
}

// begin counts a record.
func (r *resolver) begin() error {
	if r.seen == MaxRecords {
		return fmt.Errorf("%w: at most %d records are taken", ErrTooLarge, MaxRecords)
	}
	r.seen++
	return nil
}

// unknown judges a label that RFC 8428 does not name.
func (r *resolver) unknown(label string) error {
	if strings.HasSuffix(label, "_") {
		return r.wrong(label, `is not known, and the "_" at its end says that it must be: leave it out`)
	}
	return nil
}

// read takes the value of a known label into f, as the kind of pack allows it.
func (r *resolver) read(f *fields, l label, from values) error {
	if r.kind == ofSelectors && notFetched.has(l) {
		return errFetchedValue
	}
	err := f.read(l, from)
	if r.kind == ofChanges && l == labelV && errors.Is(err, errNull) {
		f.null = true
		return nil
	}
	return err
}

// add resolves a record and keeps what it says.
func (r *resolver) add(f *fields) error {
	if err := r.rebase(f); err != nil {
		return err
	}
	switch r.kind {
	case ofSelectors:
		return r.addSelector(f)
	case ofChanges:
		return r.addChange(f)
	}
	if f.set&valueLabels == 0 {
		return r.valueless(f)
	}
	rec, err := r.record(f)
	if err != nil {
		return err
	}
	r.readings = append(r.readings, rec)
	return nil
}

// record resolves a record that has a value.
func (r *resolver) record(f *fields) (fsm.Record, error) {
	if bits.OnesCount16(uint16(f.set&valueLabels)) > 1 {
		return fsm.Record{}, r.wrong("", "has more than one value: a record takes one of v, vs, vb and vd")
	}
	rec := fsm.Record{Unit: r.unit(f)}
	var err error
	if rec.Time, rec.Relative, err = ParseTime(r.base.bt + f.t); err != nil {
		return rec, r.wrong("t", err.Error())
	}
	if rec.Value, err = r.value(f); err != nil {
		return rec, err
	}
	if rec.Device, rec.Resource, err = r.names(f.n); err != nil {
		return rec, err
	}
	if err := rec.Validate(); err != nil {
		return rec, r.wrong("", err.Error())
	}
	return rec, nil
}

func (r *resolver) unit(f *fields) string {
	if f.u != "" {
		return f.u
	}
	return r.base.bu
}

// rebase puts a record's base fields into effect, for itself and those after it.
func (r *resolver) rebase(f *fields) error {
	if f.set&baseLabels == 0 {
		return nil
	}
	r.base.set |= f.set & baseLabels
	if f.set.has(labelBVer) {
		if f.bver != math.Trunc(f.bver) || f.bver < 1 || f.bver > maxVersion {
			return r.wrong("bver", fmt.Sprintf("version %g is not known: versions 1 to %d are", f.bver, maxVersion))
		}
		if r.base.bver != 0 && r.base.bver != f.bver {
			return r.wrong("bver", "differs from the version of an earlier record: a pack has one")
		}
		r.base.bver = f.bver
	}
	if f.set.has(labelBN) {
		r.base.bn = f.bn
	}
	if f.set.has(labelBT) {
		r.base.bt = f.bt
	}
	if f.set.has(labelBU) {
		r.base.bu = f.bu
	}
	if f.set.has(labelBV) {
		r.base.bv = f.bv
	}
	return nil
}

// valueless judges a record without a value: base fields alone are fine.
func (r *resolver) valueless(f *fields) error {
	switch {
	case f.set.has(labelS):
		return r.wrong("s", "a sum without a value is not kept: send the value too, or the sum as v of a resource of its own")
	case f.set&baseLabels == 0 || f.set&^baseLabels != 0:
		return r.wrong("", "has no value: send one of v, vs, vb and vd")
	}
	return nil
}

func (r *resolver) value(f *fields) (fsm.Value, error) {
	switch {
	case f.set.has(labelV):
		v := r.base.bv + f.v
		if math.IsInf(v, 0) {
			return fsm.Value{}, r.wrong("v", "with bv added "+errNotFinite.Error())
		}
		return fsm.NumberValue(v), nil
	case f.set.has(labelVB):
		return fsm.FlagValue(f.vb), nil
	case f.set.has(labelVS):
		return fsm.TextValue(f.vs), nil
	}
	return fsm.DataValue(f.vd), nil
}

func (r *resolver) names(name string) (device, resource string, err error) {
	if r.base.bn == "" && name == "" {
		return "", "", r.wrong("n", "is missing: the record has neither a name nor a base name")
	}
	device, resource, err = r.name(r.base.bn, name)
	if err != nil {
		return "", "", r.wrong("bn", err.Error())
	}
	return device, resource, nil
}
