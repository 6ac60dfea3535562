package camera

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"

	"skerry/fsm"
)

// Bounds of one part of a stream, in bytes.
const (
	maxPartHeader = 4 << 10
	maxPart       = fsm.MaxFrame + maxPartHeader
)

// errPartTooLarge: no boundary within maxPart bytes.
var errPartTooLarge = fmt.Errorf("%w: no boundary within %d bytes", ErrTooLarge, maxPart)

// parts reads the parts of a multipart/x-mixed-replace body as cameras really
// send them. It holds at most one part and one read ahead.
//
// mime/multipart does not serve here: it insists on the boundary as announced,
// while cameras announce it with or without the leading dashes and send it
// with, without or with too many; and it cannot skip a part that is too large.
type parts struct {
	r        io.Reader
	boundary []byte // without leading dashes
	buf      []byte // read and not consumed
	started  func() // called when the first byte of a part's body is there
}

// readSize is how much is read at a time.
const readSize = 32 << 10

// boundaryParameter finds a boundary in a Content-Type that RFC 2045 forbids.
var boundaryParameter = regexp.MustCompile(`(?i)boundary=\s*"?([^;"]*)`)

// boundaryOf finds the boundary in a Content-Type, without leading dashes. It is
// "" when there is none.
func boundaryOf(contentType string) string {
	if _, params, err := mime.ParseMediaType(contentType); err == nil {
		return strings.TrimLeft(params["boundary"], "-")
	}
	if m := boundaryParameter.FindStringSubmatch(contentType); m != nil {
		return strings.TrimLeft(strings.TrimSpace(m[1]), "-")
	}
	return ""
}

// next returns the body of the next part; the slice is the caller's. A part
// that is too large is skipped and gives an error that is ErrTooLarge, after
// which next may be called again. At the end of the stream it is io.EOF or
// io.ErrUnexpectedEOF.
func (p *parts) next() ([]byte, error) {
	length, err := p.header()
	if err != nil {
		return nil, err
	}
	if p.started != nil {
		p.started()
	}
	for searched := 0; ; {
		// A length is believed when the bytes it names are a whole picture;
		// what is wrong or missing costs the wait for the next boundary.
		if length > 0 && len(p.buf) >= length && whole(p.buf[:length]) {
			return p.take(length), nil
		}
		if end, ok := p.delimiter(searched); ok {
			return p.take(end), nil
		}
		searched = max(0, len(p.buf)-len(p.boundary)-8)
		if len(p.buf) > maxPart {
			return nil, p.skip()
		}
		if err := p.fill(); err != nil {
			return nil, unexpected(err)
		}
	}
}

// header reads up to the first byte of a part's body and returns the announced
// Content-Length, 0 when there is none of use.
func (p *parts) header() (length int, err error) {
	if err := p.skipDelimiter(); err != nil {
		return 0, err
	}
	for {
		if end, n := headerEnd(p.buf); end >= 0 {
			h, _ := textproto.NewReader(bufio.NewReader(bytes.NewReader(append(p.buf[:end:end], "\r\n\r\n"...)))).ReadMIMEHeader()
			p.buf = p.buf[end+n:]
			length, err = strconv.Atoi(strings.TrimSpace(h.Get("Content-Length")))
			if err != nil || length < 0 || length > fsm.MaxFrame {
				length = 0
			}
			return length, nil
		}
		if len(p.buf) > maxPartHeader {
			return 0, fmt.Errorf("%w: part header has more than %d bytes", ErrBroken, maxPartHeader)
		}
		if err := p.fill(); err != nil {
			return 0, unexpected(err)
		}
	}
}

// headerEnd finds the blank line that ends a header, -1 if it has not come, and
// the length of what separates header and body.
func headerEnd(b []byte) (at, length int) {
	switch {
	case bytes.HasPrefix(b, []byte("\r\n")):
		return 0, 2
	case bytes.HasPrefix(b, []byte("\n")):
		return 0, 1
	}
	crlf, lf := bytes.Index(b, []byte("\r\n\r\n")), bytes.Index(b, []byte("\n\n"))
	if crlf >= 0 && (lf < 0 || crlf < lf) {
		return crlf, 4
	}
	return lf, 2
}

// skipDelimiter consumes everything up to the end of the next boundary line.
// Where the stream has not announced its boundary, the first line is it.
func (p *parts) skipDelimiter() error {
	for {
		if len(p.boundary) == 0 {
			if err := p.learnBoundary(); err != nil {
				return err
			}
		}
		if len(p.boundary) > 0 {
			if i := bytes.Index(p.buf, p.boundary); i >= 0 {
				if end := bytes.IndexByte(p.buf[i:], '\n'); end >= 0 {
					p.buf = p.buf[i+end+1:]
					return nil
				}
			} else if keep := len(p.boundary) + 8; len(p.buf) > keep {
				p.buf = p.buf[len(p.buf)-keep:]
			}
		}
		if len(p.buf) > maxPartHeader {
			return fmt.Errorf("%w: no end of line after a boundary", ErrBroken)
		}
		if err := p.fill(); err != nil {
			return err
		}
	}
}

// learnBoundary takes the first line of the stream, once it is there, as its
// boundary.
func (p *parts) learnBoundary() error {
	line, _, ok := bytes.Cut(bytes.TrimLeft(p.buf, "\r\n"), []byte("\n"))
	if !ok {
		return nil
	}
	p.boundary = bytes.Clone(bytes.Trim(line, "-\r "))
	if len(p.boundary) == 0 || !bytes.HasPrefix(line, []byte("--")) {
		return fmt.Errorf("%w: the stream does not begin with a boundary", ErrBroken)
	}
	return nil
}

// delimiter finds where a body ends: before a boundary at the start of a line
// or right behind a picture's last byte, with any number of dashes.
func (p *parts) delimiter(from int) (end int, ok bool) {
	for {
		i := bytes.Index(p.buf[from:], p.boundary)
		if i < 0 {
			return 0, false
		}
		at := from + i
		from = at + 1
		body := bytes.TrimRight(p.buf[:at], "-")
		if cut, ok := bytes.CutSuffix(body, []byte("\n")); ok {
			return len(bytes.TrimSuffix(cut, []byte("\r"))), true
		}
		if bytes.HasSuffix(body, []byte{0xff, 0xd9}) {
			return len(body), true
		}
	}
}

// skip drops a part that is too large, up to its delimiter.
func (p *parts) skip() error {
	for {
		if end, ok := p.delimiter(0); ok {
			p.buf = p.buf[end:]
			return errPartTooLarge
		}
		if keep := len(p.boundary) + 8; len(p.buf) > keep {
			p.buf = append(p.buf[:0], p.buf[len(p.buf)-keep:]...)
		}
		if err := p.fill(); err != nil {
			return unexpected(err)
		}
	}
}

// take consumes n bytes and returns a copy of them.
func (p *parts) take(n int) []byte {
	b := bytes.Clone(p.buf[:n])
	p.buf = p.buf[n:]
	return b
}

// fill reads more. Its buffer moves to the front of fresh memory when full.
func (p *parts) fill() error {
	if cap(p.buf)-len(p.buf) < readSize {
		grown := make([]byte, len(p.buf), 2*len(p.buf)+2*readSize)
		copy(grown, p.buf)
		p.buf = grown
	}
	n, err := p.r.Read(p.buf[len(p.buf) : len(p.buf)+readSize])
	p.buf = p.buf[:len(p.buf)+n]
	if n > 0 {
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// unexpected turns the end of a stream inside a part into what it is.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
