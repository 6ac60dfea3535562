package segment

// Stats describes a segment for a table's log.
type Stats struct {
	Size     int64 // bytes of the file
	Rows     int
	Seq      Range
	Time     Range // microseconds since 1970 UTC
	Received Range // microseconds since 1970 UTC
	Device   NameRange
	Resource NameRange
}

// Range is the least and the greatest of a column's numbers.
type Range struct{ Min, Max int64 }

// NameRange is the least and the greatest of a column's names, by bytes.
type NameRange struct{ Min, Max string }

func (r *Range) add(o Range)         { r.Min, r.Max = min(r.Min, o.Min), max(r.Max, o.Max) }
func (n *NameRange) add(o NameRange) { n.Min, n.Max = min(n.Min, o.Min), max(n.Max, o.Max) }

// add widens s by the stats of another part of the same file.
func (s *Stats) add(o Stats) {
	if s.Rows == 0 {
		size := s.Size
		*s = o
		s.Size = size
		return
	}
	s.Rows += o.Rows
	s.Seq.add(o.Seq)
	s.Time.add(o.Time)
	s.Received.add(o.Received)
	s.Device.add(o.Device)
	s.Resource.add(o.Resource)
}
