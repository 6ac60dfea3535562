package message

import "fmt"

// Type is how a message is delivered (RFC 7252 section 4).
type Type uint8

const (
	CON Type = iota // confirmable: sent again until it is acknowledged
	NON             // non-confirmable
	ACK             // acknowledges a CON, and may carry the response
	RST             // the message could not be processed
)

// Code is a method or a response code: three bits of class, five of detail.
type Code uint8

const (
	Empty  Code = 0
	GET    Code = 1
	POST   Code = 2
	PUT    Code = 3
	DELETE Code = 4
	FETCH  Code = 5 // RFC 8132
	PATCH  Code = 6
	IPATCH Code = 7 // idempotent PATCH

	Created              Code = 2<<5 | 1
	Deleted              Code = 2<<5 | 2
	Valid                Code = 2<<5 | 3
	Changed              Code = 2<<5 | 4
	Content              Code = 2<<5 | 5
	Continue             Code = 2<<5 | 31 // RFC 7959
	BadRequest           Code = 4 << 5
	Unauthorized         Code = 4<<5 | 1
	BadOption            Code = 4<<5 | 2
	Forbidden            Code = 4<<5 | 3
	NotFound             Code = 4<<5 | 4
	MethodNotAllowed     Code = 4<<5 | 5
	NotAcceptable        Code = 4<<5 | 6
	Incomplete           Code = 4<<5 | 8 // RFC 7959
	Conflict             Code = 4<<5 | 9 // RFC 8132
	PreconditionFailed   Code = 4<<5 | 12
	TooLarge             Code = 4<<5 | 13
	UnsupportedFormat    Code = 4<<5 | 15
	Unprocessable        Code = 4<<5 | 22 // RFC 8132
	TooManyRequests      Code = 4<<5 | 29 // RFC 8516
	InternalError        Code = 5 << 5
	ServiceUnavailable   Code = 5<<5 | 3
	GatewayTimeout       Code = 5<<5 | 4
	ProxyingNotSupported Code = 5<<5 | 5
)

// Class is the digit before the dot: 0 for requests, 2, 4 and 5 for responses.
func (c Code) Class() uint8 { return uint8(c >> 5) }

// IsResponse tells whether c is of a response class.
func (c Code) IsResponse() bool {
	class := c.Class()
	return class == 2 || class == 4 || class == 5
}

// String is the dotted form, as in 2.04.
func (c Code) String() string { return fmt.Sprintf("%d.%02d", c.Class(), c&0x1f) }

// Method is the name of a request's code.
func (c Code) Method() string {
	switch c {
	case GET:
		return "GET"
	case POST:
		return "POST"
	case PUT:
		return "PUT"
	case DELETE:
		return "DELETE"
	case FETCH:
		return "FETCH"
	case PATCH:
		return "PATCH"
	case IPATCH:
		return "iPATCH"
	}
	return c.String()
}
