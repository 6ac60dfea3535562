package coap

import (
	"bytes"
	"strings"

	"skerry/coap/message"
	"skerry/coap/senml"
	"skerry/fsm"
)

// maxNames bounds the names kept to save their copying.
const maxNames = 8192

// names keeps the strings of names that come again and again. When it is full
// it starts anew.
type names map[string]string

func (n names) of(b []byte) string {
	if s, ok := n[string(b)]; ok { // no copy for the look-up
		return s
	}
	s := string(b)
	if len(s) > fsm.MaxDevice {
		return s
	}
	if len(n) >= maxNames {
		clear(n)
	}
	n[s] = s
	return s
}

// route reads the path. A device whose name has a '/' may come as one segment
// or as several: the last segment is the resource, those between /r and it are
// the device. With one segment after /r it is the device.
func (d *desk) route() (target, error) {
	var first, second, last []byte
	n := 0
	for segment := range d.msg.Values(message.URIPath) {
		switch n {
		case 0:
			first = segment
		case 1:
			second = segment
		}
		last = segment
		n++
	}
	switch {
	case n == 1 && string(first) == "time":
		return target{place: atTime}, nil
	case n == 0 || string(first) != "r":
		return target{}, refuse(message.NotFound, "there is nothing here: readings are at /r/{device}/{resource}, packs go to /r, the time is at /time")
	case n == 1:
		return target{place: atPacks}, nil
	case n == 2:
		return target{place: atDevice, device: d.names.of(second)}, nil
	case n == 3:
		return target{atSeries, d.names.of(second), d.names.of(last)}, nil
	}
	return target{atSeries, d.joined(n - 2), d.names.of(last)}, nil
}

// joined is the device of n segments.
func (d *desk) joined(n int) string {
	var segments []string
	for segment := range d.msg.Values(message.URIPath) {
		segments = append(segments, string(segment))
	}
	return strings.Join(segments[1:1+n], "/")
}

// packFormat is the encoding of a pack by its content format; without one, by
// its first byte.
func packFormat(format uint32, given bool, body []byte) (senml.Format, error) {
	switch {
	case given && (format == formatSenMLJSON || format == formatSensMLJSON):
		return senml.JSON, nil
	case given && (format == formatSenMLCBOR || format == formatSensMLCBOR):
		return senml.CBOR, nil
	case !given && len(body) > 0 && body[0]>>5 == cborArray:
		return senml.CBOR, nil
	case !given && bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("[")):
		return senml.JSON, nil
	}
	return 0, refuse(message.UnsupportedFormat, "a SenML pack is taken here: content format 110 (JSON) or 112 (CBOR); one value goes to /r/{device}/{resource}")
}

// cborArray is the major type of CBOR arrays (RFC 8949 section 3.1).
const cborArray = 4
