package flash

import "strings"

// Flip is one flipped bit at rest.
type Flip struct {
	Name string // of the file then
	At   int64  // byte
	Bit  byte   // as a mask
	n    *inode
	mark *mark
}

// mark is where a bit of an inode has flipped.
type mark struct {
	at   int64
	gone bool // the byte was written over, or cut off, since
}

// written notes that bytes [from, to) are others now.
func (n *inode) written(from, to int64) {
	for _, m := range n.marks {
		m.gone = m.gone || from <= m.at && m.at < to
	}
}

// Rot flips one bit of a file with one of the prefixes. ok is false when there is
// none with content.
func (d *Disk) Rot(prefixes ...string) (f Flip, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []string
	for _, p := range prefixes {
		for _, name := range d.names(p) {
			if len(d.now[name].data) > 0 {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return f, false
	}
	f = Flip{Name: names[d.random.IntN(len(names))], Bit: 1 << d.random.IntN(8)}
	f.n = d.now[f.Name]
	f.At = d.random.Int64N(int64(len(f.n.data)))
	f.n.data[f.At] ^= f.Bit
	f.mark = &mark{at: f.At}
	f.n.marks = append(f.n.marks, f.mark)
	return f, true
}

// Stands tells the name of the file in which a flip still is: it was neither
// written over nor removed with its file.
func (d *Disk) Stands(f Flip) (name string, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f.mark.gone {
		return "", false
	}
	for name, n := range d.now {
		if n == f.n {
			return name, true
		}
	}
	return "", false
}

// With is a copy of an image's files with a prefix, with the bits of flips turned
// once more.
func (im Image) With(prefix string, flips ...Flip) Image {
	turned := Image{}
	for name, b := range im {
		if strings.HasPrefix(name, prefix) {
			turned[name] = append([]byte(nil), b...)
		}
	}
	for _, f := range flips {
		if b := turned[f.Name]; f.At < int64(len(b)) {
			b[f.At] ^= f.Bit
		}
	}
	return turned
}
