package faultsite

import "context"

// exchange has two nodes come back with each other's address.
func (t *trial) exchange(context.Context) error {
	order := t.Draw.Perm(len(t.Nodes))
	a, b := t.Nodes[order[0]], t.Nodes[order[1]]
	down(a, b)
	join := t.gossip()
	at := a.at()
	a.move(b.at(), join)
	b.move(at, join)
	return start(a, b)
}

// renumber gives all nodes addresses that nobody had before. Half of the time the
// nodes are told one of the new ones alone, beside those that nobody answers at.
func (t *trial) renumber(context.Context) error {
	down(t.Nodes...)
	was := t.gossip()
	var fresh []*machine
	for range t.Nodes {
		m, err := newestMachine()
		if err != nil {
			return err
		}
		fresh = append(fresh, m)
	}
	var join []string
	for _, m := range fresh {
		join = append(join, m.address+gossipPort)
	}
	if t.Draw.IntN(2) == 0 {
		join = append(was, join[t.Draw.IntN(len(join))])
	}
	for i, n := range t.Nodes {
		n.move(fresh[i], join)
	}
	return start(t.Nodes...)
}

// gossip are the gossip addresses of all nodes.
func (s *Site) gossip() []string {
	var all []string
	for _, n := range s.Nodes {
		all = append(all, n.at().address+gossipPort)
	}
	return all
}

func down(nodes ...*Node) {
	for _, n := range nodes {
		n.Down()
	}
	for _, n := range nodes {
		n.Gone()
	}
}

func start(nodes ...*Node) error {
	for _, n := range nodes {
		if err := n.Start(); err != nil {
			return err
		}
	}
	return nil
}
