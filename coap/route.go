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

// place is what a path names.
type place uint8

const (
	atPacks  place = iota // /r
	atDevice              // /r/{device}
	atSeries              // /r/{device}/{resource}
	atTime                // /time
)

// target is a place with its names.
type target struct {
	place    place
	device   string
	resource string
}

// route reads the path. A device whose name has a '/' may come as one segment
// or as several: the last segment is the resource, those between /r and it are
// the device. With one segment after /r it is the device.
func (r *reader) route() (target, error) {
	var first, second, last []byte
	n := 0
	for segment := range r.msg.Values(message.URIPath) {
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
		return target{place: atDevice, device: r.names.of(second)}, nil
	case n == 3:
		return target{atSeries, r.names.of(second), r.names.of(last)}, nil
	}
	return target{atSeries, r.joined(n - 2), r.names.of(last)}, nil
}

// joined is the device of n segments.
func (r *reader) joined(n int) string {
	var segments []string
	for segment := range r.msg.Values(message.URIPath) {
		segments = append(segments, string(segment))
	}
	return strings.Join(segments[1:1+n], "/")
}

// methods are what a place takes, for the text of 4.05.
func (p place) methods() string {
	switch p {
	case atPacks:
		return "POST a SenML pack"
	case atDevice:
		return "POST a SenML pack, or GET the latest values"
	case atSeries:
		return "POST or PUT a reading, or GET"
	}
	return "GET"
}

// takes tells whether a place has a method.
func (p place) takes(method message.Code) bool {
	switch method {
	case message.GET:
		return p != atPacks
	case message.POST:
		return p != atTime
	case message.PUT:
		return p == atSeries
	}
	return false
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
