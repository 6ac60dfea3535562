package fsm

import (
	"encoding/binary"
	"slices"
	"strings"
)

// MaxErasures bounds the devices whose data is erased and may still lie in a
// file.
const MaxErasures = 1024

// EraseCommand erases what a device has sent up to now: its readings, its
// frames and its latest values. Its name, its keys and its documents stay, and
// what it sends from then on is kept.
type EraseCommand struct {
	Device string `cbor:"1,keyasint"`
}

func (EraseCommand) Op() Op                       { return OpErase }
func (c EraseCommand) appendBody(b []byte) []byte { return appendCBOR(b, c) }
func (c EraseCommand) validate() error            { return ValidateName("device", c.Device, MaxDevice) }

// Erasure says that a device's rows up to a seq of each stream are erased. They
// are in no answer and in nothing that is shipped; nodes rewrite the files that
// hold them in their own time.
type Erasure struct {
	Device string `cbor:"1,keyasint"`
	UpTo   [2]Seq `cbor:"2,keyasint"` // of readings, of frames
	// Version counts erasures: a file that was written under a version has none
	// of the rows that erasures up to it name.
	Version uint64 `cbor:"3,keyasint"`
}

// Erasures are all erasures that may still concern a file, by device. They never
// change; the next ones are another slice.
type Erasures []Erasure

func (e Erasures) find(device string) (int, bool) {
	return slices.BinarySearchFunc(e, device, func(x Erasure, device string) int { return strings.Compare(x.Device, device) })
}

// Erased reports whether a row is erased.
func (e Erasures) Erased(of Stream, device string, seq Seq) bool {
	i, ok := e.find(device)
	return ok && seq <= e[i].UpTo[of]
}

// Of is the seq up to which a device's rows are erased, 0 for none.
func (e Erasures) Of(of Stream, device string) Seq {
	if i, ok := e.find(device); ok {
		return e[i].UpTo[of]
	}
	return 0
}

// Within are the erasures that may concern rows from a seq on and are newer
// than a version.
func (e Erasures) Within(of Stream, first Seq, newer uint64) (found Erasures) {
	for i := range e {
		if e[i].Version > newer && e[i].UpTo[of] >= first {
			found = append(found, e[i])
		}
	}
	return found
}

// erase closes what is open, so that the rows rest in files alone, and forgets
// the device's latest values.
func (s *State) erase(c *EraseCommand) Outcome {
	if _, ok := s.series.newest[c.Device]; !ok {
		return Outcome{Code: NotFound}
	}
	e := Erasure{Device: c.Device, UpTo: [2]Seq{s.LastSeq(Readings), s.LastSeq(Frames)}}
	i, again := s.erasures.find(c.Device)
	switch {
	case again && s.silent(c.Device):
		return Outcome{Code: Stored, Known: true}
	case !again && len(s.erasures) >= MaxErasures:
		return Outcome{Code: Full}
	}
	s.applyCut()
	s.erased++
	e.Version = s.erased
	s.erasures = slices.Clone(s.erasures)
	if again {
		s.erasures[i] = e
	} else {
		s.erasures = slices.Insert(s.erasures, i, e)
	}
	for id := range s.SeriesOf(c.Device) {
		s.series.forget(id)
	}
	s.applied.Erased = true
	return Outcome{Code: Stored}
}

// silent reports that nothing of a device has come since it was erased.
func (s *State) silent(device string) bool {
	for id := range s.SeriesOf(device) {
		_, reading := s.Latest(id)
		_, frame := s.LatestFrame(id)
		if reading || frame {
			return false
		}
	}
	return true
}

// unmask forgets erasures of rows that are dropped altogether.
func (s *State) unmask() {
	from := s.retained.from
	over := func(e Erasure) bool { return e.UpTo[Readings] < from[Readings] && e.UpTo[Frames] < from[Frames] }
	if slices.ContainsFunc(s.erasures, over) {
		s.erasures = slices.DeleteFunc(slices.Clone(s.erasures), over)
	}
}

// Erasures are those that may still concern a file, and the version of the last
// one there ever was.
func (s *State) Erasures() (e Erasures, version uint64) { return s.erasures, s.erased }

// forget drops the latest reading and frame of a series.
func (t *seriesTable) forget(id uint32) {
	t.set(id, latest{})
	if slot, ok := t.frameSlots[id]; ok {
		name := t.names.Series[id]
		*t.frames.edit(int(slot)) = Frame{Device: name.Device, Resource: name.Resource}
	}
}

// A row erased in place has no names and no unit, the time at which it was
// received, and for a value the digest of what it was. So a file's rows still
// count up to its cut, and so do their digests: rot is found as before, whoever
// erased what, and files can be merged and taken apart. What stays of a reading
// is its seq, when the site received it, and a checksum.

// erasedBytes is the size of the value of an erased row: its RowDigest, two
// little-endian integers.
const erasedBytes = 16

// IsErased reports whether a row was erased in place: no device has an empty
// name.
func IsErased(device string) bool { return device == "" }

// erasedValue is the value of a row with a digest, once it is erased.
func erasedValue(d RowDigest) []byte {
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, erasedBytes), d[0])
	return binary.LittleEndian.AppendUint64(b, d[1])
}

// HashErased is the digest of a row that was erased, from its value. A value
// that is none gives a digest that no row has.
func HashErased(value []byte) RowDigest {
	if len(value) < erasedBytes {
		return RowDigest{}
	}
	return RowDigest{binary.LittleEndian.Uint64(value), binary.LittleEndian.Uint64(value[8:])}
}

// EraseReading makes a reading one that was erased.
func EraseReading(r *Reading) {
	*r = Reading{Seq: r.Seq, Time: r.Received, Received: r.Received, Value: DataValue(erasedValue(HashReading(r)))}
}

// EraseFrame makes a frame one that was erased: its JPEG is empty, and its
// digest is where the JPEG's SHA-256 was.
func EraseFrame(f *Frame) {
	gone := Frame{Seq: f.Seq, Time: f.Received, Received: f.Received}
	copy(gone.SHA256[:], erasedValue(HashFrame(f)))
	*f = gone
}

// EraseRows returns rows with the erased ones erased in place, and their names:
// those given where none is.
func (e Erasures) EraseRows(rows *Rows, names *Names) (*Rows, *Names) {
	gone := make([]bool, len(names.Series)) // some row of the series may be erased
	for id, name := range names.Series {
		gone[id] = e.Erased(Readings, name.Device, rows.First)
	}
	if !slices.Contains(gone, true) {
		return rows, names
	}
	out := *rows
	out.Series, out.Unit, out.Time = slices.Clone(rows.Series), slices.Clone(rows.Unit), slices.Clone(rows.Time)
	out.Kind, out.Bits, out.Blob = slices.Clone(rows.Kind), slices.Clone(rows.Bits), slices.Clone(rows.Blob)
	nobody := uint32(len(names.Series))
	for i, id := range rows.Series {
		if !gone[id] || !e.Erased(Readings, names.Series[id].Device, rows.First+Seq(i)) {
			continue
		}
		r := rows.Reading(i, names)
		EraseReading(&r)
		out.Series[i], out.Unit[i], out.Time[i], out.Kind[i] = nobody, 0, r.Time, Data
		out.Bits[i] = uint64(len(out.Blob))<<32 | erasedBytes
		out.Blob = append(out.Blob, r.Value.Data...)
	}
	return &out, &Names{Series: append(slices.Clone(names.Series), SeriesName{}), Units: names.Units}
}
