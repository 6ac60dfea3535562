package gossip

import (
	"context"
	"io"
	"log"
	"time"

	"github.com/hashicorp/memberlist"
)

// MaxDead is the bound of peers remembered after they went.
const MaxDead = maxDead

// Hear gives m what memberlist would when p comes.
func Hear(m *Memberlist, p Peer) error {
	b, err := p.encode()
	if err == nil {
		(*events)(m).NotifyJoin(&memberlist.Node{Name: p.ID, Meta: b})
	}
	return err
}

// Miss gives m what memberlist would when the peer goes.
func Miss(m *Memberlist, id string) { (*events)(m).NotifyLeave(&memberlist.Node{Name: id}) }

// OpenTuned is Open with other waits between rounds of asking, and with what tune
// changes of memberlist.
func OpenTuned(cfg Config, first, most time.Duration, tune func(*memberlist.Config)) (*Memberlist, error) {
	return open(cfg, pace{first: first, alone: most, most: most}, tune)
}

// Search asks for what is gone, and for those to join, as a node does that hears
// those it hears.
func Search(ctx context.Context, join, gone, heard []string, alone bool, missed <-chan struct{}, ask func(string)) {
	s := &search{
		pace: defaultPace, port: "7421", missed: missed, ask: ask, log: log.New(io.Discard, "", 0),
		missing: func() absence { return absence{alone: alone, gone: gone, heard: heard} },
	}
	s.run(ctx, join)
}

// AskAtOnce is the bound of addresses of a kind in one round.
const AskAtOnce = askAtOnce
