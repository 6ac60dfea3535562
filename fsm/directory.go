package fsm

import "fmt"

// Bounds of the resource directory.
const (
	MaxRegistrations    = 4_096
	MaxRegistrationID   = 64
	MaxEndpoint         = 63        // bytes, RFC 9176 section 5; of a sector too
	MaxBase             = 256       // bytes of a base URI
	MaxLinks            = 8 << 10   // bytes of an endpoint's links
	MaxAttributes       = 32        // endpoint attributes of one registration
	MaxAttributeBytes   = 1 << 10   // of all of them
	MaxRegistrationLife = 1<<32 - 1 // seconds, RFC 9176 section 5
	microsPerSecond     = 1_000_000
)

// Registration is an endpoint's entry in the resource directory (RFC 9176). Its
// slices are shared, not to be changed.
type Registration struct {
	ID       string `cbor:"1,keyasint"` // names it under /rd
	Endpoint string `cbor:"2,keyasint"`
	Sector   string `cbor:"3,keyasint,omitempty"`
	Base     string `cbor:"4,keyasint,omitempty"` // base URI of Links
	// Attributes are further endpoint attributes as name=value.
	Attributes []string `cbor:"5,keyasint,omitempty"`
	Links      string   `cbor:"6,keyasint,omitempty"` // RFC 6690, as it was sent
	Lifetime   int64    `cbor:"7,keyasint"`           // seconds
	Updated    int64    `cbor:"8,keyasint"`           // received of the last command for it, microseconds
	Expires    LogTime  `cbor:"9,keyasint"`
}

// RegisterCommand enters an endpoint. The proposer draws ID at random; an
// endpoint that is there already is replaced and keeps the ID it has, which
// the outcome tells by Known. Exists: the ID is another endpoint's.
type RegisterCommand struct {
	ID         string   `cbor:"1,keyasint"`
	Endpoint   string   `cbor:"2,keyasint"`
	Sector     string   `cbor:"3,keyasint,omitempty"`
	Base       string   `cbor:"4,keyasint,omitempty"`
	Attributes []string `cbor:"5,keyasint,omitempty"`
	Links      string   `cbor:"6,keyasint,omitempty"`
	Lifetime   int64    `cbor:"7,keyasint"`
}

// RenewRegistrationCommand prolongs a registration by its lifetime and replaces
// what is not nil. NotFound: it is unknown or its time was over.
type RenewRegistrationCommand struct {
	ID         string    `cbor:"1,keyasint"`
	Base       *string   `cbor:"2,keyasint,omitempty"`
	Attributes *[]string `cbor:"3,keyasint,omitempty"`
	Lifetime   *int64    `cbor:"4,keyasint,omitempty"`
	Links      *string   `cbor:"5,keyasint,omitempty"`
}

// UnregisterCommand takes a registration out.
type UnregisterCommand struct {
	ID string `cbor:"1,keyasint"`
}

func (RegisterCommand) Op() Op          { return OpRegister }
func (RenewRegistrationCommand) Op() Op { return OpRenewRegistration }
func (UnregisterCommand) Op() Op        { return OpUnregister }

func (c RegisterCommand) appendBody(b []byte) []byte          { return appendCBOR(b, c) }
func (c RenewRegistrationCommand) appendBody(b []byte) []byte { return appendCBOR(b, c) }
func (c UnregisterCommand) appendBody(b []byte) []byte        { return appendCBOR(b, c) }

func (c RegisterCommand) validate() error {
	r := Registration{
		ID: c.ID, Endpoint: c.Endpoint, Sector: c.Sector, Base: c.Base,
		Attributes: c.Attributes, Links: c.Links, Lifetime: c.Lifetime,
	}
	return r.validate()
}

func (r *Registration) validate() error {
	if err := ValidateName("registration", r.ID, MaxRegistrationID); err != nil {
		return err
	}
	if err := ValidateName("endpoint", r.Endpoint, MaxEndpoint); err != nil {
		return err
	}
	if r.Sector != "" {
		if err := ValidateName("sector", r.Sector, MaxEndpoint); err != nil {
			return err
		}
	}
	return validateEntry(r.Base, r.Attributes, r.Links, r.Lifetime)
}

// validateEntry checks what a renewal may change.
func validateEntry(base string, attributes []string, links string, lifetime int64) error {
	if base != "" {
		if err := ValidateName("base URI:", base, MaxBase); err != nil {
			return err
		}
	}
	n := 0
	for _, a := range attributes {
		if err := ValidateName("endpoint attribute:", a, MaxAttributeBytes); err != nil {
			return err
		}
		n += len(a)
	}
	switch {
	case len(attributes) > MaxAttributes || n > MaxAttributeBytes:
		return fmt.Errorf("%d endpoint attributes of %d bytes, at most %d of %d are taken", len(attributes), n, MaxAttributes, MaxAttributeBytes)
	case len(links) > MaxLinks:
		return fmt.Errorf("links have %d bytes, at most %d are taken", len(links), MaxLinks)
	case lifetime < 1 || lifetime > MaxRegistrationLife:
		return fmt.Errorf("lifetime of %d s is out of range: 1 to %d", lifetime, int64(MaxRegistrationLife))
	}
	return nil
}

func (c RenewRegistrationCommand) validate() error {
	if err := ValidateName("registration", c.ID, MaxRegistrationID); err != nil {
		return err
	}
	r := Registration{Lifetime: 1}
	c.change(&r)
	return validateEntry(r.Base, r.Attributes, r.Links, r.Lifetime)
}

// change replaces in r what the command gives.
func (c *RenewRegistrationCommand) change(r *Registration) {
	if c.Base != nil {
		r.Base = *c.Base
	}
	if c.Attributes != nil {
		r.Attributes = *c.Attributes
	}
	if c.Lifetime != nil {
		r.Lifetime = *c.Lifetime
	}
	if c.Links != nil {
		r.Links = *c.Links
	}
}

func (c UnregisterCommand) validate() error {
	return ValidateName("registration", c.ID, MaxRegistrationID)
}

// directory has the registrations. Those whose time is over stay until the next
// command for any.
type directory struct {
	entries   ordered[Registration] // by ID
	endpoints map[string]string     // ID by endpointKey
}

func newDirectory() directory { return directory{endpoints: make(map[string]string)} }

// endpointKey names an endpoint in its sector: names have no control characters.
func endpointKey(endpoint, sector string) string { return sector + "\x00" + endpoint }

func (d *directory) set(r *Registration) {
	d.entries.set(r.ID, r)
	d.endpoints[endpointKey(r.Endpoint, r.Sector)] = r.ID
}

func (d *directory) remove(r *Registration) {
	d.entries.remove(r.ID)
	delete(d.endpoints, endpointKey(r.Endpoint, r.Sector))
}

// purge takes out what is over.
func (d *directory) purge(now LogTime) {
	var over []*Registration
	for _, r := range d.entries.all() {
		if r.Expires <= now {
			over = append(over, r)
		}
	}
	for _, r := range over {
		d.remove(r)
	}
}

// enter gives a registration its times and keeps it.
func (s *State) enter(r *Registration) {
	r.Updated = s.received
	r.Expires = s.logTime + LogTime(r.Lifetime*microsPerSecond)
	s.directory.set(r)
}

func (s *State) register(c *RegisterCommand) Outcome {
	s.directory.purge(s.logTime)
	r := Registration{
		ID: c.ID, Endpoint: c.Endpoint, Sector: c.Sector, Base: c.Base,
		Attributes: c.Attributes, Links: c.Links, Lifetime: c.Lifetime,
	}
	id, known := s.directory.endpoints[endpointKey(c.Endpoint, c.Sector)]
	switch {
	case known:
		r.ID = id
	case s.directory.entries.get(c.ID) != nil:
		return Outcome{Code: Exists}
	case s.directory.entries.n >= MaxRegistrations:
		return Outcome{Code: Full}
	}
	s.enter(&r)
	return Outcome{Code: Stored, Known: known}
}

func (s *State) renewRegistration(c *RenewRegistrationCommand) Outcome {
	s.directory.purge(s.logTime)
	was := s.directory.entries.get(c.ID)
	if was == nil {
		return Outcome{Code: NotFound}
	}
	r := *was
	c.change(&r)
	s.enter(&r)
	return Outcome{Code: Stored}
}

func (s *State) unregister(c *UnregisterCommand) Outcome {
	s.directory.purge(s.logTime)
	was := s.directory.entries.get(c.ID)
	if was == nil {
		return Outcome{Code: NotFound}
	}
	s.directory.remove(was)
	return Outcome{Code: Stored}
}

// Registrations are the entries of the resource directory whose time is not
// over by log time, by ID. The slice is the caller's. Log time moves with
// entries, as with State.Identity.
func (s *State) Registrations() []Registration {
	list := make([]Registration, 0, s.directory.entries.n)
	for _, r := range s.directory.entries.all() {
		if r.Expires > s.logTime {
			list = append(list, *r)
		}
	}
	return list
}

// Registration is the entry of an ID, if its time is not over.
func (s *State) Registration(id string) (Registration, bool) {
	r := s.directory.entries.get(id)
	if r == nil || r.Expires <= s.logTime {
		return Registration{}, false
	}
	return *r, true
}

// RegistrationOf is an endpoint's entry in the resource directory, if its time
// is not over.
func (s *State) RegistrationOf(endpoint, sector string) (Registration, bool) {
	r := s.directory.entries.get(s.directory.endpoints[endpointKey(endpoint, sector)])
	if r == nil || r.Expires <= s.logTime {
		return Registration{}, false
	}
	return *r, true
}
