package delta

import (
	"errors"
	"fmt"
)

var (
	// ErrOrder: a commit that does not follow the one before.
	ErrOrder = errors.New("commit out of order")
	// ErrTwice: a file added while it is in the table.
	ErrTwice = errors.New("file added twice")
	// ErrAbsent: a file removed that is not in the table.
	ErrAbsent = errors.New("removed file is not in the table")
)

// Log is what a prefix of a table's commits adds up to.
type Log struct {
	Version  int64 // of the last commit, -1 before the first
	Protocol Protocol
	MetaData MetaData
	Txns     map[string]int64 // by application
	Files    map[string]Add   // in the table, by path
}

// NewLog is the log before its first commit.
func NewLog() *Log {
	return &Log{Version: -1, Txns: map[string]int64{}, Files: map[string]Add{}}
}

// Apply adds commit n. The error joins all that cannot be (ErrOrder, ErrTwice,
// ErrAbsent); the commit counts all the same, so that a verifier can go on.
func (l *Log) Apply(n int64, c *Commit) error {
	var errs []error
	if n != l.Version+1 {
		errs = append(errs, fmt.Errorf("%w: %d after %d", ErrOrder, n, l.Version))
	}
	l.Version = n
	if c.Protocol != nil {
		l.Protocol = *c.Protocol
	}
	if c.MetaData != nil {
		l.MetaData = *c.MetaData
	}
	for _, t := range c.Txns {
		l.Txns[t.AppID] = t.Version
	}
	for _, r := range c.Removes {
		if _, ok := l.Files[r.Path]; !ok {
			errs = append(errs, fmt.Errorf("%w: %s", ErrAbsent, r.Path))
		}
		delete(l.Files, r.Path)
	}
	for _, a := range c.Adds {
		if _, ok := l.Files[a.Path]; ok {
			errs = append(errs, fmt.Errorf("%w: %s", ErrTwice, a.Path))
		}
		l.Files[a.Path] = a
	}
	return errors.Join(errs...)
}
