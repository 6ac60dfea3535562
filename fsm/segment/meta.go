package segment

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go/format"

	"skerry/fsm"
)

// Versions of the files. A file is written in the oldest that can say it.
const (
	formatPlain  = 1
	formatErased = 2 // rows may be erased in place
	formatNumber = formatErased
)

const (
	keyFormat  = "skerry.format"
	keyStream  = "skerry.stream"
	keySite    = "skerry.site"
	keyFirst   = "skerry.first"
	keyLast    = "skerry.last"
	keyRows    = "skerry.rows"
	keyDate    = "skerry.date"
	keyDigest  = "skerry.digest"
	keyIndexes = "skerry.indexes"
	keyCheck   = "skerry.check"

	noCheck = "00000000"
)

// Meta is what a segment's footer says about it.
type Meta struct {
	Site   string
	Stream fsm.Stream
	Cut    fsm.Cut
	Erased bool // some of the rows were erased in place
}

func (m *Meta) pairs() []format.KeyValue {
	var d [16]byte
	binary.BigEndian.PutUint64(d[:8], m.Cut.Digest[0])
	binary.BigEndian.PutUint64(d[8:], m.Cut.Digest[1])
	number := formatPlain
	if m.Erased {
		number = formatErased
	}
	return []format.KeyValue{
		{Key: keyFormat, Value: strconv.Itoa(number)},
		{Key: keyStream, Value: m.Stream.String()},
		{Key: keySite, Value: m.Site},
		{Key: keyFirst, Value: strconv.FormatUint(uint64(m.Cut.First), 10)},
		{Key: keyLast, Value: strconv.FormatUint(uint64(m.Cut.Last), 10)},
		{Key: keyRows, Value: strconv.Itoa(m.Cut.Rows())},
		{Key: keyDate, Value: m.Cut.Date()},
		{Key: keyDigest, Value: hex.EncodeToString(d[:])},
	}
}

// parseMeta reads the pairs of a footer.
func parseMeta(pairs []format.KeyValue) (m Meta, err error) {
	kv := make(map[string]string, len(pairs))
	for _, p := range pairs {
		kv[p.Key] = p.Value
	}
	number, err := strconv.Atoi(kv[keyFormat])
	if err != nil || number < 1 {
		return m, damaged("%s is %q", keyFormat, kv[keyFormat])
	}
	if number > formatNumber {
		return m, fmt.Errorf("%w (format %d, known is %d)", ErrNewer, number, formatNumber)
	}
	m.Erased = number >= formatErased
	switch kv[keyStream] {
	case fsm.Readings.String():
		m.Stream = fsm.Readings
	case fsm.Frames.String():
		m.Stream = fsm.Frames
	default:
		return m, damaged("%s is %q", keyStream, kv[keyStream])
	}
	m.Site = kv[keySite]
	first, err1 := strconv.ParseUint(kv[keyFirst], 10, 64)
	last, err2 := strconv.ParseUint(kv[keyLast], 10, 64)
	rows, err3 := strconv.Atoi(kv[keyRows])
	day, err4 := time.Parse(time.DateOnly, kv[keyDate])
	digest, err5 := hex.DecodeString(kv[keyDigest])
	for _, err := range []error{err1, err2, err3, err4, err5} {
		if err != nil {
			return m, damaged("metadata: %v", err)
		}
	}
	if last < first || last-first >= maxRows || rows != int(last-first)+1 || len(digest) != 16 {
		return m, damaged("metadata: %d rows, seq %d to %d, digest of %d bytes", rows, first, last, len(digest))
	}
	m.Cut = fsm.Cut{
		First: fsm.Seq(first), Last: fsm.Seq(last), Day: int32(day.Unix() / 86400),
		Digest: fsm.RowDigest{binary.BigEndian.Uint64(digest[:8]), binary.BigEndian.Uint64(digest[8:])},
	}
	return m, nil
}
