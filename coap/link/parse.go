package link

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// SyntaxError says where a document is not link-format, and why.
type SyntaxError struct {
	At  int // byte of the document, from 0
	Why string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("link-format, byte %d: %s", e.At, e.Why)
}

// Parse reads a document. An empty one has no links. The error is a
// *SyntaxError.
func Parse(document []byte) ([]Link, error) {
	if len(document) > MaxDocument {
		return nil, &SyntaxError{MaxDocument, fmt.Sprintf("at most %d bytes are taken", MaxDocument)}
	}
	if !utf8.Valid(document) {
		return nil, &SyntaxError{0, "it is not UTF-8"}
	}
	p := parser{s: string(document)}
	return p.document()
}

// parser walks over s; what is before at has been read.
type parser struct {
	s  string
	at int
}

func (p *parser) document() ([]Link, error) {
	var links []Link
	p.space()
	if p.at == len(p.s) {
		return nil, nil
	}
	for {
		if len(links) == MaxLinks {
			return nil, p.wrong("at most %d links are taken", MaxLinks)
		}
		l, err := p.link()
		if err != nil {
			return nil, err
		}
		links = append(links, l)
		if p.at == len(p.s) {
			return links, nil
		}
		if !p.take(',') {
			return nil, p.wrong("between links stands a comma, before an attribute a semicolon")
		}
		p.space()
	}
}

// link reads a link and the white space after it.
func (p *parser) link() (Link, error) {
	if !p.take('<') {
		return Link{}, p.wrong("a link begins with <")
	}
	from := p.at
	end := strings.IndexByte(p.s[from:], '>')
	if end < 0 {
		return Link{}, p.wrong("the target has no >")
	}
	l := Link{Target: p.s[from : from+end]}
	if i := strings.IndexFunc(l.Target, outsideTarget); i >= 0 {
		p.at += i
		return Link{}, p.wrong("the target has a character that a URI has not")
	}
	p.at += end + 1
	for p.space(); p.take(';'); p.space() {
		if len(l.Attrs) == MaxAttrs {
			return Link{}, p.wrong("at most %d attributes of a link are taken", MaxAttrs)
		}
		p.space()
		a, err := p.attr()
		if err != nil {
			return Link{}, err
		}
		l.Attrs = append(l.Attrs, a)
	}
	return l, nil
}

func (p *parser) attr() (Attr, error) {
	from := p.at
	for p.at < len(p.s) && isNameByte(p.s[p.at]) {
		p.at++
	}
	if p.at > from {
		p.take('*')
	}
	a := Attr{Name: p.s[from:p.at]}
	if a.Name == "" {
		return Attr{}, p.wrong("a semicolon is followed by the name of an attribute")
	}
	if !p.take('=') {
		a.Bare = true
		return a, nil
	}
	var err error
	if p.take('"') {
		a.Value, err = p.quoted()
	} else {
		a.Value, err = p.token()
	}
	return a, err
}

func (p *parser) token() (string, error) {
	from := p.at
	for p.at < len(p.s) && isTokenByte(p.s[p.at]) {
		p.at++
	}
	if p.at == from {
		return "", p.wrong("= is followed by a value; other than plain ASCII it stands in quotes")
	}
	return p.s[from:p.at], nil
}

// quoted reads on behind the opening quote.
func (p *parser) quoted() (string, error) {
	var b strings.Builder
	for p.at < len(p.s) {
		c, size := utf8.DecodeRuneInString(p.s[p.at:])
		if isControl(c) {
			return "", p.wrong("a control character stands in a value")
		}
		if c == '"' {
			p.at++
			return b.String(), nil
		}
		if c == '\\' {
			p.at++
			c, size = utf8.DecodeRuneInString(p.s[p.at:])
			if size == 0 || isControl(c) {
				break
			}
		}
		b.WriteString(p.s[p.at : p.at+size])
		p.at += size
	}
	return "", p.wrong("the value has no closing quote")
}

// space skips white space.
func (p *parser) space() {
	for p.at < len(p.s) && strings.IndexByte(" \t\r\n", p.s[p.at]) >= 0 {
		p.at++
	}
}

// take reads c if it is next.
func (p *parser) take(c byte) bool {
	if p.at == len(p.s) || p.s[p.at] != c {
		return false
	}
	p.at++
	return true
}

func (p *parser) wrong(format string, args ...any) error {
	return &SyntaxError{p.at, fmt.Sprintf(format, args...)}
}
