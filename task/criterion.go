package task

import (
	"path"
	"strings"

	"skerry/fsm"
)

// slash stands for '/' where a pattern meets a name, so that path.Match lets *
// and ? match it. Names have no control characters.
const slash = "\x00"

// criterion tells which readings a count is about.
type criterion struct {
	spec    fsm.TaskSpec
	pattern string // spec.Device with slash for '/'
	exact   bool   // the pattern is a plain name
	rev     string // resource of the output's revisions
}

func newCriterion(spec fsm.TaskSpec) criterion {
	return criterion{
		spec:    spec,
		pattern: strings.ReplaceAll(spec.Device, "/", slash),
		exact:   !strings.ContainsAny(spec.Device, `*?[\`),
		rev:     spec.OutputResource + fsm.RevisionSuffix,
	}
}

// own tells whether a reading is in one of the task's two output series.
func (c *criterion) own(r *fsm.Reading) bool {
	return r.Device == c.spec.OutputDevice && (r.Resource == c.spec.OutputResource || r.Resource == c.rev)
}

// concerns tells whether a reading is of a series that is counted, whatever
// its value.
func (c *criterion) concerns(r *fsm.Reading) bool {
	if r.Resource != c.spec.Resource {
		return false
	}
	if c.exact {
		return r.Device == c.spec.Device
	}
	// A bad pattern matches nothing; TaskSpec.Validate has refused it.
	ok, err := path.Match(c.pattern, strings.ReplaceAll(r.Device, "/", slash))
	return ok && err == nil
}

// holds tells whether the comparison is true of v. Only numbers compare.
func (c *criterion) holds(v fsm.Value) bool {
	if c.spec.Op == "" {
		return true
	}
	if v.Kind != fsm.Number {
		return false
	}
	switch c.spec.Op {
	case ">":
		return v.Number > c.spec.Operand
	case ">=":
		return v.Number >= c.spec.Operand
	case "<":
		return v.Number < c.spec.Operand
	case "<=":
		return v.Number <= c.spec.Operand
	case "=":
		return v.Number == c.spec.Operand
	case "!=":
		return v.Number != c.spec.Operand
	}
	return false
}
