package api

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"skerry/fsm"
)

// defaultOverlap is how long a device's other keys are still taken when it gets
// a new one.
const defaultOverlap = 24 * time.Hour

// hexPrefix begins a secret that is written in hex. Any other text is the secret
// itself, byte for byte: that is how CoAP tools take keys on a command line.
const hexPrefix = "hex:"

// A made secret is 16 letters and digits of 95 random bits: people type it without
// quotes, and the smallest stacks take it (tinydtls has 16 bytes for a key).
const (
	madeLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	madeLength  = 16
)

func madeSecret() string {
	secret := make([]byte, 0, madeLength)
	for len(secret) < madeLength {
		var b [1]byte
		if _, err := rand.Read(b[:]); err != nil {
			panic(err) // the kernel's random numbers never fail
		}
		// What would make the first letters more likely is drawn again.
		if int(b[0]) < 256/len(madeLetters)*len(madeLetters) {
			secret = append(secret, madeLetters[int(b[0])%len(madeLetters)])
		}
	}
	return string(secret)
}

// keyWish is the body of a request for a key; all of it is optional.
type keyWish struct {
	Identity string   `json:"identity"`
	Secret   string   `json:"secret"`
	Overlap  *float64 `json:"overlap"` // seconds
}

// postKey gives a device a key and shows it, this once.
func (d *door) postKey(w http.ResponseWriter, r *http.Request) error {
	view, err := d.askedView(r)
	if err != nil {
		return err
	}
	body, err := readBody(w, r, maxDeviceBody)
	if err != nil {
		return err
	}
	var in keyWish
	if len(body) > 0 {
		if err := strictJSON(body, &in); err != nil {
			return problemf(http.StatusBadRequest, "key", "%s", err)
		}
	}
	name := r.PathValue("device")
	dev, ok := view.Registered(name)
	if !ok {
		return notRegistered(name)
	}
	cmd, err := in.command(name)
	if err != nil {
		return problemf(http.StatusBadRequest, "key", "%s", err)
	}
	if cmd.Identity == "" {
		cmd.Identity = nextIdentity(&dev, view)
	}
	if err := check(cmd); err != nil {
		return err
	}
	outcome, err := d.decide(r.Context(), cmd)
	switch {
	case errors.Is(err, fsm.Refusal(fsm.NotFound)):
		return notRegistered(name)
	case errors.Is(err, fsm.Refusal(fsm.Exists)):
		return problemf(http.StatusConflict, "exists", "identity %q is taken: choose another, or revoke its key", cmd.Identity)
	case errors.Is(err, fsm.Refusal(fsm.Full)):
		return problemf(http.StatusConflict, "too-many-keys", "device %q has %d keys, as many as it may: revoke one, or let the new one have no overlap", name, fsm.MaxDeviceKeys)
	case err != nil:
		return err
	}
	status := http.StatusCreated
	if outcome.Known {
		status = http.StatusOK
	}
	return writeJSON(w, status, map[string]string{"device": name, "identity": cmd.Identity, "secret": in.Secret})
}

// command is the wish as a command; a secret is made where none is given.
func (k *keyWish) command(device string) (fsm.AddKeyCommand, error) {
	cmd := fsm.AddKeyCommand{Device: device, Identity: k.Identity, Overlap: defaultOverlap.Microseconds()}
	if k.Overlap != nil {
		if !(*k.Overlap >= 0 && *k.Overlap*1e6 <= fsm.MaxOverlap) {
			return cmd, fmt.Errorf("overlap is %v: give seconds from 0 to %d", *k.Overlap, fsm.MaxOverlap/1_000_000)
		}
		cmd.Overlap = int64(*k.Overlap * 1e6)
	}
	if k.Secret == "" {
		k.Secret = madeSecret()
	}
	cmd.Secret = []byte(k.Secret)
	if digits, isHex := strings.CutPrefix(k.Secret, hexPrefix); isHex {
		var err error
		if cmd.Secret, err = hex.DecodeString(digits); err != nil {
			return cmd, fmt.Errorf("secret: what follows %s is not hex: %w", hexPrefix, err)
		}
	}
	return cmd, nil
}

// nextIdentity is an identity that is free: the device's name for its first key,
// then name.2, name.3 and so on.
func nextIdentity(dev *fsm.DeviceRecord, view Registry) string {
	last := 0
	for i := range dev.Keys {
		last = max(last, ordinal(dev.Name, dev.Keys[i].Identity))
	}
	for {
		last++
		identity := dev.Name
		if last > 1 {
			identity += "." + strconv.Itoa(last)
		}
		if _, _, taken := view.Identity(identity); !taken {
			return identity
		}
	}
}

// ordinal is the place of an identity in that row, 0 for one that is not in it.
func ordinal(name, identity string) int {
	if identity == name {
		return 1
	}
	digits, _ := strings.CutPrefix(identity, name+".")
	n, err := strconv.Atoi(digits)
	if err != nil || n < 2 || n > 1<<30 {
		return 0
	}
	return n
}

// deleteKey revokes one key of a device, or all where the path names none. It
// takes effect at every node as soon as that has applied it.
func (d *door) deleteKey(w http.ResponseWriter, r *http.Request) error {
	if err := parseQuery(r).err(); err != nil {
		return err
	}
	name, identity := r.PathValue("device"), r.PathValue("key")
	missing := notRegistered(name)
	if identity != "" {
		missing = problemf(http.StatusNotFound, "no-such-key", "device %q has no key %q: see /v1/devices/{device} for those it has", name, identity)
	}
	return d.remove(w, r, fsm.RevokeKeyCommand{Device: name, Identity: identity}, missing)
}
