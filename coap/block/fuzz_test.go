package block_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"skerry/coap/block"
)

// model is what Uploads does where memory is no matter, written for clarity.
type model struct {
	bodies map[block.ID][]byte // what came of each body
	last   map[block.ID]string // option and payload of the block that ended it
}

func (m *model) add(b block.Block) (block.Kind, []byte) {
	body, known := m.bodies[b.ID]
	begin, size := b.Option.Offset(), len(b.Payload)
	end := begin + size
	switch {
	case size > b.Option.Size(), b.Option.More && size != b.Option.Size():
		return block.Bad, nil
	case end > b.Limit:
		delete(m.bodies, b.ID)
		return block.TooLarge, nil
	case begin > len(body):
		if m.last[b.ID] == ending(b) {
			return block.Again, nil
		}
		return block.Incomplete, nil
	case b.Option.More && known && end <= len(body) && bytes.Equal(body[begin:end], b.Payload):
		return block.Continue, nil
	case b.Option.More:
		m.bodies[b.ID] = append(bytes.Clone(body[:begin]), b.Payload...)
		return block.Continue, nil
	}
	delete(m.bodies, b.ID)
	if begin > 0 {
		m.last[b.ID] = ending(b)
	}
	return block.Whole, append(bytes.Clone(body[:begin]), b.Payload...)
}

func ending(b block.Block) string { return fmt.Sprint(b.Option) + string(b.Payload) }

// FuzzUploads gives Uploads any blocks in any order. With memory for all it
// does what the model does; with little it may forget and refuse, but it holds
// its bounds and never makes a body that the model does not make.
//
// Four bytes are a block: transfer and peer, number, size exponent and end, and
// what the payload is.
func FuzzUploads(f *testing.F) {
	f.Add([]byte{0, 0, 0x82, 1, 0, 1, 0x82, 1, 0, 2, 0x02, 1, 0, 2, 0x02, 1})
	f.Add([]byte{0, 0, 0x80, 1, 1, 0, 0x86, 2, 0, 1, 0x80, 3, 1, 1, 0x06, 9, 0, 0, 0x80, 4})
	f.Fuzz(func(t *testing.T, ops []byte) {
		limits := block.UploadLimits{Bytes: 64 << 20, PeerTransfers: 64, Idle: 247 * time.Second}
		roomy := block.NewUploads(limits)
		limits.Bytes, limits.PeerTransfers = 16<<10, 2
		tight := block.NewUploads(limits)
		m := model{map[block.ID][]byte{}, map[block.ID]string{}}
		for now := noon; len(ops) >= 4; ops = ops[4:] {
			now = now.Add(time.Millisecond)
			b := blockOf(ops)
			kind, body := m.add(b)
			got := roomy.Add(now, b)
			if got.Kind != kind || !bytes.Equal(got.Body, body) {
				t.Fatalf("block %+v of %x became %d with %d bytes, want %d with %d", b.Option, b.ID[:4], got.Kind, len(got.Body), kind, len(body))
			}
			roomy.Finish(b.ID, block.Note{1})
			checkTight(t, tight, now, b, kind, body, limits.Bytes)
		}
	})
}

// checkTight adds a block where memory is short.
func checkTight(t *testing.T, u *block.Uploads, now time.Time, b block.Block, kind block.Kind, body []byte, limit int) {
	t.Helper()
	got := u.Add(now, b)
	if _, held := u.Load(); held > limit {
		t.Fatalf("%d bytes are held, want at most %d", held, limit)
	}
	if got.Kind == block.Whole && kind == block.Whole && !bytes.Equal(got.Body, body) {
		t.Fatalf("block %+v of %x made %d bytes, want %d others", b.Option, b.ID[:4], len(got.Body), len(body))
	}
}

// blockOf reads four bytes as a block.
func blockOf(op []byte) block.Block {
	o := block.Option{Num: uint32(op[1]), SZX: op[2] & 7 % 7, More: op[2]&0x80 != 0}
	size := o.Size()
	if op[2]&0x40 != 0 { // not what the option says
		size = int(op[3]) * 5
	} else if !o.More {
		size = min(size, int(op[3]))
	}
	// The payload depends on where it is, so that blocks of other sizes may agree.
	payload := make([]byte, size)
	for i := range payload {
		payload[i] = byte((o.Offset()+i)/16) ^ op[3]>>4
	}
	return block.Block{ID: block.ID{op[0] & 7}, Peer: block.Peer{op[0] >> 1 & 3}, Option: o, Payload: payload, Limit: 100_000}
}

// FuzzParse checks that an option survives its encoding.
func FuzzParse(f *testing.F) {
	f.Add([]byte{0x12, 0x3e})
	f.Fuzz(func(t *testing.T, value []byte) {
		o, err := block.Parse(value)
		if err != nil {
			return
		}
		v := o.Uint()
		if again, err := block.Parse([]byte{byte(v >> 16), byte(v >> 8), byte(v)}); again != o || err != nil {
			t.Fatalf("%x came back as %+v %v", value, again, err)
		}
		if o.Size() < 16 || o.Size() > block.MaxSize || o.Offset()%o.Size() != 0 {
			t.Fatalf("%+v has %d bytes at %d", o, o.Size(), o.Offset())
		}
	})
}
