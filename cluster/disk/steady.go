package disk

import "io"

// Pusher is a File that can have the system begin to write a range of it to the
// disk. It promises nothing: only Sync makes anything durable, and says what failed.
type Pusher interface {
	Push(off, n int64)
}

// pushBytes is how much is written between two pushes.
const pushBytes = 1 << 20

// Steady writes to the end of f and pushes each megabyte while the next one is
// made. So Sync finds little left to do, and the log, which is synced all the time,
// does not queue behind all of it on a disk that they share.
func Steady(f File) io.Writer {
	p, ok := f.(Pusher)
	if !ok {
		return f
	}
	size, err := f.Size()
	if err != nil {
		return f // a write will say so
	}
	return &steady{f: f, p: p, from: size, to: size}
}

// steady has written up to to and pushed up to from.
type steady struct {
	f        File
	p        Pusher
	from, to int64
}

func (s *steady) Write(b []byte) (int, error) {
	n, err := s.f.Write(b)
	s.to += int64(n)
	if err == nil && s.to-s.from >= pushBytes {
		s.p.Push(s.from, s.to-s.from)
		s.from = s.to
	}
	return n, err
}
