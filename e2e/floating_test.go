//go:build e2e

package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	// floatingWithin is how long devices may wait after the holder of the
	// floating address was killed or stopped.
	floatingWithin = 4 * time.Second
	// handedOverWithin is how long they may wait when the holder ends cleanly.
	handedOverWithin = 2 * time.Second
	// longestNap is more than the lease of the address.
	longestNap = 3 * time.Second
	// settleTime is a site's rest between two losses, and how long a holder that
	// was stopped is watched after it goes on.
	settleTime = 1500 * time.Millisecond
	// inFlight is how long an answer of a holder may be on its way after it was
	// killed or stopped.
	inFlight = 20 * time.Millisecond
)

// TestTheFloatingAddressOutlivesItsHolders kills and stops the node that holds
// the floating address, in turn, while devices post there.
func TestTheFloatingAddressOutlivesItsHolders(t *testing.T) {
	if !mayMakeSpaces(t) {
		return
	}
	tests := []struct {
		name, door, floating string
		hosts                []string // of the nodes, then of the devices
		losses               int
	}{
		{"over IPv4", "0.0.0.0:5683", "10.77.0.100/24", []string{"10.77.0.1/24", "10.77.0.2/24", "10.77.0.3/24", "10.77.0.9/24"}, floatingLosses(t, 4)},
		{"over IPv6", "[::]:5683", "fd77::100/64", []string{"fd77::1/64", "fd77::2/64", "fd77::3/64", "fd77::9/64"}, max(2, floatingLosses(t, 4)/2)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			machines := newLAN(t, test.hosts...)
			nodes, client := machines[:3], machines[3]
			s := startSiteOn(t, nodes, test.hosts[:3], "--coap", test.door, "--floating-address", test.floating+"@"+ethernet)
			address := netip.MustParsePrefix(test.floating).Addr()
			watch := watchAddress(t, address, client, nodes)
			load := loadFrom(t, client, netip.AddrPortFrom(address, 5683).String())
			eventually(t, startTimeout, "devices reach the floating address", func() error {
				if load.lastAck().IsZero() {
					return fmt.Errorf("no acknowledgement yet")
				}
				return nil
			})
			var waits []time.Duration
			for i := range test.losses {
				waits = append(waits, s.loseHolder(watch, load, loss(i%2)))
			}
			for range test.losses {
				s.letHolderNap(watch, load)
			}
			if got := s.loseHolder(watch, load, ended); got > handedOverWithin {
				t.Errorf("devices waited %s although the holder ended cleanly, want at most %s", got, handedOverWithin)
			}
			load.stop()
			watch.neverTwo()
			slices.Sort(waits)
			t.Logf("%d losses: the next acknowledgement after %s (median), %s (maximum)", len(waits),
				waits[len(waits)/2].Round(time.Millisecond), waits[len(waits)-1].Round(time.Millisecond))
			if got := waits[len(waits)-1]; got > floatingWithin {
				t.Errorf("devices waited up to %s for an acknowledgement, want at most %s", got, floatingWithin)
			}
			s.storedOnce(load)
		})
	}
}

// floatingLosses is how many holders are lost, FLOATING_LOSSES or few.
func floatingLosses(t testing.TB, few int) int {
	t.Helper()
	text := os.Getenv("FLOATING_LOSSES")
	if text == "" {
		return few
	}
	n, err := strconv.Atoi(text)
	must(t, err)
	return n
}

// loss is how a holder is lost.
type loss int

const (
	killed  loss = iota // by SIGKILL
	stopped             // by SIGSTOP
	ended               // by SIGTERM
)

func (l loss) String() string { return [...]string{"killed", "stopped", "ended"}[l] }

// loseHolder takes the holder of the address away and returns how long the
// devices waited for the next acknowledgement. The site is whole again when it
// returns.
func (s *site) loseHolder(watch *addressWatch, load *floatingLoad, how loss) time.Duration {
	s.t.Helper()
	holder := s.holder(watch, load)
	led := s.waitLeader() == holder
	begun := time.Now()
	switch how {
	case killed:
		kill(holder)
	case stopped:
		holder.pause()
	case ended:
		holder.stop()
	}
	lost := time.Now()
	eventually(s.t, startTimeout, "devices are answered again", func() error {
		if load.lastAck().Before(lost.Add(inFlight)) {
			return fmt.Errorf("%s was %s", holder.name, how)
		}
		return nil
	})
	waited := load.longestPause(begun)
	s.t.Logf("%s was %s (leader: %t): the next acknowledgement came after %s", holder.name, how, led, waited.Round(time.Millisecond))
	<-time.After(rand.N(settleTime))
	if how == stopped {
		holder.resume()
	} else {
		holder.start()
	}
	<-time.After(settleTime)
	s.waitLeader()
	return waited
}

// letHolderNap stops the holder of the address for a while, which may end before
// anybody has noticed, or just when another takes the address.
func (s *site) letHolderNap(watch *addressWatch, load *floatingLoad) {
	s.t.Helper()
	holder := s.holder(watch, load)
	holder.pause()
	<-time.After(rand.N(longestNap))
	holder.resume()
	<-time.After(settleTime)
	s.waitLeader()
}

// holder waits until devices are answered at the address, and returns the node
// that has it.
func (s *site) holder(watch *addressWatch, load *floatingLoad) *node {
	s.t.Helper()
	var holder *node
	eventually(s.t, startTimeout, "a node has the floating address and devices reach it", func() error {
		at := watch.holder()
		if at < 0 || time.Since(load.lastAck()) > 2*resendAfter {
			return fmt.Errorf("holder %d, last acknowledgement %s ago", at, time.Since(load.lastAck()))
		}
		holder = s.nodes[at]
		return nil
	})
	return holder
}

// startSiteOn starts a node on each machine, at the address of its host, with
// further flags.
func startSiteOn(t testing.TB, machines []*space, hosts []string, flags ...string) *site {
	t.Helper()
	dir := workDir(t)
	s := &site{t: t, bucket: filepath.Join(dir, "bucket")}
	at := func(i int, port string) string {
		return net.JoinHostPort(netip.MustParsePrefix(hosts[i]).Addr().String(), port)
	}
	var join []string
	for i := range hosts {
		join = append(join, at(i, "7421"))
	}
	for i, m := range machines {
		name := fmt.Sprintf("n%d", i+1)
		s.nodes = append(s.nodes, &node{
			t: t, name: name, space: m, http: at(i, "7480"), coap: at(i, "5683"),
			logPath: filepath.Join(dir, name+".log"),
			args: append([]string{"agent", "--dev", "--dev-unsafe-addresses",
				"--name", name, "--site", siteName, "--data", filepath.Join(dir, name),
				"--http", at(i, "7480"), "--cluster", at(i, "7420"), "--gossip", at(i, "7421"),
				"--bootstrap-expect", fmt.Sprint(len(hosts)), "--join", strings.Join(join, ","),
			}, flags...),
		})
	}
	t.Cleanup(s.close)
	for _, node := range s.nodes {
		node.start()
	}
	s.waitLeader()
	return s
}

// storedOnce checks that the site has each reading that was acknowledged, and
// none twice.
func (s *site) storedOnce(load *floatingLoad) {
	s.t.Helper()
	stored := map[string]map[float64]int{}
	for _, r := range s.waitLeader().history() {
		if stored[r.Device] == nil {
			stored[r.Device] = map[float64]int{}
		}
		if stored[r.Device][*r.Value]++; stored[r.Device][*r.Value] > 1 {
			s.t.Errorf("%s %g is stored twice", r.Device, *r.Value)
		}
	}
	acked := 0
	for device, values := range load.acked {
		acked += len(values)
		for _, v := range values {
			if stored[device][v] != 1 {
				s.t.Errorf("%s %g was acknowledged and is stored %d times", device, v, stored[device][v])
			}
		}
	}
	s.t.Logf("%d readings were acknowledged, each is stored once", acked)
	s.digestsAgree()
}
