package coap

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"skerry/cluster"
	"skerry/fsm"
)

// Store is what posts need of the site; *cluster.Node is one.
type Store interface {
	// Propose returns when the command is decided; see cluster.Node.Propose.
	Propose(ctx context.Context, cmd fsm.Command) (fsm.Result, error)
	// Secret is the secret of keys; ok is false until the site has begun.
	Secret() (secret [16]byte, ok bool)
	// Known is this node's memory of such a message's outcome.
	Known(key fsm.Key, content uint64) (o fsm.Outcome, ok bool)
}

// Readings is what gets need of the site as this node has applied it.
type Readings interface {
	Latest(device, resource string) (fsm.Reading, bool)
	LatestOf(device string) []fsm.Reading
	// CountOf is how many resources a device has; it counts no further than most.
	CountOf(device string, most int) int
	Range(ctx context.Context, q cluster.Query) (cluster.Page, error)
}

// Frames is the part of it that holds pictures.
type Frames interface {
	LatestFrame(device, resource string) (fsm.Frame, bool)
	JPEG(ctx context.Context, seq fsm.Seq) ([]byte, error)
}

// View is all of it; *cluster.View is one.
type View interface {
	Readings
	Frames
	Twins
	Directory
	Inventory
	Changes
	Registry
}

// Config is what a Server needs. Store and View are required.
type Config struct {
	Addr  string // of plain CoAP, host:port; all addresses when the host is empty; "" for none
	Doors Doors  // further ways in
	Store Store
	// View gives a view that does not wait for anybody (cluster.Local).
	View func(ctx context.Context) (View, error)
	// Await returns when that view has what was decided at an index of the log;
	// nil where it always has. See cluster.Node.Await.
	Await func(ctx context.Context, index uint64) error
	// Gateways are the doors of the site's nodes that devices may use, by name;
	// nil for none but this one. It does not block.
	Gateways func() []Gateway
	// Heir says that another process may have been this gateway a moment ago. What
	// became of the messages that it took is not known here. So for as long as the
	// site remembers keys, nobody is told that nothing of a message was stored.
	Heir bool
	// Multicast answers discovery that is sent to all CoAP nodes of a link.
	Multicast bool

	Limits Limits
	Logger *slog.Logger
	Now    func() time.Time // the wall clock of /time and option 65000
}

// Limits bound what devices can make a gateway hold.
type Limits struct {
	PeerRate    float64 // messages a second that one endpoint may send for long; a KiB counts as one more
	PeerBurst   float64 // messages that it may send at once
	PeerFlights int     // its messages on their way to the site
	Peers       int     // endpoints remembered; the longest silent are forgotten
	Flights     int     // messages on their way to the site, of all endpoints
	FlightBytes int     // bytes of them
	// QueueWait is how long a message may wait while all proposals are stuck;
	// then it is refused with 5.03, never having been sent to the site.
	QueueWait time.Duration
	// Leisure is the time over which the gateways spread their answers to a
	// request that all of them heard (RFC 7252 section 8.2).
	Leisure time.Duration
}

// DefaultLimits suit a gateway with 512 MB of RAM.
func DefaultLimits() Limits {
	return Limits{
		PeerRate:    5_000,
		PeerBurst:   5_000,
		PeerFlights: 2_048,
		Peers:       65_536,
		Flights:     16_384,
		FlightBytes: 16 << 20,
		QueueWait:   5 * time.Second,
		Leisure:     5 * time.Second,
	}
}

// DefaultConfig listens on the port that IANA gave to CoAP.
func DefaultConfig() Config {
	return Config{Addr: ":5683", Limits: DefaultLimits(), Logger: slog.Default(), Now: time.Now}
}

func (c *Config) validate() error {
	switch {
	case c.Store == nil || c.View == nil:
		return errors.New("coap: Store and View are required")
	case c.Addr == "" && c.Doors.DTLS == "" && c.Doors.TCP == "" && c.Doors.TLS == "":
		return errors.New("coap: no address to listen at")
	case c.Addr == "" && c.Multicast:
		return errors.New("coap: multicast needs plain CoAP")
	case c.Limits.PeerRate <= 0 || c.Limits.PeerBurst < 1:
		return errors.New("coap: PeerRate must be above 0 and PeerBurst at least 1")
	case c.Limits.Leisure < 0:
		return errors.New("coap: Leisure must not be below 0")
	case c.Limits.QueueWait <= 0:
		return errors.New("coap: QueueWait must be above 0")
	case c.Limits.PeerFlights < 1 || c.Limits.Peers < 2 || c.Limits.Flights < 1 || c.Limits.FlightBytes < 1:
		return errors.New("coap: PeerFlights, Flights and FlightBytes must be at least 1, Peers at least 2")
	}
	return nil
}
