package segment

import (
	"cmp"
	"fmt"

	"skerry/fsm"
)

// Verify reads the whole file and compares it with the cut. It finds any byte
// that is not as it was written. Errors: ErrDamaged; ErrOtherRows when the file
// is sound but of another cut; errors of the file.
func (s *Segment) Verify(cut fsm.Cut) (err error) {
	defer rescue(&err)
	if s.meta.Cut != cut {
		return fmt.Errorf("%w: the segment has seq %d to %d", ErrOtherRows, s.meta.Cut.First, s.meta.Cut.Last)
	}
	var head [len(magic)]byte
	if err := readAt(s.r, head[:], 0); err != nil {
		return err
	}
	if string(head[:]) != magic {
		return damaged("it does not begin as a Parquet file")
	}
	var v verifier
	if s.meta.Stream == fsm.Frames {
		err = s.scanFrames(true, true, v.addFrame)
	} else {
		err = s.scan(true, v.add)
	}
	if err != nil {
		return err
	}
	if v.count != cut.Rows() || v.first != cut.First || v.last != cut.Last {
		return damaged("%d rows, seq %d to %d", v.count, v.first, v.last)
	}
	if v.digest != cut.Digest {
		return damaged("rows have digest %x, not %x", v.digest, cut.Digest)
	}
	return nil
}

// verifier sums up the rows of a segment, which come in file order.
type verifier struct {
	count       int
	first, last fsm.Seq
	digest      fsm.RowDigest
	previous    position

	seriesHash, unitHash uint64
	unit                 string
}

// position is what rows are sorted by.
type position struct {
	device, resource string
	time             int64
	seq              fsm.Seq
}

func (v *verifier) add(b *batch) error {
	seq, time, received := b.at[colSeq].ints, b.at[colTime].ints, b.at[colReceived].ints
	for i := range b.rows {
		if err := v.step(position{b.device(i), b.resource(i), time[i], fsm.Seq(seq[i])}); err != nil {
			return err
		}
		if u := b.unit(i); u != v.unit || v.unitHash == 0 {
			v.unit, v.unitHash = u, fsm.HashString(u)
		}
		if fsm.IsErased(v.previous.device) {
			if b.kinds[i] != fsm.Data {
				return damaged("seq %d is erased and has a value", seq[i])
			}
			v.digest.Add(fsm.HashErased(b.blob(i)))
			continue
		}
		var value uint64
		switch k := b.kinds[i]; k {
		case fsm.Number, fsm.Flag:
			value = fsm.HashBits(k, b.bits(i))
		default:
			value = fsm.HashBytes(k, b.blob(i))
		}
		v.digest.Add(fsm.HashRow(fsm.Seq(seq[i]), v.seriesHash, v.unitHash, time[i], received[i], value))
	}
	return nil
}

// step counts a row and checks that it comes after the one before.
func (v *verifier) step(p position) error {
	q := &v.previous
	names := cmp.Or(cmp.Compare(q.device, p.device), cmp.Compare(q.resource, p.resource))
	if v.count == 0 || names != 0 {
		v.seriesHash = fsm.HashSeries(p.device, p.resource)
	}
	if v.count > 0 && cmp.Or(names, cmp.Compare(q.time, p.time), cmp.Compare(q.seq, p.seq)) >= 0 {
		return damaged("seq %d is out of order", p.seq)
	}
	if v.count == 0 {
		v.first, v.last = p.seq, p.seq
	}
	v.first, v.last = min(v.first, p.seq), max(v.last, p.seq)
	v.count++
	v.previous = p
	return nil
}

func (v *verifier) addFrame(f *fsm.Frame, _ []byte) error {
	if err := v.step(position{f.Device, f.Resource, f.Time, f.Seq}); err != nil {
		return err
	}
	v.digest.Add(fsm.HashFrame(f))
	return nil
}
