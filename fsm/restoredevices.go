package fsm

// Bytes of one value's CBOR at most, whatever it holds.
const (
	maxDeviceBytes       = 4 << 10
	maxDocumentOverhead  = 128
	maxRegistrationBytes = MaxLinks + 4<<10
	maxLeaseBytes        = 1 << 10
)

// element reads one string of CBOR of at most limit bytes.
func element[V any](p *snapshotReader, what string, limit uint64) *V {
	b := p.bytes(p.count("bytes of "+what, limit))
	v := new(V)
	if p.err == nil {
		if err := rareDec.Unmarshal(b, v); err != nil {
			p.fail("%s: %v", what, err)
		}
	}
	return v
}

// ascends makes sure that names come in order.
func (p *snapshotReader) ascends(what string, before *string, name string) {
	if p.err == nil && name <= *before {
		p.fail("%s %q is out of order", what, name)
	}
	*before = name
}

func (s *State) restoreDevices(p *snapshotReader) {
	before := ""
	for range p.count("devices", MaxDeviceRecords) {
		d := element[DeviceRecord](p, "a device", maxDeviceBytes)
		p.ascends("device", &before, d.Name)
		if p.err != nil {
			return
		}
		err := PutDeviceCommand{Name: d.Name, Note: d.Note, Writes: d.Writes}.validate()
		if err != nil || len(d.Keys) > MaxDeviceKeys {
			p.fail("device %q has %d keys: %v", d.Name, len(d.Keys), err)
			return
		}
		for i := range d.Keys {
			k := &d.Keys[i]
			_, twice := s.registry.identities[k.Identity]
			over := k.Expires != 0 && k.Expires <= s.logTime
			if err := k.validate(); err != nil || twice || over {
				p.fail("key %q of device %q is there twice or over: %v", k.Identity, d.Name, err)
				return
			}
			s.registry.identities[k.Identity] = d.Name
		}
		s.registry.take(d)
	}
}

func (s *State) restoreDocuments(p *snapshotReader) {
	for kind := range s.documents.kinds {
		before := ""
		for range p.count("documents", uint64(MaxDocuments-s.documents.count())) {
			device := p.name("device", MaxDevice)
			d := element[storedDocument](p, "a document", MaxDocument+maxDocumentOverhead)
			p.ascends("document", &before, device)
			if p.err != nil {
				return
			}
			s.documents.set(DocumentKind(kind), device, d)
			if len(d.Body) > MaxDocument || d.Version < 1 || d.Version > s.documents.version || s.documents.bytes > MaxDocumentBytes {
				p.fail("document %d of %d bytes", d.Version, len(d.Body))
				return
			}
		}
	}
}

func (s *State) restoreDirectory(p *snapshotReader) {
	before := ""
	for range p.count("registrations", MaxRegistrations) {
		r := element[Registration](p, "a registration", maxRegistrationBytes)
		p.ascends("registration", &before, r.ID)
		if p.err != nil {
			return
		}
		_, twice := s.directory.endpoints[endpointKey(r.Endpoint, r.Sector)]
		if err := r.validate(); err != nil || twice {
			p.fail("registration %q is there twice or: %v", r.ID, err)
			return
		}
		s.directory.set(r)
	}
}

func (s *State) restoreLeases(p *snapshotReader) {
	before := ""
	for range p.count("leases", MaxLeases) {
		l := element[Lease](p, "a lease", maxLeaseBytes)
		p.ascends("lease", &before, l.Name)
		if p.err != nil {
			return
		}
		if err := (LeaseCommand{Name: l.Name, Holder: l.Holder}).validate(); err != nil {
			p.fail("a lease: %v", err)
			return
		}
		s.leases.set(l.Name, l)
	}
}
