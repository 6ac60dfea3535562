package fsm

import "math"

// Names are the dictionaries that Rows refer to. They only grow, so a copy of
// the slices stays valid while the state goes on.
type Names struct {
	Series []SeriesName // by series id
	Units  []string     // by unit id; 0 is ""
}

// SeriesName is (device, resource).
type SeriesName struct{ Device, Resource string }

// Rows are readings in columns, in seq order: row i has seq First+i. Rows that
// a State has handed out never change; a later append may extend the arrays
// behind them.
type Rows struct {
	First  Seq
	Series []uint32 // index into Names.Series
	Unit   []uint32 // index into Names.Units
	Time   []int64  // microseconds since 1970 UTC
	Kind   []Kind
	// Bits is the number's IEEE 754 bits, a flag's 0 or 1, or for text and
	// bytes offset<<32 | length into Blob.
	Bits   []uint64
	Blob   []byte
	Stamps []Stamp // ascending by Row; the first has Row 0 unless there are no rows
}

// Stamp says that rows from Row on, up to the next stamp, were received at
// Received (microseconds since 1970 UTC).
type Stamp struct {
	Row          uint32
	ClockUnknown bool // the leader did not know the time
	Received     int64
}

// Len is the number of rows.
func (r *Rows) Len() int { return len(r.Series) }

// Last is the seq of the last row, First-1 when there is none.
func (r *Rows) Last() Seq { return r.First + Seq(len(r.Series)) - 1 }

// Bytes is about what the rows take in memory.
func (r *Rows) Bytes() int { return 25*len(r.Series) + len(r.Blob) + 16*len(r.Stamps) }

// Received is the stamp of row i.
func (r *Rows) Received(i int) int64 {
	lo, hi := 0, len(r.Stamps) // the last stamp with Row <= i
	for lo < hi {
		if m := (lo + hi) / 2; int(r.Stamps[m].Row) <= i {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return r.Stamps[lo-1].Received
}

// Value is the value of row i. Data shares memory with the rows.
func (r *Rows) Value(i int) Value { return rowValue(r.Kind[i], r.Bits[i], r.Blob) }

// rowValue makes a Value of the bits described at Rows.Bits.
func rowValue(k Kind, bits uint64, blob []byte) Value {
	switch k {
	case Number:
		return NumberValue(math.Float64frombits(bits))
	case Flag:
		return FlagValue(bits != 0)
	case Text:
		return TextValue(string(blob[bits>>32:][:uint32(bits)]))
	}
	return DataValue(blob[bits>>32:][:uint32(bits):uint32(bits)])
}

// Reading is row i with its names.
func (r *Rows) Reading(i int, names *Names) Reading {
	s := names.Series[r.Series[i]]
	return Reading{
		Seq: r.First + Seq(i), Device: s.Device, Resource: s.Resource, Unit: names.Units[r.Unit[i]],
		Time: r.Time[i], Received: r.Received(i), Value: r.Value(i),
	}
}
