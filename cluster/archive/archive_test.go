package archive_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skerry/cluster/archive"
)

var update = flag.Bool("update", false, "write testdata anew: only for formats that nobody has on disk yet")

type piece struct {
	s    archive.Section
	body string
}

var pieces = []piece{
	{archive.Section{Kind: archive.State}, "state"},
	{archive.Section{Kind: archive.Readings, First: 1, Last: 9}, strings.Repeat("rows", 50)},
	{archive.Section{Kind: archive.Frame, First: 7, Last: 7}, ""},
}

func written(tb testing.TB) []byte {
	tb.Helper()
	var b bytes.Buffer
	w, err := archive.NewWriter(&b, archive.Summary{Site: "demo", Incarnation: 2, LastSeq: 9})
	for _, p := range pieces {
		p.s.Size = int64(len(p.body))
		if err == nil {
			err = w.Add(p.s, strings.NewReader(p.body))
		}
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// read reads a whole file.
func read(r io.Reader) (got []piece, err error) {
	a, err := archive.NewReader(r)
	if err != nil {
		return nil, err
	}
	for {
		s, err := a.Next()
		if errors.Is(err, io.EOF) {
			return got, nil
		}
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(a)
		if err != nil {
			return nil, err
		}
		s.Size = 0
		got = append(got, piece{s, string(body)})
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	got, err := read(bytes.NewReader(written(t)))
	if err != nil || len(got) != len(pieces) {
		t.Fatalf("%d sections, err %v, want %d", len(got), err, len(pieces))
	}
	for i, p := range pieces {
		if got[i] != p {
			t.Errorf("section %d is %+v, want %+v", i, got[i], p)
		}
	}
}

func TestAFileHasTheBytesOnDisk(t *testing.T) {
	file := filepath.Join("testdata", "file.hex")
	got := hex.EncodeToString(written(t)) + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != got {
		t.Errorf("%s has other bytes than before (%v):\n%swant\n%s", file, err, got, want)
	}
}

func TestEveryCutAndEveryFlippedBitIsRefused(t *testing.T) {
	b := written(t)
	for n := range b {
		if _, err := read(bytes.NewReader(b[:n])); err == nil {
			t.Errorf("cut to %d of %d bytes it is taken", n, len(b))
		}
	}
	for i := range b {
		for bit := range 8 {
			b[i] ^= 1 << bit
			if _, err := read(bytes.NewReader(b)); err == nil {
				t.Errorf("with bit %d of byte %d flipped it is taken", bit, i)
			}
			b[i] ^= 1 << bit
		}
	}
	if _, err := read(bytes.NewReader(append(b, 0))); !errors.Is(err, archive.ErrDamaged) {
		t.Errorf("with a byte more: %v, want ErrDamaged", err)
	}
	b[8]++
	if _, err := read(bytes.NewReader(b)); !errors.Is(err, archive.ErrNewer) {
		t.Errorf("of a newer format: %v, want ErrNewer", err)
	}
	if _, err := read(strings.NewReader("PAR1 and so on")); !errors.Is(err, archive.ErrNot) {
		t.Errorf("another file: %v, want ErrNot", err)
	}
}

func FuzzReader(f *testing.F) {
	f.Add(written(f))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := read(bytes.NewReader(b)); err == nil && len(got) > len(b) {
			t.Errorf("%d sections in %d bytes", len(got), len(b))
		}
	})
}
