package cloudsync_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"skerry/cloudsync"
	"skerry/fsm"
)

func TestACutOfALargerFileGoesUpByItself(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	s := newSite(t)
	bucket, root := bucketIn(t)
	y := newSyncer(s, "n1", bucket)
	s.merged = true
	leading(s, y)
	s.post(100)
	s.snap(3)
	synced(t, y)
	for _, c := range []struct{ local, shipped string }{
		{"readings-1-100.parquet", "demo/readings/data/2026-11-21/1-100-*.parquet"},
		{"frames-1-3.parquet", "demo/frames/data/2026-11-21/1-3-*.parquet"},
	} {
		want, err := os.ReadFile(filepath.Join(s.dir, c.local))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(only(t, root, c.shipped)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s has other rows than the cut (%v)", c.shipped, err)
		}
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) != 0 {
		t.Errorf("%d files are left in the temporary directory (%v)", len(left), err)
	}
	sound(t, root)
}

func TestADamagedFileIsNotShippedAndTheNodeLooksAtIt(t *testing.T) {
	s := newSite(t)
	bucket, root := bucketIn(t)
	y := newSyncer(s, "n1", bucket)
	s.post(100)
	s.cut()
	cut := s.cuts[fsm.Readings][0]
	path := s.file(fsm.Readings, cut)
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rotten := bytes.Clone(sound)
	rotten[len(rotten)/3] ^= 1
	if err := os.WriteFile(path, rotten, 0o600); err != nil {
		t.Fatal(err)
	}
	leading(s, y)
	waitFor(t, y, "an error", inState(cloudsync.Retrying))
	if r := verify(t, root); r.Tables[fsm.Readings].Files != 0 {
		t.Errorf("table = %+v, want no file", r.Tables[fsm.Readings])
	}
	s.mu.Lock()
	suspects := len(s.suspects)
	s.mu.Unlock()
	if suspects == 0 || s.suspects[0] != cut {
		t.Errorf("the node was asked to look at %v, want %v", s.suspects, cut)
	}
	if err := os.WriteFile(path, sound, 0o600); err != nil {
		t.Fatal(err)
	}
	synced(t, y)
}
