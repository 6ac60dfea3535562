package fsm

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Condition is what must be so of a series for a message to be stored. At most
// one of Seqs, Exists and Missing is given.
type Condition struct {
	Device   string
	Resource string
	Seqs     []Seq // its latest reading is one of these; at most MaxIfMatch (RFC 7252, section 5.10.8.1)
	Exists   bool  // it has a reading
	Missing  bool  // it has none (RFC 7252, section 5.10.8.2)
}

// Lasting tells that the condition, once it is not met, never will be: a
// series' latest seq only grows.
func (c *Condition) Lasting() bool { return !c.Exists }

// ConditionalBatch is a Batch of one item that is stored only if a condition
// is met, and refused with Precondition otherwise. As everywhere the key comes
// first: a known message gets its first answer, whatever the condition says now.
type ConditionalBatch struct {
	If    Condition
	Batch Batch
}

func (*ConditionalBatch) Op() Op                       { return OpConditional }
func (c *ConditionalBatch) appendBody(b []byte) []byte { return EncodeConditional(b, c) }

// Layout of the body of OpConditional. It begins with the sub-batch, so that
// SetBorn and SetWaited serve it too.
//
//	sub-batch of one item, see batch.go
//	condition:
//	  1 byte: 0 for none, 1 when the series has a reading, 2 when it has none,
//	          3 when its latest is one of the seqs
//	  device, resource: each uvarint length and bytes
//	  uvarint number of seqs, and 8 bytes each
//	2 bytes: length of the condition
const (
	conditionNone = iota
	conditionExists
	conditionMissing
	conditionSeqs

	contradiction = 0xff // never taken
	conditionSize = 2    // of its length
	maxCondition  = 1 + 2*binary.MaxVarintLen32 + MaxDevice + MaxResource + 1 + 8*MaxIfMatch
)

// EncodeConditional appends the body of an OpConditional entry to b.
func EncodeConditional(b []byte, c *ConditionalBatch) []byte {
	b = EncodeBatch(b, &c.Batch)
	start := len(b)
	b = append(b, c.If.tag())
	b = binary.AppendUvarint(b, uint64(len(c.If.Device)))
	b = append(b, c.If.Device...)
	b = binary.AppendUvarint(b, uint64(len(c.If.Resource)))
	b = append(b, c.If.Resource...)
	b = binary.AppendUvarint(b, uint64(len(c.If.Seqs)))
	for _, seq := range c.If.Seqs {
		b = binary.LittleEndian.AppendUint64(b, uint64(seq))
	}
	return binary.LittleEndian.AppendUint16(b, uint16(len(b)-start))
}

func (c *Condition) tag() byte {
	switch {
	case c.Exists && c.Missing, (c.Exists || c.Missing) && len(c.Seqs) > 0:
		return contradiction
	case len(c.Seqs) > 0:
		return conditionSeqs
	case c.Exists:
		return conditionExists
	case c.Missing:
		return conditionMissing
	}
	return conditionNone
}

// DecodeConditional is the inverse of EncodeConditional and checks what it
// reads. Data shares memory with body. Errors: as CheckBatch.
func DecodeConditional(body []byte) (*ConditionalBatch, error) {
	sub, condition, err := splitConditional(body)
	if err != nil {
		return nil, err
	}
	batch, err := DecodeBatch(sub)
	if err != nil {
		return nil, err
	}
	if len(batch.Items) != 1 {
		return nil, fmt.Errorf("message with a condition has %d items: %w", len(batch.Items), ErrCorrupt)
	}
	return &ConditionalBatch{If: condition, Batch: *batch}, nil
}

// splitConditional takes the body of OpConditional apart.
func splitConditional(body []byte) (sub []byte, c Condition, err error) {
	corrupt := fmt.Errorf("condition at the end of %d bytes does not have its layout: %w", len(body), ErrCorrupt)
	end := len(body) - conditionSize
	if end < 0 {
		return nil, c, corrupt
	}
	start := end - int(binary.LittleEndian.Uint16(body[end:]))
	if start < 0 || end-start > maxCondition {
		return nil, c, corrupt
	}
	in := cursor{b: body[start:end]}
	tag := in.byte()
	if tag == contradiction {
		return nil, c, fmt.Errorf("conditions contradict each other: a series must have a reading, and must have none")
	}
	c.Device = string(in.bytes(in.count(MaxDevice)))
	c.Resource = string(in.bytes(in.count(MaxResource)))
	for range in.count(MaxIfMatch) {
		c.Seqs = append(c.Seqs, Seq(in.uint64()))
	}
	c.Exists, c.Missing = tag == conditionExists, tag == conditionMissing
	if in.bad || in.at != end-start || tag != c.tag() {
		return nil, c, corrupt
	}
	if err := ValidateName("device", c.Device, MaxDevice); err != nil {
		return nil, c, err
	}
	return body[:start], c, ValidateName("resource", c.Resource, MaxResource)
}

func (s *State) applyConditional(body []byte) (Outcome, error) {
	sub, c, err := splitConditional(body)
	if err != nil {
		return Outcome{}, err
	}
	v := &s.view
	if err := v.decode(sub); err != nil {
		return Outcome{}, err
	}
	if len(v.items) != 1 {
		return Outcome{}, fmt.Errorf("message with a condition has %d items: %w", len(v.items), ErrCorrupt)
	}
	it := &v.items[0]
	hash := keyHash(&it.key)
	if o, refused := s.admit(&it.key, hash, it.content, v.born, 0); refused {
		return o, nil
	}
	if !s.met(&c) {
		return Outcome{Code: Precondition}, nil
	}
	return s.storeItem(v, it, hash), nil
}

// met tells whether a condition is met.
func (s *State) met(c *Condition) bool {
	var last Seq // 0 for a series without a reading
	if id, ok := s.series.lookup(c.Device, c.Resource); ok {
		last = s.series.latest.at(int(id)).seq
	}
	switch c.tag() {
	case conditionSeqs:
		return last != 0 && slices.Contains(c.Seqs, last)
	case conditionExists:
		return last != 0
	case conditionMissing:
		return last == 0
	}
	return true
}
