// Package slots keeps one small value in a file so that a change of it takes
// effect at once or not at all, costs one fdatasync, and survives the rot of
// any one place of the file.
//
// The file has two slots, written in turn, each with two copies of its record:
// copy c of slot s lies at (2s+c) times the distance. A write that the power
// cuts short spoils one slot, and the other has the value before; rot spoils
// one copy, and the other copy has the value. What Open finds newest may have
// been read from pages that a failed fsync left clean, and be gone after the
// next power cut: so its copies are written again, one after the other, before
// anybody acts on it. A record, little-endian:
//
//	 0  4  CRC32C of all that follows, up to the end of the value
//	 4  4  version, 1
//	 8  8  counter: 1 for the first value, one more for each later one; its
//	       lowest bit is the slot
//	16  4  length of the value
//	20     the value
package slots

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"skerry/cluster/disk"
)

const (
	version  = 1
	headSize = 20
	slots    = 2
	copies   = 2
)

var (
	// ErrDamaged: no whole value is left, or the values left are not one the
	// successor of the other.
	ErrDamaged = errors.New("both slots are damaged")
	// ErrTooLong: a value does not fit.
	ErrTooLong = errors.New("the value is too long for its slot")

	errVersion = errors.New("written by a newer skerry: upgrade this node")
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// File is an open file of slots. Its methods are for one goroutine at a time.
type File struct {
	f        disk.File
	distance int // bytes from one copy to the next
	counter  uint64
	value    []byte
	buf      []byte
	mended   bool
}

// Create makes the file, durably, with a first value.
func Create(d disk.Disk, name string, distance int, value []byte) (*File, error) {
	if len(value) > distance-headSize {
		return nil, ErrTooLong
	}
	f := &File{distance: distance, counter: 1, value: append([]byte(nil), value...)}
	whole := make([]byte, slots*copies*distance)
	copy(whole[copies*distance:], f.slot())
	err := disk.WriteFile(d, name, func(w io.Writer) error {
		_, err := w.Write(whole)
		return err
	})
	if err != nil {
		return nil, err
	}
	f.f, err = d.Open(name)
	return f, err
}

// Open opens a file that Create made. Errors are fs.ErrNotExist, ErrDamaged and
// those of the disk. A record that is damaged beside a whole one is replaced.
func Open(d disk.Disk, name string, distance int) (*File, error) {
	f, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	s := &File{f: f, distance: distance}
	good, whole, err := s.load()
	if err == nil {
		err = s.refresh(good)
	}
	if err == nil && !whole {
		s.mended = true
		err = s.Set(s.value)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
	}
	return s, nil
}

// Value is the newest value. It is the file's own: do not write to it.
func (f *File) Value() []byte { return f.value }

// Mended tells that Open found a damaged record beside a whole one: it rotted, or
// the power was cut while it was written.
func (f *File) Mended() bool { return f.mended }

// Check reads the file again and writes anew what is not as it was written; then
// mended is true. An error is Set's.
func (f *File) Check() (mended bool, err error) {
	on := &File{f: f.f, distance: f.distance}
	good, whole, err := on.load()
	if err == nil && whole && on.counter == f.counter && bytes.Equal(on.value, f.value) {
		return false, nil
	}
	if err := f.refresh(good); err != nil {
		return true, err
	}
	return true, f.Set(f.value)
}

// Set replaces the value; it is durable when Set returns nil. After an error
// nobody knows which value the disk holds, and the file is not to be used.
func (f *File) Set(value []byte) error {
	if len(value) > f.distance-headSize {
		return ErrTooLong
	}
	f.counter++
	f.value = append(f.value[:0:0], value...)
	if _, err := f.f.WriteAt(f.slot(), f.at(f.counter)); err != nil {
		return err
	}
	return f.f.SyncData()
}

// Close closes the file.
func (f *File) Close() error { return f.f.Close() }

// at is where the slot of a counter begins.
func (f *File) at(counter uint64) int64 {
	return int64(counter%slots) * copies * int64(f.distance)
}

// slot is the newest record, once for each copy. It is valid until the next
// call.
func (f *File) slot() []byte {
	if f.buf == nil {
		f.buf = make([]byte, copies*f.distance)
	}
	clear(f.buf)
	encode(f.buf, f.counter, f.value)
	copy(f.buf[f.distance:], f.buf[:f.distance])
	return f.buf
}

// refresh writes the newest record again, a damaged copy first and each durably
// before the next.
func (f *File) refresh(good int) error {
	record := f.slot()[:f.distance]
	for i := range copies {
		c := int64((good + 1 + i) % copies)
		if _, err := f.f.WriteAt(record, f.at(f.counter)+c*int64(f.distance)); err != nil {
			return err
		}
		if err := f.f.SyncData(); err != nil {
			return err
		}
	}
	return nil
}

// load finds the newest value; good is a copy that has it, and whole is false
// where a copy in either slot is damaged.
func (f *File) load() (good int, whole bool, err error) {
	var newest, found [slots]uint64 // counters, by slot
	for slot := range slots {
		for c := range copies {
			b := make([]byte, f.distance)
			n, err := f.f.ReadAt(b, int64(slot*copies+c)*int64(f.distance))
			if n < len(b) || (err != nil && !errors.Is(err, io.EOF)) {
				continue // as good as damaged
			}
			counter, value, err := decode(b)
			if errors.Is(err, errVersion) {
				return 0, false, err
			}
			if err != nil || counter%slots != uint64(slot) {
				continue
			}
			found[slot]++
			newest[slot] = max(newest[slot], counter)
			if counter > f.counter {
				f.counter, f.value, good = counter, value, c
			}
		}
	}
	older := newest[(f.counter+1)%slots]
	switch {
	case f.counter == 0:
		return 0, false, ErrDamaged
	case older > 0 && f.counter-older != 1:
		return 0, false, fmt.Errorf("%w: counters %d and %d", ErrDamaged, older, f.counter)
	}
	return good, found[f.counter%slots] == copies && (found[(f.counter+1)%slots] == copies || f.counter == 1), nil
}

func encode(b []byte, counter uint64, value []byte) {
	le := binary.LittleEndian
	le.PutUint32(b[4:], version)
	le.PutUint64(b[8:], counter)
	le.PutUint32(b[16:], uint32(len(value)))
	copy(b[headSize:], value)
	le.PutUint32(b, crc32.Checksum(b[4:headSize+len(value)], castagnoli))
}

func decode(b []byte) (counter uint64, value []byte, err error) {
	le := binary.LittleEndian
	if len(b) < headSize {
		return 0, nil, ErrDamaged
	}
	n := int(le.Uint32(b[16:]))
	if n > len(b)-headSize || crc32.Checksum(b[4:headSize+n], castagnoli) != le.Uint32(b) {
		return 0, nil, ErrDamaged
	}
	if le.Uint32(b[4:]) != version {
		return 0, nil, errVersion
	}
	return le.Uint64(b[8:]), b[headSize : headSize+n : headSize+n], nil
}
