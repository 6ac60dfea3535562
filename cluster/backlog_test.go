package cluster_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/cluster/disk"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

// stalled is a disk that begins no segment until it is resumed.
type stalled struct {
	*disk.Memory
	resumed chan struct{}
}

func (d stalled) Create(name string) (disk.File, error) {
	if strings.HasPrefix(name, "segments/") {
		<-d.resumed
	}
	return d.Memory.Create(name)
}

func TestANodeWhoseSegmentsAreNotWrittenKeepsOnlySoManyCutsInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLone(t)
		d := stalled{disk.NewMemory(), make(chan struct{})}
		l.disk = d
		l.mustOpen()
		const bound = 64
		for i := range 2 * bound {
			l.post(1)
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			_, err := l.node.Propose(ctx, fsm.CutCommand{})
			cancel()
			if err != nil {
				t.Fatalf("cut %d: %v", i, err)
			}
			if l.node.Status().Cuts == bound {
				break
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := l.node.Propose(ctx, fsm.CutCommand{}); err == nil {
			t.Error("a command was applied beyond the bound")
		}
		close(d.resumed)
		l.post(1)
		view, err := l.node.View(context.Background(), cluster.Linearizable)
		if err != nil {
			t.Fatal(err)
		}
		if list, err := view.After(context.Background(), 0, 1000); err != nil || len(list) != bound+1 {
			t.Errorf("%d readings (%v), want %d", len(list), err, bound+1)
		}
		l.stop()
	})
}

func TestACutIsWrittenWithoutRestWhileAnotherWaitsOrIsAboutTo(t *testing.T) {
	for _, c := range []struct {
		name string
		head int  // readings after the first cut
		cut  bool // and then another cut
		want bool
	}{
		{"one cut alone may wait", 0, false, false},
		{"a few readings after it change nothing", 10, false, false},
		{"many bring the next one", 4097, false, true},
		{"two cuts are one too many", 1, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := cluster.NewReplica(disk.NewMemory(), func(err error) { t.Error(err) })
			if err != nil {
				t.Fatal(err)
			}
			index := uint64(0)
			apply := func(cmd fsm.Command) {
				index++
				r.Apply(entry(index, cmd))
			}
			post := func() { apply(clustertest.Reading(t, "d", "r", int64(index)*1e6, 1)) }
			apply(genesis)
			post()
			apply(fsm.CutCommand{})
			for range c.head {
				post()
			}
			if c.cut {
				apply(fsm.CutCommand{})
			}
			if got := r.Behind(); got != c.want {
				t.Errorf("behind is %t, want %t", got, c.want)
			}
			r.EndWriting()
		})
	}
}
