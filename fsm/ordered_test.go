package fsm_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"skerry/fsm"
)

// holds fails unless the table has exactly what want has.
func holds(t *rapid.T, what string, o *fsm.TestOrdered, want map[string]int) {
	t.Helper()
	if got, want := o.Names(), slices.Sorted(maps.Keys(want)); !slices.Equal(got, want) {
		t.Fatalf("%s has the names %v, want %v", what, got, want)
	}
	for name, v := range want {
		if got, ok := o.Get(name); !ok || got != v {
			t.Fatalf("%s has %s as %d, %t, want %d", what, name, got, ok, v)
		}
	}
}

func TestOrdered_IsAMapInOrderAndASharedOneStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var o, shared fsm.TestOrdered
		want, then := map[string]int{}, map[string]int{}
		names := rapid.SampledFrom([]int{3, 50, 2000}).Draw(t, "names")
		bias := rapid.IntRange(1, 5).Draw(t, "of six that set")
		for i := range rapid.IntRange(0, 3000).Draw(t, "steps") {
			name := fmt.Sprint("n", (i*7919+i*i)%names)
			switch {
			case i%997 == 500:
				shared, then = *o.Share(), maps.Clone(want)
			case i*31%6 < bias:
				o.Set(name, i)
				want[name] = i
			default:
				_, there := want[name]
				if got := o.Remove(name); got != there {
					t.Fatalf("remove of %s: got %t, want %t", name, got, there)
				}
				delete(want, name)
			}
		}
		holds(t, "the table", &o, want)
		holds(t, "the share", &shared, then)
		for _, name := range o.Names() {
			o.Remove(name)
		}
		if o.Leaves() != 0 {
			t.Fatalf("an empty table has %d leaves", o.Leaves())
		}
	})
}
