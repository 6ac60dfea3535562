package cluster_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster"
	"skerry/cluster/disk"
	"skerry/internal/clustertest"
)

// loading posts a reading every 50 ms at whoever is up until stop is called,
// which returns how many were acknowledged. up tells who may be asked.
func loading(tb testing.TB, ask *clustertest.Member) (stop func() int) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan int, 1)
	node := ask.Node
	go func() {
		stored := 0
		for i := int64(0); ctx.Err() == nil; i++ {
			b := clustertest.Reading(tb, "load", "n", i, float64(i))
			_, err := node.Propose(ctx, b) // retried by its key
			for err != nil && ctx.Err() == nil {
				_, err = node.Propose(ctx, b)
			}
			if err == nil {
				stored++
			}
			<-time.After(50 * time.Millisecond)
		}
		done <- stored
	}()
	return func() int { cancel(); return <-done }
}

func wantAtLeast(tb testing.TB, s *clustertest.Site, acknowledged int) {
	tb.Helper()
	for _, m := range s.Up() {
		if got := len(history(tb, m, cluster.Linearizable)); got < acknowledged {
			tb.Errorf("%s has %d readings, %d were acknowledged", m.Name, got, acknowledged)
		}
	}
}

func TestNodesExchangeAddressesUnderLoad(t *testing.T) {
	for _, c := range []struct {
		name  string
		moved []int // each takes the next one's address
	}{
		{"two of three", []int{0, 1}},
		{"all, in a ring", []int{0, 1, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := clustertest.Open(t, 3, nil)
				post(t, s, 0, 3)
				stop := func() int { return 0 }
				if len(c.moved) < 3 {
					stop = loading(t, s.Nodes[2])
				}
				<-time.After(time.Second)
				for _, i := range c.moved {
					s.Nodes[i].Crash()
				}
				first := s.Nodes[c.moved[0]].Address
				for k, i := range c.moved {
					if k+1 < len(c.moved) {
						s.Nodes[i].Address = s.Nodes[c.moved[k+1]].Address
					} else {
						s.Nodes[i].Address = first
					}
				}
				for _, i := range c.moved {
					s.Nodes[i].Start(3)
				}
				s.Leader()
				<-time.After(5 * time.Second)
				stored := stop()
				s.Wait("the new addresses in the configuration", func() bool {
					for _, member := range s.Leader().Members() {
						for _, m := range s.Nodes {
							if m.Name == member.Name && raft.ServerAddress(member.Address) != m.Address {
								return false
							}
						}
					}
					return true
				})
				wantAtLeast(t, s, 3+stored)
			})
		})
	}
}

func TestAWipedCardUnderLoadComesBackWithEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		post(t, s, 0, 30)
		m := s.Followers()[0]
		ask := s.Leader()
		stop := loading(t, ask)
		was := id(t, m)
		m.Crash()
		m.Disk = disk.NewMemory()
		m.Start(3)
		s.Wait("three voters, and the old one gone", func() bool {
			voters := 0
			for _, member := range s.Leader().Members() {
				if member.ID == string(was) {
					return false
				}
				if member.Role != "non-voter" {
					voters++
				}
			}
			return voters == 3
		})
		wantAtLeast(t, s, 30+stop())
	})
}

func TestAServerIsNotRemovedWhereTheOthersWereNoMajority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		lead := s.Leader()
		down := s.Followers()
		down[0].Stop()
		if err := lead.MayRemove(id(t, lead)); !errors.Is(err, cluster.ErrNoMajority) {
			t.Errorf("err = %v, want ErrNoMajority", err)
		}
		if err := lead.MayRemove(id(t, down[1])); !errors.Is(err, cluster.ErrNoMajority) {
			t.Errorf("err = %v, want ErrNoMajority", err)
		}
		down[0].Start(3)
		s.Leader()
		if err := lead.MayRemove(id(t, down[1])); err != nil {
			t.Errorf("with all alive: %v", err)
		}
	})
}
