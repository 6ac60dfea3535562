package address_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster/address"
)

// play runs a scene with keepers on n gateways. At its end they stop, and the
// address was never at two of them at once.
func play(t *testing.T, profile string, seed uint64, n int, scene func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, profile, seed, n)
		ctx, cancel := context.WithCancel(t.Context())
		var keepers sync.WaitGroup
		for _, g := range w.gateways {
			keepers.Go(func() { g.run(ctx) })
		}
		scene(w)
		for _, g := range w.gateways {
			g.resume()
		}
		cancel()
		keepers.Wait()
		w.neverTwo()
		for _, g := range w.gateways {
			if g.has() {
				t.Errorf("%s still has the address after its keeper ended", g.name)
			}
		}
	})
}

func TestAStoppedHolderIsReplaced(t *testing.T) {
	tests := []struct {
		name     string
		profile  string
		election time.Duration // without a leader, 0 where the holder did not lead
		within   time.Duration
	}{
		{"that did not lead, on fast disks", "ssd", 0, 2700 * time.Millisecond},
		{"that led, on fast disks", "ssd", time.Second, 4 * time.Second},
		{"that led, far from the others", "wan", 4 * time.Second, 12 * time.Second},
		{"that led, on slow disks", "sdcard", 10 * time.Second, 26 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			play(t, test.profile, 1, 3, func(w *world) {
				first := w.holder(5 * time.Second)
				for range 20 {
					time.Sleep(2*time.Second + w.delay())
					first.stop()
					if test.election > 0 {
						w.loseLeader()
						time.AfterFunc(test.election, w.elect)
					}
					second := w.holder(test.within, first)
					first.resume()
					first = second
				}
			})
		})
	}
}

// TestNeverTwo stops and resumes keepers, also on their way to the kernel, ends
// reigns, slows disks and unplugs interfaces, at random.
func TestNeverTwo(t *testing.T) {
	for _, profile := range []string{"ssd", "wan", "sdcard"} {
		times, err := address.TimesOf(profile)
		if err != nil {
			t.Fatal(err)
		}
		for seed := range uint64(100) {
			t.Run(fmt.Sprintf("%s, seed %d", profile, seed), func(t *testing.T) {
				play(t, profile, seed, 3, func(w *world) {
					random := rand.New(rand.NewPCG(seed, 2))
					upTo := func(d time.Duration) time.Duration { return time.Duration(random.Int64N(int64(d))) }
					changes := 0
					for range 100 {
						g := w.gateways[random.IntN(len(w.gateways))]
						switch random.IntN(7) {
						case 0, 1:
							g.stopFor(upTo(3 * times.Lease))
						case 2:
							w.loseLeader()
							time.AfterFunc(upTo(times.Lease), w.elect)
						case 3:
							w.setSlow(time.Millisecond + upTo(times.Lease/3))
							time.AfterFunc(upTo(3*times.Lease), func() { w.setSlow(10 * time.Millisecond) })
						case 4:
							g.setUp(false)
							time.AfterFunc(upTo(times.Lease), func() { g.setUp(true) })
						case 5:
							w.trap(traps{before: upTo(3 * times.Lease)})
						case 6:
							w.trap(traps{after: upTo(3 * times.Lease)})
						}
						time.Sleep(upTo(2 * times.Lease))
					}
					w.trap(traps{})
					for _, g := range w.gateways {
						changes += len(g.hadIt())
					}
					if changes < 10 {
						t.Errorf("the address was put on a link %d times, want a livelier scene", changes)
					}
					time.Sleep(5 * times.Lease) // all go on
					w.holder(5 * times.Lease)
				})
			})
		}
	}
}

func TestACleanStopHandsTheAddressOverAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ssd", 1, 2)
		first, stop := context.WithCancel(t.Context())
		second, end := context.WithCancel(t.Context())
		var keepers sync.WaitGroup
		keepers.Go(func() { w.gateways[0].run(first) })
		if got := w.holder(time.Second); got != w.gateways[0] {
			t.Fatalf("%s has the address, want the only keeper", got.name)
		}
		keepers.Go(func() { w.gateways[1].run(second) })
		time.Sleep(5 * time.Second)
		stop()
		w.holder(300*time.Millisecond, w.gateways[0])
		end()
		keepers.Wait()
		w.neverTwo()
	})
}

func TestALeaderLeavesTheAddressToTheOthers(t *testing.T) {
	tests := []struct {
		name     string
		gateways int
		want     string
	}{
		{"when there is another", 2, "b"},
		{"and takes it when there is none", 1, "a"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			play(t, "ssd", 1, test.gateways, func(w *world) {
				if got := w.holder(time.Second).name; got != test.want {
					t.Errorf("%s has the address, want %s", got, test.want)
				}
				time.Sleep(10 * time.Second)
				if got := w.holder(time.Second).name; got != test.want {
					t.Errorf("%s has the address later, want %s", got, test.want)
				}
			})
		})
	}
}

func TestAHolderWhoseInterfaceFailsLeavesTheAddressToAnother(t *testing.T) {
	tests := []struct {
		name string
		fail func(g *gateway)
	}{
		{"because it lost its link", func(g *gateway) { g.setUp(false) }},
		{"because the kernel refuses the address", func(g *gateway) { g.setFault(errors.New("no such device")) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			play(t, "ssd", 1, 2, func(w *world) {
				first := w.holder(time.Second)
				test.fail(first)
				w.holder(time.Second, first)
				time.Sleep(10 * time.Second)
				if first.has() {
					t.Error("it took the address again while another has it")
				}
			})
		})
	}
}

func TestAnAddressIsNotHeldOnAnswersThatComeLate(t *testing.T) {
	play(t, "ssd", 1, 1, func(w *world) {
		g := w.holder(time.Second)
		before, _ := g.Lease("address " + floating.String())
		w.setSlow(2 * time.Second)
		time.Sleep(30 * time.Second)
		w.setSlow(10 * time.Millisecond)
		time.Sleep(10 * time.Second)
		// A call that gave the lease back may still be on its way.
		if after, _ := g.Lease("address " + floating.String()); after.Holder == before.Holder {
			t.Errorf("it holds the lease as %q again after it gave it back", after.Holder)
		}
		if !g.has() || !g.keeper.Holding() {
			t.Error("it does not hold the address again after answers came in time")
		}
		if got := len(g.hadIt()); got < 2 {
			t.Errorf("the address was put on the link %d times, want it off in between", got)
		}
	})
}

func TestAHolderIsAnnouncedWithItsFirstRenewalsAndThenEachMinute(t *testing.T) {
	play(t, "ssd", 1, 1, func(w *world) {
		g := w.holder(time.Second)
		time.Sleep(10 * time.Second)
		if got, want := g.announcements(), 5; got != want {
			t.Errorf("got %d announcements in the first 10 s, want %d", got, want)
		}
		time.Sleep(3 * time.Minute)
		if got, want := g.announcements(), 8; got != want {
			t.Errorf("got %d announcements after 3 min more, want %d", got, want)
		}
	})
}
