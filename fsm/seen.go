package fsm

import (
	"cmp"
	"fmt"
	"slices"
)

// Bounds of what is kept of servers.
const (
	MaxSeen     = 32  // servers of a site, those included that come and go
	MaxServerID = 128 // bytes
)

// Seen is what the site knows of a server's data directory: it cannot be one
// of before. Both only grow.
type Seen struct {
	ID         string `cbor:"1,keyasint"`
	Generation uint64 `cbor:"2,keyasint"` // how often it was started
	Held       uint64 `cbor:"3,keyasint"` // an index up to which it held the log
}

// SeenCommand says how the servers of the configuration were seen. Those that
// are not in it are forgotten. It is a duty's.
type SeenCommand struct {
	Term    uint64 `cbor:"1,keyasint"`
	Servers []Seen `cbor:"2,keyasint"`
}

func (SeenCommand) Op() Op                       { return OpSeen }
func (c SeenCommand) appendBody(b []byte) []byte { return appendCBOR(b, c) }

// InTerm returns the command stamped with the duty's term.
func (c SeenCommand) InTerm(term uint64) Command { c.Term = term; return c }

func (c SeenCommand) validate() error { return validateSeen(c.Servers) }

func validateSeen(servers []Seen) error {
	if len(servers) > MaxSeen {
		return fmt.Errorf("%d servers: at most %d can be told of", len(servers), MaxSeen)
	}
	for i := range servers {
		if err := ValidateName("server", servers[i].ID, MaxServerID); err != nil {
			return err
		}
		if i > 0 && servers[i-1].ID >= servers[i].ID {
			return fmt.Errorf("server %q is not after %q: they are in order, each once", servers[i].ID, servers[i-1].ID)
		}
	}
	return nil
}

func (s *State) seeServers(c *SeenCommand) Outcome {
	seen := slices.Clone(c.Servers)
	for i := range seen {
		if at, ok := s.findSeen(seen[i].ID); ok {
			was := &s.seen[at]
			seen[i].Generation = max(seen[i].Generation, was.Generation)
			seen[i].Held = max(seen[i].Held, was.Held)
		}
	}
	s.seen, s.seenAt = seen, s.logTime
	return Outcome{Code: Stored}
}

func (s *State) findSeen(id string) (int, bool) {
	return slices.BinarySearchFunc(s.seen, id, func(a Seen, id string) int { return cmp.Compare(a.ID, id) })
}

// Seen are the servers by ID, and when they were seen last. The slice is not to
// be changed and does not change.
func (s *State) Seen() (servers []Seen, at LogTime) { return s.seen, s.seenAt }
