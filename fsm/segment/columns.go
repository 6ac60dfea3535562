package segment

import (
	"fmt"
	"math"

	"skerry/fsm"
)

// Columns turns readings, in seq order without holes, into rows.
func Columns(readings []fsm.Reading) (*fsm.Rows, *fsm.Names, error) {
	rows := &fsm.Rows{}
	names := &fsm.Names{Units: []string{""}}
	series := make(map[fsm.SeriesName]uint32)
	units := map[string]uint32{"": 0}
	for i := range readings {
		r := &readings[i]
		if i == 0 {
			rows.First = r.Seq
		}
		if r.Seq != rows.First+fsm.Seq(i) {
			return nil, nil, fmt.Errorf("%w: seq %d stands where %d belongs", ErrOtherRows, r.Seq, rows.First+fsm.Seq(i))
		}
		name := fsm.SeriesName{Device: r.Device, Resource: r.Resource}
		s, ok := series[name]
		if !ok {
			s = uint32(len(names.Series))
			series[name] = s
			names.Series = append(names.Series, name)
		}
		u, ok := units[r.Unit]
		if !ok {
			u = uint32(len(names.Units))
			units[r.Unit] = u
			names.Units = append(names.Units, r.Unit)
		}
		if n := len(rows.Stamps); n == 0 || rows.Stamps[n-1].Received != r.Received {
			rows.Stamps = append(rows.Stamps, fsm.Stamp{Row: uint32(i), Received: r.Received})
		}
		bits, err := appendValue(rows, r.Value)
		if err != nil {
			return nil, nil, err
		}
		rows.Series = append(rows.Series, s)
		rows.Unit = append(rows.Unit, u)
		rows.Time = append(rows.Time, r.Time)
		rows.Kind = append(rows.Kind, r.Value.Kind)
		rows.Bits = append(rows.Bits, bits)
	}
	return rows, names, nil
}

// appendValue returns a value's bits, and puts text and bytes into rows.Blob.
func appendValue(rows *fsm.Rows, v fsm.Value) (bits uint64, err error) {
	switch v.Kind {
	case fsm.Number:
		return math.Float64bits(v.Number), nil
	case fsm.Flag:
		if v.Flag {
			return 1, nil
		}
		return 0, nil
	case fsm.Text:
		return appendBlob(rows, v.Text)
	case fsm.Data:
		return appendBlob(rows, v.Data)
	}
	return 0, fmt.Errorf("value of unknown kind %d", v.Kind)
}

func appendBlob[T string | []byte](rows *fsm.Rows, b T) (bits uint64, err error) {
	if int64(len(rows.Blob))+int64(len(b)) > maxBlob {
		return 0, fmt.Errorf("text and data of the rows exceed %d bytes", int64(maxBlob))
	}
	bits = uint64(len(rows.Blob))<<32 | uint64(len(b))
	rows.Blob = append(rows.Blob, b...)
	return bits, nil
}
