package cluster_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"skerry/cluster"
	"skerry/cluster/disk"
	"skerry/cluster/logstore"
	"skerry/cluster/summed"
	"skerry/internal/clustertest"
)

// rotFlips is how many bits are flipped of each kind of file, evenly over what is
// written in it; see make rot.
var rotFlips = flag.Int("rot.flips", 12, "bits to flip of each kind of file, of a running and of a stopped node")

// sweptKinds are the kinds of files, by the beginning of their names.
var sweptKinds = []struct{ name, prefix, suffix string }{
	{"log", "raft/log/", ".log"},
	{"snapshots", "raft/snapshots/", ".snap"},
	{"votes", "raft/votes", ""},
	{"hint", "raft/hint", ""},
	{"kind", "raft/kind", ""},
	{"node.json", "node.json", ""},
	{"seen.json", "seen.json", ""},
}

// sweep flips bits of one node, one at a time, and counts what became of them.
type sweep struct {
	t                                         *testing.T
	s                                         *clustertest.Site
	m                                         *clustertest.Member
	posted                                    int
	flips, nothing, found, repaired, replaced int
}

// fill has the node hold two snapshots and entries before, between and after
// them.
func (w *sweep) fill() {
	w.t.Helper()
	for range 3 {
		post(w.t, w.s, w.posted, 10)
		w.posted += 10
		w.s.Wait("all readings", func() bool { return int(w.m.Status().LastSeq) == w.posted })
		if err := w.m.Snapshot(); err != nil {
			w.t.Fatal(err)
		}
	}
	post(w.t, w.s, w.posted, 10)
	w.posted += 10
	noted(w.s)
	w.s.Agree()
	<-time.After(2 * logstore.HintWithin) // from then on a loss is noticed
}

// place is a byte of a file.
type place struct {
	name string
	at   int64
}

// emptyRun is how many zeros in a row are room that nothing was written to.
const emptyRun = 64

// places are the bytes of a kind of file, without the room that nothing was
// written to yet.
func (w *sweep) places(prefix, suffix string) (all []place) {
	for _, name := range w.m.Disk.Names(prefix) {
		if !strings.HasSuffix(name, suffix) || strings.HasSuffix(name, ".tmp") {
			continue
		}
		b := content(w.t, w.m, name)
		for at := 0; at < len(b); {
			zeros := len(b[at:]) - len(bytes.TrimLeft(b[at:], "\x00"))
			if zeros < emptyRun {
				for range max(zeros, 1) {
					all = append(all, place{name, int64(at)})
					at++
				}
				continue
			}
			at += zeros
		}
	}
	return all
}

// whatIsRead is all that a start reads of a disk, or what is wrong with it. The
// disk is not touched.
func whatIsRead(tb testing.TB, from *disk.Memory) string {
	tb.Helper()
	d := disk.NewMemory()
	for _, name := range from.Names("") {
		b, err := disk.ReadFile(from, name, 1<<30)
		if err != nil {
			tb.Fatal(err)
		}
		if err := disk.WriteFile(d, name, func(w io.Writer) error { _, err := w.Write(b); return err }); err != nil {
			tb.Fatal(err)
		}
	}
	var text strings.Builder
	for _, name := range []string{"node.json", "seen.json"} {
		b, err := disk.ReadFile(d, name, 1<<20)
		var v any
		if err == nil {
			_, err = summed.Decode(b, &v)
		}
		fmt.Fprintln(&text, name, v, err)
	}
	store, err := logstore.Open(logstore.Config{Disk: d, Dir: "raft", SegmentBytes: 64 << 10, Logger: hclog.NewNullLogger()})
	if err != nil {
		return text.String() + err.Error()
	}
	defer store.Close()
	for _, key := range []string{"CurrentTerm", "LastVoteTerm", "LastVoteCand"} {
		v, err := store.Stable.Get([]byte(key))
		fmt.Fprintf(&text, "%s %q %v\n", key, v, err)
	}
	fmt.Fprintln(&text, "damage", store.Recovery().Damaged, store.Recovery().Reason)
	first, _ := store.FirstIndex()
	last, _ := store.LastIndex()
	for i := first; first > 0 && i <= last; i++ {
		var e raft.Log
		err := store.Check(i, &e)
		fmt.Fprintln(&text, "entry", i, e.Term, e.Type, sha256.Sum256(e.Data), err)
	}
	list, err := store.Snapshots.List()
	fmt.Fprintln(&text, "snapshots", len(list), err)
	for _, m := range list {
		sum := sha256.New()
		_, r, err := store.Snapshots.Open(m.ID)
		if err == nil {
			_, err = io.Copy(sum, r)
			err = errors.Join(err, r.Close())
		}
		fmt.Fprintf(&text, "snapshot %d %d %v %x %v\n", m.Index, m.Term, m.Configuration, sum.Sum(nil), err)
	}
	return text.String()
}

// settled waits until the node is a whole voter and everything that was found on
// it is right again.
func (w *sweep) settled(what string) (r cluster.RotStatus, found uint64) {
	w.t.Helper()
	w.s.Wait("repair of "+what, func() bool {
		st := w.m.Status()
		r, found = st.Scrub.Rot, st.Scrub.Found
		return (st.State == "follower" || st.State == "leader") && st.Ready && r.Repaired() >= found && int(st.LastSeq) == w.posted
	})
	return r, found
}

// each flips bits of all kinds, by one, which says whether it was found and
// whether the node is another server now, or else that nothing changed.
func (w *sweep) each(one func(p place, bit uint) (found, replaced bool)) {
	w.t.Helper()
	for _, kind := range sweptKinds {
		before := *w
		step, bits := 0, 0
		for i := range *rotFlips {
			all := w.places(kind.prefix, kind.suffix)
			bits = 8 * len(all)
			step = max(1, bits / *rotFlips)
			if i*step >= bits {
				break
			}
			n := i*step + i%8 // not always the same bit of a byte
			p := all[min(n, bits-1)/8]
			found, replaced := one(p, uint(n%8))
			w.flips++
			switch {
			case replaced:
				w.replaced++
				w.found++
			case found:
				w.found++
				w.repaired++
			default:
				w.nothing++
			}
			if (replaced || kind.name == "log") && found {
				w.fill() // there is to be as much again to rot
			}
		}
		w.t.Logf("%-9s about every %d. of %d bits: %d flips, %d changed nothing, %d found, %d repaired, %d nodes replaced",
			kind.name, step, bits, w.flips-before.flips, w.nothing-before.nothing, w.found-before.found, w.repaired-before.repaired, w.replaced-before.replaced)
	}
	w.t.Logf("all: %d flips, %d changed nothing, %d found, %d repaired, %d nodes replaced", w.flips, w.nothing, w.found, w.repaired, w.replaced)
	if w.flips != w.nothing+w.found || w.found != w.repaired+w.replaced || w.found == 0 {
		w.t.Error("the counts do not add up")
	}
	wantCount(w.t, w.s, w.posted)
}

func TestFlippedBitsOfARunningNodeAreFoundAndRepairedOrChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &sweep{t: t, s: clustertest.Open(t, 3, nil)}
		w.m = w.s.Followers()[0]
		w.fill()
		w.each(func(p place, bit uint) (found, replaced bool) {
			was := whatIsRead(t, w.m.Disk)
			if !w.m.Disk.Corrupt(p.name, p.at, bit) {
				t.Fatalf("%s has no byte %d", p.name, p.at)
			}
			is := whatIsRead(t, w.m.Disk)
			n, err := w.m.Scrub(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 && is != was {
				t.Errorf("bit %d of byte %d of %s was not found, and changes what is read from\n%s\nto\n%s", bit, p.at, p.name, was, is)
			}
			w.settled(p.name)
			if again, err := w.m.Scrub(t.Context()); again != 0 || err != nil {
				t.Errorf("bit %d of byte %d of %s: %d finds after the repair (%v)", bit, p.at, p.name, again, err)
			}
			return n > 0, false
		})
	})
}

func TestFlippedBitsOfAStoppedNodeAreFoundAndRepairedOrChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &sweep{t: t, s: clustertest.Open(t, 3, nil)}
		w.m = w.s.Followers()[0]
		w.fill()
		w.each(func(p place, bit uint) (found, replaced bool) {
			server := id(t, w.m)
			w.m.Stop()
			was := whatIsRead(t, w.m.Disk)
			if !w.m.Disk.Corrupt(p.name, p.at, bit) {
				t.Fatalf("%s has no byte %d", p.name, p.at)
			}
			is := whatIsRead(t, w.m.Disk)
			w.m.Start(3)
			w.settled(p.name)
			if _, err := w.m.Scrub(t.Context()); err != nil { // what a start does not read
				t.Fatal(err)
			}
			_, finds := w.settled(p.name)
			replaced = id(t, w.m) != server
			if finds == 0 && !replaced && is != was {
				t.Errorf("bit %d of byte %d of %s was not found, and changes what is read from\n%s\nto\n%s", bit, p.at, p.name, was, is)
			}
			return finds > 0, replaced
		})
	})
}
