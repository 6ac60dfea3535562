package camera_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"image"
	"image/jpeg"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"skerry/device/camera"
	"skerry/fsm"
)

// quiet keeps the cameras' own log out of the tests' output.
var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// testKey hashes the parts with their lengths.
func testKey(parts ...[]byte) (fsm.Key, error) {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte{byte(len(p)), byte(len(p) >> 8), byte(len(p) >> 16)})
		h.Write(p)
	}
	return fsm.Key(h.Sum(nil)[:16]), nil
}

// site keeps what was proposed, as a site would: once for each key. answer,
// where given, decides a try instead.
type site struct {
	answer func(try int, cmd fsm.Command) (fsm.Result, error)

	mu       sync.Mutex
	tries    int
	known    map[fsm.Key]bool
	frames   []fsm.FrameCommand
	readings []fsm.Record
}

func stored() fsm.Result { return fsm.Result{Outcomes: []fsm.Outcome{{Code: fsm.Stored}}} }

func refused(c fsm.Code) fsm.Result { return fsm.Result{Outcomes: []fsm.Outcome{{Code: c}}} }

func (s *site) Propose(_ context.Context, cmd fsm.Command) (fsm.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries++
	if s.answer != nil {
		if res, err := s.answer(s.tries, cmd); err != nil || res.Outcomes != nil {
			return res, err
		}
	}
	s.keep(cmd)
	return stored(), nil
}

// keep stores a command. The caller holds mu.
func (s *site) keep(cmd fsm.Command) {
	if s.known == nil {
		s.known = make(map[fsm.Key]bool)
	}
	switch c := cmd.(type) {
	case *fsm.FrameCommand:
		if !s.known[c.Key] {
			s.frames = append(s.frames, *c)
		}
		s.known[c.Key] = true
	case *fsm.Batch:
		for _, item := range c.Items {
			if !s.known[item.Key] {
				s.readings = append(s.readings, item.Records...)
			}
			s.known[item.Key] = true
		}
	}
}

func (s *site) stored() (frames []fsm.FrameCommand, readings []fsm.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.frames, s.readings
}

// encode makes a JPEG of a picture.
func encode(tb testing.TB, img image.Image) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// scene makes n JPEGs of 160 x 120 in which a bright block crosses a grey
// picture during the second half.
func scene(tb testing.TB, n int) [][]byte {
	tb.Helper()
	frames := make([][]byte, n)
	for i := range frames {
		img := image.NewGray(image.Rect(0, 0, 160, 120))
		for p := range img.Pix {
			img.Pix[p] = 90
		}
		if i >= n/2 {
			x := 4 * (i - n/2)
			for y := 40; y < 90; y++ {
				for xx := x; xx < min(x+24, 160); xx++ {
					img.Pix[y*img.Stride+xx] = 220
				}
			}
		}
		frames[i] = encode(tb, img)
	}
	return frames
}

// eventually waits until a condition holds.
func eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			tb.Fatalf("not within 20 s: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// start runs a camera until the test ends.
func start(tb testing.TB, c camera.Config, p camera.Proposer) *camera.Camera {
	tb.Helper()
	if c.Name == "" {
		c.Name = "gate"
	}
	c.Key, c.Log = testKey, quiet
	cam, err := camera.New(c, p)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- cam.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("camera ended with %v", err)
		}
	})
	return cam
}

// shortStall is the stall time-out of the tests' streams.
const shortStall = 300 * time.Millisecond

// runSource runs an MJPEG source until the test ends.
func runSource(tb testing.TB, url string, emit func(camera.Frame)) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	src := camera.NewStream(url, shortStall, 10*time.Millisecond)
	go func() { done <- src.Run(ctx, emit) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			tb.Errorf("source ended with %v", err)
		}
	})
}
