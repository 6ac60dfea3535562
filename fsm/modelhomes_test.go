package fsm_test

import (
	"bytes"
	"cmp"
	"slices"

	"pgregory.net/rapid"

	"skerry/fsm"
)

// homes is what the registry, the twins, the directory and the leases should
// be, in slices that every command searches from end to end.
type homes struct {
	devices []fsm.DeviceRecord
	twins   map[twin]modelDocument
	version uint64 // of the last document
	entries []fsm.Registration
	leases  map[string]fsm.Lease
}

type twin struct {
	device string
	kind   fsm.DocumentKind
}

type modelDocument struct {
	fsm.Document
	by fsm.Key
}

func newHomes() homes {
	return homes{twins: map[twin]modelDocument{}, leases: map[string]fsm.Lease{}}
}

func (h *homes) device(name string) *fsm.DeviceRecord {
	for i := range h.devices {
		if h.devices[i].Name == name {
			return &h.devices[i]
		}
	}
	return nil
}

// expire takes out the keys that are over.
func (h *homes) expire(now fsm.LogTime) {
	for i := range h.devices {
		h.devices[i].Keys = slices.DeleteFunc(h.devices[i].Keys, func(k fsm.DeviceKey) bool {
			return k.Expires > 0 && now >= k.Expires
		})
	}
}

// apply returns false for a command of another kind.
func (h *homes) apply(cmd fsm.Command, now fsm.LogTime, received int64) (fsm.Outcome, bool) {
	h.expire(now)
	switch c := cmd.(type) {
	case fsm.PutDeviceCommand:
		return h.putDevice(c, received), true
	case fsm.RemoveDeviceCommand:
		if h.device(c.Name) == nil {
			return notFound, true
		}
		h.devices = slices.DeleteFunc(h.devices, func(d fsm.DeviceRecord) bool { return d.Name == c.Name })
		return stored, true
	case fsm.AddKeyCommand:
		return h.addKey(c, now, received), true
	case fsm.RevokeKeyCommand:
		return h.revoke(c), true
	case fsm.PutDocumentCommand:
		return h.put(c, received), true
	case fsm.LeaseCommand:
		return h.lease(c, now), true
	}
	return h.direct(cmd, now, received)
}

func (h *homes) putDevice(c fsm.PutDeviceCommand, received int64) fsm.Outcome {
	d := h.device(c.Name)
	switch {
	case d == nil && !c.Create:
		return notFound
	case d != nil && c.Create:
		return exists
	case d == nil:
		h.devices = append(h.devices, fsm.DeviceRecord{Name: c.Name, Note: c.Note, Writes: c.Writes, Created: received})
		return stored
	case d.Note == c.Note && slices.Equal(d.Writes, c.Writes):
		return known
	}
	d.Note, d.Writes = c.Note, c.Writes
	return stored
}

func (h *homes) addKey(c fsm.AddKeyCommand, now fsm.LogTime, received int64) fsm.Outcome {
	d := h.device(c.Device)
	if d == nil {
		return notFound
	}
	for _, other := range h.devices {
		for _, k := range other.Keys {
			switch {
			case k.Identity == c.Identity && other.Name == c.Device && bytes.Equal(k.Secret, c.Secret):
				return known
			case k.Identity == c.Identity:
				return exists
			}
		}
	}
	if c.Overlap == 0 {
		d.Keys = nil
	}
	if len(d.Keys) == fsm.MaxDeviceKeys {
		return noRoom
	}
	for i := range d.Keys {
		if end := now + fsm.LogTime(c.Overlap); d.Keys[i].Expires == 0 || d.Keys[i].Expires > end {
			d.Keys[i].Expires = end
		}
	}
	d.Keys = append(d.Keys, fsm.DeviceKey{Identity: c.Identity, Secret: c.Secret, Created: received})
	return stored
}

func (h *homes) revoke(c fsm.RevokeKeyCommand) fsm.Outcome {
	d := h.device(c.Device)
	if d == nil {
		return notFound
	}
	before := len(d.Keys)
	d.Keys = slices.DeleteFunc(d.Keys, func(k fsm.DeviceKey) bool { return c.Identity == "" || k.Identity == c.Identity })
	switch {
	case len(d.Keys) < before:
		return stored
	case c.Identity == "":
		return known
	}
	return notFound
}

func (h *homes) put(c fsm.PutDocumentCommand, received int64) fsm.Outcome {
	at := twin{c.Device, c.Kind}
	was, ok := h.twins[at]
	if ok && !c.Delete && c.By != (fsm.Key{}) && c.By == was.by {
		return fsm.Outcome{Code: fsm.Stored, First: fsm.Seq(was.Version), Known: true}
	}
	if ok && c.IfNone || len(c.IfMatch) > 0 && !slices.Contains(c.IfMatch, was.Version) {
		return fsm.Outcome{Code: fsm.Precondition}
	}
	if !ok && (c.Delete || c.IfExists) {
		return notFound
	}
	if c.Delete {
		delete(h.twins, at)
		return stored
	}
	h.version++
	h.twins[at] = modelDocument{fsm.Document{Format: c.Format, Body: c.Body, Version: h.version, Updated: received}, c.By}
	return fsm.Outcome{Code: fsm.Stored, First: fsm.Seq(h.version)}
}

func (h *homes) lease(c fsm.LeaseCommand, now fsm.LogTime) fsm.Outcome {
	was, ok := h.leases[c.Name]
	ok = ok && was.Until > now
	switch {
	case ok && was.Holder != c.Holder:
		return fsm.Outcome{Code: fsm.Held}
	case c.Duration == 0:
		delete(h.leases, c.Name)
		return fsm.Outcome{Code: fsm.Stored, Known: !ok}
	}
	h.leases[c.Name] = fsm.Lease{Name: c.Name, Holder: c.Holder, Until: now + fsm.LogTime(c.Duration)}
	return stored
}

func (h *homes) direct(cmd fsm.Command, now fsm.LogTime, received int64) (fsm.Outcome, bool) {
	at := func(id string) int {
		return slices.IndexFunc(h.entries, func(r fsm.Registration) bool { return r.ID == id && r.Expires > now })
	}
	switch c := cmd.(type) {
	case fsm.RegisterCommand:
		r := fsm.Registration{ID: c.ID, Endpoint: c.Endpoint, Sector: c.Sector, Base: c.Base, Attributes: c.Attributes, Links: c.Links,
			Lifetime: c.Lifetime, Updated: received, Expires: now + fsm.LogTime(c.Lifetime*second)}
		for i, e := range h.entries {
			if e.Endpoint == c.Endpoint && e.Sector == c.Sector && e.Expires > now {
				r.ID = e.ID
				h.entries[i] = r
				return known, true
			}
		}
		if at(c.ID) >= 0 {
			return exists, true
		}
		h.entries = append(h.entries, r)
		return stored, true
	case fsm.RenewRegistrationCommand:
		i := at(c.ID)
		if i < 0 {
			return notFound, true
		}
		r := &h.entries[i]
		if c.Lifetime != nil {
			r.Lifetime = *c.Lifetime
		}
		if c.Base != nil {
			r.Base = *c.Base
		}
		r.Updated, r.Expires = received, now+fsm.LogTime(r.Lifetime*second)
		return stored, true
	case fsm.UnregisterCommand:
		i := at(c.ID)
		if i < 0 {
			return notFound, true
		}
		h.entries = slices.Delete(h.entries, i, i+1)
		return stored, true
	}
	return fsm.Outcome{}, false
}

// drawHomeCommand is one of few names, so that commands meet.
func drawHomeCommand(t *rapid.T) fsm.Command {
	device := rapid.SampledFrom([]string{"d1", "d2", "d3"}).Draw(t, "device")
	identity := rapid.SampledFrom([]string{"i1", "i2", "i3", "i4", "i5", "i6"}).Draw(t, "identity")
	id := rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "id")
	short := rapid.Int64Range(1, 40)
	switch rapid.IntRange(0, 11).Draw(t, "home command") {
	case 0, 1:
		return fsm.PutDeviceCommand{Name: device, Note: rapid.SampledFrom([]string{"", "a"}).Draw(t, "note"), Create: rapid.Bool().Draw(t, "create")}
	case 2:
		return fsm.RemoveDeviceCommand{Name: device}
	case 3, 4:
		return fsm.AddKeyCommand{Device: device, Identity: identity, Secret: rapid.SampledFrom([][]byte{[]byte("one!"), []byte("two!")}).Draw(t, "secret"),
			Overlap: rapid.SampledFrom([]int64{0, second, 30 * second, 200 * second}).Draw(t, "overlap")}
	case 5:
		return fsm.RevokeKeyCommand{Device: device, Identity: rapid.SampledFrom([]string{"", identity}).Draw(t, "which")}
	case 6, 7:
		c := fsm.PutDocumentCommand{Device: device, Kind: fsm.DocumentKind(rapid.IntRange(0, 1).Draw(t, "kind")),
			Delete: rapid.IntRange(0, 4).Draw(t, "delete") == 0, By: rapid.SampledFrom([]fsm.Key{{}, {1}, {2}}).Draw(t, "by")}
		switch rapid.IntRange(0, 3).Draw(t, "condition") {
		case 0:
			c.IfNone = !c.Delete
		case 1:
			c.IfExists = true
		case 2:
			c.IfMatch = rapid.SliceOfN(rapid.Uint64Range(1, 8), 0, 3).Draw(t, "versions")
		}
		if !c.Delete {
			c.Body = rapid.SliceOfN(rapid.Byte(), 0, 4).Draw(t, "body")
		}
		return c
	case 8:
		return fsm.RegisterCommand{ID: id, Endpoint: device, Base: "b", Lifetime: short.Draw(t, "lifetime")}
	case 9:
		c := fsm.RenewRegistrationCommand{ID: id}
		if rapid.Bool().Draw(t, "another lifetime") {
			c.Lifetime = ptr(short.Draw(t, "lifetime"))
		}
		return c
	case 10:
		return fsm.UnregisterCommand{ID: id}
	}
	return fsm.LeaseCommand{Name: id, Holder: device, Duration: rapid.SampledFrom([]int64{0, second, 25 * second}).Draw(t, "duration")}
}

func (h *homes) compare(t *rapid.T, s *fsm.State, now fsm.LogTime) {
	t.Helper()
	h.expire(now)
	slices.SortFunc(h.devices, func(a, b fsm.DeviceRecord) int { return cmp.Compare(a.Name, b.Name) })
	if got := s.RegisteredDevices(); !equal(got, h.devices) {
		t.Fatalf("devices are %+v, want %+v", got, h.devices)
	}
	owners := map[string]string{}
	for _, d := range h.devices {
		for _, k := range d.Keys {
			owners[k.Identity] = d.Name
		}
	}
	for _, identity := range []string{"i1", "i2", "i3", "i4", "i5", "i6"} {
		if got, key, ok := s.Identity(identity); got != owners[identity] || ok != (got != "") || ok && key.Identity != identity {
			t.Fatalf("identity %s is of %q with %+v, want %q", identity, got, key, owners[identity])
		}
	}
	for _, device := range []string{"d1", "d2", "d3"} {
		for _, kind := range []fsm.DocumentKind{fsm.Desired, fsm.Reported} {
			want, has := h.twins[twin{device, kind}]
			if got, ok := s.Document(device, kind); ok != has || !equal(got, want.Document) {
				t.Fatalf("%s of %s is %+v, %t, want %+v", kind, device, got, ok, want.Document)
			}
		}
	}
	entries := slices.DeleteFunc(slices.Clone(h.entries), func(r fsm.Registration) bool { return r.Expires <= now })
	slices.SortFunc(entries, func(a, b fsm.Registration) int { return cmp.Compare(a.ID, b.ID) })
	if got := s.Registrations(); !equal(got, entries) {
		t.Fatalf("registrations are %+v, want %+v", got, entries)
	}
	for _, name := range []string{"1", "2", "3"} {
		want := h.leases[name]
		if want.Until <= now {
			want = fsm.Lease{}
		}
		if got, ok := s.Lease(name); got != want || ok != (want.Name != "") {
			t.Fatalf("lease is %+v, %t, want %+v", got, ok, want)
		}
	}
}
