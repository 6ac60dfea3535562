package coap

import (
	"bytes"
	"context"
	"net/netip"
	"sync"
	"time"

	"skerry/fsm"
)

// Registry is the part of a view that knows the site's devices and their keys.
type Registry interface {
	Registered(name string) (fsm.DeviceRecord, bool)
	// Identity finds a key that is valid now, and whose it is.
	Identity(identity string) (device string, key fsm.DeviceKey, ok bool)
	// RegistryVersion grows with each change of both. It is asked for with each
	// message.
	RegistryVersion() uint64
}

// registry is the site's, as this node has applied it.
func (s *Server) registry() (Registry, error) { return s.cfg.View(context.Background()) }

// secretOf is the key of an identity, for a handshake.
func (s *Server) secretOf(identity string) (secret []byte, ok bool) {
	registry, err := s.registry()
	if err != nil {
		return nil, false
	}
	_, key, ok := registry.Identity(identity)
	return key.Secret, ok
}

// shakeFailed notes a handshake that came to nothing for the device that the
// identity is of. Whoever failed proved nothing, so nothing else is noted of it.
func (s *Server) shakeFailed(identity string, from netip.AddrPort) {
	registry, err := s.registry()
	if err != nil {
		return
	}
	device, _, ok := registry.Identity(identity)
	if !ok {
		// Nobody has such a key, or no longer; the name may still be a device's.
		if _, ok = registry.Registered(identity); !ok {
			return
		}
		device = identity
	}
	s.diary.fail(device, from, time.Now())
}

// admits tells whether the device that a certificate names is registered.
func (s *Server) admits(name string) bool {
	registry, err := s.registry()
	if err != nil {
		return false
	}
	_, ok := registry.Registered(name)
	return ok
}

// pass is what let the peer of a session in, and what it may do by it. It is
// judged again when the registry has changed, and lost for good when its key or
// its device has gone.
type pass struct {
	s        *Server
	identity string // of a key; "" for a certificate
	secret   []byte // of the key
	name     string // of the device

	mu      sync.Mutex
	version uint64           // of the registry that the rest is of
	record  fsm.DeviceRecord // of the device
	lost    bool
}

// passByKey is the pass of a peer that proved to have the key of an identity; ok
// is false when it has gone meanwhile.
func (s *Server) passByKey(identity string) (p *pass, ok bool) {
	registry, err := s.registry()
	if err != nil {
		return nil, false
	}
	device, key, ok := registry.Identity(identity)
	if !ok {
		return nil, false
	}
	p = &pass{s: s, identity: identity, secret: bytes.Clone(key.Secret), name: device}
	return p, p.valid()
}

// passByName is the pass of a peer whose certificate names a device.
func (s *Server) passByName(name string) (p *pass, ok bool) {
	p = &pass{s: s, name: name}
	return p, p.valid()
}

// valid tells whether the peer may still be here.
func (p *pass) valid() bool {
	registry, err := p.s.registry()
	if err != nil {
		return false // this node cannot tell, and serves nobody
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.judge(registry)
}

// judge reads the registry where it has changed; p.mu is held. The version is
// read first, so that a change in between is seen the next time.
func (p *pass) judge(registry Registry) bool {
	version := registry.RegistryVersion()
	if p.lost || version == p.version && p.record.Name != "" {
		return !p.lost
	}
	record, ok := registry.Registered(p.name)
	if ok && p.identity != "" {
		device, key, known := registry.Identity(p.identity)
		ok = known && device == p.name && bytes.Equal(key.Secret, p.secret)
	}
	p.version, p.record, p.lost = version, record, !ok
	return ok
}

// mayWrite tells whether the peer may say something in a device's name: its
// own, and those that the operator allowed.
func (p *pass) mayWrite(device string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.lost && p.record.MayWrite(device)
}
