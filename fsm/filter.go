package fsm

import (
	"fmt"
	"path"
	"strings"
)

// Filter picks series by a pattern for devices and one for resources, as
// path.Match has them, except that * and ? match '/' too. The zero Filter picks
// all.
type Filter struct{ device, resource pattern }

// NewFilter makes a filter; "" is for all.
func NewFilter(device, resource string) (f Filter, err error) {
	if f.device, err = newPattern("device", device, MaxDevice); err != nil {
		return Filter{}, err
	}
	if f.resource, err = newPattern("resource", resource, MaxResource); err != nil {
		return Filter{}, err
	}
	return f, nil
}

// All tells that the filter picks all series.
func (f *Filter) All() bool { return f.device.text == "" && f.resource.text == "" }

// Match tells whether the filter picks a series.
func (f *Filter) Match(s SeriesName) bool {
	return f.device.match(s.Device) && f.resource.match(s.Resource)
}

// DevicePrefix is what the names of all devices that the filter picks begin with.
func (f *Filter) DevicePrefix() string { return f.device.prefix }

// pattern matches names; without text it matches all.
type pattern struct {
	text   string // with slash for '/'
	prefix string // of every name that matches
	exact  bool   // prefix is the one name that matches
}

func newPattern(what, text string, most int) (pattern, error) {
	if text == "" {
		return pattern{}, nil
	}
	if _, err := path.Match(text, ""); err != nil {
		return pattern{}, fmt.Errorf("%s pattern %q is not valid: use a name, * and ?", what, text)
	}
	if err := ValidateName(what+" pattern:", text, most); err != nil {
		return pattern{}, err
	}
	p := pattern{text: strings.ReplaceAll(text, "/", slash), prefix: text, exact: true}
	if i := strings.IndexAny(text, `*?[\`); i >= 0 {
		p.prefix, p.exact = text[:i], false
	}
	return p, nil
}

func (p *pattern) match(name string) bool {
	if !strings.HasPrefix(name, p.prefix) {
		return false
	}
	if p.text == "" || p.exact {
		return len(name) == len(p.prefix) || p.text == ""
	}
	ok, err := path.Match(p.text, strings.ReplaceAll(name, "/", slash))
	return ok && err == nil
}
