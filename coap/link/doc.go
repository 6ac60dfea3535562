// Package link reads and writes CoRE link-format (RFC 6690, content format 40):
// lists of resources with attributes, as in
//
//	</r/pump-7/temperature>;rt="skerry.series";ct="0 110 112";obs
//
// Parse takes what the RFC's grammar allows and, beyond it, white space around
// separators, which devices write. It refuses anything else as a whole: a
// *SyntaxError names the byte. Links and attributes keep their order. Append
// writes what Parse reads back as the same links.
//
// A Filter holds what a client asks of links (RFC 6690 section 4.1, RFC 9176
// section 6.2), and a Base turns references into URIs for the answers of a
// resource directory (RFC 9176 section 6.1). The package is pure: it knows no
// clock, socket or message.
package link

// Bounds of one document.
const (
	MaxDocument = 64 << 10 // bytes
	MaxLinks    = 1024
	MaxAttrs    = 32 // of one link
)
