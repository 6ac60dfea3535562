//go:build e2e

package e2e_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The tests write and read CoAP with a codec of their own: an error in skerry's
// would not show where both sides have it. tshark reads along.

// wire is a CoAP message (RFC 7252 section 3).
type wire struct {
	kind    string // CON, NON, ACK, RST
	code    string // a method's name, or as 2.05; 0.00 is empty
	id      uint16
	token   string
	options []wireOption
	payload string
}

// wireOption is an option in its encoded form.
type wireOption struct {
	number int
	value  string
}

var wireKinds = []string{"CON", "NON", "ACK", "RST"}

// wireMethods are the methods by their code (RFC 7252 section 12.1.1, RFC 8132).
var wireMethods = []string{"", "GET", "POST", "PUT", "DELETE", "FETCH", "PATCH", "iPATCH"}

// optionForm is how an option's value is written in a scenario.
type optionForm uint8

const (
	opaqueForm optionForm = iota // hex
	stringForm
	uintForm
	blockForm // number/M/size, or number/_/size
	emptyForm
)

// wireOptions are the options that scenarios name.
var wireOptions = map[string]struct {
	number int
	form   optionForm
}{
	"If-Match":       {1, opaqueForm},
	"ETag":           {4, opaqueForm},
	"If-None-Match":  {5, emptyForm},
	"Observe":        {6, uintForm},
	"Location-Path":  {8, stringForm},
	"Uri-Path":       {11, stringForm},
	"Content-Format": {12, uintForm},
	"Max-Age":        {14, uintForm},
	"Uri-Query":      {15, stringForm},
	"Accept":         {17, uintForm},
	"Location-Query": {20, stringForm},
	"Block2":         {23, blockForm},
	"Block1":         {27, blockForm},
	"Size2":          {28, uintForm},
	"Size1":          {60, uintForm},
}

// encodeOption makes the bytes of an option's value.
func encodeOption(form optionForm, text string) (string, error) {
	switch form {
	case uintForm:
		var n uint64
		if _, err := fmt.Sscanf(text, "%d", &n); err != nil {
			return "", fmt.Errorf("%q is no number", text)
		}
		return encodeUint(n), nil
	case blockForm:
		var number, size uint64
		var more rune
		if _, err := fmt.Sscanf(text, "%d/%c/%d", &number, &more, &size); err != nil {
			return "", fmt.Errorf("%q is no block", text)
		}
		exponent := slices.Index([]uint64{16, 32, 64, 128, 256, 512, 1024}, size)
		if exponent < 0 {
			return "", fmt.Errorf("%q is no block", text)
		}
		n := number<<4 | uint64(exponent)
		if more == 'M' {
			n |= 8
		}
		return encodeUint(n), nil
	case opaqueForm:
		var b []byte
		if _, err := fmt.Sscanf(text, "%x", &b); err != nil {
			return "", fmt.Errorf("%q is no hex", text)
		}
		return string(b), nil
	}
	return text, nil
}

// decodeOption writes an option's value as scenarios do.
func decodeOption(form optionForm, value string) string {
	switch form {
	case uintForm:
		return fmt.Sprint(decodeUint(value))
	case blockForm:
		n := decodeUint(value)
		more := '_'
		if n&8 != 0 {
			more = 'M'
		}
		return fmt.Sprintf("%d/%c/%d", n>>4, more, 16<<(n&7))
	case opaqueForm:
		return fmt.Sprintf("%x", value)
	}
	return value
}

func encodeUint(n uint64) string {
	var b []byte
	for ; n > 0; n >>= 8 {
		b = append([]byte{byte(n)}, b...)
	}
	return string(b)
}

func decodeUint(value string) (n uint64) {
	for _, b := range []byte(value) {
		n = n<<8 | uint64(b)
	}
	return n
}

// option is the first value of a named option, as scenarios write it.
func (w *wire) option(name string) (string, bool) {
	if all := w.values(name); len(all) > 0 {
		return all[0], true
	}
	return "", false
}

func (w *wire) values(name string) []string {
	var list []string
	for _, o := range w.options {
		if o.number == wireOptions[name].number {
			list = append(list, decodeOption(wireOptions[name].form, o.value))
		}
	}
	return list
}

// add adds a named option, its value as scenarios write it.
func (w *wire) add(name, text string) error {
	known, ok := wireOptions[name]
	if !ok {
		return fmt.Errorf("option %s is not known here", name)
	}
	value, err := encodeOption(known.form, text)
	if err != nil {
		return fmt.Errorf("option %s: %w", name, err)
	}
	w.options = append(w.options, wireOption{known.number, value})
	return nil
}

func (w *wire) encode() []byte {
	var class, detail int
	if method := slices.Index(wireMethods, w.code); method > 0 {
		detail = method
	} else if _, err := fmt.Sscanf(w.code, "%d.%d", &class, &detail); err != nil {
		panic("a code " + w.code)
	}
	b := []byte{byte(1<<6 | slices.Index(wireKinds, w.kind)<<4 | len(w.token)), byte(class<<5 | detail)}
	b = append(append(b, byte(w.id>>8), byte(w.id)), w.token...)
	options := slices.Clone(w.options)
	slices.SortStableFunc(options, func(a, b wireOption) int { return a.number - b.number })
	last := 0
	for _, o := range options {
		delta, more := nibble(o.number - last)
		size, evenMore := nibble(len(o.value))
		b = append(b, delta<<4|size)
		b = append(append(append(b, more...), evenMore...), o.value...)
		last = o.number
	}
	if w.payload != "" {
		b = append(append(b, 0xff), w.payload...)
	}
	return b
}

// nibble is a number in an option's head: four bits, and what follows them.
func nibble(n int) (byte, []byte) {
	switch {
	case n < 13:
		return byte(n), nil
	case n < 269:
		return 13, []byte{byte(n - 13)}
	}
	return 14, []byte{byte((n - 269) >> 8), byte(n - 269)}
}

var errWire = errors.New("no CoAP message")

func decodeWire(b []byte) (*wire, error) {
	if len(b) < 4 || b[0]>>6 != 1 || len(b) < 4+int(b[0]&15) {
		return nil, fmt.Errorf("%w: %x", errWire, b)
	}
	w := &wire{kind: wireKinds[b[0]>>4&3], code: fmt.Sprintf("%d.%02d", b[1]>>5, b[1]&31), id: uint16(b[2])<<8 | uint16(b[3])}
	size := int(b[0] & 15)
	w.token = string(b[4 : 4+size])
	rest := b[4+size:]
	for number := 0; len(rest) > 0; {
		if rest[0] == 0xff {
			w.payload = string(rest[1:])
			break
		}
		head := rest[0]
		delta, rest2, ok := unnibble(head>>4, rest[1:])
		size, rest3, ok2 := unnibble(head&15, rest2)
		if !ok || !ok2 || size > len(rest3) {
			return nil, fmt.Errorf("%w: %x", errWire, b)
		}
		number += delta
		w.options = append(w.options, wireOption{number, string(rest3[:size])})
		rest = rest3[size:]
	}
	return w, nil
}

func unnibble(n byte, rest []byte) (int, []byte, bool) {
	switch {
	case n < 13:
		return int(n), rest, true
	case n == 13 && len(rest) >= 1:
		return int(rest[0]) + 13, rest[1:], true
	case n == 14 && len(rest) >= 2:
		return (int(rest[0])<<8 | int(rest[1])) + 269, rest[2:], true
	}
	return 0, nil, false
}

// String is for the messages of tests that fail.
func (w *wire) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", w.kind, w.code)
	for _, o := range w.options {
		name, form := fmt.Sprintf("option %d", o.number), opaqueForm
		for known, option := range wireOptions {
			if option.number == o.number {
				name, form = known, option.form
			}
		}
		fmt.Fprintf(&b, " %s=%s", name, decodeOption(form, o.value))
	}
	fmt.Fprintf(&b, " %.200q", w.payload)
	return b.String()
}
