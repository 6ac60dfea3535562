package camera_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"skerry/device/camera"
	"skerry/fsm"
)

// serve answers every connection with a content type and what write writes; n
// counts the connections from 1.
func serve(tb testing.TB, contentType string, write func(n int, w http.ResponseWriter, r *http.Request)) string {
	tb.Helper()
	connections := make(chan int, 1)
	connections <- 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := <-connections + 1
		connections <- n
		w.Header().Set("Content-Type", contentType)
		write(n, w, r)
	}))
	tb.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL
}

// flush sends what is written and fails quietly when the client is gone.
func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

// hold keeps a connection open without a byte until the client leaves.
func hold(w http.ResponseWriter, r *http.Request) {
	flush(w)
	<-r.Context().Done()
}

// A stream of twenty frames is read as twenty frames, however it is framed.
func TestStreamsAsCamerasSendThemAreRead(t *testing.T) {
	frames := scene(t, 20)
	for _, c := range []struct {
		name        string
		contentType string
		part        func(jpg []byte) string
	}{
		{"as the RFC has it", "multipart/x-mixed-replace; boundary=frame", func(b []byte) string {
			return fmt.Sprintf("--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n", len(b), b)
		}},
		{"dashes in the announced boundary", `multipart/x-mixed-replace;boundary="--frame"`, func(b []byte) string {
			return fmt.Sprintf("--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n", len(b), b)
		}},
		{"dashes twice", "multipart/x-mixed-replace; boundary=--frame", func(b []byte) string {
			return fmt.Sprintf("----frame\r\nContent-Length: %d\r\n\r\n%s\r\n", len(b), b)
		}},
		{"no dashes in the stream", "multipart/x-mixed-replace; boundary=--frame", func(b []byte) string {
			return fmt.Sprintf("frame\r\nContent-Length: %d\r\n\r\n%s\r\n", len(b), b)
		}},
		{"no Content-Length", "multipart/x-mixed-replace; boundary=frame", func(b []byte) string {
			return fmt.Sprintf("--frame\r\nContent-Type: image/jpeg\r\n\r\n%s\r\n", b)
		}},
		{"Content-Length too small", "multipart/x-mixed-replace; boundary=frame", func(b []byte) string {
			return fmt.Sprintf("--frame\r\nContent-Length: %d\r\n\r\n%s\r\n", len(b)-200, b)
		}},
		{"Content-Length too large", "multipart/x-mixed-replace; boundary=frame", func(b []byte) string {
			return fmt.Sprintf("--frame\r\nContent-Length: %d\r\n\r\n%s\r\n", len(b)+200, b)
		}},
		{"Content-Length that is no number", "multipart/x-mixed-replace; boundary=frame", func(b []byte) string {
			return fmt.Sprintf("--frame\r\nContent-Length: -12x\r\n\r\n%s\r\n", b)
		}},
		{"bare line feeds", "multipart/x-mixed-replace; boundary=frame", func(b []byte) string {
			return fmt.Sprintf("--frame\nContent-Type: image/jpeg\n\n%s\n", b)
		}},
		{"no line end before the boundary", "multipart/x-mixed-replace; boundary=frame", func(b []byte) string {
			return fmt.Sprintf("--frame\r\nContent-Type: image/jpeg\r\n\r\n%s", b)
		}},
		{"a boundary that RFC 2046 forbids", "multipart/x-mixed-replace; boundary=a b@{c}", func(b []byte) string {
			return fmt.Sprintf("--a b@{c}\r\n\r\n%s\r\n", b)
		}},
		{"as ffmpeg's own server has it", "application/octet-stream", func(b []byte) string {
			return fmt.Sprintf("--ffmpeg\r\nContent-type: image/jpeg\r\nContent-length: %d\r\n\r\n%s\r\n", len(b), b)
		}},
		{"no boundary announced", "multipart/x-mixed-replace", func(b []byte) string {
			return fmt.Sprintf("--1f3a\r\nContent-Type: image/jpeg\r\n\r\n%s\r\n", b)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := serve(t, c.contentType, func(_ int, w http.ResponseWriter, r *http.Request) {
				for _, b := range frames {
					fmt.Fprint(w, c.part(b))
				}
				fmt.Fprint(w, c.part(make([]byte, 400))) // ends the part before it
				hold(w, r)
			})
			got := readStream(t, url, len(frames))
			for i := range frames {
				if !bytes.Equal(got[i], frames[i]) {
					t.Fatalf("frame %d has %d bytes, want the camera's own %d", i, len(got[i]), len(frames[i]))
				}
			}
		})
	}
}

// readStream returns the first n frames that a source emits.
func readStream(t *testing.T, url string, n int) [][]byte {
	t.Helper()
	frames := make(chan []byte, n)
	runSource(t, url, func(f camera.Frame) {
		select {
		case frames <- f.JPEG:
		default:
		}
	})
	var got [][]byte
	eventually(t, fmt.Sprintf("%d frames", n), func() bool { return len(frames) == n })
	for range n {
		got = append(got, <-frames)
	}
	return got
}

func TestBrokenPartsAreSkippedAndTheStreamGoesOn(t *testing.T) {
	good := scene(t, 2)[0]
	noise := make([]byte, fsm.MaxFrame+200<<10)
	for i, r := 0, rand.New(rand.NewPCG(1, 2)); i < len(noise); i++ {
		noise[i] = byte(r.Uint32())
	}
	bomb := resize(t, good, 8000, 5000)
	url := serve(t, "multipart/x-mixed-replace; boundary=b0undary", func(n int, w http.ResponseWriter, r *http.Request) {
		part := func(b []byte) { fmt.Fprintf(w, "--b0undary\r\nContent-Type: image/jpeg\r\n\r\n%s\r\n", b) }
		part(good[:len(good)/2])
		part(good[:len(good)-2])
		part(nil)
		part(bomb)
		part(noise)
		part([]byte("not a picture"))
		for range 3 {
			part(good)
		}
		flush(w)
		if n == 1 {
			part(good[:len(good)/3]) // and the camera is gone in the middle of a frame
			return
		}
		hold(w, r)
	})
	var got [][]byte
	for _, b := range readStream(t, url, 8) {
		if _, _, err := camera.Inspect(b); err == nil {
			got = append(got, b)
		}
	}
	if len(got) != 3 || !bytes.Equal(got[0], good) {
		t.Errorf("got %d whole frames among the first eight, want 3", len(got))
	}
}

func TestACameraCountsWhatItSkipsAndConnectsAgain(t *testing.T) {
	good := scene(t, 2)[0]
	bomb := resize(t, good, 8000, 5000)
	url := serve(t, "multipart/x-mixed-replace; boundary=b", func(n int, w http.ResponseWriter, r *http.Request) {
		picture := [][]byte{good[:len(good)/2], bomb, good}[min(n, 3)-1]
		fmt.Fprintf(w, "--b\r\n\r\n%s\r\n--b\r\n", picture)
		if n == 3 {
			hold(w, r)
		}
	})
	cam := start(t, camera.Config{Source: url}, new(site))
	eventually(t, "one frame of each kind over three connections", func() bool {
		s := cam.Stats()
		return s.Broken >= 1 && s.TooLarge == 1 && s.Frames == 1 && s.Connects == 3 && s.Connected
	})
	if s := cam.Stats(); s.LastError == "" {
		t.Errorf("got no reason for the end of a stream in %+v", s)
	}
}

func TestAStreamThatStallsIsOpenedAgain(t *testing.T) {
	good := scene(t, 2)[0]
	left := make(chan struct{}, 16)
	url := serve(t, "multipart/x-mixed-replace; boundary=b", func(n int, w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "--b\r\n\r\n%s\r\n--b\r\n\r\n", good)
		if n == 2 { // bytes that never make a picture are no sign of life
			for flush(w); r.Context().Err() == nil; flush(w) {
				if _, err := w.Write(make([]byte, 4<<10)); err != nil {
					break
				}
			}
		} else {
			hold(w, r)
		}
		left <- struct{}{}
	})
	began := time.Now()
	readStream(t, url, 3)
	if took := time.Since(began); took < 2*shortStall {
		t.Errorf("got three connections in %s, want two stalls of %s between them", took, shortStall)
	}
	<-left
	<-left
}

func TestWhatIsNoStreamIsSaidInTheStatus(t *testing.T) {
	refusing, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing.Close()
	for _, c := range []struct{ name, url, want string }{
		{"a page", serve(t, "text/html", func(_ int, w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hi") }), "text/html"},
		{"bytes that are no stream", serve(t, "application/octet-stream", func(_ int, w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "\x00\x00\x00\x18ftypmp42\n")
		}), "boundary"},
		{"no such path", serve(t, "text/html", func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }), "404"},
		{"nobody there", "http://" + refusing.Addr().String(), "refused"},
		{"a stream of nothing", serve(t, "multipart/x-mixed-replace; boundary=b", func(int, http.ResponseWriter, *http.Request) {}), "EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cam := start(t, camera.Config{Source: c.url}, new(site))
			eventually(t, "status with "+c.want, func() bool { return strings.Contains(cam.Stats().LastError, c.want) })
			if cam.Stats().Connected {
				t.Error("got connected")
			}
		})
	}
}

func TestACameraThatChangesItsResolutionStartsOverWithoutAnEvent(t *testing.T) {
	small, large := scene(t, 2)[0], camera.NewPattern(3, 640, 480, 5, true)
	url := serve(t, "multipart/x-mixed-replace; boundary=b", func(_ int, w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "--b\r\n")
		for i := range 20 {
			b := small
			if i >= 10 {
				img, _ := large.Next()
				b = encode(t, img)
			}
			fmt.Fprintf(w, "\r\n%s\r\n--b\r\n", b)
			flush(w)
		}
		hold(w, r)
	})
	cam := start(t, camera.Config{Source: url}, new(site))
	eventually(t, "all frames looked at or replaced", func() bool { s := cam.Stats(); return s.Frames+s.Replaced == 20 })
	if s := cam.Stats(); s.Broken != 0 || s.Events != 0 {
		t.Errorf("got %+v, want no event and nothing broken", s)
	}
}
