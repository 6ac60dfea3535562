package device

import (
	"context"
	"fmt"
)

// Message is one CoAP POST of a device.
type Message struct {
	Path    []string // Uri-Path segments as they are, not percent-encoded
	Query   []string // Uri-Query options, "id=..." among them
	Format  Format
	Payload []byte // not changed while the message is under way
}

// Format is a CoAP Content-Format; the numbers are IANA's.
type Format uint16

const (
	FormatText      Format = 0
	FormatJSON      Format = 50
	FormatSenMLJSON Format = 110
)

// Code is a CoAP response code, class and detail as RFC 7252 section 3 packs
// them: 2.04 is 0x44.
type Code uint8

// Codes that devices act upon.
const (
	Changed            Code = 2<<5 | 4  // committed
	TooManyRequests    Code = 4<<5 | 29 // nothing was stored: later again
	ServiceUnavailable Code = 5<<5 | 3  // nothing was stored: later again
	GatewayTimeout     Code = 5<<5 | 4  // not known: again with the same identity
)

func (c Code) String() string { return fmt.Sprintf("%d.%02d", c>>5, c&31) }

// done reports whether the message is stored; final whether a repetition would
// be answered the same.
func (c Code) done() bool  { return c>>5 == 2 }
func (c Code) final() bool { return c.done() || c>>5 == 4 && c != TooManyRequests }

// Sender brings messages to one gateway. Post returns the answer's code, or an
// error when none came before ctx was done; then the message may have been
// stored. It may be used by many goroutines.
type Sender interface {
	Post(ctx context.Context, m Message) (Code, error)
}
