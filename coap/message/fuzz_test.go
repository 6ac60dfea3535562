package message_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"skerry/coap/message"
)

// FuzzParse checks that what is taken for a request survives its encoding, and
// that whatever is malformed is rejected aloud only in a CON.
func FuzzParse(f *testing.F) {
	seedDatagrams(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		var m, again message.Message
		kind, err := message.Parse(b, &m)
		if !bytes.Equal(b, before) {
			t.Fatal("the datagram was changed")
		}
		switch kind {
		case message.Reset, message.BadRequestOption:
			if m.Type != message.CON {
				t.Fatalf("type %d is answered by %d", m.Type, kind)
			}
			return
		case message.Request:
			if err != nil {
				t.Fatalf("a request with the error %v", err)
			}
		default:
			return
		}
		encoded, err := m.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if kind, err := message.Parse(encoded, &again); kind != message.Request {
			t.Fatalf("%x came back as %d: %v", encoded, kind, err)
		}
		if again.Code != m.Code || again.ID != m.ID || !bytes.Equal(again.Token, m.Token) || !bytes.Equal(again.Payload, m.Payload) {
			t.Fatalf("%x came back as another message", b)
		}
	})
}

func seedDatagrams(f *testing.F) {
	f.Add(datagram(f, "44 02 00 08 aabbccdd b1 72 06 70756d702d37 0b 74656d7065726174757265 11 32 ff 32312e36"))
	for _, d := range knownDatagrams(f) {
		f.Add(d.bytes)
	}
}

// option is one option of a message.
type option struct {
	number message.Number
	value  []byte
}

// FuzzOptions makes options of the input, two bytes of number, one of length
// and the value, and checks that a message gives back what was put in: by
// number, the first come first.
func FuzzOptions(f *testing.F) {
	f.Add(datagram(f, "000b 01 72 000b 06 70756d702d37 000c 01 32 0011 00"))
	f.Add(datagram(f, "ffff 00 0000 01 00 0118 02 aabb 000d 0d 00112233445566778899aabbcc 001b 03 00000e"))
	f.Add(append(datagram(f, "fde8 00 0023 ff"), bytes.Repeat([]byte{'x'}, 255)...))
	f.Fuzz(func(t *testing.T, in []byte) {
		want := optionsOf(in)
		m := message.Message{Type: message.CON, Code: message.POST}
		for _, o := range want {
			m.Add(o.number, o.value)
		}
		slices.SortStableFunc(want, func(a, b option) int { return int(a.number) - int(b.number) })
		same(t, &m, want)
		encoded, err := m.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		var got message.Message
		if kind, err := message.Parse(encoded, &got); kind != message.Request && kind != message.BadRequestOption {
			t.Fatalf("%x came back as %d: %v", encoded, kind, err)
		}
		same(t, &got, want)
	})
}

// optionsOf reads the input of FuzzOptions. Number 0 is left out: it is
// reserved, and the codec passes over it.
func optionsOf(in []byte) (list []option) {
	for len(in) >= 3 && len(list) < message.MaxOptions {
		number, n := message.Number(binary.BigEndian.Uint16(in)), int(in[2])
		in = in[3:]
		n = min(n, len(in))
		if number != 0 {
			list = append(list, option{number, in[:n]})
		}
		in = in[n:]
	}
	return list
}

// same checks that a message has these options, whichever way it is asked.
func same(t *testing.T, m *message.Message, want []option) {
	t.Helper()
	var got []option
	for n, v := range m.Options {
		got = append(got, option{n, v})
	}
	if !slices.EqualFunc(got, want, func(a, b option) bool { return a.number == b.number && bytes.Equal(a.value, b.value) }) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i, o := range want {
		if i > 0 && want[i-1].number == o.number {
			continue
		}
		first, ok := m.Option(o.number)
		if !ok || !bytes.Equal(first, o.value) {
			t.Fatalf("option %d is %x, want %x", o.number, first, o.value)
		}
		at := i
		for v := range m.Values(o.number) {
			if at >= len(want) || want[at].number != o.number || !bytes.Equal(v, want[at].value) {
				t.Fatalf("option %d has a value %x too many", o.number, v)
			}
			at++
		}
		if v, ok := m.Uint(o.number); ok && len(o.value) <= 4 {
			var whole [4]byte
			copy(whole[4-len(o.value):], o.value)
			if v != binary.BigEndian.Uint32(whole[:]) {
				t.Fatalf("option %d of %x is the number %d", o.number, o.value, v)
			}
		}
	}
}
