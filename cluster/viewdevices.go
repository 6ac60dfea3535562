package cluster

import (
	"context"

	"skerry/fsm"
)

// Registered is a device of the registry.
func (v *View) Registered(name string) (d fsm.DeviceRecord, ok bool) {
	v.read(func(s *fsm.State) { d, ok = s.Registered(name) })
	return d, ok
}

// RegisteredDevices are the devices of the registry by name. The slice is the
// caller's.
func (v *View) RegisteredDevices() (list []fsm.DeviceRecord) {
	v.read(func(s *fsm.State) { list = s.RegisteredDevices() })
	return list
}

// Identity finds the key of an identity and whose it is; ok is false for one
// that has expired by log time.
func (v *View) Identity(identity string) (device string, key fsm.DeviceKey, ok bool) {
	v.read(func(s *fsm.State) { device, key, ok = s.Identity(identity) })
	return device, key, ok
}

// Document is one side of a device's twin.
func (v *View) Document(device string, kind fsm.DocumentKind) (d fsm.Document, ok bool) {
	v.read(func(s *fsm.State) { d, ok = s.Document(device, kind) })
	return d, ok
}

// DocumentDevices are the devices that have a document, by name. The slice is
// the caller's.
func (v *View) DocumentDevices() (names []string) {
	v.read(func(s *fsm.State) { names = s.DocumentDevices() })
	return names
}

// Registrations are the entries of the resource directory whose time is not
// over, by ID. The slice is the caller's.
func (v *View) Registrations() (list []fsm.Registration) {
	v.read(func(s *fsm.State) { list = s.Registrations() })
	return list
}

// Registration is the entry of the resource directory that has an ID, if its
// time is not over.
func (v *View) Registration(id string) (r fsm.Registration, ok bool) {
	v.read(func(s *fsm.State) { r, ok = s.Registration(id) })
	return r, ok
}

// RegistrationOf is an endpoint's entry in the resource directory, if its time
// is not over.
func (v *View) RegistrationOf(endpoint, sector string) (r fsm.Registration, ok bool) {
	v.read(func(s *fsm.State) { r, ok = s.RegistrationOf(endpoint, sector) })
	return r, ok
}

// Lease is who has a name now; ok is false when nobody does.
func (v *View) Lease(name string) (l fsm.Lease, ok bool) {
	v.read(func(s *fsm.State) { l, ok = s.Lease(name) })
	return l, ok
}

// RegistryVersion is Node.RegistryVersion.
func (v *View) RegistryVersion() uint64 { return v.n.RegistryVersion() }

// Applied is Node.Applied.
func (v *View) Applied() <-chan struct{} { return v.n.Applied() }

// RegistryVersion grows with each change of the device registry that this node
// has applied. It takes no lock: ask it for every message, and the registry only
// when it has grown.
func (n *Node) RegistryVersion() uint64 { return n.replica.registry.Load() }

// Await returns when this node has applied the command with a fsm.Result's
// index: what was proposed here is in a Local view from then on. Errors: ctx's.
func (n *Node) Await(ctx context.Context, index uint64) error { return n.replica.await(ctx, index) }
