package camera

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"skerry/fsm"
)

// folderSource emits the JPEGs of a folder, by name, at its rate.
type folderSource struct {
	dir    string
	every  time.Duration
	loop   bool
	status *status
}

// Run emits each picture once, or over and over until ctx is done. It returns
// nil after the last one.
func (s *folderSource) Run(ctx context.Context, emit func(Frame)) error {
	names, err := pictures(s.dir)
	if err != nil {
		return err
	}
	s.status.connected()
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for {
		for _, name := range names {
			jpg, err := readPicture(name)
			if err != nil {
				return err
			}
			emit(Frame{JPEG: jpg, Time: time.Now()})
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-tick.C:
			}
		}
		if !s.loop {
			return nil
		}
	}
}

// pictures are the paths of a folder's JPEGs, sorted by name.
func pictures(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open folder of pictures: %w", err)
	}
	var names []string
	for _, e := range entries {
		switch strings.ToLower(filepath.Ext(e.Name())) {
		case ".jpg", ".jpeg":
			names = append(names, filepath.Join(dir, e.Name()))
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("folder %s has no .jpg or .jpeg", dir)
	}
	slices.Sort(names)
	return names, nil
}

// readPicture reads a file up to one byte over the limit of a frame, so that
// Inspect refuses what is larger and nothing large is held.
func readPicture(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read picture: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, fsm.MaxFrame+1))
	if err != nil {
		return nil, fmt.Errorf("read picture: %w", err)
	}
	return b, nil
}
