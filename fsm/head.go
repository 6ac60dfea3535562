package fsm

const (
	dayMicros = 86_400 * 1_000_000

	// FrameCutBytes and FrameCutRows are the bytes of JPEGs and the number of
	// open frames at which they are cut.
	FrameCutBytes = 16 << 20
	FrameCutRows  = 1 << 14
)

// day is the UTC day of a moment in microseconds since 1970, counted from 1970.
func day(micros int64) int32 {
	d := micros / dayMicros
	if micros%dayMicros < 0 {
		d--
	}
	return int32(d)
}

// head has the readings not yet cut. Its arrays are only appended to and are
// left to whoever holds them when it is cut.
type head struct {
	rows   Rows
	digest RowDigest // sum over rows
	day    int32     // of all rows' received; meaningless without rows
}

func newHead(first Seq) head { return head{rows: Rows{First: first}} }

// stamp makes sure that the next row is received at received.
func (h *head) stamp(received int64, clockUnknown bool) {
	if n := len(h.rows.Stamps); n > 0 {
		last := h.rows.Stamps[n-1]
		if last.Received == received && last.ClockUnknown == clockUnknown {
			return
		}
	}
	h.day = day(received)
	h.rows.Stamps = append(h.rows.Stamps, Stamp{Row: uint32(h.rows.Len()), ClockUnknown: clockUnknown, Received: received})
}

// add appends a row under the last stamp and returns its seq. Bytes of a text
// or of data are in payload.
func (h *head) add(series, unit uint32, time int64, kind Kind, bits uint64, payload []byte) Seq {
	r := &h.rows
	seq := r.Last() + 1
	if kind == Text || kind == Data {
		bits = uint64(len(r.Blob))<<32 | uint64(len(payload))
		r.Blob = append(r.Blob, payload...)
	}
	r.Series = append(r.Series, series)
	r.Unit = append(r.Unit, unit)
	r.Time = append(r.Time, time)
	r.Kind = append(r.Kind, kind)
	r.Bits = append(r.Bits, bits)
	return seq
}

// cut closes the rows and begins a new head after them.
func (h *head) cut() (Cut, Rows) {
	c := Cut{First: h.rows.First, Last: h.rows.Last(), Digest: h.digest, Day: h.day}
	rows := h.rows
	*h = newHead(c.Last + 1)
	return c, rows
}

// frameHead has the frames not yet cut, as head has readings.
type frameHead struct {
	first  Seq
	frames []Frame
	bytes  int // of their JPEGs
	digest RowDigest
}

func (h *frameHead) next() Seq { return h.first + Seq(len(h.frames)) }

func (h *frameHead) add(f *Frame) {
	h.frames = append(h.frames, *f)
	h.bytes += int(f.Size)
	h.digest.Add(HashFrame(f))
}

func (h *frameHead) day() int32 { return day(h.frames[0].Received) }

func (h *frameHead) full() bool {
	return h.bytes >= FrameCutBytes || len(h.frames) >= FrameCutRows
}

func (h *frameHead) cut() (Cut, []Frame) {
	c := Cut{First: h.first, Last: h.next() - 1, Digest: h.digest, Day: h.day()}
	frames := h.frames
	*h = frameHead{first: c.Last + 1}
	return c, frames
}
