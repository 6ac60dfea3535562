package archive

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
)

// Reader reads a file section by section.
type Reader struct {
	r        io.Reader
	hash     hash.Hash
	at       int64 // bytes read
	manifest Summary

	body    Section
	left    int64 // of the body
	crc     hash.Hash32
	pending bool // the body's checksum is not read yet
}

// NewReader reads the beginning of a file with its manifest. Errors: ErrNot,
// ErrNewer, ErrDamaged, r's.
func NewReader(r io.Reader) (*Reader, error) {
	a := &Reader{r: r, hash: sha256.New(), crc: crc32.New(castagnoli)}
	begin := make([]byte, len(magic)+4)
	if err := a.read(begin); err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrNot, err)
	}
	if string(begin[:len(magic)]) != magic {
		return nil, ErrNot
	}
	switch version := binary.LittleEndian.Uint32(begin[len(magic):]); {
	case version > Version:
		return nil, fmt.Errorf("%w (it has format %d, this skerry reads up to %d)", ErrNewer, version, Version)
	case version < 1:
		return nil, fmt.Errorf("%w (format %d)", ErrDamaged, version)
	}
	s, err := a.Next()
	if err != nil {
		return nil, err
	}
	if s.Kind != Manifest || s.Size > maxManifest {
		return nil, fmt.Errorf("%w (no manifest)", ErrDamaged)
	}
	b, err := io.ReadAll(a)
	if err == nil {
		err = a.end()
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &a.manifest); err != nil {
		return nil, fmt.Errorf("%w (its manifest: %w)", ErrDamaged, err)
	}
	return a, nil
}

// Manifest is what the file says of itself.
func (a *Reader) Manifest() Summary { return a.manifest }

// Offset is where the section's body begins in the file, before any of it is
// read.
func (a *Reader) Offset() int64 { return a.at }

// Next ends the section in hand, which it skips where it was not read, and
// begins the next. It returns io.EOF after a whole file without a fault.
func (a *Reader) Next() (Section, error) {
	if err := a.end(); err != nil {
		return Section{}, err
	}
	sum := a.hash.Sum(nil)
	head := make([]byte, headerSize)
	if err := a.read(head); err != nil {
		return Section{}, err
	}
	s, ok := decodeSection(head)
	if !ok {
		return Section{}, fmt.Errorf("%w (a section's head at byte %d)", ErrDamaged, a.at-headerSize)
	}
	a.body, a.left, a.pending = s, s.Size, true
	a.crc.Reset()
	if s.Kind == End {
		return Section{}, a.finish(sum)
	}
	return s, nil
}

// finish compares the sum of the whole and makes sure that nothing follows.
func (a *Reader) finish(want []byte) error {
	got, err := io.ReadAll(io.LimitReader(a, int64(len(want))+1))
	if err == nil {
		err = a.end()
	}
	if err != nil {
		return err
	}
	if string(got) != string(want) || a.body.First != 0 || a.body.Last != 0 {
		return fmt.Errorf("%w (the sum of the whole)", ErrDamaged)
	}
	if n, err := a.r.Read(make([]byte, 1)); n > 0 || err == nil {
		return fmt.Errorf("%w (bytes follow its end)", ErrDamaged)
	} else if err != io.EOF {
		return err
	}
	return io.EOF
}

// Read reads of the section's body.
func (a *Reader) Read(b []byte) (int, error) {
	if a.left == 0 {
		return 0, io.EOF
	}
	b = b[:min(int64(len(b)), a.left)]
	n, err := a.r.Read(b)
	a.hash.Write(b[:n])
	a.crc.Write(b[:n])
	a.at, a.left = a.at+int64(n), a.left-int64(n)
	if errors.Is(err, io.EOF) && a.left > 0 {
		err = a.short()
	} else if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// end reads what is left of a body and compares its checksum.
func (a *Reader) end() error {
	if !a.pending {
		return nil
	}
	if _, err := io.Copy(io.Discard, a); err != nil {
		return err
	}
	want := a.crc.Sum32()
	sum := make([]byte, 4)
	if err := a.read(sum); err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(sum) != want {
		return fmt.Errorf("%w (the section that ends at byte %d)", ErrDamaged, a.at)
	}
	a.pending = false
	return nil
}

func (a *Reader) read(b []byte) error {
	n, err := io.ReadFull(a.r, b)
	a.at += int64(n)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return a.short()
	}
	a.hash.Write(b)
	return err
}

func (a *Reader) short() error { return fmt.Errorf("%w (it ends at byte %d)", ErrDamaged, a.at) }
