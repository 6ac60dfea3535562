package link

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ErrValue: a target or an attribute that link-format cannot carry.
var ErrValue = errors.New("not for link-format")

// Link is one target with what is said of it.
type Link struct {
	Target string // a URI reference, percent-encoded as it stands between < and >
	Attrs  []Attr
}

// Attr is an attribute of a link, as in rt="temperature". One without a value,
// as in obs, is Bare.
type Attr struct {
	Name  string
	Value string // without quotes and escapes; empty when Bare
	Bare  bool
}

// Flag is an attribute without a value.
func Flag(name string) Attr { return Attr{Name: name, Bare: true} }

// Attr is the first value of an attribute.
func (l *Link) Attr(name string) (value string, ok bool) {
	for i := range l.Attrs {
		if l.Attrs[i].Name == name {
			return l.Attrs[i].Value, true
		}
	}
	return "", false
}

// Validate returns an error that wraps ErrValue when Parse would not read the
// link back.
func (l *Link) Validate() error {
	if i := strings.IndexFunc(l.Target, outsideTarget); i >= 0 || !utf8.ValidString(l.Target) {
		return fmt.Errorf("%w: the target %q has a character that a URI has not", ErrValue, l.Target)
	}
	if len(l.Attrs) > MaxAttrs {
		return fmt.Errorf("%w: %d attributes, at most %d are taken", ErrValue, len(l.Attrs), MaxAttrs)
	}
	for i := range l.Attrs {
		if err := l.Attrs[i].Validate(); err != nil {
			return err
		}
	}
	return nil
}

// Validate is Link.Validate of one attribute.
func (a *Attr) Validate() error {
	switch {
	case !isName(a.Name):
		return fmt.Errorf("%w: %q is no name of an attribute", ErrValue, a.Name)
	case a.Bare && a.Value != "":
		return fmt.Errorf("%w: %s is bare and has a value", ErrValue, a.Name)
	case !utf8.ValidString(a.Value) || strings.IndexFunc(a.Value, isControl) >= 0:
		return fmt.Errorf("%w: the value of %s is not UTF-8 without control characters", ErrValue, a.Name)
	}
	return nil
}

// Append writes links after b, comma-separated. The links are valid.
func Append(b []byte, links ...Link) []byte {
	for i := range links {
		if i > 0 {
			b = append(b, ',')
		}
		b = links[i].Append(b)
	}
	return b
}

// Append writes one link after b.
func (l *Link) Append(b []byte) []byte {
	b = append(b, '<')
	b = append(b, l.Target...)
	b = append(b, '>')
	for i := range l.Attrs {
		b = l.Attrs[i].append(append(b, ';'))
	}
	return b
}

func (a *Attr) append(b []byte) []byte {
	b = append(b, a.Name...)
	if a.Bare {
		return b
	}
	b = append(b, '=')
	if a.numeric() {
		return append(b, a.Value...)
	}
	b = append(b, '"')
	for i := range len(a.Value) {
		if c := a.Value[i]; c == '"' || c == '\\' {
			b = append(b, '\\')
		}
		b = append(b, a.Value[i])
	}
	return append(b, '"')
}

// numeric tells whether a value is written without quotes: sz must be, ct and
// lt are by custom; all others are quoted, which every value may be.
func (a *Attr) numeric() bool {
	switch a.Name {
	case "sz", "ct", "lt":
		return a.Value != "" && strings.Trim(a.Value, "0123456789") == ""
	}
	return false
}

// Path is a path-absolute reference of segments, percent-encoded (RFC 3986
// section 3.3).
func Path(segments ...string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for _, segment := range segments {
		b.WriteByte('/')
		for i := range len(segment) {
			if c := segment[i]; isPathByte(c) {
				b.WriteByte(c)
			} else {
				b.Write([]byte{'%', hex[c>>4], hex[c&0xf]})
			}
		}
	}
	return b.String()
}

// isPathByte tells whether c stands in a path segment as itself. The pchar of
// RFC 3986 that some readers of link-format stumble over are encoded too.
func isPathByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~!$&*+=:@", c) >= 0
}

// isName tells whether s is a parmname, with the star of an extended one.
func isName(s string) bool {
	s = strings.TrimSuffix(s, "*")
	for i := range len(s) {
		if !isNameByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$&+-.^_`|~", c) >= 0
}

// isTokenByte tells whether c stands in a value without quotes (ptoken).
func isTokenByte(c byte) bool {
	return c > ' ' && c < 0x7f && strings.IndexByte(`",;\`, c) < 0
}

// outsideTarget tells of characters that RFC 3986 has in no reference. Those
// beyond ASCII are let through: IRIs are met in the field.
func outsideTarget(r rune) bool {
	return r <= ' ' || strings.ContainsRune("<>\"\\^`{|}", r) || isControl(r)
}

func isControl(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }
