package link

import (
	"errors"
	"fmt"
	"strings"
)

// MaxCriteria bounds a filter.
const MaxCriteria = 16

// ErrCriterion: a query that is not of the form name=value.
var ErrCriterion = errors.New("a filter has the form name=value, where value may end in *")

// Criterion is one condition on a link, as in rt=temperature or href=/r/*
// (RFC 6690 section 4.1).
type Criterion struct {
	Name   string // of an attribute, or "href" for the target
	Value  string
	Prefix bool // Value is the beginning of what is searched; empty, of anything
}

// ParseCriterion reads a query. The error wraps ErrCriterion.
func ParseCriterion(query string) (Criterion, error) {
	name, value, ok := strings.Cut(query, "=")
	if !ok || !isName(name) {
		return Criterion{}, fmt.Errorf("%w: %.64q", ErrCriterion, query)
	}
	value, prefix := strings.CutSuffix(value, "*")
	return Criterion{name, value, prefix}, nil
}

// Matches tells whether the target or an attribute of l is what is searched.
// Attributes that list several values (rt, if, rel, rev, ct) match by each of
// them.
func (c *Criterion) Matches(l *Link) bool {
	if c.Name == "href" {
		return c.fits(l.Target)
	}
	for i := range l.Attrs {
		a := &l.Attrs[i]
		if a.Name == c.Name && (c.fits(a.Value) || listsValues(a.Name) && c.fitsOne(a.Value)) {
			return true
		}
	}
	return false
}

func (c *Criterion) fits(value string) bool {
	return value == c.Value || c.Prefix && strings.HasPrefix(value, c.Value)
}

func (c *Criterion) fitsOne(values string) bool {
	for value := range strings.FieldsSeq(values) {
		if c.fits(value) {
			return true
		}
	}
	return false
}

// listsValues tells whether an attribute holds values separated by spaces.
func listsValues(name string) bool {
	switch name {
	case "rt", "if", "rel", "rev", "ct":
		return true
	}
	return false
}

// Filter is met by the links that meet all its criteria; an empty one by all.
type Filter []Criterion

// Add reads one more query. The error wraps ErrCriterion.
func (f *Filter) Add(query string) error {
	if len(*f) == MaxCriteria {
		return fmt.Errorf("%w: at most %d of them are taken", ErrCriterion, MaxCriteria)
	}
	c, err := ParseCriterion(query)
	if err != nil {
		return err
	}
	*f = append(*f, c)
	return nil
}

// Matches tells whether l meets all criteria.
func (f Filter) Matches(l *Link) bool { return f.MatchesAny(l) }

// MatchesAny tells whether each criterion is met by one of links, not always
// the same. It is how a lookup sees a resource together with the endpoint that
// registered it (RFC 9176 section 6.2).
func (f Filter) MatchesAny(links ...*Link) bool {
	for i := range f {
		if !f[i].matchesOne(links) {
			return false
		}
	}
	return true
}

func (c *Criterion) matchesOne(links []*Link) bool {
	for _, l := range links {
		if c.Matches(l) {
			return true
		}
	}
	return false
}

// Names tells whether the filter asks for an attribute, or for href.
func (f Filter) Names(name string) bool {
	for i := range f {
		if f[i].Name == name {
			return true
		}
	}
	return false
}
