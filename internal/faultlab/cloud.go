package faultlab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"skerry/cloudsync/target"
)

// cloud is a bucket in memory, behind a WAN. What it has it keeps.
type cloud struct {
	mu      sync.Mutex // guards all below
	random  *rand.Rand
	objects map[string][]byte
	away    bool    // nobody reaches it
	flaky   float64 // chance of a call to fail, half of these after it was done
	slow    time.Duration
}

var errWAN = errors.New("the cloud is not reached")

// call is the way there and back of one call: before and after it is done.
func (c *cloud) call(ctx context.Context) (back func() error, err error) {
	c.mu.Lock()
	away, slow := c.away, time.Duration(0)
	before, after := c.random.Float64() < c.flaky/2, c.random.Float64() < c.flaky/2
	if c.slow > 0 {
		slow = time.Duration(c.random.Int64N(int64(c.slow)))
	}
	c.mu.Unlock()
	if slow > 0 {
		sleep(ctx, slow)
	}
	if away {
		sleep(ctx, 5*time.Second)
	}
	if away || before || ctx.Err() != nil {
		return nil, errors.Join(errWAN, ctx.Err())
	}
	return func() error {
		if after {
			return errWAN
		}
		return nil
	}, nil
}

// PutIfAbsent is target.Target's.
func (c *cloud) PutIfAbsent(ctx context.Context, name string, body io.Reader, size int64) error {
	back, err := c.call(ctx)
	if err != nil {
		return err
	}
	b, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	if int64(len(b)) != size {
		return fmt.Errorf("%s has %d bytes, %d were announced", name, len(b), size)
	}
	c.mu.Lock()
	_, there := c.objects[name]
	if !there {
		c.objects[name] = b
	}
	c.mu.Unlock()
	if err := back(); err != nil {
		return err
	}
	if there {
		return fmt.Errorf("%s: %w", name, target.ErrExists)
	}
	return nil
}

func (c *cloud) get(ctx context.Context, name string) ([]byte, error) {
	back, err := c.call(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	b, ok := c.objects[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, target.ErrNotFound)
	}
	return b, back()
}

// Get is target.Target's. The result is also an io.ReaderAt.
func (c *cloud) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	b, err := c.get(ctx, name)
	if err != nil {
		return nil, err
	}
	return object{bytes.NewReader(b)}, nil
}

type object struct{ *bytes.Reader }

func (object) Close() error { return nil }

// Size is target.Target's.
func (c *cloud) Size(ctx context.Context, name string) (int64, error) {
	b, err := c.get(ctx, name)
	return int64(len(b)), err
}

// Delete is target.Target's.
func (c *cloud) Delete(ctx context.Context, name string) error {
	back, err := c.call(ctx)
	if err != nil {
		return err
	}
	c.mu.Lock()
	delete(c.objects, name)
	c.mu.Unlock()
	return back()
}

// List is target.Target's.
func (c *cloud) List(ctx context.Context, prefix, after string, f func(target.Object) error) error {
	back, err := c.call(ctx)
	if err != nil {
		return err
	}
	c.mu.Lock()
	var list []target.Object
	for _, name := range slices.Sorted(maps.Keys(c.objects)) {
		if strings.HasPrefix(name, prefix) && name > after {
			list = append(list, target.Object{Name: name, Size: int64(len(c.objects[name]))})
		}
	}
	c.mu.Unlock()
	for _, o := range list {
		if err := f(o); err != nil {
			return err
		}
	}
	return back()
}

var _ target.Target = (*cloud)(nil)
