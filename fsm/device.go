package fsm

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Bounds of the device registry.
const (
	MaxDeviceRecords = 100_000
	MaxNote          = 256 // bytes of a device's note
	MaxWrites        = 16  // patterns of further names that a device may write
	MaxDeviceKeys    = 4   // keys of one device at a time
	MaxIdentity      = 128 // bytes of a key's identity
	MinSecret        = 4   // bytes of a key's secret
	MaxSecret        = 64
	MaxOverlap       = 90 * 24 * 3600 * 1_000_000 // microseconds of log time
)

// DeviceRecord is a device that an operator has registered. Its slices are
// shared, not to be changed.
type DeviceRecord struct {
	Name string `cbor:"1,keyasint"`
	Note string `cbor:"2,keyasint,omitempty"`
	// Writes are patterns of names it may write besides its own, as
	// TaskSpec.Device: * also matches '/'.
	Writes  []string    `cbor:"3,keyasint,omitempty"`
	Created int64       `cbor:"4,keyasint"` // received of the creating entry, microseconds
	Keys    []DeviceKey `cbor:"5,keyasint,omitempty"`
}

// DeviceKey is a pre-shared key of a device (RFC 4279).
type DeviceKey struct {
	Identity string  `cbor:"1,keyasint"` // unique in the site
	Secret   []byte  `cbor:"2,keyasint"`
	Created  int64   `cbor:"3,keyasint"`           // received of the creating entry, microseconds
	Expires  LogTime `cbor:"4,keyasint,omitempty"` // 0 for never
}

// MayWrite tells whether the device may write readings and documents of a name:
// its own or one that a pattern of Writes matches.
func (d *DeviceRecord) MayWrite(name string) bool {
	return name == d.Name || slices.ContainsFunc(d.Writes, func(pattern string) bool {
		return matchDevice(pattern, name)
	})
}

// slash stands for '/' where a pattern meets a name, so that path.Match lets *
// and ? match it. Names have no control characters.
const slash = "\x00"

func matchDevice(pattern, name string) bool {
	ok, err := path.Match(strings.ReplaceAll(pattern, "/", slash), strings.ReplaceAll(name, "/", slash))
	return ok && err == nil
}

// key is where an identity stands among the keys, -1 for nowhere.
func (d *DeviceRecord) key(identity string) int {
	return slices.IndexFunc(d.Keys, func(k DeviceKey) bool { return k.Identity == identity })
}

// PutDeviceCommand registers a device. With Create it is refused with Exists
// when the device is there; else with NotFound when it is not, and note and
// patterns are replaced.
type PutDeviceCommand struct {
	Name   string   `cbor:"1,keyasint"`
	Note   string   `cbor:"2,keyasint,omitempty"`
	Writes []string `cbor:"3,keyasint,omitempty"`
	Create bool     `cbor:"4,keyasint,omitempty"`
}

// RemoveDeviceCommand takes a device and its keys out of the registry. What it
// wrote stays.
type RemoveDeviceCommand struct {
	Name string `cbor:"1,keyasint"`
}

// AddKeyCommand gives a device a key. Its other keys expire Overlap
// microseconds of log time from now, or at once when that is 0. The same
// identity with the same secret again is known and changes nothing; an identity
// that is taken is refused with Exists.
type AddKeyCommand struct {
	Device   string `cbor:"1,keyasint"`
	Identity string `cbor:"2,keyasint"`
	Secret   []byte `cbor:"3,keyasint"`
	Overlap  int64  `cbor:"4,keyasint"`
}

// RevokeKeyCommand takes a key from a device, or all when Identity is "".
type RevokeKeyCommand struct {
	Device   string `cbor:"1,keyasint"`
	Identity string `cbor:"2,keyasint,omitempty"`
}

func (PutDeviceCommand) Op() Op    { return OpPutDevice }
func (RemoveDeviceCommand) Op() Op { return OpRemoveDevice }
func (AddKeyCommand) Op() Op       { return OpAddKey }
func (RevokeKeyCommand) Op() Op    { return OpRevokeKey }

func (c PutDeviceCommand) appendBody(b []byte) []byte    { return appendCBOR(b, c) }
func (c RemoveDeviceCommand) appendBody(b []byte) []byte { return appendCBOR(b, c) }
func (c AddKeyCommand) appendBody(b []byte) []byte       { return appendCBOR(b, c) }
func (c RevokeKeyCommand) appendBody(b []byte) []byte    { return appendCBOR(b, c) }

func (c PutDeviceCommand) validate() error {
	if err := ValidateName("device", c.Name, MaxDevice); err != nil {
		return err
	}
	if c.Note != "" {
		if err := ValidateName("note of a device:", c.Note, MaxNote); err != nil {
			return err
		}
	}
	if len(c.Writes) > MaxWrites {
		return fmt.Errorf("device %q has %d patterns of names it may write, at most %d are taken", c.Name, len(c.Writes), MaxWrites)
	}
	for _, pattern := range c.Writes {
		if err := validatePattern(pattern); err != nil {
			return err
		}
	}
	return nil
}

func validatePattern(pattern string) error {
	if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
		return fmt.Errorf("device pattern %q is not valid: use a name, * and ?", pattern)
	}
	return ValidateName("device pattern:", pattern, MaxDevice)
}

func (c RemoveDeviceCommand) validate() error { return ValidateName("device", c.Name, MaxDevice) }

func (c AddKeyCommand) validate() error {
	if err := ValidateName("device", c.Device, MaxDevice); err != nil {
		return err
	}
	if c.Overlap < 0 || c.Overlap > MaxOverlap {
		return fmt.Errorf("overlap of %d us is out of range: 0 to 90 days", c.Overlap)
	}
	return (&DeviceKey{Identity: c.Identity, Secret: c.Secret}).validate()
}

func (k *DeviceKey) validate() error {
	if err := ValidateName("identity of a key:", k.Identity, MaxIdentity); err != nil {
		return err
	}
	if n := len(k.Secret); n < MinSecret || n > MaxSecret {
		return fmt.Errorf("secret of key %q has %d bytes: use %d to %d", k.Identity, n, MinSecret, MaxSecret)
	}
	return nil
}

func (c RevokeKeyCommand) validate() error {
	if err := ValidateName("device", c.Device, MaxDevice); err != nil {
		return err
	}
	if c.Identity == "" {
		return nil
	}
	return ValidateName("identity of a key:", c.Identity, MaxIdentity)
}
