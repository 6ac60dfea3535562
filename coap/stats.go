package coap

import (
	"sync/atomic"

	"skerry/coap/message"
)

// reason is why a request was refused or a datagram dropped.
type reason uint8

const (
	reasonRequest  reason = iota // the request is wrong
	reasonRate                   // its endpoint sends too fast
	reasonFlood                  // much too fast: dropped without an answer
	reasonPeer                   // its endpoint has too much on its way
	reasonQueue                  // all endpoints together have
	reasonWindow                 // the site's window is full
	reasonSeries                 // the site has as many series as it takes
	reasonDisk                   // the site's disks are full
	reasonNoLeader               // the site cannot decide
	reasonUnknown                // the outcome is not known
	reasonConflict               // an id was used twice
	reasonInternal
	reasons
)

var reasonNames = [reasons]string{
	"bad-request", "peer-rate", "peer-flood", "peer-in-flight", "queue-full",
	"window-full", "series-full", "disk-full", "no-leader", "unknown", "conflict", "internal",
}

// counters is what Stats is made of. All are counted from the start.
type counters struct {
	datagrams  atomic.Uint64
	malformed  atomic.Uint64
	pings      atomic.Uint64
	resets     atomic.Uint64
	unsent     atomic.Uint64
	challenged atomic.Uint64
	requests   [32]atomic.Uint64 // by method
	responses  [256]atomic.Uint64
	refused    [reasons]atomic.Uint64
	duplicates atomic.Uint64
	proposals  atomic.Uint64
	readings   atomic.Uint64
	frames     atomic.Uint64
	peers      atomic.Int64

	observers     atomic.Int64
	notifications atomic.Uint64
	lost          atomic.Uint64 // observations
}

// Stats are counters since the start, and four gauges.
type Stats struct {
	Datagrams  uint64            // received
	Malformed  uint64            // of them, rejected or dropped as no CoAP
	Pings      uint64            // empty CONs
	Resets     uint64            // RSTs sent
	Unsent     uint64            // replies that the kernel refused to send
	Challenged uint64            // peers asked to prove their address before a large answer
	Requests   map[string]uint64 // by method: GET, POST, ...; others as 0.05
	Responses  map[string]uint64 // by code: 2.04, ...
	Refused    map[string]uint64 // by reason; all reasons are there
	Duplicates uint64            // posts answered from an earlier copy
	Proposals  uint64            // commands given to the site
	Readings   uint64            // acknowledged as stored, duplicates left out
	Frames     uint64            // the same of frames

	Notifications uint64 // made for observers
	Lost          uint64 // observations ended because their peer did not answer

	Peers     int // endpoints remembered
	Flights   int // messages on their way to the site
	Bytes     int // of them
	Observers int // observations

	Sessions       int    // of DTLS
	Connections    int    // over TCP and TLS
	Handshakes     uint64 // of DTLS, complete
	HandshakesLost uint64 // of DTLS, refused or given up
}

// Stats may be called at any time, from any goroutine.
func (s *Server) Stats() Stats {
	c := &s.stats
	st := Stats{
		Datagrams: c.datagrams.Load(), Malformed: c.malformed.Load(), Pings: c.pings.Load(),
		Resets: c.resets.Load(), Unsent: c.unsent.Load(), Challenged: c.challenged.Load(), Duplicates: c.duplicates.Load(),
		Proposals: c.proposals.Load(), Readings: c.readings.Load(), Frames: c.frames.Load(),
		Notifications: c.notifications.Load(), Lost: c.lost.Load(),
		Peers: int(c.peers.Load()), Observers: int(c.observers.Load()),
		Requests: map[string]uint64{}, Responses: map[string]uint64{}, Refused: map[string]uint64{},
	}
	for i := range c.requests {
		if n := c.requests[i].Load(); n > 0 {
			st.Requests[message.Code(i).Method()] = n
		}
	}
	for i := range c.responses {
		if n := c.responses[i].Load(); n > 0 {
			st.Responses[message.Code(i).String()] = n
		}
	}
	for i := range c.refused {
		st.Refused[reasonNames[i]] = c.refused[i].Load()
	}
	st.Flights, st.Bytes = s.intake.load()
	s.doors.count(&st)
	return st
}
