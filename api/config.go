package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"skerry/fsm"
)

// Config joins the door to the other rooms of a node. Fields without "optional"
// must be set.
type Config struct {
	Site   Site
	Packs  Packs
	Logger *slog.Logger
	// Registry is served at /metrics; the door adds its own collectors and
	// those of Samples.
	Registry *prometheus.Registry
	Samples  []func() []Sample // optional: counters of other rooms
	// Cloud is the node's bucket; nil where it has none.
	Cloud Cloud
	// Progress is what a task's saved state tells people, as a value for
	// encoding/json. Optional.
	Progress func(*fsm.Task) (any, error)
	// Diary is what this node noted of a device at its door, as a value for
	// encoding/json; ok is false where it heard nothing. Optional.
	Diary func(device string) (entry any, ok bool)
	// Leave takes the node out of its site and returns when it has left; the
	// program ends after it. Optional.
	Leave func(context.Context) error
	// Save writes a file of the whole site. Optional.
	Save func(context.Context, io.Writer) error
}

// Packs is how the devices' door reads, names and writes SenML (RFC 8428).
type Packs struct {
	// Decode reads a pack; contentType is one of PackTypes. An error tells the
	// sender what is wrong; ErrTooLarge is wrapped where the pack is too large.
	Decode func(contentType string, body []byte) ([]fsm.Record, error)
	// Key is the key of a message that names itself: by id, or, where id is
	// "", because every record has a time of its own. named is false where it
	// does neither; the door then draws a key. Errors: cluster.ErrNoLeader
	// where the site's secret is not known yet.
	Key func(id string, records []fsm.Record) (key fsm.Key, content uint64, named bool, err error)
	// Encode writes readings as one SenML JSON pack.
	Encode func(readings []fsm.Reading) ([]byte, error)
}

// Cloud is the site's bucket as seen from this node. Results are values for
// encoding/json.
type Cloud interface {
	// Status does not block on the bucket.
	Status() any
	// Sync cuts, ships, and returns when the bucket has all that was committed
	// at the call.
	Sync(ctx context.Context) (any, error)
}

// ErrTooLarge: a message is over its bound in bytes or records.
var ErrTooLarge = errors.New("the message is too large")

func (c *Config) validate() error {
	switch {
	case c.Site == nil:
		return fmt.Errorf("api: Config.Site must be set")
	case c.Packs.Decode == nil || c.Packs.Key == nil || c.Packs.Encode == nil:
		return fmt.Errorf("api: Config.Packs must have Decode, Key and Encode")
	case c.Logger == nil || c.Registry == nil:
		return fmt.Errorf("api: Config.Logger and Config.Registry must be set")
	}
	return nil
}
