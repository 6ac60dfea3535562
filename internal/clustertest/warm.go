package clustertest

import (
	"bytes"
	"fmt"

	"skerry/fsm"
	"skerry/fsm/segment"
)

// The compressors of segments are made once in a process and hold channels. A
// bubble of testing/synctest may not use channels of another, so they are made
// here, before any bubble.
var _ = warm()

func warm() error {
	rows := &fsm.Rows{
		First: 1, Series: []uint32{0}, Unit: []uint32{0}, Time: []int64{0}, Kind: []fsm.Kind{fsm.Text}, Bits: []uint64{512},
		Blob: make([]byte, 512), Stamps: []fsm.Stamp{{}},
	}
	names := &fsm.Names{Series: []fsm.SeriesName{{Device: "d", Resource: "r"}}, Units: []string{""}}
	cut := fsm.Cut{First: 1, Last: 1, Digest: fsm.HashReading(&fsm.Reading{
		Seq: 1, Device: "d", Resource: "r", Value: fsm.TextValue(string(rows.Blob)),
	})}
	var file bytes.Buffer
	if _, err := segment.Write(&file, "warm", cut, rows, names); err != nil {
		panic(fmt.Sprintf("write the first segment: %v", err))
	}
	s, err := segment.Open(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		panic(fmt.Sprintf("open the first segment: %v", err))
	}
	if _, _, err := s.All(); err != nil {
		panic(fmt.Sprintf("read the first segment: %v", err))
	}
	return nil
}
