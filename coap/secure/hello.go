package secure

import "github.com/pion/dtls/v3/pkg/protocol/handshake"

// noExtensions is how long the library's empty list of extensions is, in bytes.
const noExtensions = 2

// bareHello is a ServerHello that ends where extensions would begin. The library
// writes an empty list there, as it may (RFC 5246 section 7.4.1.3); but clients
// that take it for none hash the message without it (node-dtls-client 1.1.1
// does), and so end the handshake.
type bareHello struct{ *handshake.MessageServerHello }

// Marshal leaves the empty list out.
func (h bareHello) Marshal() ([]byte, error) {
	b, err := h.MessageServerHello.Marshal()
	if err != nil {
		return nil, err
	}
	return b[:len(b)-noExtensions], nil
}

// withoutEmptyList is the message that is sent for a ServerHello.
func withoutEmptyList(hello handshake.MessageServerHello) handshake.Message {
	if len(hello.Extensions) > 0 {
		return &hello
	}
	return bareHello{&hello}
}
