package camera_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/device/camera"
	"skerry/fsm"
)

// folder writes pictures into a folder of JPEGs.
func folder(tb testing.TB, frames [][]byte) string {
	tb.Helper()
	dir := tb.TempDir()
	for i, b := range frames {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%04d.jpg", i)), b, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

// watchFolder runs a camera over a folder to its end, in virtual time.
func watchFolder(t *testing.T, frames [][]byte, s *site) camera.Stats {
	t.Helper()
	dir := folder(t, frames)
	var st camera.Stats
	synctest.Test(t, func(t *testing.T) {
		cam, err := camera.New(camera.Config{
			Name: "gate", Source: "folder:" + dir + "?fps=5", Key: testKey, Log: quiet,
		}, s)
		if err != nil {
			t.Fatal(err)
		}
		if err := cam.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		st = cam.Stats()
	})
	return st
}

func TestAnEventIsStoredAsTheCamerasOwnBytesAndAReading(t *testing.T) {
	frames := scene(t, 40)
	s := new(site)
	st := watchFolder(t, frames, s)
	if st.Events != 1 || st.Stored != 1 || st.Frames != 40 {
		t.Fatalf("got %+v, want one event of 40 frames, stored", st)
	}
	got, readings := s.stored()
	if len(got) != 1 || len(readings) != 1 {
		t.Fatalf("got %d frames and %d readings, want one of each", len(got), len(readings))
	}
	f, r := got[0], readings[0]
	if f.Device != "gate" || f.Resource != "frame" || f.Width != 160 || f.Height != 120 || f.Relative {
		t.Errorf("got frame %s/%s of %d x %d", f.Device, f.Resource, f.Width, f.Height)
	}
	if !containsBytes(frames[20:], f.JPEG) {
		t.Errorf("the key frame's bytes are of no picture with motion")
	}
	if r.Device != "gate" || r.Resource != "motion" || r.Unit != "%" || r.Time != f.Time || r.Relative {
		t.Errorf("got reading %+v, want gate/motion in %% at the frame's time %d", r, f.Time)
	}
	if want := 100 * 24 * 50.0 / (160 * 120); r.Value.Number < want/2 || r.Value.Number > 2*want {
		t.Errorf("got %v percent in motion, want about %.1f", r.Value, want)
	}
}

func containsBytes(list [][]byte, b []byte) bool {
	for _, l := range list {
		if bytes.Equal(l, b) {
			return true
		}
	}
	return false
}

func TestAnEventIsProposedUntilTheSiteHasIt(t *testing.T) {
	none := fsm.Result{}
	unknown := func() (fsm.Result, error) { return none, cluster.ErrUnknown }
	for _, c := range []struct {
		name    string
		answers []func() (fsm.Result, error) // of the first tries
		stored  bool
		kept    bool // the first, unanswered, copy reached the site
		want    func(camera.Stats) bool
	}{
		{
			name: "no leader for a while",
			answers: []func() (fsm.Result, error){
				func() (fsm.Result, error) { return none, cluster.ErrNoLeader },
				func() (fsm.Result, error) { return none, cluster.ErrOverloaded },
				func() (fsm.Result, error) { return refused(fsm.WindowFull), nil },
			},
			stored: true,
			want:   func(s camera.Stats) bool { return s.Stored == 1 },
		},
		{
			name:    "an unknown outcome of a copy that was stored is not a second frame",
			answers: []func() (fsm.Result, error){unknown},
			kept:    true, stored: true,
			want: func(s camera.Stats) bool { return s.Stored == 1 },
		},
		{
			name:    "a copy that came too late is followed by another",
			answers: []func() (fsm.Result, error){func() (fsm.Result, error) { return refused(fsm.Expired), nil }},
			stored:  true,
			want:    func(s camera.Stats) bool { return s.Stored == 1 && s.Unresolved == 0 },
		},
		{
			name:    "an outcome that stays unknown is left alone before the site forgets the key",
			answers: slices.Repeat([]func() (fsm.Result, error){unknown}, 1000),
			want:    func(s camera.Stats) bool { return s.Stored == 0 && s.Unresolved == 1 },
		},
		{
			name:    "a refusal for good is counted",
			answers: []func() (fsm.Result, error){func() (fsm.Result, error) { return refused(fsm.Conflict), nil }},
			want:    func(s camera.Stats) bool { return s.Stored == 0 && s.Refused == 1 },
		},
		{
			name:    "a closed node ends the try",
			answers: []func() (fsm.Result, error){func() (fsm.Result, error) { return none, cluster.ErrClosed }},
			want:    func(s camera.Stats) bool { return s.Stored == 0 && s.Refused == 0 },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := new(site)
			s.answer = func(try int, cmd fsm.Command) (fsm.Result, error) {
				if try > len(c.answers) {
					return fsm.Result{}, nil
				}
				if c.kept {
					s.keep(cmd)
				}
				return c.answers[try-1]()
			}
			st := watchFolder(t, scene(t, 40), s)
			if !c.want(st) {
				t.Errorf("got %+v", st)
			}
			if frames, _ := s.stored(); (len(frames) == 1) != c.stored {
				t.Errorf("got %d frames, want stored = %t", len(frames), c.stored)
			}
		})
	}
}

func TestEventsThatTheSiteDoesNotTakeAreBounded(t *testing.T) {
	var frames [][]byte
	for range camera.MaxWaiting + 4 { // each scene is one event
		frames = append(frames, scene(t, 30)...)
	}
	refuse := true
	s := new(site)
	s.answer = func(int, fsm.Command) (fsm.Result, error) {
		if refuse {
			return fsm.Result{}, cluster.ErrNoLeader
		}
		return fsm.Result{}, nil
	}
	dir := folder(t, frames)
	synctest.Test(t, func(t *testing.T) {
		cam, err := camera.New(camera.Config{Name: "gate", Source: "folder:" + dir + "?fps=5", Key: testKey, Log: quiet}, s)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cam.Run(t.Context()) }()
		time.Sleep(time.Duration(len(frames)+10) * time.Second / 5)
		s.mu.Lock()
		refuse = false
		s.mu.Unlock()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		st := cam.Stats()
		if st.Events < camera.MaxWaiting+2 || st.Dropped == 0 || st.Stored+st.Dropped != st.Events {
			t.Errorf("got %+v, want the oldest dropped and the others stored", st)
		}
		if st.Stored > camera.MaxWaiting+1 {
			t.Errorf("got %d events stored, want at most the %d waiting and one in hand", st.Stored, camera.MaxWaiting)
		}
	})
}

func TestAWrongCameraIsRefusedBeforeItRuns(t *testing.T) {
	for _, c := range []struct {
		name   string
		config camera.Config
	}{
		{"no name", camera.Config{Source: "pattern:seed=1"}},
		{"a resource with a slash", camera.Config{Name: "gate", Source: "pattern:", FrameResource: "a/b"}},
		{"an unknown scheme", camera.Config{Name: "gate", Source: "rtsp://camera/1"}},
		{"an address without host", camera.Config{Name: "gate", Source: "http:///stream"}},
		{"a folder without name", camera.Config{Name: "gate", Source: "folder:"}},
		{"a rate that is none", camera.Config{Name: "gate", Source: "pattern:fps=NaN"}},
		{"a rate too high", camera.Config{Name: "gate", Source: "folder:/x?fps=1000"}},
		{"an unknown option", camera.Config{Name: "gate", Source: "pattern:speed=2"}},
		{"a huge pattern", camera.Config{Name: "gate", Source: "pattern:width=100000"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.config.Key = testKey
			if _, err := camera.New(c.config, new(site)); err == nil {
				t.Errorf("got no error for %+v", c.config)
			}
		})
	}
	if _, err := camera.New(camera.Config{Name: "gate", Source: "pattern:"}, new(site)); err == nil {
		t.Error("got no error without a key function")
	}
}

func TestAFolderWithoutPicturesIsAnError(t *testing.T) {
	for _, source := range []string{"folder:" + t.TempDir(), "folder:" + filepath.Join(t.TempDir(), "missing")} {
		err := camera.Run(t.Context(), camera.Config{Name: "gate", Source: source, Key: testKey, Log: quiet}, new(site))
		if err == nil {
			t.Errorf("%s: got no error", source)
		}
	}
	missing := "folder:" + filepath.Join(t.TempDir(), "missing")
	err := camera.Run(t.Context(), camera.Config{Name: "gate", Source: missing, Key: testKey, Log: quiet}, new(site))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want os.ErrNotExist", err)
	}
}
