package observe_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"skerry/coap/observe"
)

// scene is a registry with a clock, and targets whose versions a test sets.
type scene struct {
	testing.TB
	*observe.Registry[string, string]
	now      time.Time
	logTime  int64 // microseconds
	versions map[observe.Target]uint64
}

var (
	temperature = observe.Target{Device: "pump-7", Resource: "temperature"}
	pressure    = observe.Target{Device: "pump-7", Resource: "pressure"}
)

func newScene(tb testing.TB, limits observe.Limits) *scene {
	return &scene{
		TB: tb, Registry: observe.New[string, string](limits), now: time.Now(), logTime: 1 << 40,
		versions: map[observe.Target]uint64{temperature: 1, pressure: 1},
	}
}

func (s *scene) add(peer, token string, o observe.Observation[string, string]) uint32 {
	s.Helper()
	if o.Peer, o.Token = peer, token; o.Target == (observe.Target{}) {
		o.Target = temperature
	}
	sequence, err := s.Add(s.now, s.logTime, s.versions[o.Target], o)
	if err != nil {
		s.Fatal(err)
	}
	return sequence
}

func (s *scene) pass(d time.Duration) {
	s.now = s.now.Add(d)
	s.logTime += d.Microseconds()
}

// change gives a target a new state.
func (s *scene) change(t observe.Target) {
	s.versions[t]++
	s.Compare(func(t observe.Target) uint64 { return s.versions[t] })
}

// notify notifies one observer that must be due.
func (s *scene) notify(measured bool) observe.Notice {
	s.Helper()
	return s.tell(s.take(), measured)
}

// take takes an observation that must be due.
func (s *scene) take() *observe.Observation[string, string] {
	s.Helper()
	o := s.Take(s.now)
	if o == nil {
		s.Fatal("nobody is due")
	}
	return o
}

func (s *scene) tell(o *observe.Observation[string, string], measured bool) observe.Notice {
	return s.Notify(s.now, s.logTime, s.versions[o.Target], measured, o)
}

func (s *scene) nobody() {
	s.Helper()
	if o := s.Take(s.now); o != nil {
		s.Fatalf("%s %s is due", o.Peer, o.Token)
	}
}

// dueIn lets the time come at which somebody is due.
func (s *scene) dueIn(want time.Duration) {
	s.Helper()
	at, ok := s.Next()
	if got := at.Sub(s.now); !ok || got != want {
		s.Fatalf("the next one is due in %s, want %s", got, want)
	}
	s.pass(want)
}

func TestChangeMakesItsObserversDue(t *testing.T) {
	s := newScene(t, observe.DefaultLimits())
	s.add("a", "1", observe.Observation[string, string]{Request: "mine"})
	s.add("b", "1", observe.Observation[string, string]{Target: pressure})
	s.nobody()
	s.change(temperature)
	o := s.take()
	if o.Peer != "a" || o.Request != "mine" {
		t.Fatalf("%+v is due", o)
	}
	if n := s.tell(o, true); !n.Confirmable {
		t.Error("who asked in a CON is notified in a NON")
	}
	s.nobody()
}

func TestLateObserverIsNotToldAgainWhatItsAnswerSaid(t *testing.T) {
	s := newScene(t, observe.DefaultLimits())
	s.add("a", "1", observe.Observation[string, string]{})
	s.versions[temperature]++ // not compared yet
	s.add("b", "1", observe.Observation[string, string]{})
	o := s.take()
	if o.Peer != "a" {
		t.Fatalf("%+v is due, want a alone", o)
	}
	s.tell(o, true)
	s.nobody()
}

func TestNotificationOnItsWayHoldsTheNextBack(t *testing.T) {
	s := newScene(t, observe.DefaultLimits())
	s.add("a", "1", observe.Observation[string, string]{})
	s.change(temperature)
	s.notify(true)
	s.change(temperature)
	s.nobody()
	s.Landed("a", "1")
	s.notify(true)
	s.change(temperature)
	s.change(temperature)
	s.dueIn(time.Second) // a newer one once a second, though no answer comes
	s.notify(true)
	s.nobody()
	s.Landed("a", "1")
	s.nobody()
	s.Landed("nobody", "1")
}

func TestPace(t *testing.T) {
	t.Run("pmin holds a change back", func(t *testing.T) {
		s := newScene(t, observe.DefaultLimits())
		s.add("a", "1", observe.Observation[string, string]{Form: observe.Stream, Pace: observe.Pace{Min: 10 * time.Second}})
		s.pass(4 * time.Second)
		s.change(temperature)
		s.dueIn(6 * time.Second)
		s.notify(true)
		s.change(temperature)
		s.dueIn(10 * time.Second)
	})
	t.Run("pmax repeats what has not changed", func(t *testing.T) {
		s := newScene(t, observe.DefaultLimits())
		s.add("a", "1", observe.Observation[string, string]{Form: observe.Stream, Pace: observe.Pace{Max: 30 * time.Second}})
		for range 3 {
			s.dueIn(30 * time.Second)
			s.notify(true)
		}
	})
	t.Run("a quiet observation is confirmed once a day", func(t *testing.T) {
		s := newScene(t, observe.DefaultLimits())
		s.add("a", "1", observe.Observation[string, string]{Form: observe.NonConfirmable})
		s.dueIn(24 * time.Hour)
		if n := s.notify(true); !n.Confirmable {
			t.Error("not confirmable")
		}
		s.Landed("a", "1")
		s.dueIn(24 * time.Hour)
	})
	t.Run("a stream is not", func(t *testing.T) {
		s := newScene(t, observe.DefaultLimits())
		s.add("a", "1", observe.Observation[string, string]{Form: observe.Stream})
		s.pass(365 * 24 * time.Hour)
		s.nobody()
	})
}

func TestFailedNotificationIsTriedAgain(t *testing.T) {
	s := newScene(t, observe.DefaultLimits())
	s.add("a", "1", observe.Observation[string, string]{})
	s.change(temperature)
	o := s.take()
	s.change(temperature)
	s.nobody()
	s.tell(o, true)
	s.Unsent(s.now, o)
	s.dueIn(time.Second)
	s.Unsent(s.now, s.take()) // it could not even be made
	s.dueIn(time.Second)
	s.notify(true)
	s.Landed("a", "1")
	s.nobody()
}

func TestConfirmsNowAndThen(t *testing.T) {
	kinds := func(measured bool, gap time.Duration) (got string) {
		s := newScene(t, observe.DefaultLimits())
		s.add("a", "1", observe.Observation[string, string]{Form: observe.NonConfirmable})
		for range 20 {
			s.pass(gap)
			s.change(temperature)
			if s.notify(measured).Confirmable {
				got += "C"
			} else {
				got += "n"
			}
			s.Landed("a", "1")
		}
		return got
	}
	for _, c := range []struct {
		name     string
		measured bool
		gap      time.Duration
		want     string
	}{
		{"every eighth", true, time.Second, "nnnnnnnCnnnnnnnCnnnn"},
		{"after a minute", true, 25 * time.Second, "nnCnnCnnCnnCnnCnnCnn"},
		{"the second while the round-trip time is unknown", false, time.Second, "nCnCnCnCnCnCnCnCnCnC"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := kinds(c.measured, c.gap); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// newer is the comparison of RFC 7641 section 3.4, without its clock.
func newer(v, than uint32) bool {
	return than < v && v-than < 1<<23 || than > v && than-v > 1<<23
}

func TestSequenceNumbersRise(t *testing.T) {
	s := newScene(t, observe.DefaultLimits())
	last := s.add("a", "1", observe.Observation[string, string]{Form: observe.Stream})
	for i := range 200_000 {
		switch {
		case i%3 == 0: // the site stands still
		case i%1000 == 0:
			s.pass(8 * time.Hour)
		default:
			s.pass(5 * time.Millisecond)
		}
		s.change(temperature)
		n := s.notify(true)
		if !newer(n.Sequence, last) || n.Sequence >= 1<<24 {
			t.Fatalf("%d after %d", n.Sequence, last)
		}
		last = n.Sequence
	}
}

func TestSequenceNumbersGoOnAtAnotherNode(t *testing.T) {
	here := newScene(t, observe.DefaultLimits())
	last := here.add("a", "1", observe.Observation[string, string]{Form: observe.Stream})
	for range 10_000 {
		here.pass(5 * time.Millisecond)
		here.change(temperature)
		last = here.notify(true).Sequence
	}
	there := newScene(t, observe.DefaultLimits())
	there.logTime = here.logTime + 5_000 // the site's next entry
	if first := there.add("a", "1", observe.Observation[string, string]{}); !newer(first, last) {
		t.Errorf("the other node begins with %d after %d", first, last)
	}
}

func TestObservationsEnd(t *testing.T) {
	s := newScene(t, observe.DefaultLimits())
	for i := range 10 {
		s.add("a", fmt.Sprint(i), observe.Observation[string, string]{})
		s.add("b", fmt.Sprint(i), observe.Observation[string, string]{Target: pressure})
	}
	if !s.Remove("a", "3") || s.Remove("a", "3") || s.Remove("nobody", "3") {
		t.Error("Remove is wrong")
	}
	if n := s.RemovePeer("a"); n != 9 {
		t.Errorf("%d were removed, want 9", n)
	}
	s.change(temperature)
	s.nobody()
	s.change(pressure)
	o := s.take()
	if !s.Holds(o) {
		t.Error("what was taken is not held")
	}
	if s.RemovePeer("b"); s.Holds(o) {
		t.Error("what was removed is held")
	}
	if s.Len() != 0 || s.Targets() != 0 {
		t.Errorf("%d observations of %d targets are left", s.Len(), s.Targets())
	}
	if _, ok := s.Next(); ok {
		t.Error("something is due")
	}
}

func TestBounds(t *testing.T) {
	s := newScene(t, observe.Limits{Observations: 100, Peer: 64})
	var full, peerFull int
	for i := range 100_000 {
		o := observe.Observation[string, string]{Peer: "greedy", Token: fmt.Sprint(i), Target: temperature}
		if _, err := s.Add(s.now, s.logTime, 1, o); errors.Is(err, observe.ErrPeerFull) {
			peerFull++
		}
	}
	for i := range 50 {
		o := observe.Observation[string, string]{Peer: fmt.Sprint(i), Token: "1", Target: temperature}
		if _, err := s.Add(s.now, s.logTime, 1, o); errors.Is(err, observe.ErrFull) {
			full++
		}
	}
	if peerFull != 100_000-64 || full != 14 || s.Len() != 100 {
		t.Errorf("%d and %d were refused, %d are there", peerFull, full, s.Len())
	}
	last := s.add("greedy", "7", observe.Observation[string, string]{Target: pressure}) // takes its own place
	if s.Len() != 100 || s.Targets() != 2 {
		t.Errorf("%d observations of %d targets", s.Len(), s.Targets())
	}
	if again := s.add("greedy", "7", observe.Observation[string, string]{}); !newer(again, last) {
		t.Errorf("registered again with %d after %d", again, last)
	}
}

func TestParameters(t *testing.T) {
	for _, c := range []struct {
		name, value string
		want        observe.Pace
		ours, wrong bool
	}{
		{name: "pmin", value: "10", want: observe.Pace{Min: 10 * time.Second}, ours: true},
		{name: "c.pmax", value: "2.5", want: observe.Pace{Max: 2500 * time.Millisecond}, ours: true},
		{name: "pmax", value: "0", ours: true},
		{name: "pmax", value: "2678401", ours: true, wrong: true},
		{name: "pmin", value: "", ours: true, wrong: true},
		{name: "pmin", value: "-1", ours: true, wrong: true},
		{name: "pmin", value: "1m", ours: true, wrong: true},
		{name: "pmin", value: "1e3", ours: true, wrong: true},
		{name: "from", value: "10"},
	} {
		t.Run(c.name+"="+c.value, func(t *testing.T) {
			var p observe.Pace
			ours, err := p.Parameter(c.name, c.value)
			if ours != c.ours || (err != nil) != c.wrong || err == nil && p != c.want {
				t.Errorf("got %+v, %v, %v", p, ours, err)
			}
		})
	}
	if err := (observe.Pace{Min: 2, Max: 1}).Validate(); !errors.Is(err, observe.ErrPace) {
		t.Errorf("pmax below pmin: %v", err)
	}
	if age := (observe.Pace{Min: 90*time.Second + 1}).MaxAge(); age != 91 {
		t.Errorf("Max-Age %d, want 91", age)
	}
	if age := (observe.Pace{}).MaxAge(); age != 60 {
		t.Errorf("Max-Age %d, want 60", age)
	}
}
