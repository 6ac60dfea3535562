package target

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
)

// probePrefix is where Probe writes. Its objects are removed again.
const probePrefix = "_skerry_probe/"

// Probe puts one name from two writers at once and then once more, and reads
// what is there. It returns ErrUnsafe, wrapped with what was seen, unless
// exactly one writer won and its bytes stay; any other error means that the
// store could not be tried.
func Probe(ctx context.Context, t Target) error {
	var id [16]byte
	rand.Read(id[:])
	name := probePrefix + hex.EncodeToString(id[:])
	bodies := [3][]byte{[]byte("the first writer"), []byte("the second writer"), []byte("a late writer")}

	var errs [3]error
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() { errs[i] = put(ctx, t, name, bodies[i]) })
	}
	wg.Wait()
	errs[2] = put(ctx, t, name, bodies[2])
	// An object that stays behind is small and in nobody's way.
	defer func() { _ = t.Delete(context.WithoutCancel(ctx), name) }()

	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			return fmt.Errorf("%w: two writers of one name were both told that they won", ErrUnsafe)
		case err == nil:
			winner = i
		case !errors.Is(err, ErrExists):
			return fmt.Errorf("try the store: %w", err)
		}
	}
	if winner < 0 {
		return fmt.Errorf("%w: of several writers of a new name none won", ErrUnsafe)
	}
	got, err := read(ctx, t, name)
	if err != nil {
		return fmt.Errorf("try the store: %w", err)
	}
	if !bytes.Equal(got, bodies[winner]) {
		return fmt.Errorf("%w: the object holds other bytes than its winner wrote", ErrUnsafe)
	}
	return nil
}

func put(ctx context.Context, t Target, name string, body []byte) error {
	return t.PutIfAbsent(ctx, name, bytes.NewReader(body), int64(len(body)))
}

func read(ctx context.Context, t Target, name string) ([]byte, error) {
	r, err := t.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, 1<<10))
}
