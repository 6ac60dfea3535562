package fsm

// Tick does nothing but move log time, as every entry does. On a site where
// nothing else is stored, what has a time to end would not end without it.
type Tick struct{}

func (Tick) Op() Op                       { return OpTick }
func (c Tick) appendBody(b []byte) []byte { return appendCBOR(b, c) }
func (Tick) validate() error              { return nil }

func (s *State) tick() Outcome {
	s.directory.purge(s.logTime)
	return Outcome{Code: Stored}
}

// NextDue is the log time at which the next key or registration ends, 0 when
// none will. It takes time by the number of registrations. Leases do not count:
// who waits for one asks for it.
func (s *State) NextDue() LogTime {
	due := s.registry.next
	for _, r := range s.directory.entries.all() {
		if r.Expires > s.logTime && (due == 0 || r.Expires < due) {
			due = r.Expires
		}
	}
	return due
}
