package cluster_test

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"testing/synctest"

	"skerry/fsm"
	"skerry/internal/clustertest"
)

// wireCode is an error as a leader sends it.
type wireCode string

func (c wireCode) Error() string { return string(c) }
func (c wireCode) Code() string  { return string(c) }

// A machine that was suspended sees no time pass: what it knows of the site's
// clock comes with the answers. Here one says that the first copy's key may be
// forgotten by now.
func TestARetryOfACopyInDoubtIsAsOldAsThatCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		var borns []uint64
		follower, restore := replaced(t, s, func(_ context.Context, method string, body []byte) ([]byte, error) {
			if method != "propose" {
				return nil, errors.New("not asked for here")
			}
			born := binary.LittleEndian.Uint64(body[10:]) // after term, opcode and the sub-batch's version
			borns = append(borns, born)
			if len(borns) == 1 {
				return nil, wireCode("unknown")
			}
			later := binary.LittleEndian.AppendUint64(nil, born+300e6)
			later = binary.LittleEndian.AppendUint64(later, 1000)
			return binary.LittleEndian.AppendUint64(append(later, byte(fsm.Expired), 0), 0), nil
		})
		follower.MustPropose(clustertest.Reading(t, "d", "r", 2e6, 2))
		if len(borns) < 3 {
			t.Fatalf("%d copies were sent, want at least 3", len(borns))
		}
		for i, born := range borns {
			if born != borns[0] {
				t.Errorf("copy %d was born at %d, want %d as the first", i+1, born, borns[0])
			}
		}
		restore()
		wantCount(t, s, 2)
	})
}
