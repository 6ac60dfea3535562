package logstore_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
	"skerry/cluster/logstore"
)

var (
	keyTerm      = []byte("CurrentTerm")
	keyVoteTerm  = []byte("LastVoteTerm")
	keyCandidate = []byte("LastVoteCand")
)

// vote votes as raft does: a term of its own, then that of the vote and its
// candidate.
func vote(s *logstore.Store, term uint64, candidate string) error {
	return errors.Join(
		s.Stable.SetUint64(keyTerm, term), s.Stable.SetUint64(keyVoteTerm, term), s.Stable.Set(keyCandidate, []byte(candidate)),
	)
}

func mustOpenOn(tb testing.TB, d disk.Disk) *logstore.Store {
	tb.Helper()
	s, err := openOn(d)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

func TestAVoteIsOnDiskWholeOrNotAtAllForTwoSyncs(t *testing.T) {
	d := disk.NewMemory()
	s := mustOpenOn(t, d)
	if err := vote(s, 1, "a:1"); err != nil {
		t.Fatal(err)
	}
	syncs := 0
	d.OnSync(func(name string) {
		if strings.HasSuffix(name, "votes") { // the log makes a segment ready at any time
			syncs++
		}
	})
	if err := vote(s, 2, "b:1"); err != nil || syncs != 2 {
		t.Errorf("a vote took %d syncs (%v), want 2", syncs, err)
	}
	d.OnSync(nil)
	// The candidate does not come any more.
	if err := errors.Join(s.Stable.SetUint64(keyTerm, 3), s.Stable.SetUint64(keyVoteTerm, 3)); err != nil {
		t.Fatal(err)
	}
	if term, err := s.Stable.GetUint64(keyVoteTerm); err != nil || term != 3 {
		t.Errorf("raft reads %d (%v), want what it wrote", term, err)
	}
	d.Cut()
	s = mustOpenOn(t, d)
	term, err := s.Stable.GetUint64(keyTerm)
	voted, err2 := s.Stable.GetUint64(keyVoteTerm)
	who, err3 := s.Stable.Get(keyCandidate)
	if err := errors.Join(err, err2, err3); err != nil || term != 3 || voted != 2 || string(who) != "b:1" {
		t.Errorf("after a cut: term %d, voted in %d for %s (%v), want 3, 2 and b:1", term, voted, who, err)
	}
	if _, err := s.Stable.Get([]byte("other")); err == nil || err.Error() != "not found" {
		t.Errorf("a key without value: %v, want raft's words", err)
	}
}

// A directory that is refused at the start is left as it is, though raft sets its
// term before.
func TestVotesThatAreSetAgainAreNotWrittenAgain(t *testing.T) {
	d := disk.NewMemory()
	s := mustOpenOn(t, d)
	if err := errors.Join(vote(s, 1, "a:1"), s.Close()); err != nil {
		t.Fatal(err)
	}
	s = mustOpenOn(t, d)
	syncs := 0
	d.OnSync(func(string) { syncs++ })
	if err := errors.Join(s.Stable.SetUint64(keyTerm, 1), vote(s, 1, "a:1")); err != nil || syncs != 0 {
		t.Errorf("what was there took %d syncs (%v), want none", syncs, err)
	}
	if err := vote(s, 1, "b:1"); err != nil || syncs != 1 {
		t.Errorf("another candidate took %d syncs (%v), want 1", syncs, err)
	}
	d.Cut()
	s = mustOpenOn(t, d)
	if got, err := s.Stable.Get(keyCandidate); err != nil || string(got) != "b:1" {
		t.Errorf("after a power cut the candidate is %q (%v), want b:1", got, err)
	}
}

func TestVotesThatAreDamagedGoneOrOldAreErrVotes(t *testing.T) {
	for _, c := range []struct {
		name string
		harm func(*disk.Memory)
	}{
		{"damaged", func(d *disk.Memory) {
			for at := range int64(4) {
				d.Corrupt("raft/votes", at*4096+9, 1)
			}
		}},
		{"gone", func(d *disk.Memory) { _ = d.Remove("raft/votes") }},
		{"gone with the word which log counts", func(d *disk.Memory) {
			_ = errors.Join(d.Remove("raft/votes"), d.Remove("raft/kind"))
		}},
		{"of a time before the log's last entry", func(d *disk.Memory) {
			f, err := d.Open("raft/votes")
			if err == nil {
				_, err = f.WriteAt(make([]byte, 8192), 8192) // the slot of the newest
			}
			if err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := disk.NewMemory()
			s := mustOpenOn(t, d)
			if err := errors.Join(
				s.Stable.SetUint64(keyTerm, 1), s.StoreLog(&raft.Log{Index: 1, Term: 1}),
				s.Stable.SetUint64(keyTerm, 5), s.StoreLog(&raft.Log{Index: 2, Term: 5}), s.Close(),
			); err != nil {
				t.Fatal(err)
			}
			c.harm(d)
			if s, err := openOn(d); !errors.Is(err, logstore.ErrVotes) {
				t.Errorf("err = %v, want ErrVotes", err)
				if err == nil {
					_ = s.Close()
				}
			}
		})
	}
}

func TestTheBytesOfVotesAndHintStayWhatTheyAre(t *testing.T) {
	const votes = "020b43757272656e745465726d080031323334353637380c4c617374566f746543616e640300623a31"
	b, err := logstore.EncodeVotes(map[string]string{"LastVoteCand": "b:1", "CurrentTerm": "12345678"})
	if got := hex.EncodeToString(b); err != nil || got != votes {
		t.Errorf("votes\n%s (%v), want\n%s", got, err, votes)
	}
	const hint = "0700000000000000030000000000000001000000726f74"
	if got := hex.EncodeToString(logstore.EncodeHint(7, 3, true, "rot")); got != hint {
		t.Errorf("hint\n%s, want\n%s", got, hint)
	}
}

func FuzzVotes(f *testing.F) {
	b, err := logstore.EncodeVotes(map[string]string{"LastVoteCand": "b:1", "CurrentTerm": "12345678", "": ""})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := logstore.DecodeVotes(b)
		if err != nil {
			return
		}
		again, err := logstore.EncodeVotes(m)
		if err != nil && !strings.Contains(err.Error(), "too long") {
			t.Error(err)
		}
		if got, err2 := logstore.DecodeVotes(again); err == nil && (err2 != nil || len(got) != len(m)) {
			t.Errorf("%v comes back as %v (%v)", m, got, err2)
		}
	})
}

func FuzzHint(f *testing.F) {
	f.Add(logstore.EncodeHint(7, 3, true, "rot"))
	f.Fuzz(func(t *testing.T, b []byte) {
		last, first, lost, why, err := logstore.DecodeHint(b)
		if err != nil {
			return
		}
		l, g, o, w, err := logstore.DecodeHint(logstore.EncodeHint(last, first, lost, why))
		if err != nil || l != last || g != first || o != lost || w != why {
			t.Errorf("%d %d %t %q comes back as %d %d %t %q (%v)", last, first, lost, why, l, g, o, w, err)
		}
	})
}

func TestAServerThatVotedAndHoldsNothingMustNotForgetItsVote(t *testing.T) {
	d := disk.NewMemory()
	s := mustOpenOn(t, d)
	if err := errors.Join(vote(s, 1, "a:1"), s.Close()); err != nil {
		t.Fatal(err)
	}
	if err := d.Remove("raft/votes"); err != nil {
		t.Fatal(err)
	}
	if s, err := openOn(d); !errors.Is(err, logstore.ErrVotes) {
		t.Errorf("err = %v, want ErrVotes", err)
		if err == nil {
			_ = s.Close()
		}
	}
}
