package secure

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"time"
)

const (
	cookieSize = 20 // bytes
	// cookiePeriod is how long a cookie without state is taken, at least; at
	// most twice that. It is also how long who returned one is remembered.
	cookiePeriod = time.Minute
	// maxReachable bounds the IP addresses that are remembered for it.
	maxReachable = 4_096

	alertInternalError = 80
	levelFatal         = 2
)

// dtls10 is the version of a HelloVerifyRequest, whatever follows (RFC 6347
// section 4.2.1); dtls12 is that of all else.
var (
	dtls10 = [2]byte{254, 255}
	dtls12 = [2]byte{254, 253}
)

// cookies are made without state for each peer. The Listener's mutex guards them.
type cookies struct {
	secret [32]byte
	// reachable are IP addresses that returned a cookie, in two generations.
	young, old map[netip.Addr]struct{}
	turned     time.Time // when young began
}

// of is the cookie of a hello in the period of a time.
func (c *cookies) of(peer netip.AddrPort, h *hello, at time.Time) []byte {
	mac := hmac.New(sha256.New, c.secret[:])
	ip := peer.Addr().As16()
	said := binary.BigEndian.AppendUint16(ip[:], peer.Port())
	said = binary.BigEndian.AppendUint64(said, uint64(at.Unix()/int64(cookiePeriod/time.Second)))
	said = append(said, h.random[:]...)
	mac.Write(said)
	return mac.Sum(nil)[:cookieSize]
}

// returned tells whether a hello brings the cookie that it was given.
func (c *cookies) returned(peer netip.AddrPort, h *hello, now time.Time) bool {
	return hmac.Equal(h.cookie, c.of(peer, h, now)) || hmac.Equal(h.cookie, c.of(peer, h, now.Add(-cookiePeriod)))
}

// remember notes that an address receives what is sent to it.
func (c *cookies) remember(host netip.Addr, now time.Time) {
	if c.young == nil || now.Sub(c.turned) > cookiePeriod || len(c.young) >= maxReachable/2 {
		c.old, c.young, c.turned = c.young, map[netip.Addr]struct{}{}, now
	}
	c.young[host] = struct{}{}
}

// reaches tells whether an address returned a cookie a short while ago.
func (c *cookies) reaches(host netip.Addr, now time.Time) bool {
	if now.Sub(c.turned) > 2*cookiePeriod {
		return false
	}
	_, young := c.young[host]
	_, old := c.old[host]
	return young || old
}

// verifyRequest is a HelloVerifyRequest with a cookie, in a record numbered as
// the hello's was (RFC 6347 section 4.2.1).
func verifyRequest(h *hello, cookie []byte) []byte {
	size := byte(3 + len(cookie))
	b := append([]byte{typeHandshake}, dtls10[:]...)
	b = append(b, h.record...)
	b = append(b, 0, handshakeHeader+size)
	b = append(b, helloVerifyRequest, 0, 0, size, 0, 0, 0, 0, 0, 0, 0, size)
	b = append(b, dtls10[:]...)
	b = append(b, byte(len(cookie)))
	return append(b, cookie...)
}

// beginAgain is a fatal alert.
func beginAgain(h *hello) []byte {
	b := append([]byte{typeAlert}, dtls12[:]...)
	b = append(b, h.record...)
	return append(b, 0, 2, levelFatal, alertInternalError)
}
