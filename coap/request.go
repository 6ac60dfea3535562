package coap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"skerry/coap/message"
)

// DefaultPort is the port of coap:// (RFC 7252 section 6.1).
const DefaultPort = "5683"

// Request is what a client sends.
type Request struct {
	Method message.Code // GET, POST, ...
	// Path holds the segments as they are, not percent-encoded: a '/' in one
	// belongs to it. See ReadingPath.
	Path    []string
	Query   []string // as in "id=7"
	Payload []byte
	// Format is the payload's content format, Accept the wished one; 0 with
	// Typed or Choosy false means that the option is left out.
	Format uint16
	Typed  bool
	Accept uint16
	Choosy bool
	// Unconfirmed sends a NON, which is sent once.
	Unconfirmed bool
	// AskTime asks for the server's time with option 65000.
	AskTime bool
	// BlockSize is how large a block is, 16 to 1,024 bytes and a power of two; 0
	// for 1,024. A larger payload is sent in blocks (RFC 7959), and a larger
	// answer comes in blocks.
	BlockSize int
}

// ReadingPath is the path of a series.
func ReadingPath(device, resource string) []string { return []string{"r", device, resource} }

// Response is what a server answered.
type Response struct {
	Code    message.Code
	Format  uint16
	Typed   bool // Format is meant
	MaxAge  time.Duration
	ETag    []byte // nil for none
	Payload []byte
	Time    time.Time // of the server, zero unless it was asked for

	parts // of the message in hand
}

// Err is nil for a 2.xx and else the code with the diagnostic text.
func (r *Response) Err() error {
	if r.Code.Class() == 2 {
		return nil
	}
	return &ResponseError{Code: r.Code, Text: string(r.Payload)}
}

// ResponseError is an answer that is not 2.xx.
type ResponseError struct {
	Code message.Code
	Text string
}

func (e *ResponseError) Error() string { return fmt.Sprintf("%v %s", e.Code, e.Text) }

// AppendRequest encodes a request after b, as one message. The token has at most
// 8 bytes.
func AppendRequest(b []byte, id uint16, token []byte, r *Request) ([]byte, error) {
	return appendPart(b, id, token, r, &parts{})
}

// appendPart encodes one message of a request.
func appendPart(b []byte, id uint16, token []byte, r *Request, p *parts) ([]byte, error) {
	m := message.Message{Type: message.CON, Code: r.Method, ID: id, Token: token, Payload: r.Payload}
	if r.Unconfirmed {
		m.Type = message.NON
	}
	for _, segment := range r.Path {
		m.Add(message.URIPath, []byte(segment))
	}
	if r.Typed {
		m.AddUint(message.ContentFormat, uint32(r.Format))
	}
	for _, q := range r.Query {
		m.Add(message.URIQuery, []byte(q))
	}
	if r.Choosy {
		m.AddUint(message.Accept, uint32(r.Accept))
	}
	if r.AskTime {
		m.Add(message.ServerTime, nil)
	}
	p.describe(&m)
	return m.Append(b)
}

// responseOf copies a response out of its datagram.
func responseOf(m *message.Message) Response {
	r := Response{Code: m.Code, Payload: append([]byte(nil), m.Payload...)}
	if format, ok := m.Uint(message.ContentFormat); ok {
		r.Format, r.Typed = uint16(format), true
	}
	if age, ok := m.Uint(message.MaxAge); ok {
		r.MaxAge = time.Duration(age) * time.Second
	}
	if tag, ok := m.Option(message.ETag); ok {
		r.ETag = append([]byte(nil), tag...)
	}
	r.parts = partsOf(m)
	if stamp, ok := m.Option(message.ServerTime); ok && len(stamp) == 8 {
		r.Time = time.UnixMilli(int64(binary.BigEndian.Uint64(stamp)))
	}
	return r
}

// ParseTarget reads coap://host[:port], host:port or host into host:port.
func ParseTarget(s string) (string, error) {
	host := s
	if u, err := url.Parse(s); err == nil && u.Host != "" {
		if u.Scheme != "coap" {
			return "", fmt.Errorf("coap: scheme %q is not known: use coap://", u.Scheme)
		}
		if u.Path != "" && u.Path != "/" {
			return "", fmt.Errorf("coap: target %q has a path: name the gateway alone", s)
		}
		host = u.Host
	}
	if host == "" {
		return "", errors.New("coap: no target: use coap://host")
	}
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return net.JoinHostPort(trimBrackets(host), DefaultPort), nil
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return "", fmt.Errorf("coap: port %q is not one of 1 to 65535", port)
	}
	return net.JoinHostPort(name, port), nil
}

func trimBrackets(host string) string {
	if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		return host[1 : len(host)-1]
	}
	return host
}
