package camera_test

import (
	"bytes"
	"testing"

	"skerry/device/camera"
	"skerry/fsm"
)

// Whatever a camera sends is read to its end in parts of bounded size, and what
// Inspect lets through is decoded or refused.
func FuzzStream(f *testing.F) {
	jpg := scene(f, 2)[0]
	f.Add("multipart/x-mixed-replace; boundary=b", append([]byte("--b\r\nContent-Length: 12\r\n\r\n"), jpg...))
	f.Add(`multipart/x-mixed-replace; boundary="--b c"`, []byte("--b c\n\nx\n--b c--\n"))
	f.Add("application/octet-stream", []byte("--ffmpeg\r\n\r\n\xff\xd8\xff\xd9\r\n--ffmpeg\r\n\r\n"))
	f.Add("", []byte("frame\r\n\r\n"))
	f.Add("\xe1BoundArY=", []byte("0"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		for _, part := range camera.ReadParts(contentType, bytes.NewReader(body)) {
			if len(part) > fsm.MaxFrame+8<<10 {
				t.Fatalf("got a part of %d bytes", len(part))
			}
			width, height, err := camera.Inspect(part)
			if err != nil || width*height > 1<<20 {
				continue
			}
			if img, err := camera.Decode(part); err == nil {
				new(camera.Detector).Look(camera.Shrink(img))
			}
		}
	})
}
