package address

import (
	"errors"
	"fmt"
	"time"
)

// KernelLate is by how much Linux may exceed the lifetime of an address. It
// looks for addresses whose time is over by rounded seconds, a quarter of one
// late, and never by itself twice within a second: a look just before the end, which
// any other address that is set brings about, puts the next one a second off
// (check_lifetime in net/ipv4/devinet.c, addrconf_verify_rtnl in
// net/ipv6/addrconf.c). Measured on Linux 6.18: 0.25 s alone, 0.99 s when
// disturbed; coarse timers (CONFIG_HZ=100) make that 1.08 s, and the rest is for
// busy machines.
const KernelLate = 1200 * time.Millisecond

// Times are how long a hold lasts. A lease that was asked for is of use for
// Lease - Lifetime - KernelLate; an answer that comes later extends nothing.
type Times struct {
	Lease    time.Duration // of log time, from the site's answer
	Lifetime time.Duration // given to the kernel, in whole seconds
	Renew    time.Duration // from asking for the lease to asking again
}

// profiles are Times by the agent's profile. The holder of "ssd" is replaced
// within 4 s, an election of the usual length included; slower disks and links
// need more patience with a renewal, and wear from fewer of them.
var profiles = map[string]Times{
	"ssd":    {Lease: 2450 * time.Millisecond, Lifetime: time.Second, Renew: 250 * time.Millisecond},
	"wan":    {Lease: 7 * time.Second, Lifetime: 3 * time.Second, Renew: time.Second},
	"sdcard": {Lease: 14 * time.Second, Lifetime: 6 * time.Second, Renew: 2 * time.Second},
}

// TimesOf are the times of a profile: ssd, sdcard or wan.
func TimesOf(profile string) (Times, error) {
	t, ok := profiles[profile]
	if !ok {
		return t, fmt.Errorf("profile %q is not known: use ssd, sdcard or wan", profile)
	}
	return t, nil
}

// usable is how long after asking for a lease the address may still be set.
func (t Times) usable() time.Duration { return t.Lease - t.Lifetime - KernelLate }

func (t Times) validate() error {
	switch {
	case t.Lifetime < time.Second || t.Lifetime%time.Second != 0:
		return errors.New("the kernel counts the lifetime of an address in seconds")
	case t.Renew <= 0 || t.Renew >= t.Lifetime:
		return errors.New("a lease is renewed within the lifetime of the address")
	case t.usable() <= 0:
		return errors.New("the lease must outlast the lifetime of the address and the kernel's lateness")
	}
	return nil
}
