package fsm

import "fmt"

// MaxLeases bounds the leases that are held at once.
const MaxLeases = 64

// MaxLeaseName bounds the name of a lease and of its holder, in bytes.
const MaxLeaseName = 128

// Lease is a name that one holder at a time may act under.
//
// Log time never runs faster than the leader's monotonic clock, and stands
// still while there is no leader. So whoever got a lease and acts under it for
// less than its duration, counted by an own monotonic clock from before it
// asked, has stopped before anybody else can get it.
//
// The price is paid when the leader dies: the next one goes on from the log
// time that was applied last, so the lease lasts longer by what passed since,
// the election with it. With a lease of 2 s renewed at a third of it, on an
// otherwise idle site of the ssd profile, another got it 1.4 to 2.0 s after a
// follower that had it died, and 2.3 to 2.9 s after a leader did.
type Lease struct {
	Name   string  `cbor:"1,keyasint"`
	Holder string  `cbor:"2,keyasint"`
	Until  LogTime `cbor:"3,keyasint"`
}

// LeaseCommand takes a lease that is free, over or the holder's own for a
// duration of log time from now, or gives it back when that is 0. It is refused
// with Held while another holder has it. Who gave it back takes it again under
// another holder's name: a call to give back may be read minutes late.
type LeaseCommand struct {
	Name     string `cbor:"1,keyasint"`
	Holder   string `cbor:"2,keyasint"`
	Duration int64  `cbor:"3,keyasint"` // microseconds
}

func (LeaseCommand) Op() Op                       { return OpLease }
func (c LeaseCommand) appendBody(b []byte) []byte { return appendCBOR(b, c) }

func (c LeaseCommand) validate() error {
	if err := ValidateName("lease", c.Name, MaxLeaseName); err != nil {
		return err
	}
	if err := ValidateName("holder of a lease:", c.Holder, MaxLeaseName); err != nil {
		return err
	}
	if c.Duration < 0 || c.Duration > MaxLease {
		return fmt.Errorf("lease of %d us is out of range: 0 to %d", c.Duration, int64(MaxLease))
	}
	return nil
}

func (s *State) lease(c *LeaseCommand) Outcome {
	was := s.leases.get(c.Name)
	if was != nil && was.Until <= s.logTime {
		s.leases.remove(c.Name)
		was = nil
	}
	switch {
	case was != nil && was.Holder != c.Holder:
		return Outcome{Code: Held}
	case c.Duration == 0:
		return Outcome{Code: Stored, Known: !s.leases.remove(c.Name)}
	case was == nil && s.leases.n >= MaxLeases && !s.dropLeases():
		return Outcome{Code: Full}
	}
	s.leases.set(c.Name, &Lease{Name: c.Name, Holder: c.Holder, Until: s.logTime + LogTime(c.Duration)})
	return Outcome{Code: Stored}
}

// dropLeases forgets the leases that are over, and reports whether any was.
func (s *State) dropLeases() bool {
	var over []string
	for name, l := range s.leases.all() {
		if l.Until <= s.logTime {
			over = append(over, name)
		}
	}
	for _, name := range over {
		s.leases.remove(name)
	}
	return len(over) > 0
}

// Lease is who has a name now; ok is false when nobody does. Log time moves with
// entries: of a holder that stopped renewing this tells only once something else
// was applied, so whoever waits for a lease asks for it.
func (s *State) Lease(name string) (Lease, bool) {
	if l := s.leases.get(name); l != nil && l.Until > s.logTime {
		return *l, true
	}
	return Lease{}, false
}
