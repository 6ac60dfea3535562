package segmented_test

import (
	"bytes"
	"encoding/hex"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/logstore/segmented"
)

func TestTheBytesOfRecordsAndHeadsStayWhatTheyAre(t *testing.T) {
	e := &raft.Log{Index: 7, Term: 3, Type: raft.LogConfiguration, Data: []byte("data"), Extensions: []byte("x"), AppendedAt: time.Unix(1, 2)}
	const record = "a5571e7a040000000700000000000000030000000000000002ca9a3b0000000009000000010005016461746178000000"
	if got := hex.EncodeToString(segmented.Encode(0x0102030405060708, 9, true, e)); got != record {
		t.Errorf("record\n%s, want\n%s", got, record)
	}
	const head = "736b657272796c670100000001000000010000000000000002000000000000000300000000000000000000009cefaae3"
	if got := hex.EncodeToString(segmented.EncodeHead(1, 2, 3, true)); got != head {
		t.Errorf("head\n%s, want\n%s", got, head)
	}
}

func FuzzRecord(f *testing.F) {
	const salt = 77
	f.Add(segmented.Encode(salt, 1, true, &raft.Log{Index: 1, Term: 1, Data: []byte("abc"), AppendedAt: time.Unix(5, 6)}))
	f.Add(segmented.Encode(salt, 9, false, &raft.Log{Index: 1 << 40, Type: raft.LogNoop, Extensions: make([]byte, 9)}))
	f.Add(make([]byte, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, batch, last, ok := segmented.Decode(b, salt)
		if !ok {
			return
		}
		again := segmented.Encode(salt, batch, last, &e)
		used := 40 + len(e.Data) + len(e.Extensions)
		if !bytes.Equal(again[:39], b[:39]) || !bytes.Equal(again[40:used], b[40:used]) {
			t.Errorf("%x is read and would be written as %x", b, again)
		}
		if _, _, _, ok := segmented.Decode(b, salt+1); ok {
			t.Error("a record of another segment is taken")
		}
	})
}

func FuzzHead(f *testing.F) {
	f.Add(segmented.EncodeHead(1, 2, 3, true))
	f.Add(segmented.EncodeHead(1<<40, 2, 1<<50, false))
	f.Fuzz(func(t *testing.T, b []byte) {
		serial, salt, first, alone, err := segmented.DecodeHead(b)
		if err != nil {
			return
		}
		s, x, g, a, err := segmented.DecodeHead(segmented.EncodeHead(serial, salt, first, alone))
		if err != nil || s != serial || x != salt || g != first || a != alone {
			t.Errorf("head %d %x %d %t comes back as %d %x %d %t (%v)", serial, salt, first, alone, s, x, g, a, err)
		}
	})
}
