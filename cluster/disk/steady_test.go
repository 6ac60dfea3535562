package disk_test

import (
	"fmt"
	"io"
	"slices"
	"testing"

	"skerry/cluster/disk"
)

// pushed notes what is pushed of a file.
type pushed struct {
	disk.File
	ranges []string
}

func (p *pushed) Push(off, n int64) { p.ranges = append(p.ranges, fmt.Sprintf("%d+%d", off, n)) }

func TestASteadyWriterPushesWhatItWroteMegabyteByMegabyte(t *testing.T) {
	const piece = 300 << 10
	f := &pushed{File: put(t, disk.NewMemory(), "a/file", "begun")}
	w := disk.Steady(f)
	for range 9 {
		if _, err := w.Write(make([]byte, piece)); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{fmt.Sprintf("5+%d", 4*piece), fmt.Sprintf("%d+%d", 5+4*piece, 4*piece)}
	if !slices.Equal(f.ranges, want) {
		t.Errorf("pushed %q, want %q", f.ranges, want)
	}
	if size, err := f.Size(); err != nil || size != 5+9*piece {
		t.Errorf("the file has %d bytes (%v), want %d", size, err, 5+9*piece)
	}
}

func TestASteadyWriterWritesAFileOfAnyDisk(t *testing.T) {
	for name, d := range disks(t) {
		t.Run(name, func(t *testing.T) {
			f := put(t, disk.NewReserve(d, 0), "a/file", "")
			w := disk.Steady(f)
			for _, text := range []string{"one", "two"} {
				if _, err := io.WriteString(w, text); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := w.Write(make([]byte, 2<<20)); err != nil {
				t.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				t.Fatal(err)
			}
			b, err := disk.ReadFile(d, "a/file", 3<<20)
			if err != nil || len(b) != 6+2<<20 || string(b[:6]) != "onetwo" {
				t.Errorf("read back %d bytes (%v), want all that was written", len(b), err)
			}
		})
	}
}
