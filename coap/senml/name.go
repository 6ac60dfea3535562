package senml

import (
	"errors"
	"strings"
)

// DefaultResource is the resource of a reading whose name is a device alone.
const DefaultResource = "value"

// Namer splits the base name and the name in effect for a record into device
// and resource. Either may be empty, not both.
type Namer func(base, name string) (device, resource string, err error)

// Split is the Namer of packs that name their devices.
//
// With both names the device is the base name without its last '/' or ':', and
// the resource is the name. A resource has no '/': where the name has one, the
// two names are joined and what stands before the last '/' is the device. One
// name alone is split at its last '/'; without a '/' it is the device, whose
// resource is then DefaultResource. So is a base name alone that ends in '/' or
// ':', as it would be if names followed it.
func Split(base, name string) (device, resource string, err error) {
	switch {
	case base == "" || name == "":
		whole := base + name
		if device := trimSeparator(base); device != base {
			return device, DefaultResource, nil
		}
		if i := strings.LastIndexByte(whole, '/'); i >= 0 {
			return whole[:i], whole[i+1:], nil
		}
		return whole, DefaultResource, nil
	case strings.IndexByte(name, '/') >= 0:
		whole := base + name
		i := strings.LastIndexByte(whole, '/')
		return whole[:i], whole[i+1:], nil
	}
	return trimSeparator(base), name, nil
}

// ResourcesOf returns the Namer of packs whose names are resources of one
// device. A base name would contradict it and is refused.
func ResourcesOf(device string) Namer {
	return func(base, name string) (string, string, error) {
		if base != "" {
			return "", "", errors.New("a base name is not taken here, where the path names the device: leave bn out, or send the pack to /r")
		}
		return device, name, nil
	}
}

func trimSeparator(base string) string {
	if n := len(base); n > 0 && (base[n-1] == '/' || base[n-1] == ':') {
		return base[:n-1]
	}
	return base
}
