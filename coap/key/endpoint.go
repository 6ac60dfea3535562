package key

import "skerry/fsm"

// domainEndpoint keeps what names registrations apart from the keys of messages.
const domainEndpoint = 'e'

// OfEndpoint names an endpoint's registration in the resource directory: the
// same at each gateway, and not to be guessed.
func (m *Maker) OfEndpoint(endpoint, sector string) fsm.Key {
	m.begin(domainEndpoint)
	m.text(sector)
	m.text(endpoint)
	return m.sum()
}
