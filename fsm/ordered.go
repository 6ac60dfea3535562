package fsm

import (
	"iter"
	"slices"
	"sort"
	"strings"
)

// ordered keeps values by name, in the order of the names: however it came to
// be, equal contents are walked the same way. A leaf and a value are never
// changed, only replaced, so that a share costs nothing until the next change.
type ordered[V any] struct {
	leaves []leaf[V] // none is empty; names ascend through all of them
	n      int
	shared bool // a snapshot reads leaves: they are copied before a change
}

type leaf[V any] []named[V]

type named[V any] struct {
	name  string
	value *V
}

// leafSize is the most that a leaf holds: a change copies one.
const leafSize = 128

// place is the leaf in which a name is or would be, and where in it.
func (o *ordered[V]) place(name string) (i, at int, ok bool) {
	i = sort.Search(len(o.leaves), func(i int) bool { return o.leaves[i][0].name > name })
	if i = max(i-1, 0); i == len(o.leaves) {
		return i, 0, false
	}
	at, ok = slices.BinarySearchFunc(o.leaves[i], name, func(e named[V], name string) int {
		return strings.Compare(e.name, name)
	})
	return i, at, ok
}

// get returns the value of a name, nil for none.
func (o *ordered[V]) get(name string) *V {
	if i, at, ok := o.place(name); ok {
		return o.leaves[i][at].value
	}
	return nil
}

// set gives a name its value, which must not change from then on.
func (o *ordered[V]) set(name string, value *V) {
	o.own()
	i, at, ok := o.place(name)
	if ok {
		l := slices.Clone(o.leaves[i])
		l[at].value = value
		o.leaves[i] = l
		return
	}
	o.n++
	if len(o.leaves) == 0 {
		o.leaves = []leaf[V]{{{name, value}}}
		return
	}
	l := make(leaf[V], 0, len(o.leaves[i])+1)
	l = append(l, o.leaves[i][:at]...)
	l = append(append(l, named[V]{name, value}), o.leaves[i][at:]...)
	o.leaves[i] = l
	if half := len(l) / 2; len(l) > leafSize {
		o.leaves[i] = l[:half:half]
		o.leaves = slices.Insert(o.leaves, i+1, l[half:])
	}
}

// remove takes a name out and reports whether it was there.
func (o *ordered[V]) remove(name string) bool {
	i, at, ok := o.place(name)
	if !ok {
		return false
	}
	o.own()
	o.n--
	l := slices.Concat(o.leaves[i][:at], o.leaves[i][at+1:])
	if i+1 < len(o.leaves) && len(l)+len(o.leaves[i+1]) <= leafSize/2 {
		l = slices.Concat(l, o.leaves[i+1])
		o.leaves = slices.Delete(o.leaves, i+1, i+2)
	}
	o.leaves[i] = l
	if len(l) == 0 {
		o.leaves = slices.Delete(o.leaves, i, i+1)
	}
	return true
}

// first is the first name with its value, nil for none.
func (o *ordered[V]) first() (name string, value *V) {
	if len(o.leaves) == 0 {
		return "", nil
	}
	e := o.leaves[0][0]
	return e.name, e.value
}

// all walks the names in their order. They must not be changed meanwhile.
func (o *ordered[V]) all() iter.Seq2[string, *V] {
	return func(yield func(string, *V) bool) {
		for _, l := range o.leaves {
			for _, e := range l {
				if !yield(e.name, e.value) {
					return
				}
			}
		}
	}
}

// share returns what is kept now. It does not change.
func (o *ordered[V]) share() ordered[V] {
	o.shared = true
	return *o
}

func (o *ordered[V]) own() {
	if o.shared {
		o.leaves, o.shared = slices.Clone(o.leaves), false
	}
}
