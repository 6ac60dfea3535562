package address

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"skerry/fsm"
)

const (
	// lookEvery is how often a node that does not hold the address looks
	// whether it may, and asks for a lease that seems to be over.
	lookEvery = 100 * time.Millisecond
	// giveBackTimeout bounds the last word of a node that stops. Without it the
	// lease ends by itself.
	giveBackTimeout = 2 * time.Second
	// leaderWaits is how long a leader leaves a free lease to the others. Who
	// loses a holder that leads waits for an election, then for the lease, which
	// log time did not bring nearer; otherwise for the longer of the two.
	leaderWaits = 500 * time.Millisecond
	// faultPause is how long a node leaves the address to others after the
	// kernel refused to set it.
	faultPause = 5 * time.Second
)

// Neighbours are told where the address is with each of the first renewals, and
// from then on every minute, for those that missed it.
const (
	firstAnnouncements = 5
	announceEvery      = time.Minute
)

var (
	// errLate: the answer came when the address could no longer be set safely.
	errLate = errors.New("the site answered too late for the address to be set safely")
	// errLost: another process has the lease.
	errLost = errors.New("another node has the lease")
	// errLink: the interface is down or does not take the address.
	errLink = errors.New("the interface does not take the address")
)

// Site is where the lease is kept.
type Site interface {
	// Propose is cluster.Node's.
	Propose(ctx context.Context, cmd fsm.Command) (fsm.Result, error)
	// Lease is who holds a lease as far as this node knows.
	Lease(name string) (fsm.Lease, bool)
	// Role tells whether this node serves, and whether it leads.
	Role() (serves, leads bool)
}

// Link is where the address is put. No method may block for long.
type Link interface {
	// Up tells whether the interface is there and has a link.
	Up() bool
	// Set puts the address on the interface for a lifetime from now, also when
	// it is there.
	Set(lifetime time.Duration) error
	// Remove takes the address off; one that is not there is no error.
	Remove() error
	// Announce tells the neighbours that the address is here.
	Announce() error
}

// Config says which address, and for whom.
type Config struct {
	Address netip.Addr
	Node    string // this node's name
	Times   Times
	Log     *slog.Logger
}

// Keeper holds the address while this node has the lease. Two Keepers of one
// address never have it on their links at once; see the package's promise.
type Keeper struct {
	cfg     Config
	site    Site
	link    Link
	lease   string // the lease's name
	process string // this process
	lives   int    // how often it gave the lease back
	holder  string // this process, until it gives the lease back

	seen   fsm.Lease // as looked at last
	seenAt time.Time // since when it has not changed
	rests  time.Time // until then the address is left to others

	ends   atomic.Pointer[time.Time] // of the lifetime that was set last
	untold int                       // announcements that are to follow
	told   time.Time                 // when the last was made
}

// NewKeeper makes a keeper. Its lease bears the name of the address alone, so
// all nodes that keep it share one. Its holder is the process, not the node: a
// node that was killed and started again waits for its own lease to end, as the
// others do.
func NewKeeper(cfg Config, site Site, link Link) (*Keeper, error) {
	if err := cfg.Times.validate(); err != nil {
		return nil, err
	}
	var life [8]byte
	if _, err := rand.Read(life[:]); err != nil {
		return nil, err
	}
	process := cfg.Node + " " + hex.EncodeToString(life[:])
	return &Keeper{
		cfg: cfg, site: site, link: link,
		lease:   "address " + cfg.Address.String(),
		process: process, holder: process,
	}, nil
}

// Holding tells whether this node has the address.
func (k *Keeper) Holding() bool {
	ends := k.ends.Load()
	return ends != nil && time.Now().Before(*ends)
}

// Run holds the address whenever this node can get its lease, until ctx is
// done. Then it takes the address off and gives the lease back.
func (k *Keeper) Run(ctx context.Context) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		if now := time.Now(); k.mayAsk(now) {
			err := k.ask(ctx, k.cfg.Times.Lease)
			if err == nil {
				err = k.hold(ctx, now)
			}
			k.rest(err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
	}
}

// mayAsk tells whether this node is fit to hold the address and nobody else
// seems to. What seems over by this node's clock may not be by log time, and
// then the site refuses.
func (k *Keeper) mayAsk(now time.Time) bool {
	lease, ok := k.site.Lease(k.lease)
	if k.seenAt.IsZero() || lease != k.seen {
		k.seen, k.seenAt = lease, now
	}
	var wait time.Duration
	if ok && lease.Holder != k.holder {
		wait = k.cfg.Times.Lease
	}
	if now.Sub(k.seenAt) < wait || now.Before(k.rests) {
		return false
	}
	serves, leads := k.site.Role()
	if !serves && !ok {
		k.seenAt = now // a leader's wait begins when it serves
	}
	if leads {
		wait += leaderWaits
	}
	return serves && now.Sub(k.seenAt) >= wait && k.link.Up()
}

// ask asks the site for the lease; a duration of 0 gives it back. errLost: it
// is another's. An error that is no fsm.Refusal leaves open who has it.
func (k *Keeper) ask(ctx context.Context, d time.Duration) error {
	result, err := k.site.Propose(ctx, fsm.LeaseCommand{Name: k.lease, Holder: k.holder, Duration: d.Microseconds()})
	if err != nil {
		return err
	}
	code := result.Outcomes[0].Code
	if code == fsm.Held {
		return errLost
	}
	return code.Err()
}

// rest leaves the address to others for a while after an error that another
// try would meet again.
func (k *Keeper) rest(err error) {
	refused := fsm.Refusal(0)
	switch {
	case errors.Is(err, errLink), errors.Is(err, errLate), errors.As(err, &refused):
		k.rests = time.Now().Add(faultPause)
	}
	if refused != 0 {
		k.cfg.Log.Warn("the site refused the lease of the floating address", "address", k.cfg.Address, "err", err)
	}
}
