package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
)

// Writer writes a file section by section.
type Writer struct {
	w    io.Writer
	hash hash.Hash
}

// NewWriter begins a file on w with its manifest.
func NewWriter(w io.Writer, manifest Summary) (*Writer, error) {
	a := &Writer{w: w, hash: sha256.New()}
	if err := a.write(binary.LittleEndian.AppendUint32([]byte(magic), Version)); err != nil {
		return nil, err
	}
	b, err := json.Marshal(manifest)
	if err != nil {
		return nil, err
	}
	return a, a.Add(Section{Kind: Manifest, Size: int64(len(b))}, bytes.NewReader(b))
}

// Add writes a section whose body is the next s.Size bytes of r.
func (a *Writer) Add(s Section, r io.Reader) error {
	if err := a.write(s.encode()); err != nil {
		return err
	}
	sum := crc32.New(castagnoli)
	n, err := io.Copy(io.MultiWriter(a.w, a.hash, sum), io.LimitReader(r, s.Size))
	if err == nil && n < s.Size {
		err = fmt.Errorf("a section of %d bytes ended after %d", s.Size, n)
	}
	if err != nil {
		return err
	}
	return a.write(binary.LittleEndian.AppendUint32(nil, sum.Sum32()))
}

// Close ends the file: without it a reader takes the file for cut short.
func (a *Writer) Close() error {
	sum := a.hash.Sum(nil)
	return a.Add(Section{Kind: End, Size: int64(len(sum))}, bytes.NewReader(sum))
}

func (a *Writer) write(b []byte) error {
	a.hash.Write(b)
	_, err := a.w.Write(b)
	return err
}
