package camera

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"time"

	"skerry/fsm"
)

// MaxPixels bounds the picture that is decoded. Decoding takes 1.5 bytes a
// pixel, six more if the JPEG is progressive, so a small file that announces a
// huge picture would take a small gateway's memory.
const MaxPixels = 16 << 20

// maxScans bounds the passes over the picture. Cameras use one, progressive
// JPEGs about ten; each costs as much as decoding the whole picture, and takes
// only a few bytes.
const maxScans = 100

var (
	// ErrTooLarge: the JPEG has more than fsm.MaxFrame bytes or MaxPixels pixels,
	// or more than 100 scans.
	ErrTooLarge = errors.New("picture is too large")
	// ErrBroken: the bytes are not one whole JPEG.
	ErrBroken = errors.New("picture is broken")
)

// Frame is one picture as the camera sent it.
type Frame struct {
	JPEG   []byte    // the camera's own bytes; not changed after the frame is emitted
	Time   time.Time // when its first byte arrived, by this gateway's clock
	Width  int       // pixels; Width and Height are 0 until the frame is inspected
	Height int
}

// Inspect reads a frame's size in pixels from its header. It decodes nothing,
// and fails with ErrTooLarge or ErrBroken where Decode must not be tried.
func Inspect(jpg []byte) (width, height int, err error) {
	if len(jpg) > fsm.MaxFrame {
		return 0, 0, fmt.Errorf("%w: %d bytes, at most %d are taken", ErrTooLarge, len(jpg), fsm.MaxFrame)
	}
	if !whole(jpg) {
		return 0, 0, fmt.Errorf("%w: no start or no end of image in %d bytes", ErrBroken, len(jpg))
	}
	c, err := jpeg.DecodeConfig(bytes.NewReader(jpg))
	if err != nil {
		return 0, 0, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	if c.Width <= 0 || c.Height <= 0 {
		return 0, 0, fmt.Errorf("%w: it has no pixels", ErrBroken)
	}
	if c.Width*c.Height > MaxPixels {
		return 0, 0, fmt.Errorf("%w: %d x %d pixels, at most %d are taken", ErrTooLarge, c.Width, c.Height, MaxPixels)
	}
	if n := bytes.Count(jpg, []byte{0xff, 0xda}); n > maxScans { // start of scan
		return 0, 0, fmt.Errorf("%w: %d scans, at most %d are taken", ErrTooLarge, n, maxScans)
	}
	return c.Width, c.Height, nil
}

// Decode decodes a frame that Inspect has let through. It fails with ErrBroken.
func Decode(jpg []byte) (image.Image, error) {
	img, err := jpeg.Decode(bytes.NewReader(jpg))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return img, nil
}

// whole reports whether b begins with a JPEG's start of image and ends with its
// end of image. Line ends and zeros after it are the padding of some cameras.
func whole(b []byte) bool {
	return bytes.HasPrefix(b, []byte{0xff, 0xd8}) && bytes.HasSuffix(bytes.TrimRight(b, "\r\n\x00"), []byte{0xff, 0xd9})
}
