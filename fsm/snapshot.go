package fsm

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"io"
	"slices"
)

// Layout of a snapshot. Its format is that of the site's level, one more than
// the level, so that any server of the site can read it. A later format only
// adds: it begins as the one before.
// Equal states have equal snapshots. Integers are little-endian where they have a size and
// uvarint where they have none; a list is its uvarint length and its elements;
// a string is a list of bytes.
//
//	8 bytes  "skerry\x00S"
//	4        format version
//	string   CBOR map of the single values, see snapshotValues
//	list     series by id: strings device, resource
//	list     units by id, without unit 0: string
//	         latest of each series by id: 1 byte kind, 0 for none; unit;
//	         8 seq, 8 time, 8 received; 8 bits, or string for texts and data
//	list     latest frames in the order of their series' first one: frame
//	list     generations of the window: 8 number; list of slots by hash and key:
//	         16 key, 8 content, 8 first seq with bit 63 set for a frame
//	2 lists  cuts of readings, of frames: 8 first, 8 last, 16 digest, 4 day
//	3 lists  synced ranges of readings, frames, gaps: 8 first, 8 last
//	list     gaps: 8 first, 8 last, 8 count, string reason
//	list     tasks by ID: string of CBOR, see Task
//	list     open rows: columns of series 4, unit 4, time 8, kind 1, bits 8
//	string   bytes of the open rows' texts and data
//	list     stamps of the open rows: 4 row, 1 clock unknown, 8 received
//	list     open frames: frame
//
// and from version 2 on, each list by name and each element a string of CBOR:
//
//	list     registered devices: see DeviceRecord
//	2 lists  documents, desired and reported: string device, string of CBOR, see storedDocument
//	list     registrations of the resource directory by ID: see Registration
//	list     leases: see Lease
//
// From version 3 on the level is among the single values, and this follows:
//
//	string   CBOR map of what is retained, see retainedValues
//	2 x      by cut of readings, of frames: 8 log time at which it was closed
//	         by gap: 1 stream
//	list     servers without some of their copies: see copies
//	list     erasures by device: see Erasure
//	list     restores: 8 last seq of readings, of frames, of gaps
//
// and a latest frame may have seq 0: it was erased.
//
// and at the end of any version
//
//	32       SHA-256 of all before
//
// A frame is strings device, resource; 8 seq, 8 time, 8 received, 4 width,
// 4 height, 4 size, 32 SHA-256.
const snapshotMagic = "skerry\x00S"

// snapshotValues are the single values of a state. Keys are only added.
type snapshotValues struct {
	Genesis      Genesis         `cbor:"1,keyasint"`
	Begun        bool            `cbor:"2,keyasint"`
	Incarnation  uint64          `cbor:"3,keyasint"`
	LogTime      LogTime         `cbor:"4,keyasint"`
	Received     int64           `cbor:"5,keyasint"`
	ClockUnknown bool            `cbor:"6,keyasint"`
	DigestIndex  uint64          `cbor:"7,keyasint"`
	Digest       [32]byte        `cbor:"8,keyasint"`
	Versions     [streams]uint64 `cbor:"9,keyasint"` // ship counters

	// From version 2 on.
	RegistryVersion uint64 `cbor:"10,keyasint"`
	DocumentVersion uint64 `cbor:"11,keyasint"`

	// From version 3 on.
	Level Level `cbor:"12,keyasint,omitempty"`

	// RetainedFrom is by stream where rows were dropped; none where not.
	RetainedFrom []Seq `cbor:"13,keyasint,omitempty"`

	// Seen are servers by ID, where any were told of.
	Seen   []Seen  `cbor:"20,keyasint,omitempty"`
	SeenAt LogTime `cbor:"21,keyasint,omitempty"`

	Trial string `cbor:"255,keyasint,omitempty"` // of TrialLevel
}

// Snapshot is a state as it was. It does not change and is safe for concurrent
// use beside the state it was taken of.
type Snapshot struct {
	values      snapshotValues
	names       Names
	latest      pages[latest]
	frameLatest pages[Frame]
	window      []generation
	cuts        [2][]Cut
	synced      [streams]IntervalSet
	gaps        []Gap
	tasks       []Task
	rows        Rows
	frames      []Frame

	devices       ordered[DeviceRecord]
	documents     [kinds]ordered[storedDocument]
	registrations ordered[Registration]
	leases        ordered[Lease]

	retained retained
	erasures Erasures
	erased   uint64
	origins  []origin
}

// Snapshot returns the state as it is now. It takes time by the number of
// pages of series and of tasks, not by what they hold.
func (s *State) Snapshot() *Snapshot {
	snap := &Snapshot{
		values: snapshotValues{
			Genesis: s.genesis, Begun: s.begun, Incarnation: s.incarnation,
			LogTime: s.logTime, Received: s.received, ClockUnknown: s.clockUnknown,
			DigestIndex: s.chain.index, Digest: s.chain.sum, Versions: s.versions,
			RegistryVersion: s.registry.version, DocumentVersion: s.documents.version,
			Seen: s.seen, SeenAt: s.seenAt, Trial: s.trial,
		},
		names:       s.series.names,
		latest:      s.series.latest.share(),
		frameLatest: s.series.frames.share(),
		window:      s.window.freeze(),
		cuts:        s.cuts,
		synced:      s.synced,
		gaps:        s.gaps,
		tasks:       slices.Clone(s.tasks),
		rows:        s.head.rows,
		frames:      s.frames.frames,

		devices:       s.registry.devices.share(),
		registrations: s.directory.entries.share(),
		leases:        s.leases.share(),

		retained: s.retained, erasures: s.erasures, erased: s.erased, origins: s.origins,
	}
	snap.retained.copies = s.retained.copies.share()
	if from := s.retained.from; from != [2]Seq{1, 1} {
		snap.values.RetainedFrom = from[:]
	}
	if s.level > FirstLevel {
		snap.values.Level = s.level
	}
	for kind := range snap.documents {
		snap.documents[kind] = s.documents.kinds[kind].share()
	}
	return snap
}

// Level is State.Level as of the snapshot.
func (s *Snapshot) Level() Level { return max(s.values.Level, FirstLevel) }

// Digest is State.Digest as of the snapshot.
func (s *Snapshot) Digest() (index uint64, sum [32]byte) {
	return s.values.DigestIndex, s.values.Digest
}

// Cuts is State.Cuts as of the snapshot.
func (s *Snapshot) Cuts(of Stream) []Cut {
	if of > Frames {
		return nil
	}
	return slices.Clip(s.cuts[of])
}

// RetainedFrom is State.RetainedFrom as of the snapshot.
func (s *Snapshot) RetainedFrom(of Stream) Seq { return s.retained.from[of] }

// OpenFrames is State.OpenFrames as of the snapshot.
func (s *Snapshot) OpenFrames() []Frame { return slices.Clip(s.frames) }

// WriteTo writes the snapshot for Restore. Errors are w's.
func (s *Snapshot) WriteTo(w io.Writer) (int64, error) {
	p := &snapshotWriter{w: w, hash: sha256.New(), rest: RestOf(w)}
	p.b = append(p.b, snapshotMagic...)
	p.uint32(snapshotVersion(s.Level()))
	p.string(string(appendCBOR(nil, &s.values)))
	s.writeSeries(p)
	s.writeWindow(p)
	s.writeStreams(p)
	s.writeHead(p)
	s.writeDevices(p)
	if s.Level() >= retentionLevel {
		s.writeRetained(p)
		s.writeOrigins(p)
	}
	p.flush()
	p.b = p.hash.Sum(p.b)
	p.flush()
	return p.n, p.err
}

func (s *Snapshot) writeSeries(p *snapshotWriter) {
	p.count(len(s.names.Series))
	for _, name := range s.names.Series {
		p.string(name.Device)
		p.string(name.Resource)
	}
	p.count(len(s.names.Units) - 1)
	for _, unit := range s.names.Units[1:] {
		p.string(unit)
	}
	for i := range s.latest.n {
		p.latest(s.latest.at(i))
	}
	p.count(s.frameLatest.n)
	for i := range s.frameLatest.n {
		p.frame(s.frameLatest.at(i))
	}
}

func (s *Snapshot) writeWindow(p *snapshotWriter) {
	p.count(len(s.window))
	for i := range s.window {
		g := &s.window[i]
		p.uint64(uint64(g.number))
		p.count(g.n)
		packed := g.packed
		if len(g.tables) > 0 { // however it lies here, the same bytes
			packed = pack(g.n, g.each, p.rest)
		}
		if packed != nil {
			packed.each(p.slot)
		}
	}
}

func (s *Snapshot) writeStreams(p *snapshotWriter) {
	for _, cuts := range s.cuts {
		p.count(len(cuts))
		for _, c := range cuts {
			p.uint64(uint64(c.First))
			p.uint64(uint64(c.Last))
			p.uint64(c.Digest[0])
			p.uint64(c.Digest[1])
			p.uint32(uint32(c.Day))
		}
	}
	for _, synced := range s.synced {
		p.count(len(synced))
		for _, iv := range synced {
			p.uint64(uint64(iv.First))
			p.uint64(uint64(iv.Last))
		}
	}
	p.count(len(s.gaps))
	for _, g := range s.gaps {
		p.uint64(uint64(g.First))
		p.uint64(uint64(g.Last))
		p.uint64(g.Count)
		p.string(g.Reason)
	}
	p.count(len(s.tasks))
	for i := range s.tasks {
		p.string(string(appendCBOR(nil, &s.tasks[i])))
	}
}

func (s *Snapshot) writeHead(p *snapshotWriter) {
	p.count(s.rows.Len())
	for _, v := range s.rows.Series {
		p.uint32(v)
	}
	for _, v := range s.rows.Unit {
		p.uint32(v)
	}
	for _, v := range s.rows.Time {
		p.uint64(uint64(v))
	}
	for _, v := range s.rows.Kind {
		p.byte(byte(v))
	}
	for _, v := range s.rows.Bits {
		p.uint64(v)
	}
	p.count(len(s.rows.Blob))
	p.bytes(s.rows.Blob)
	p.count(len(s.rows.Stamps))
	for _, st := range s.rows.Stamps {
		p.uint32(st.Row)
		p.bool(st.ClockUnknown)
		p.uint64(uint64(st.Received))
	}
	p.count(len(s.frames))
	for i := range s.frames {
		p.frame(&s.frames[i])
	}
}

func (s *Snapshot) writeDevices(p *snapshotWriter) {
	writeOrdered(p, &s.devices)
	for kind := range s.documents {
		p.count(s.documents[kind].n)
		for device, d := range s.documents[kind].all() {
			p.string(device)
			p.string(string(appendCBOR(nil, d)))
		}
	}
	writeOrdered(p, &s.registrations)
	writeOrdered(p, &s.leases)
}

// writeOrdered writes values that know their names.
func writeOrdered[V any](p *snapshotWriter, o *ordered[V]) {
	p.count(o.n)
	for _, v := range o.all() {
		p.string(string(appendCBOR(nil, v)))
	}
}

// snapshotWriter packs, hashes and writes in pieces of about pieceSize. After
// the first error it writes nothing.
type snapshotWriter struct {
	w    io.Writer
	rest func() // see Rester
	hash hash.Hash
	b    []byte
	n    int64
	err  error
}

const pieceSize = 64 << 10

func (p *snapshotWriter) flush() {
	p.hash.Write(p.b)
	if p.err == nil {
		var n int
		n, p.err = p.w.Write(p.b)
		p.n += int64(n)
	}
	p.b = p.b[:0]
}

func (p *snapshotWriter) full() {
	if len(p.b) >= pieceSize {
		p.flush()
	}
}

func (p *snapshotWriter) byte(v byte)     { p.b = append(p.b, v); p.full() }
func (p *snapshotWriter) uint32(v uint32) { p.b = binary.LittleEndian.AppendUint32(p.b, v); p.full() }
func (p *snapshotWriter) uint64(v uint64) { p.b = binary.LittleEndian.AppendUint64(p.b, v); p.full() }
func (p *snapshotWriter) count(n int)     { p.b = binary.AppendUvarint(p.b, uint64(n)) }
func (p *snapshotWriter) bytes(v []byte)  { p.b = append(p.b, v...); p.full() }

func (p *snapshotWriter) string(v string) {
	p.count(len(v))
	p.b = append(p.b, v...)
	p.full()
}

func (p *snapshotWriter) bool(v bool) {
	if v {
		p.byte(1)
	} else {
		p.byte(0)
	}
}

func (p *snapshotWriter) slot(s *slot) {
	p.bytes(s.key[:])
	p.uint64(s.content)
	p.uint64(s.first)
}

func (p *snapshotWriter) latest(l *latest) {
	p.byte(byte(l.kind))
	if l.kind == 0 {
		return
	}
	p.count(int(l.unit))
	p.uint64(uint64(l.seq))
	p.uint64(uint64(l.time))
	p.uint64(uint64(l.received))
	if l.kind == Text || l.kind == Data {
		p.count(len(l.payload))
		p.bytes(l.payload)
	} else {
		p.uint64(l.bits)
	}
}

func (p *snapshotWriter) frame(f *Frame) {
	p.string(f.Device)
	p.string(f.Resource)
	p.uint64(uint64(f.Seq))
	p.uint64(uint64(f.Time))
	p.uint64(uint64(f.Received))
	p.uint32(f.Width)
	p.uint32(f.Height)
	p.uint32(f.Size)
	p.bytes(f.SHA256[:])
}
