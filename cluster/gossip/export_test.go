package gossip

import "github.com/hashicorp/memberlist"

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
