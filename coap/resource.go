package coap

import (
	"context"

	"skerry/coap/message"
)

// place is what a path names.
type place uint8

const (
	atPacks  place = iota // /r
	atDevice              // /r/{device}
	atSeries              // /r/{device}/{resource}
	atTime                // /time

	atTwins    // /d
	atTwin     // /d/{device}
	atDesired  // /d/{device}/desired
	atReported // /d/{device}/reported

	atCore         // /.well-known/core
	atGateways     // /gateways
	atDirectory    // /rd
	atSimply       // /.well-known/rd
	atRegistration // /rd/{id}
	atEndpoints    // /rd-lookup/ep
	atResources    // /rd-lookup/res
)

// target is a place with its names.
type target struct {
	place    place
	device   string
	resource string
	id       string // of a registration
}

// handler serves a request. A nil reply without an error comes later.
type handler func(d *desk, ctx context.Context, q *call) (*reply, error)

// handler is what serves a method at a place, nil for a method not taken there.
func (p place) handler(method message.Code) handler {
	switch p {
	case atPacks:
		switch method {
		case message.POST:
			return (*desk).post
		case message.FETCH:
			return (*desk).fetch
		case message.PATCH, message.IPATCH:
			return (*desk).patch
		}
	case atDevice:
		switch method {
		case message.POST:
			return (*desk).post
		case message.GET:
			return (*desk).get
		case message.FETCH:
			return (*desk).fetch
		case message.PATCH, message.IPATCH:
			return (*desk).patch
		}
	case atSeries:
		switch method {
		case message.POST, message.PUT:
			return (*desk).post
		case message.GET:
			return (*desk).get
		}
	case atReported:
		switch method {
		case message.PUT, message.POST:
			return (*desk).putDocument
		case message.DELETE:
			return (*desk).deleteDocument
		case message.GET:
			return (*desk).get
		}
	case atDirectory:
		switch method {
		case message.POST:
			return (*desk).register
		}
	case atSimply:
		switch method {
		case message.POST:
			return (*desk).registerSimply
		}
	case atRegistration:
		switch method {
		case message.POST:
			return (*desk).renew
		case message.DELETE:
			return (*desk).unregister
		case message.GET:
			return (*desk).get
		}
	case atTime, atTwins, atTwin, atDesired, atCore, atGateways, atEndpoints, atResources:
		switch method {
		case message.GET:
			return (*desk).get
		}
	}
	return nil
}

// methods are what a place takes, for the text of 4.05.
func (p place) methods() string {
	switch p {
	case atPacks:
		return "POST a SenML pack, or FETCH, PATCH or iPATCH with one of RFC 8790"
	case atDevice:
		return "POST a SenML pack, GET the latest values, or FETCH, PATCH or iPATCH with a pack of RFC 8790"
	case atSeries:
		return "POST or PUT a reading, or GET"
	case atDesired:
		return "GET; operators write it"
	case atReported:
		return "PUT, GET or DELETE"
	case atDirectory:
		return "POST your links; /rd-lookup/ep and /rd-lookup/res show what is registered"
	case atSimply:
		return "POST without a payload: your links are read from your /.well-known/core"
	case atRegistration:
		return "POST to renew it, DELETE, or GET"
	}
	return "GET"
}
