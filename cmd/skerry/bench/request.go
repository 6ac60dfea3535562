package bench

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// MaxPack is the most readings in one message: what fits a datagram of 1,152
// bytes, which no link on the way has to cut (RFC 7252, section 4.6).
const MaxPack = 36

// A request is one client's datagram, changed in place for each reading: the
// message id and the token always, and the value, or the pack's times and
// values. The same bytes go out again when no answer came.
type request struct {
	datagram []byte
	pack     int // readings in it, 0 for one as plain text
	payload  int // offset of what changes: the text, or the base time
	values   int // offset of a pack's first value; the others follow at gap
	gap      int
	temp     int // tenths of a degree, a random walk
	rng      *rand.Rand
}

const tokenLen = 4

// CoAP's numbers (RFC 7252, sections 3 and 12) and SenML CBOR's (RFC 8428,
// section 6).
const (
	confirmable   = 0x40
	codePOST      = 0x02
	uriPath       = 11
	contentFormat = 12
	senmlCBOR     = 112
	payloadMarker = 0xff

	senmlBaseName = 0x21 // -2
	senmlBaseTime = 0x22 // -3
	senmlBaseUnit = 0x23 // -4
	senmlName     = 0x00
	senmlValue    = 0x02
	senmlTime     = 0x06
	cborFloat64   = 0xfb
	cborFloat16   = 0xf9
)

// newRequest makes the datagram of client n.
func newRequest(n, pack int, seed uint64) *request {
	r := &request{pack: pack, temp: 216, rng: rand.New(rand.NewPCG(seed, uint64(n)))}
	device := fmt.Sprintf("dev-%d", n)
	d := []byte{confirmable | tokenLen, codePOST, 0, 0, 0, 0, 0, 0}
	if pack == 0 {
		d = appendOption(d, uriPath, "r")
		d = appendOption(d, 0, device)
		d = appendOption(d, 0, "temperature")
		d = append(d, payloadMarker)
		r.payload = len(d)
		r.datagram = append(d, "00.0"...)
		return r
	}
	d = appendOption(d, uriPath, "r")
	d = appendOption(d, contentFormat-uriPath, string([]byte{senmlCBOR}))
	d = append(d, payloadMarker)
	r.datagram = r.appendPack(d, device)
	return r
}

// appendPack appends a SenML pack of readings a second apart. Its base time
// and its values have a fixed width, so that next can write over them.
func (r *request) appendPack(d []byte, device string) []byte {
	d = appendHead(d, 0x80, r.pack)
	for i := range r.pack {
		if i == 0 {
			d = appendHead(d, 0xa0, 6)
			d = appendText(append(d, senmlBaseName), device+"/")
			d = append(d, senmlBaseTime, cborFloat64)
			r.payload = len(d)
			d = append(d, make([]byte, 8)...)
			d = appendText(append(d, senmlBaseUnit), "Cel")
		} else {
			d = appendHead(d, 0xa0, 3)
		}
		d = appendText(append(d, senmlName), "temperature")
		// A time as float16 is exact for whole seconds up to 2,048.
		d = append(d, senmlTime, cborFloat16)
		d = binary.BigEndian.AppendUint16(d, float16(i))
		d = append(d, senmlValue, cborFloat64)
		switch i {
		case 0:
			r.values = len(d)
		case 1:
			r.gap = len(d) - r.values
		}
		d = append(d, make([]byte, 8)...)
	}
	return d
}

// next turns the datagram into one with other readings.
func (r *request) next(mid uint16, token uint32, now time.Time) {
	binary.BigEndian.PutUint16(r.datagram[2:], mid)
	binary.BigEndian.PutUint32(r.datagram[4:], token)
	if r.pack == 0 {
		strconv.AppendFloat(r.datagram[r.payload:r.payload], r.step(), 'f', 1, 64)
		return
	}
	// A fresh base time makes each pack another one: a pack with times of its
	// own is known by its content alone.
	base := float64(now.UnixMicro())/1e6 - float64(r.pack)
	putFloat(r.datagram[r.payload:], base)
	for i := range r.pack {
		putFloat(r.datagram[r.values+i*r.gap:], r.step())
	}
}

// step walks the temperature, between 10.0 and 99.9 degrees.
func (r *request) step() float64 {
	r.temp = min(max(r.temp+r.rng.IntN(7)-3, 100), 999)
	return float64(r.temp) / 10
}

// appendOption appends a CoAP option of at most 268 bytes; delta is at most 12.
func appendOption(d []byte, delta int, value string) []byte {
	if len(value) < 13 {
		return append(append(d, byte(delta<<4|len(value))), value...)
	}
	return append(append(d, byte(delta<<4|13), byte(len(value)-13)), value...)
}

// appendHead appends the head of a CBOR array or map of n < 256 items.
func appendHead(d []byte, major byte, n int) []byte {
	if n < 24 {
		return append(d, major|byte(n))
	}
	return append(d, major|24, byte(n))
}

// appendText appends a CBOR text of less than 24 bytes.
func appendText(d []byte, s string) []byte {
	return append(append(d, 0x60|byte(len(s))), s...)
}
