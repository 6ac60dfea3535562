package coap_test

import "skerry/fsm"

func (s *store) Registered(name string) (fsm.DeviceRecord, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Registered(name)
}

func (s *store) Identity(identity string) (string, fsm.DeviceKey, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Identity(identity)
}

func (s *store) RegistryVersion() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.RegistryVersion()
}
