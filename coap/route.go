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
		return d.elsewhere()
	case n == 1:
		return target{place: atPacks}, nil
	case n == 2:
		return target{place: atDevice, device: d.names.of(second)}, nil
	case n == 3:
		return target{place: atSeries, device: d.names.of(second), resource: d.names.of(last)}, nil
	}
	return target{place: atSeries, device: d.joined(n - 2), resource: d.names.of(last)}, nil
}

// joined is the device of n segments.
func (d *desk) joined(n int) string { return strings.Join(d.path()[1:1+n], "/") }

func (d *desk) path() (segments []string) {
	for segment := range d.msg.Values(message.URIPath) {
		segments = append(segments, string(segment))
	}
	return segments
}

// elsewhere reads a path that is not below /r.
func (d *desk) elsewhere() (target, error) {
	path := d.path()
	switch {
	case len(path) > 0 && path[0] == "d":
		return twinAt(path[1:]), nil
	case len(path) == 2 && path[0] == "rd":
		return target{place: atRegistration, id: path[1]}, nil
	}
	switch strings.Join(path, "/") {
	case ".well-known/core":
		return target{place: atCore}, nil
	case ".well-known/rd":
		return target{place: atSimply}, nil
	case "gateways":
		return target{place: atGateways}, nil
	case "rd":
		return target{place: atDirectory}, nil
	case "rd-lookup/ep":
		return target{place: atEndpoints}, nil
	case "rd-lookup/res":
		return target{place: atResources}, nil
	}
	return target{}, refuse(message.NotFound, "there is nothing here: readings are at /r/{device}/{resource}, packs go to /r, the time is at /time, and all there is at /.well-known/core")
}

// twinAt reads what follows /d. A device's name may come as several segments.
func twinAt(path []string) target {
	if len(path) == 0 {
		return target{place: atTwins}
	}
	at := target{place: atTwin}
	if last := len(path) - 1; last > 0 {
		switch path[last] {
		case fsm.Desired.String():
			at.place, path = atDesired, path[:last]
		case fsm.Reported.String():
			at.place, path = atReported, path[:last]
		}
	}
	at.device = strings.Join(path, "/")
	return at
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
