package camera

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"
)

// How a stream is held. A camera that reboots is back within half a minute.
const (
	stallTimeout = 10 * time.Second // without a whole part, or an answer
	minBackoff   = 500 * time.Millisecond
	maxBackoff   = 30 * time.Second
)

// mjpegSource reads multipart/x-mixed-replace over HTTP and connects again when
// the stream ends, breaks or stalls.
type mjpegSource struct {
	url    string
	client *http.Client
	stall  time.Duration
	least  time.Duration // first back-off
	log    *slog.Logger
	status *status
}

// Run emits frames until ctx is done.
func (s *mjpegSource) Run(ctx context.Context, emit func(Frame)) error {
	wait := s.least
	for {
		frames, err := s.stream(ctx, emit)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if frames > 0 {
			wait = s.least
		}
		s.status.disconnected(err)
		pause := wait/2 + rand.N(wait/2+1)
		s.log.Warn("camera stream ended", "err", err, "frames", frames, "again_in", pause.Round(time.Millisecond))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		wait = min(2*wait, maxBackoff)
	}
}

// stream reads one connection to its end, which always has a reason.
func (s *mjpegSource) stream(ctx context.Context, emit func(Frame)) (frames int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := time.AfterFunc(s.stall, func() { cancel(fmt.Errorf("no picture for %s", s.stall)) })
	defer stalled.Stop()
	body, boundary, err := s.open(ctx)
	if err != nil {
		return 0, cause(ctx, err)
	}
	defer body.Close()
	s.status.connected()
	var arrived time.Time
	p := parts{r: body, boundary: []byte(boundary), started: func() { arrived = time.Now() }}
	for {
		jpg, err := p.next()
		switch {
		case errors.Is(err, ErrTooLarge):
			s.status.tooLarge.Add(1)
		case err != nil:
			return frames, cause(ctx, err)
		default:
			frames++
			emit(Frame{JPEG: jpg, Time: arrived})
		}
		stalled.Reset(s.stall)
	}
}

// open asks for the stream and returns its body and boundary.
func (s *mjpegSource) open(ctx context.Context) (io.ReadCloser, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, "", err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, "", err
	}
	contentType := resp.Header.Get("Content-Type")
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, "", fmt.Errorf("camera answers %s", resp.Status)
	}
	if !isStream(contentType) {
		_ = resp.Body.Close()
		return nil, "", fmt.Errorf("camera sends %q: the address of its MJPEG stream (multipart/x-mixed-replace) is needed", contentType)
	}
	return resp.Body, boundaryOf(contentType), nil
}

// cause is the reason a context was cancelled for, where that is why err came.
func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil {
		return c
	}
	return err
}
