package segmented

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strconv"
	"strings"

	"skerry/cluster/disk"
)

const (
	magic      = "skerrylg"
	version    = 1
	headSize   = 48
	headCopy   = 4096 // where the second copy of the head lies
	firstAt    = 8192 // where the first record lies
	flagAlone  = 1
	segmentExt = ".log"
	spareExt   = ".spare"
	tempExt    = ".tmp"
)

// ErrNewer: the log was written by a newer skerry.
var ErrNewer = errors.New("the log was written by a newer skerry: upgrade this node")

// head is the head of a segment.
type head struct {
	serial uint64 // 1 for the first segment ever, one more for each later one
	salt   uint64 // random: what an earlier use of the file left is no record
	first  uint64 // index of the first record; entries from it on in segments of lower serial are void
	alone  bool   // all entries in segments of lower serial are void
}

func (h head) encode() []byte {
	b, le := make([]byte, headSize), binary.LittleEndian
	copy(b, magic)
	le.PutUint32(b[8:], version)
	if h.alone {
		le.PutUint32(b[12:], flagAlone)
	}
	le.PutUint64(b[16:], h.serial)
	le.PutUint64(b[24:], h.salt)
	le.PutUint64(b[32:], h.first)
	le.PutUint32(b[44:], crc32.Checksum(b[:44], castagnoli))
	return b
}

// decodeHead reads one copy of a head.
func decodeHead(b []byte) (h head, err error) {
	le := binary.LittleEndian
	if len(b) < headSize || string(b[:8]) != magic || crc32.Checksum(b[:44], castagnoli) != le.Uint32(b[44:]) {
		return head{}, ErrRotten
	}
	if v := le.Uint32(b[8:]); v != version {
		return head{}, fmt.Errorf("version %d: %w", v, ErrNewer)
	}
	return head{serial: le.Uint64(b[16:]), salt: le.Uint64(b[24:]), first: le.Uint64(b[32:]), alone: le.Uint32(b[12:])&flagAlone != 0}, nil
}

// readHead reads a segment's head from the copy that is whole.
func readHead(f disk.File) (head, error) {
	var last error
	for _, at := range []int64{0, headCopy} {
		b := make([]byte, headSize)
		if n, err := f.ReadAt(b, at); n < len(b) && !errors.Is(err, io.EOF) {
			last = err
			continue
		}
		h, err := decodeHead(b)
		if err == nil || errors.Is(err, ErrNewer) {
			return h, err
		}
		last = err
	}
	return head{}, last
}

// writeHead writes both copies; the caller syncs.
func writeHead(f disk.File, h head) error {
	b := h.encode()
	_, err := f.WriteAt(b, 0)
	if err == nil {
		_, err = f.WriteAt(b, headCopy)
	}
	return err
}

func segmentName(serial uint64) string { return fmt.Sprintf("%016x%s", serial, segmentExt) }

// serialOf is the number in the name of a segment or a spare.
func serialOf(name, ext string) (serial uint64, ok bool) {
	digits, ok := strings.CutSuffix(name, ext)
	if !ok || len(digits) != 16 {
		return 0, false
	}
	serial, err := strconv.ParseUint(digits, 16, 64)
	return serial, err == nil
}

// CheckHeads reads the heads of the segments again and writes a copy anew that is
// damaged, each durably before the next. mended are the files.
func (l *Log) CheckHeads() (mended []string, err error) {
	l.turn <- struct{}{} // so that none of them is used again meanwhile
	defer func() { <-l.turn }()
	l.mu.Lock()
	segments := slices.Clone(l.segments)
	l.mu.Unlock()
	for _, s := range segments {
		changed, err := s.mendHead()
		if err != nil {
			l.mu.Lock()
			live := slices.Contains(l.segments, s)
			l.mu.Unlock()
			if !live { // it was dropped meanwhile
				continue
			}
			return mended, fmt.Errorf("write the head of segment %d anew: %w", s.serial, err)
		}
		if changed {
			mended = append(mended, s.name)
		}
	}
	return mended, nil
}

func (s *segment) mendHead() (changed bool, err error) {
	want, b := s.encode(), make([]byte, headSize)
	for _, at := range []int64{0, headCopy} {
		if n, err := s.file.ReadAt(b, at); n == len(b) && err == nil && bytes.Equal(b, want) {
			continue
		}
		changed = true
		if _, err := s.file.WriteAt(want, at); err != nil {
			return true, err
		}
		if err := s.file.SyncData(); err != nil {
			return true, err
		}
	}
	return changed, nil
}
