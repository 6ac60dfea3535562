package faultsite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"strings"
)

// What the laboratory knows of the votes and the log on the disk, from the
// documentation of rooms slots and segmented: enough to flip bits that matter.
const (
	votesDistance = 4096
	votesCopies   = 4
	votesHead     = 20 // bytes of a record before its value

	hintPath     = "data/raft/hint"
	hintDistance = 2048

	logFirstAt = 8192 // of records
	logHead    = 40   // bytes of a record before its data
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// wholeVotes are the offsets of the copies that are not damaged.
func wholeVotes(b []byte) (whole []int64) {
	for i := range votesCopies {
		at := i * votesDistance
		if at+votesDistance > len(b) {
			break
		}
		copied := b[at : at+votesDistance]
		size := int(binary.LittleEndian.Uint32(copied[16:]))
		if size <= votesDistance-votesHead && binary.LittleEndian.Uint32(copied) == crc32.Checksum(copied[4:votesHead+size], castagnoli) {
			whole = append(whole, int64(at))
		}
	}
	return whole
}

// hintFirst is the first entry that is wanted, by the newest hint that is whole.
func hintFirst(b []byte) (first uint64) {
	newest := uint64(0)
	for at := 0; at+hintDistance <= len(b); at += hintDistance {
		copied := b[at : at+hintDistance]
		size, counter := int(binary.LittleEndian.Uint32(copied[16:])), binary.LittleEndian.Uint64(copied[8:])
		if size >= 16 && size <= hintDistance-votesHead && counter > newest &&
			binary.LittleEndian.Uint32(copied) == crc32.Checksum(copied[4:votesHead+size], castagnoli) {
			newest, first = counter, binary.LittleEndian.Uint64(copied[votesHead+8:])
		}
	}
	return first
}

// logRecord is where an entry lies.
type logRecord struct {
	file   string
	offset int64
	size   int64
	index  uint64
}

// logRecords are the entries of a node's log that count, in order.
func (n *Node) logRecords() ([]logRecord, error) {
	var all []logRecord
	for _, f := range n.files(logDir, ".log") { // by serial
		b, err := n.Disk.ReadFile(f.Name)
		if err != nil {
			return nil, err
		}
		if len(b) < logFirstAt {
			continue
		}
		first := binary.LittleEndian.Uint64(b[32:])
		if binary.LittleEndian.Uint32(b[12:])&1 != 0 {
			first = 0
		}
		for i := range all { // later ones are void
			if all[i].index >= first {
				all = all[:i]
				break
			}
		}
		all = append(all, recordsOf(f.Name, b)...)
	}
	return all, nil
}

func recordsOf(file string, b []byte) (list []logRecord) {
	salt := crc32.Checksum(b[24:32], castagnoli)
	for at := logFirstAt; at+logHead <= len(b); {
		record := b[at:]
		size := logHead + int(binary.LittleEndian.Uint32(record[4:])) + int(binary.LittleEndian.Uint16(record[36:]))
		if size > min(len(record), math.MaxInt32) || binary.LittleEndian.Uint32(record) != crc32.Update(salt, castagnoli, record[4:size]) {
			break
		}
		list = append(list, logRecord{file, int64(at), int64(size), binary.LittleEndian.Uint64(record[8:])})
		at += (size + 7) &^ 7
	}
	return list
}

// rotLog flips a bit of an entry that others follow. The node must say that its
// log is damaged, and take part again when it has the entries from the others.
func (t *trial) rotLog(n *Node) (func(string) error, error) {
	records, err := n.logRecords()
	if err != nil {
		return nil, err
	}
	const tail = 200 // entries that may be of the batch that is written now, or soon dropped
	if len(records) <= tail {
		return nil, errNothingToRot
	}
	wanted := func() uint64 {
		b, err := n.Disk.ReadFile(hintPath)
		if err != nil {
			return 0
		}
		return hintFirst(b)
	}
	if from := slices.IndexFunc(records, func(r logRecord) bool { return r.index > wanted() }); from > 0 {
		records = records[from:]
	}
	if len(records) <= tail {
		return nil, errNothingToRot
	}
	r := records[len(records)/2:][t.Draw.IntN(len(records)/2-tail/2)]
	if err := n.Disk.Flip(r.file, r.offset+t.Draw.Int64N(r.size), uint(t.Draw.IntN(8))); err != nil {
		return nil, err
	}
	return func(said string) error {
		switch {
		case strings.Contains(said, saysDamaged), strings.Contains(said, saysReplaced):
			return nil
		case !strings.Contains(said, "skerry runs"):
			return errors.New("it does not run")
		case r.index < wanted():
			return errDropped
		}
		return fmt.Errorf("nothing is said of entry %d in %s", r.index, r.file)
	}, nil
}
