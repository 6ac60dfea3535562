package block_test

import (
	"bytes"
	"errors"
	"testing"

	"skerry/coap/block"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []byte
		want block.Option
		err  error
	}{
		{"no byte is the first and only block of 16 bytes", nil, block.Option{}, nil},
		{"one byte holds 4 bits of number", []byte{0x1e}, block.Option{Num: 1, More: true, SZX: 6}, nil},
		{"two bytes hold 12 bits of number", []byte{0x12, 0x32}, block.Option{Num: 0x123, SZX: 2}, nil},
		{"three bytes hold 20 bits of number", []byte{0xff, 0xff, 0xfe}, block.Option{Num: 1<<20 - 1, More: true, SZX: 6}, nil},
		{"zeros in front say nothing", []byte{0, 0, 0x10}, block.Option{Num: 1}, nil},
		{"four bytes are too many", []byte{0, 0, 0, 0x10}, block.Option{}, block.ErrOption},
		{"size exponent 7 is reserved", []byte{0x07}, block.Option{}, block.ErrOption},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := block.Parse(c.in)
			if got != c.want || !errors.Is(err, c.err) {
				t.Errorf("got %+v %v, want %+v %v", got, err, c.want, c.err)
			}
			if err != nil {
				return
			}
			v := got.Uint()
			again, err := block.Parse([]byte{byte(v >> 16), byte(v >> 8), byte(v)})
			if again != got || err != nil {
				t.Errorf("came back as %+v %v", again, err)
			}
		})
	}
}

func TestParseBERT(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []byte
		want block.Option
		err  error
	}{
		{"size exponent 7 stands for several blocks of 1,024 bytes", []byte{0x3f}, block.Option{Num: 3, More: true, SZX: 6, BERT: true}, nil},
		{"other exponents mean what they mean elsewhere", []byte{0x36}, block.Option{Num: 3, SZX: 6}, nil},
		{"four bytes are too many", []byte{0, 0, 0, 0x17}, block.Option{}, block.ErrOption},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := block.ParseBERT(c.in)
			if got != c.want || !errors.Is(err, c.err) {
				t.Fatalf("got %+v %v, want %+v %v", got, err, c.want, c.err)
			}
			if err == nil && got.Uint() != uint32(c.in[0]) {
				t.Errorf("came back as %#x, want %x", got.Uint(), c.in)
			}
		})
	}
}

func TestSlice_gives_many_blocks_over_a_stream(t *testing.T) {
	body := data(100_000, 1)
	part, sent, err := block.Slice(body, block.Option{Num: 10, SZX: 6, BERT: true})
	if err != nil || !bytes.Equal(part, body[10*1024:][:block.MaxBERT]) || !sent.More || !sent.BERT || sent.Num != 10 {
		t.Errorf("got %d bytes as %+v %v", len(part), sent, err)
	}
	part, sent, err = block.Slice(body, block.Option{Num: 70, SZX: 6, BERT: true})
	if err != nil || !bytes.Equal(part, body[70*1024:]) || sent.More {
		t.Errorf("got %d bytes as %+v %v, want the rest", len(part), sent, err)
	}
}

func TestOption_knows_where_its_block_is(t *testing.T) {
	for _, c := range []struct {
		in           block.Option
		size, offset int
	}{
		{block.Option{Num: 3}, 16, 48},
		{block.Option{Num: 3, SZX: 6}, 1024, 3072},
		{block.Option{Num: 1<<20 - 1, SZX: 6}, 1024, 1<<30 - 1024},
	} {
		if c.in.Size() != c.size || c.in.Offset() != c.offset {
			t.Errorf("%+v: got %d bytes at %d, want %d at %d", c.in, c.in.Size(), c.in.Offset(), c.size, c.offset)
		}
	}
}

func TestSlice(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 10) // 160 bytes
	for _, c := range []struct {
		name string
		body []byte
		in   block.Option
		size int
		more bool
		err  error
	}{
		{"the first block of several", body, block.Option{SZX: 2}, 64, true, nil},
		{"a block in the middle", body, block.Option{Num: 1, SZX: 2}, 64, true, nil},
		{"the last block is shorter", body, block.Option{Num: 2, SZX: 2}, 32, false, nil},
		{"a body that ends with a block has no empty one behind it", body, block.Option{Num: 9}, 16, false, nil},
		{"a block behind the end", body, block.Option{Num: 10}, 0, false, block.ErrRange},
		{"a body smaller than a block", body, block.Option{SZX: 6}, 160, false, nil},
		{"an empty body has one empty block", nil, block.Option{SZX: 6}, 0, false, nil},
		{"an empty body has no second block", nil, block.Option{Num: 1, SZX: 6}, 0, false, block.ErrRange},
		{"what the request says of further blocks does not count", body, block.Option{More: true, SZX: 6}, 160, false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			part, sent, err := block.Slice(c.body, c.in)
			if len(part) != c.size || sent.More != c.more || !errors.Is(err, c.err) {
				t.Fatalf("got %d bytes, more %v, %v; want %d, %v, %v", len(part), sent.More, err, c.size, c.more, c.err)
			}
			if err != nil {
				return
			}
			if sent.Num != c.in.Num || sent.SZX != c.in.SZX {
				t.Errorf("sent as %+v, want the number and size of %+v", sent, c.in)
			}
			if want := c.body[sent.Offset():][:c.size]; !bytes.Equal(part, want) {
				t.Errorf("got %q, want %q", part, want)
			}
		})
	}
}
