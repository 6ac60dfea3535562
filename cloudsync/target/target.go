// Package target is the bucket as skerry needs it: a flat store of named
// objects that are written once and never changed.
//
// Everything above rests on one promise: of several writers of one name exactly
// one wins, its object appears whole and durable or not at all, and all others
// are told ErrExists. Probe tries a store for it, because some stores accept
// the condition and ignore it.
package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"
)

var (
	// ErrExists: an object of that name is there; nothing was written.
	ErrExists = errors.New("the object exists")
	// ErrNotFound: there is no object of that name.
	ErrNotFound = errors.New("the object does not exist")
	// ErrUnsafe: the store breaks the promise that puts of one name have one
	// winner, so that two gateways could both believe to have committed.
	ErrUnsafe = errors.New("the store does not keep put-if-absent")
)

// MaxName bounds the bytes of an object's name.
const MaxName = 512

// Object is one entry of a listing.
type Object struct {
	Name string
	Size int64 // bytes
	// Modified is when the object was written, by the store's clock; zero
	// where the store does not tell.
	Modified time.Time
}

// Target is a store of objects. Names are relative, made of parts joined by
// '/', as "readings/_delta_log/00000000000000000000.json".
//
// An error other than ErrExists and ErrNotFound leaves the outcome of a call
// unknown: a put that returned one may have happened.
type Target interface {
	// PutIfAbsent writes an object of exactly size bytes read from body, unless
	// the name is taken (ErrExists). When it returns nil the object is durable.
	// An error of body itself prevents the write.
	PutIfAbsent(ctx context.Context, name string, body io.Reader, size int64) error
	// Get opens an object (ErrNotFound). The caller closes it.
	Get(ctx context.Context, name string) (io.ReadCloser, error)
	// List calls f for each object whose name starts with prefix and sorts
	// after `after` ("" for all), by name, until f returns an error.
	List(ctx context.Context, prefix, after string, f func(Object) error) error
	// Delete removes an object; a name that is not there is no error.
	Delete(ctx context.Context, name string) error
	// Size is an object's size in bytes (ErrNotFound).
	Size(ctx context.Context, name string) (int64, error)
}

// Open returns the target at a URL. This version knows file:///directory.
func Open(rawURL string) (Target, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("cloud URL %q: %w", rawURL, err)
	}
	switch u.Scheme {
	case "file":
		if u.Host != "" && u.Host != "localhost" {
			return nil, fmt.Errorf("cloud URL %q names the host %q: write file:///%s%s for a folder of this machine", rawURL, u.Host, u.Host, u.Path)
		}
		if u.Path == "" || u.Path[0] != '/' {
			return nil, fmt.Errorf("cloud URL %q has no absolute path: write file:///directory", rawURL)
		}
		return OpenDir(u.Path)
	case "s3", "hdfs":
		return nil, fmt.Errorf("cloud URL %q: %s: comes with a later version, this one writes to file:///directory", rawURL, u.Scheme)
	case "":
		return nil, fmt.Errorf("cloud URL %q has no scheme: write file:///directory", rawURL)
	}
	return nil, fmt.Errorf("cloud URL %q: the scheme %q is not known, this version writes to file:///directory", rawURL, u.Scheme)
}

// checkName refuses names that could leave the target or hide in it.
func checkName(name string) error {
	if len(name) == 0 || len(name) > MaxName {
		return fmt.Errorf("object name has %d bytes, 1 to %d are allowed", len(name), MaxName)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." || part == tempDir || strings.ContainsAny(part, "\x00\\") {
			return fmt.Errorf("object name %q is not allowed", name)
		}
	}
	return nil
}
