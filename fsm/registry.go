package fsm

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// registry has the registered devices and their keys. No key in it has
// expired.
type registry struct {
	devices ordered[DeviceRecord]
	version uint64 // grows with each change

	// What follows is made of devices.

	identities map[string]string // device name by the identity of its key
	// deadlines has the device's name by when a key of it expires.
	deadlines ordered[string]
	next      LogTime // of the first deadline, 0 for none
}

func newRegistry() registry { return registry{identities: make(map[string]string)} }

// put replaces a device's record, nil for none on either side.
func (r *registry) put(name string, is *DeviceRecord) {
	if was := r.devices.get(name); was != nil {
		for i := range was.Keys {
			delete(r.identities, was.Keys[i].Identity)
			r.deadlines.remove(deadline(&was.Keys[i]))
		}
	}
	r.version++
	if is == nil {
		r.devices.remove(name)
		r.look()
		return
	}
	r.take(is)
}

// take keeps the record of a device that is not there, or not in the index.
func (r *registry) take(d *DeviceRecord) {
	r.devices.set(d.Name, d)
	for i := range d.Keys {
		r.identities[d.Keys[i].Identity] = d.Name
		if d.Keys[i].Expires != 0 {
			r.deadlines.set(deadline(&d.Keys[i]), &d.Name)
		}
	}
	r.look()
}

// look finds the next deadline.
func (r *registry) look() {
	r.next = 0
	if first, _ := r.deadlines.first(); first != "" {
		r.next = LogTime(binary.BigEndian.Uint64([]byte(first[:8])))
	}
}

// deadline names a key such that the order of names is that of expiry.
func deadline(k *DeviceKey) string {
	return string(binary.BigEndian.AppendUint64(nil, uint64(k.Expires))) + k.Identity
}

// expire takes out the keys whose time is over.
func (r *registry) expire(now LogTime) {
	for r.next != 0 && r.next <= now {
		_, name := r.deadlines.first()
		d := *r.devices.get(*name)
		d.Keys = slices.DeleteFunc(slices.Clone(d.Keys), func(k DeviceKey) bool { return k.Expires != 0 && k.Expires <= now })
		r.put(d.Name, &d)
	}
}

func (s *State) putDevice(c *PutDeviceCommand) Outcome {
	was := s.registry.devices.get(c.Name)
	switch {
	case c.Create && was != nil:
		return Outcome{Code: Exists}
	case !c.Create && was == nil:
		return Outcome{Code: NotFound}
	case was == nil && s.registry.devices.n >= MaxDeviceRecords:
		return Outcome{Code: Full}
	}
	d := DeviceRecord{Name: c.Name, Created: s.received}
	if was != nil {
		if was.Note == c.Note && slices.Equal(was.Writes, c.Writes) {
			return Outcome{Code: Stored, Known: true}
		}
		d = *was
	}
	d.Note, d.Writes = c.Note, c.Writes
	s.registry.put(c.Name, &d)
	return Outcome{Code: Stored}
}

func (s *State) removeDevice(c *RemoveDeviceCommand) Outcome {
	if s.registry.devices.get(c.Name) == nil {
		return Outcome{Code: NotFound}
	}
	s.registry.put(c.Name, nil)
	return Outcome{Code: Stored}
}

func (s *State) addKey(c *AddKeyCommand) Outcome {
	was := s.registry.devices.get(c.Device)
	if was == nil {
		return Outcome{Code: NotFound}
	}
	if owner, taken := s.registry.identities[c.Identity]; taken {
		if owner == c.Device && bytes.Equal(was.Keys[was.key(c.Identity)].Secret, c.Secret) {
			return Outcome{Code: Stored, Known: true}
		}
		return Outcome{Code: Exists}
	}
	d := *was
	d.Keys = nil
	if c.Overlap > 0 {
		until := s.logTime + LogTime(c.Overlap)
		for _, k := range was.Keys {
			if k.Expires == 0 || k.Expires > until {
				k.Expires = until
			}
			d.Keys = append(d.Keys, k)
		}
	}
	if len(d.Keys) >= MaxDeviceKeys {
		return Outcome{Code: Full}
	}
	d.Keys = append(d.Keys, DeviceKey{Identity: c.Identity, Secret: c.Secret, Created: s.received})
	s.registry.put(c.Device, &d)
	return Outcome{Code: Stored}
}

func (s *State) revokeKey(c *RevokeKeyCommand) Outcome {
	was := s.registry.devices.get(c.Device)
	if was == nil {
		return Outcome{Code: NotFound}
	}
	d := *was
	if c.Identity == "" {
		if len(was.Keys) == 0 {
			return Outcome{Code: Stored, Known: true}
		}
		d.Keys = nil
	} else {
		i := was.key(c.Identity)
		if i < 0 {
			return Outcome{Code: NotFound}
		}
		d.Keys = slices.Delete(slices.Clone(was.Keys), i, i+1)
	}
	s.registry.put(c.Device, &d)
	return Outcome{Code: Stored}
}

// Registered is a device of the registry.
func (s *State) Registered(name string) (DeviceRecord, bool) {
	if d := s.registry.devices.get(name); d != nil {
		return *d, true
	}
	return DeviceRecord{}, false
}

// RegisteredDevices are the devices of the registry by name. The slice is the
// caller's.
func (s *State) RegisteredDevices() []DeviceRecord {
	list := make([]DeviceRecord, 0, s.registry.devices.n)
	for _, d := range s.registry.devices.all() {
		list = append(list, *d)
	}
	return list
}

// Identity finds the key of an identity and whose it is; ok is false for one
// that has expired by log time. Log time moves with entries: in a site where
// nothing happens at all a key stays until something does.
func (s *State) Identity(identity string) (device string, key DeviceKey, ok bool) {
	device, ok = s.registry.identities[identity]
	if !ok {
		return "", DeviceKey{}, false
	}
	d := s.registry.devices.get(device)
	return device, d.Keys[d.key(identity)], true
}

// RegistryVersion grows with each change of the device registry, the expiry of
// a key among them.
func (s *State) RegistryVersion() uint64 { return s.registry.version }
