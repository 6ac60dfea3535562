package address

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

// hold keeps the address on the link for as long as the lease is renewed; it
// was asked for at granted. The address is off when hold returns, with the
// reason, nil at a clean stop.
func (k *Keeper) hold(ctx context.Context, granted time.Time) error {
	asked, kept := granted, granted
	err := k.extend(granted)
	for ctx.Err() == nil {
		if err == nil {
			kept = asked
		} else if errors.Is(err, errLost) || errors.Is(err, errLink) || asked.Sub(kept) >= k.cfg.Times.Lease {
			break
		}
		if !errors.Is(err, errLate) { // the site answers again: at once
			pause(ctx, time.Until(asked.Add(k.cfg.Times.Renew)))
		}
		asked = time.Now()
		if err = k.ask(ctx, k.cfg.Times.Lease); err == nil {
			err = k.extend(asked)
		}
	}
	if ctx.Err() != nil {
		err = nil
	}
	k.letGo(ctx, err)
	return err
}

// extend sets the address for another lifetime if that surely ends before the
// lease does that was asked for at asked. errLate: it does not, and the address
// is not set by this call.
func (k *Keeper) extend(asked time.Time) error {
	if !k.link.Up() {
		return fmt.Errorf("%w: it is down", errLink)
	}
	last := asked.Add(k.cfg.Times.usable())
	if !time.Now().Before(last) {
		return errLate
	}
	err := k.link.Set(k.cfg.Times.Lifetime)
	if now := time.Now(); !now.Before(last) { // this process stood still in between
		return cmp.Or(k.remove(), errLate)
	} else if err != nil {
		return fmt.Errorf("%w: %w", errLink, err)
	} else {
		k.tell(now)
	}
	return nil
}

// tell notes that the address was set, and announces it when that is due.
func (k *Keeper) tell(now time.Time) {
	if !k.Holding() {
		k.cfg.Log.Info("holds the floating address", "address", k.cfg.Address)
		k.untold = firstAnnouncements
	}
	ends := now.Add(k.cfg.Times.Lifetime)
	k.ends.Store(&ends)
	if k.untold == 0 && now.Sub(k.told) < announceEvery {
		return
	}
	k.told, k.untold = now, max(k.untold-1, 0)
	if err := k.link.Announce(); err != nil {
		k.cfg.Log.Warn("the neighbours were not told of the floating address", "address", k.cfg.Address, "err", err)
	}
}

// letGo takes the address off and then gives the lease back, unless it is
// another's already. Where the address does not come off the lease stays, and
// ends after the kernel's lifetime has.
func (k *Keeper) letGo(ctx context.Context, reason error) {
	if err := k.remove(); err != nil {
		k.cfg.Log.Error("the floating address was not taken off", "address", k.cfg.Address, "err", err)
		return
	}
	if reason != nil {
		k.cfg.Log.Warn("lost the floating address", "address", k.cfg.Address, "err", reason)
	} else {
		k.cfg.Log.Info("gives the floating address to another node", "address", k.cfg.Address)
	}
	if errors.Is(reason, errLost) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackTimeout)
	defer cancel()
	if err := k.ask(ctx, 0); err != nil {
		k.cfg.Log.Info("the lease of the floating address ends by itself", "address", k.cfg.Address, "err", err)
	}
	k.lives++ // that call may be read minutes later, and is not to give back the next lease
	k.holder = fmt.Sprintf("%s %d", k.process, k.lives)
}

func (k *Keeper) remove() error {
	k.ends.Store(nil)
	if err := k.link.Remove(); err != nil {
		return fmt.Errorf("%w: %w", errLink, err)
	}
	return nil
}

// pause returns after d, or when ctx is done.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
