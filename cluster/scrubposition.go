package cluster

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"time"

	"skerry/cluster/disk"
	"skerry/fsm"
)

// scrubFile keeps how far the scrub has come, so that a node that is started
// every day reads the end of its history too. It is
//
//	offset size
//	0      1    version, 1
//	1      1    stream
//	2      8    seq up to which the stream was read, little-endian
//	10     4    CRC32C of what is before
//
// A file that is not so is as good as none: the round begins again.
const (
	scrubFile     = "scrub"
	scrubFileSize = 14
	scrubVersion  = 1
	// scrubSaveEvery is how seldom it is written: each time wears the flash.
	scrubSaveEvery = time.Hour
)

// scrubPosition is how far the scrub has come in a round.
type scrubPosition struct {
	stream fsm.Stream
	after  fsm.Seq
	saved  time.Time
}

func (p *scrubPosition) passed(h *held) { p.stream, p.after = h.stream, h.last }

func (p *scrubPosition) nextStream() { p.stream, p.after = p.stream+1, 0 }

func (p *scrubPosition) append(b []byte) []byte {
	start := len(b)
	b = append(b, scrubVersion, byte(p.stream))
	b = binary.LittleEndian.AppendUint64(b, uint64(p.after))
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

func parseScrubPosition(b []byte) (p scrubPosition, ok bool) {
	if len(b) != scrubFileSize || b[0] != scrubVersion || fsm.Stream(b[1]) > fsm.Frames {
		return p, false
	}
	if binary.LittleEndian.Uint32(b[10:]) != crc32.Checksum(b[:10], castagnoli) {
		return p, false
	}
	return scrubPosition{stream: fsm.Stream(b[1]), after: fsm.Seq(binary.LittleEndian.Uint64(b[2:]))}, true
}

func loadScrubPosition(d disk.Disk) scrubPosition {
	b, err := disk.ReadFile(d, scrubFile, scrubFileSize)
	if err != nil {
		return scrubPosition{saved: time.Now()}
	}
	p, _ := parseScrubPosition(b)
	p.saved = time.Now()
	return p
}

// saveScrubPosition writes the position, unless that was done lately and the
// node goes on.
func (n *Node) saveScrubPosition(stopping bool) {
	if !stopping && time.Since(n.scrubAt.saved) < scrubSaveEvery {
		return
	}
	n.scrubAt.saved = time.Now()
	at := n.scrubAt
	if at.stream > fsm.Frames {
		at = scrubPosition{}
	}
	err := disk.WriteFile(n.disk, scrubFile, func(w io.Writer) error {
		_, err := w.Write(at.append(nil))
		return err
	})
	if err != nil && !stopping {
		n.log.Warn("the place of the scrub was not kept", "err", err)
	}
}
