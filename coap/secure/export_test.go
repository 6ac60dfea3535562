package secure

// Read is all that is read of a datagram before the library sees it: what a
// session would get of it, and the random number of a ClientHello.
func Read(b []byte) (kept, random []byte) {
	_, _ = cidOf(b)
	if h, ok := helloOf(b); ok {
		random = h.random[:]
	}
	return protected(b), random
}
