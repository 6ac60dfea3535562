package camera_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"go/build"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skerry/device/camera"
	"skerry/fsm"
)

// resize overwrites the picture's height and width in its frame header (ITU-T
// T.81, B.2.2), as a decompression bomb does.
func resize(tb testing.TB, jpg []byte, width, height uint16) []byte {
	tb.Helper()
	b := bytes.Clone(jpg)
	i := bytes.Index(b, []byte{0xff, 0xc0})
	if i < 0 {
		tb.Fatal("no baseline frame header")
	}
	binary.BigEndian.PutUint16(b[i+5:], height)
	binary.BigEndian.PutUint16(b[i+7:], width)
	return b
}

func TestWhatMustNotBeDecodedIsRefused(t *testing.T) {
	good := encode(t, image.NewGray(image.Rect(0, 0, 64, 48)))
	padded := append(bytes.Clone(good), "\r\n\x00\x00"...)
	large := append(bytes.Clone(good[:len(good)-2]), make([]byte, fsm.MaxFrame)...)
	for _, c := range []struct {
		name string
		jpg  []byte
		want error
	}{
		{"a whole picture is taken", good, nil},
		{"padding behind the end is taken", padded, nil},
		{"nothing", nil, camera.ErrBroken},
		{"half a picture", good[:len(good)/2], camera.ErrBroken},
		{"no end of image", good[:len(good)-2], camera.ErrBroken},
		{"only start and end", []byte{0xff, 0xd8, 0xff, 0xd9}, camera.ErrBroken},
		{"text", []byte("<html>no camera here</html>"), camera.ErrBroken},
		{"too many bytes", append(large, 0xff, 0xd9), camera.ErrTooLarge},
		{"a bomb of 40 megapixels", resize(t, good, 8000, 5000), camera.ErrTooLarge},
		{"a bomb of 4 gigapixels", resize(t, good, 65535, 65535), camera.ErrTooLarge},
		{"a picture of many passes", append(append(bytes.Clone(good[:len(good)-2]), bytes.Repeat([]byte{0xff, 0xda, 0, 2}, 1000)...), 0xff, 0xd9), camera.ErrTooLarge},
		{"no rows", resize(t, good, 64, 0), camera.ErrBroken},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, _, err := camera.Inspect(c.jpg); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// The Go distribution's own pictures: all subsamplings, progressive, restart
// markers, CMYK, RGB, truncated.
func TestPicturesOfEveryKindAreLookedAtOrRefused(t *testing.T) {
	names, err := filepath.Glob(filepath.Join(build.Default.GOROOT, "src/image/testdata/*.jpeg"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no pictures in the Go distribution: %v", err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			jpg, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			width, height, err := camera.Inspect(jpg)
			if err != nil {
				t.Fatal(err)
			}
			img, err := camera.Decode(jpg)
			if strings.Contains(name, "truncated") && errors.Is(err, camera.ErrBroken) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			l := camera.Shrink(img)
			if l.Width*l.Height != len(l.Cells) || l.Width > width || l.Height > height {
				t.Fatalf("got %d x %d cells of %d x %d pixels", l.Width, l.Height, width, height)
			}
			for i, v := range l.Cells {
				if v < 0 || v > 255 {
					t.Fatalf("cell %d is %g", i, v)
				}
			}
			for cut := range min(len(jpg), 600) { // a broken picture never panics
				if _, _, err := camera.Inspect(append(bytes.Clone(jpg[:cut]), 0xff, 0xd9)); err == nil {
					_, _ = camera.Decode(append(bytes.Clone(jpg[:cut]), 0xff, 0xd9))
				}
			}
		})
	}
}

func TestShrinkAveragesSquaresOfPixels(t *testing.T) {
	img := image.NewYCbCr(image.Rect(0, 0, 192, 192), image.YCbCrSubsampleRatio422)
	for y := range 192 {
		for x := range 192 {
			img.Y[y*img.YStride+x] = uint8(x%2)*100 + uint8(y/96)*50
		}
	}
	l := camera.Shrink(img)
	if l.Width != 96 || l.Height != 96 {
		t.Fatalf("got %d x %d cells, want 96 x 96", l.Width, l.Height)
	}
	if l.Cells[0] != 50 || l.Cells[95*96+95] != 100 {
		t.Errorf("got corners %g and %g, want 50 and 100", l.Cells[0], l.Cells[95*96+95])
	}
	sub := camera.Shrink(img.SubImage(image.Rect(0, 96, 192, 192)))
	if sub.Cells[0] != 50 || sub.Cells[1] != 150 {
		t.Errorf("got %g and %g at the lower half's corner, want its pixels 50 and 150", sub.Cells[0], sub.Cells[1])
	}
	if camera.Shrink(image.NewGray(image.Rect(0, 0, 0, 0))) != nil {
		t.Error("got cells of a picture without pixels")
	}
}
