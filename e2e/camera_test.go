//go:build e2e

package e2e_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// footageSeconds is how much of the footage the camera shows, in its own time.
const footageSeconds = 40

// frame is a camera's picture as skerry tells it.
type frame struct {
	Seq    uint64 `json:"seq"`
	Device string `json:"device"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
	SHA256 string `json:"sha256"`
}

// TestCamera lets a node watch pedestrians on a stream that ffmpeg serves as a
// camera does, and finds the key frames of the motion byte for byte in every
// node's store and in the bucket.
func TestCamera(t *testing.T) {
	const device = "yard"
	camera := startCamera(t)
	s := startSite(t, 3, "--camera", device+"="+camera.url)
	camera.wait(t)
	sent := camera.sent(t)

	var frames []frame
	eventually(t, time.Minute, "the store has key frames of the footage", func() error {
		var err error
		frames, err = s.nodes[0].frames()
		if err == nil && len(frames) == 0 {
			err = fmt.Errorf("there is no frame")
		}
		return err
	})
	s.waitLeader()
	s.nodes[0].command(nil, "cloud", "sync")
	frames, err := s.nodes[0].frames()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d key frames of %d frames sent", len(frames), len(sent))

	for _, n := range s.nodes {
		t.Run("the frames of "+n.name+" are the camera's own bytes", func(t *testing.T) {
			for _, f := range frames {
				jpeg, err := n.fetch(fmt.Sprintf("/v1/frames/%d", f.Seq))
				if err != nil {
					t.Error(err)
					continue
				}
				if !sent[hash(jpeg)] {
					t.Errorf("frame %d of %d bytes was never sent by the camera", f.Seq, len(jpeg))
				}
				if f.SHA256 != hash(jpeg) || f.Device != device || f.Width != 768 || f.Height != 576 {
					t.Errorf("frame %d is listed as %+v, its bytes have %s", f.Seq, f, hash(jpeg))
				}
			}
		})
	}
	t.Run("motion is told beside the frames", func(t *testing.T) {
		motion := 0
		for _, r := range s.nodes[1].history() {
			if r.Device == device && r.Resource == "motion" && r.Value != nil && *r.Value > 0 {
				motion++
			}
		}
		if motion < len(frames) {
			t.Errorf("got %d readings of motion for %d key frames", motion, len(frames))
		}
	})
	t.Run("the bucket has the same frames", func(t *testing.T) {
		var rows [][2]any
		query(t, "duckdb", s.table("frames"), "SELECT seq, sha256(data) FROM bucket ORDER BY seq", &rows)
		if len(rows) != len(frames) {
			t.Fatalf("the table has %d frames, the store %d", len(rows), len(frames))
		}
		for i, row := range rows {
			if got, want := fmt.Sprint(row[0], row[1]), fmt.Sprint(frames[i].Seq, frames[i].SHA256); got != want {
				t.Errorf("row %d is %s, want %s", i, got, want)
			}
		}
	})
}

func (n *node) frames() ([]frame, error) {
	var list struct {
		Frames []frame `json:"frames"`
	}
	err := n.get("/v1/frames?after=0&limit=10000", &list)
	return list.Frames, err
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// camera is ffmpeg serving footage as MJPEG over HTTP, in real time, to the one
// client that connects.
type camera struct {
	url    string
	dir    string // gets each frame, as the same bytes, in a file
	ffmpeg *exec.Cmd
	exited chan struct{} // closed when ffmpeg has ended
}

// startCamera starts ffmpeg, which waits for its client. The test's end kills
// it if it still runs.
func startCamera(t *testing.T) *camera {
	t.Helper()
	_, port, err := net.SplitHostPort(freeAddresses(t, 1)[0].http)
	if err != nil {
		t.Fatal(err)
	}
	c := &camera{url: "http://127.0.0.1:" + port + "/", dir: t.TempDir(), exited: make(chan struct{})}
	// The tee gives each encoded frame to the stream and to a file.
	c.ffmpeg = exec.Command(program(t, "ffmpeg"), "-hide_banner", "-loglevel", "error",
		"-re", "-i", peer(t, "vtest.avi"), "-t", strconv.Itoa(footageSeconds),
		"-map", "0:v", "-c:v", "mjpeg", "-q:v", "4", "-pix_fmt", "yuvj420p", "-f", "tee",
		"[f=mpjpeg:listen=1:content_type=multipart/x-mixed-replace;boundary=ffmpeg]"+c.url+
			"|[f=image2]"+filepath.Join(c.dir, "%05d.jpg"))
	if err := c.ffmpeg.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(c.exited)
		// It ends with an error where its client closes first; what it sent counts.
		if err := c.ffmpeg.Wait(); err != nil {
			t.Logf("ffmpeg ended: %v", err)
		}
	}()
	t.Cleanup(func() {
		if err := c.ffmpeg.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
		<-c.exited
	})
	return c
}

// wait returns when the footage has been shown.
func (c *camera) wait(t *testing.T) {
	t.Helper()
	select {
	case <-c.exited:
	case <-time.After(footageSeconds*time.Second + time.Minute):
		t.Fatal("nobody looked at the camera: ffmpeg still waits or plays")
	}
}

// sent are the hashes of the frames that the camera sent.
func (c *camera) sent(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(c.dir, "*.jpg"))
	if err != nil || len(files) == 0 {
		t.Fatalf("the camera sent no frame: %v", err)
	}
	sent := make(map[string]bool, len(files))
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sent[hash(b)] = true
	}
	return sent
}
