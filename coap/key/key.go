package key

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"

	"skerry/fsm"
)

// MaxName is the bound of ?id=, in bytes.
const MaxName = 64

// ErrName: an ?id= that is empty or too long.
var ErrName = errors.New("id is not taken: it has 1 to 64 bytes")

// The domains, so that no key of one kind is ever one of another.
const (
	domainContent  = 'c'
	domainName     = 'n'
	domainDatagram = 'd'
	domainSession  = 't'
	domainSameness = 's'
)

// Maker makes keys under one secret. It keeps a scratch buffer, so a Maker is
// used by one goroutine at a time.
type Maker struct {
	secret  [16]byte
	scratch []byte
}

// NewMaker returns a Maker for a site's secret.
func NewMaker(secret [16]byte) *Maker { return &Maker{secret: secret} }

// OfContent is the key of readings that all carry their own absolute time; ok
// is false when one does not.
func (m *Maker) OfContent(records []fsm.Record) (k fsm.Key, ok bool) {
	for i := range records {
		if records[i].Relative {
			return fsm.Key{}, false
		}
	}
	m.begin(domainContent)
	m.records(records)
	return m.sum(), true
}

// OfName is the key of a message that its sender named. identity is who the
// sender proved to be, or else the first record's device. The content tells
// whether the name is used again for something else; the times in it count
// only where they are absolute, because a device that measures "seconds ago"
// says a larger number each time it tries again.
func (m *Maker) OfName(identity, name string, records []fsm.Record) (k fsm.Key, content uint64, err error) {
	if name == "" || len(name) > MaxName {
		return fsm.Key{}, 0, ErrName
	}
	m.begin(domainSameness)
	m.records(records)
	content = m.content()
	m.begin(domainName)
	m.text(identity)
	m.text(name)
	return m.sum(), content, nil
}

// OfDatagram is the key of a datagram, whole with its message id, token,
// options and payload, that came from a plain CoAP endpoint.
func (m *Maker) OfDatagram(from netip.AddrPort, datagram []byte) fsm.Key {
	m.begin(domainDatagram)
	ip := from.Addr().As16()
	m.scratch = append(m.scratch, ip[:]...)
	m.scratch = binary.LittleEndian.AppendUint16(m.scratch, from.Port())
	m.scratch = append(m.scratch, datagram...)
	return m.sum()
}

// OfSession is the key of a message that came in a session, by who its peer
// proved to be and what tells it from the session's other messages: a datagram,
// whole, or the message's number in a stream.
func (m *Maker) OfSession(identity string, session uint64, said []byte) fsm.Key {
	m.begin(domainSession)
	m.text(identity)
	m.number(session)
	m.scratch = append(m.scratch, said...)
	return m.sum()
}

func (m *Maker) begin(domain byte) { m.scratch = append(m.scratch[:0], domain) }

func (m *Maker) sum() fsm.Key { return Sum128(&m.secret, m.scratch) }

// content is a sum of 64 bits that is never 0, which means "no content".
func (m *Maker) content() uint64 {
	sum := m.sum()
	return max(1, binary.LittleEndian.Uint64(sum[:]))
}

func (m *Maker) records(records []fsm.Record) {
	m.number(uint64(len(records)))
	for i := range records {
		r := &records[i]
		m.text(r.Device)
		m.text(r.Resource)
		m.text(r.Unit)
		if r.Relative {
			m.scratch = append(m.scratch, 1)
		} else {
			m.scratch = append(m.scratch, 0)
			m.number(uint64(r.Time))
		}
		m.value(&r.Value)
	}
}

func (m *Maker) value(v *fsm.Value) {
	m.scratch = append(m.scratch, byte(v.Kind))
	switch v.Kind {
	case fsm.Number:
		m.number(math.Float64bits(v.Number))
	case fsm.Flag:
		b := byte(0)
		if v.Flag {
			b = 1
		}
		m.scratch = append(m.scratch, b)
	case fsm.Text:
		m.text(v.Text)
	case fsm.Data:
		m.number(uint64(len(v.Data)))
		m.scratch = append(m.scratch, v.Data...)
	default:
		panic(fmt.Sprintf("key: value of kind %d", v.Kind)) // records are valid
	}
}

func (m *Maker) text(s string) {
	m.number(uint64(len(s)))
	m.scratch = append(m.scratch, s...)
}

func (m *Maker) number(n uint64) { m.scratch = binary.LittleEndian.AppendUint64(m.scratch, n) }
