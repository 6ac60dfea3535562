package delta

import (
	"cmp"
	"errors"
)

// ErrLineage: two epochs of different histories, which cannot be ordered.
var ErrLineage = errors.New("two histories of one site")

// Epoch orders the writers of a table: the site's incarnation and lineage, and
// the raft term of the leader. Terms start again with each incarnation.
type Epoch struct {
	Incarnation uint64 `json:"incarnation"`
	Lineage     string `json:"lineage"` // 32 hexadecimal digits
	Term        uint64 `json:"term"`
}

// Compare is negative when e is before o, positive when after it, 0 when they
// are one leader's. Equal incarnations of different lineages are ErrLineage.
func (e Epoch) Compare(o Epoch) (int, error) {
	if c := cmp.Compare(e.Incarnation, o.Incarnation); c != 0 {
		return c, nil
	}
	if e.Lineage != o.Lineage {
		return 0, ErrLineage
	}
	return cmp.Compare(e.Term, o.Term), nil
}
