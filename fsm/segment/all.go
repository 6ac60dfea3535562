package segment

import (
	"skerry/fsm"
)

// All reads every row, in seq order. The rows and names are the caller's.
// Stamps do not say ClockUnknown: the file does not keep it.
func (s *Segment) All() (rows *fsm.Rows, names *fsm.Names, err error) {
	defer rescue(&err)
	n := s.stats.Rows
	a := collector{
		rows: &fsm.Rows{
			First:  s.meta.Cut.First,
			Series: make([]uint32, n), Unit: make([]uint32, n), Time: make([]int64, n),
			Kind: make([]fsm.Kind, n), Bits: make([]uint64, n),
		},
		names:    &fsm.Names{Units: []string{""}},
		received: make([]int64, n),
		series:   make(map[fsm.SeriesName]uint32),
		units:    map[string]uint32{"": 0},
	}
	if err := s.scan(false, a.add); err != nil {
		return nil, nil, err
	}
	if a.count != n {
		return nil, nil, damaged("%d rows of %d", a.count, n)
	}
	for i, t := range a.received {
		if i == 0 || t != a.received[i-1] {
			a.rows.Stamps = append(a.rows.Stamps, fsm.Stamp{Row: uint32(i), Received: t})
		}
	}
	return a.rows, a.names, nil
}

// collector puts the rows of batches where their seq belongs.
type collector struct {
	rows     *fsm.Rows
	names    *fsm.Names
	received []int64
	count    int
	series   map[fsm.SeriesName]uint32
	units    map[string]uint32
}

func (a *collector) add(b *batch) error {
	seq, time, received := b.at[colSeq].ints, b.at[colTime].ints, b.at[colReceived].ints
	var series, unit uint32
	var device, resource, unitName string
	for i := range b.rows {
		at := uint64(seq[i]) - uint64(a.rows.First)
		if at >= uint64(len(a.received)) || a.rows.Kind[at] != 0 {
			return damaged("seq %d does not belong or is there twice", seq[i])
		}
		if d, r := b.device(i), b.resource(i); i == 0 || d != device || r != resource {
			device, resource = d, r
			series = a.seriesID(device, resource)
		}
		if u := b.unit(i); u != unitName {
			unitName = u
			unit = a.unitID(u)
		}
		a.rows.Series[at], a.rows.Unit[at] = series, unit
		a.rows.Time[at], a.received[at] = time[i], received[i]
		a.rows.Kind[at] = b.kinds[i]
		switch b.kinds[i] {
		case fsm.Number, fsm.Flag:
			a.rows.Bits[at] = b.bits(i)
		default:
			bits, err := appendBlob(a.rows, b.blob(i))
			if err != nil {
				return damaged("%v", err)
			}
			a.rows.Bits[at] = bits
		}
		a.count++
	}
	return nil
}

func (a *collector) seriesID(device, resource string) uint32 {
	name := fsm.SeriesName{Device: device, Resource: resource}
	id, ok := a.series[name]
	if !ok {
		id = uint32(len(a.names.Series))
		a.series[name] = id
		a.names.Series = append(a.names.Series, name)
	}
	return id
}

func (a *collector) unitID(name string) uint32 {
	id, ok := a.units[name]
	if !ok {
		id = uint32(len(a.names.Units))
		a.units[name] = id
		a.names.Units = append(a.names.Units, name)
	}
	return id
}
