package senml

import (
	"errors"

	"skerry/fsm"
)

// Selector is a record of a Fetch Pack (RFC 8790 section 3.1): which readings
// are wished for.
type Selector struct {
	Device   string
	Resource string
	Unit     string // "" for any
	Time     int64  // microseconds since 1970 UTC; meant when Timed
	Timed    bool
}

// Change is a record of a Patch Pack (RFC 8790 section 3.2).
type Change struct {
	// Record is the reading that is set. Of a removal it has the names, the unit
	// and the time of the record that shall go; its value says nothing.
	Record fsm.Record
	Remove bool
}

var errFetchedValue = errors.New("is a value, which a Fetch Pack does not have: it names what to read, by n, u and t")

// DecodeFetch reads a Fetch Pack. Names are split by name. A record without a
// time and unit selects by name alone: neither has a default here. What Decode
// refuses is refused, and so are values, and times relative to now, which no
// reading could equal. Errors: ErrTooLarge, *Error.
func DecodeFetch(format Format, b []byte, name Namer) ([]Selector, error) {
	r := resolver{kind: ofSelectors, name: name}
	if err := r.decode(format, b); err != nil {
		return nil, err
	}
	if len(r.selectors) == 0 {
		return nil, &Error{Reason: "selects nothing: send at least one record with a name"}
	}
	return r.selectors, nil
}

// DecodePatch reads a Patch Pack. Names are split by name. A null as v asks for
// a removal. Unlike in other packs, each record has a value or that null: one of
// base fields alone is refused. Errors: ErrTooLarge, *Error.
func DecodePatch(format Format, b []byte, name Namer) ([]Change, error) {
	r := resolver{kind: ofChanges, name: name}
	if err := r.decode(format, b); err != nil {
		return nil, err
	}
	if len(r.changes) == 0 {
		return nil, &Error{Reason: "changes nothing: send at least one record with a value"}
	}
	return r.changes, nil
}

func (r *resolver) addSelector(f *fields) error {
	if !f.set.has(labelN) && !f.set.has(labelBN) {
		return r.wrong("n", "is missing: each Fetch Record has a name, a base name or both")
	}
	s := Selector{Unit: r.unit(f), Timed: f.set.has(labelT) || r.base.set.has(labelBT)}
	if s.Timed {
		var relative bool
		var err error
		switch s.Time, relative, err = ParseTime(r.base.bt + f.t); {
		case err != nil:
			return r.wrong("t", err.Error())
		case relative:
			return r.wrong("t", "is relative to now, and a reading is found by its own time: send Unix seconds, or leave it out")
		}
	}
	var err error
	if s.Device, s.Resource, err = r.names(f.n); err != nil {
		return err
	}
	whole := fsm.Record{Device: s.Device, Resource: s.Resource, Unit: s.Unit, Time: s.Time, Value: fsm.FlagValue(true)}
	if err := whole.Validate(); err != nil {
		return r.wrong("", err.Error())
	}
	r.selectors = append(r.selectors, s)
	return nil
}

func (r *resolver) addChange(f *fields) error {
	if f.set&valueLabels == 0 {
		if f.set.has(labelS) {
			return r.valueless(f)
		}
		return r.wrong("", "has no value: each Patch Record has one of v, vs, vb and vd, or null as v")
	}
	rec, err := r.record(f)
	if err != nil {
		return err
	}
	r.changes = append(r.changes, Change{rec, f.null})
	return nil
}
