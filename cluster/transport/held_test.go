package transport_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"skerry/cluster/transport"
)

// gapless is a log that takes no entry behind a gap.
type gapless struct{ *raft.InmemStore }

func (gapless) IsMonotonic() bool { return true }

// followed is a follower behind a filter, and what its leader sends to it.
type followed struct {
	*raft.Raft
	t    *testing.T
	log  gapless
	from *raft.InmemTransport
}

const term = 5

// follow starts a follower whose log ends at entry 20, of which 10 are committed and
// the first 8 are in the log no more.
func follow(t *testing.T) *followed {
	t.Helper()
	_, inner := raft.NewInmemTransport("a:1")
	_, from := raft.NewInmemTransport("b:1")
	from.Connect("a:1", inner)
	f := transport.NewFilter(inner, nil)
	t.Cleanup(func() { _ = f.Close() })
	c := raft.DefaultConfig()
	c.LocalID, c.Logger = "a.1", hclog.NewNullLogger()
	c.HeartbeatTimeout, c.ElectionTimeout = time.Hour, time.Hour
	log := gapless{raft.NewInmemStore()}
	r, err := raft.NewRaft(c, nothing{}, log, log, raft.NewInmemSnapshotStore(), f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Shutdown().Error() })
	servers := raft.Configuration{Servers: []raft.Server{{ID: "a.1", Address: "a:1"}, {ID: "b.1", Address: "b:1"}}}
	if err := r.BootstrapCluster(servers).Error(); err != nil {
		t.Fatal(err)
	}
	f.Watch(r, log)
	s := &followed{r, t, log, from}
	s.append(1, 1, 20, term)
	for end := time.Now().Add(time.Minute); r.AppliedIndex() < 10; <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it has applied %d entries, want 10", r.AppliedIndex())
		}
	}
	if err := log.DeleteRange(1, 8); err != nil {
		t.Fatal(err)
	}
	return s
}

func header() raft.RPCHeader {
	return raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte("b.1"), Addr: []byte("b:1")}
}

// append sends the entries behind prev up to last, which are of a term.
func (s *followed) append(prev, prevTerm, last, of uint64) {
	s.t.Helper()
	req := &raft.AppendEntriesRequest{RPCHeader: header(), Term: term, PrevLogEntry: prev, PrevLogTerm: prevTerm, LeaderCommitIndex: 10}
	for i := prev + 1; i <= last; i++ {
		req.Entries = append(req.Entries, &raft.Log{Index: i, Term: of, Type: raft.LogCommand})
	}
	var resp raft.AppendEntriesResponse
	if err := s.from.AppendEntries("a.1", "a:1", req, &resp); err != nil || !resp.Success {
		s.t.Errorf("entries %d to %d: success is %v (%v), want true", prev+1, last, resp.Success, err)
	}
}

func (s *followed) install(last, lastTerm uint64) {
	s.t.Helper()
	data := []byte("a state of before")
	req := &raft.InstallSnapshotRequest{
		RPCHeader: header(), SnapshotVersion: 1, Term: term, LastLogIndex: last, LastLogTerm: lastTerm, Size: int64(len(data)),
		Configuration: raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{{ID: "b.1", Address: "b:1"}}}),
	}
	var resp raft.InstallSnapshotResponse
	if err := s.from.InstallSnapshot("a.1", "a:1", req, &resp, bytes.NewReader(data)); err != nil || !resp.Success {
		s.t.Errorf("a snapshot up to entry %d: success is %v (%v), want true", last, resp.Success, err)
	}
}

func (s *followed) wantLog(first, last uint64) {
	s.t.Helper()
	for i := first; i <= last; i++ {
		var e raft.Log
		if err := s.log.GetLog(i, &e); err != nil {
			s.t.Fatalf("entry %d: %v", i, err)
		}
	}
	if got := s.LastIndex(); got != last {
		s.t.Errorf("the log ends at %d, want %d", got, last)
	}
}

func TestAFollowerKeepsItsLogWhereItHoldsWhatASnapshotDoes(t *testing.T) {
	for _, c := range []struct {
		name string
		last uint64
	}{
		{"which its log no longer has", 7},
		{"which it has applied", 9},
		{"which its log has, of the same term", 15},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := follow(t)
			s.install(c.last, term)
			s.wantLog(9, 20)
			if got := s.AppliedIndex(); got != 10 {
				t.Errorf("%d entries are applied, want 10", got)
			}
			s.append(20, term, 25, term)
			s.wantLog(9, 25)
		})
	}
}

func TestAFollowerTakesASnapshotOfWhatItDoesNotHold(t *testing.T) {
	s := follow(t)
	s.install(30, term)
	if got := s.AppliedIndex(); got != 30 {
		t.Errorf("%d entries are applied, want 30", got)
	}
}

func TestAFollowerTakesEntriesWhosePredecessorItsLogHasNoMore(t *testing.T) {
	for _, c := range []struct {
		name       string
		prev, last uint64
		want       uint64 // where the log ends then
	}{
		{"none", 5, 5, 20},
		{"all committed", 5, 9, 20},
		{"up to the last committed one", 5, 10, 20},
		{"beyond those that are committed", 5, 18, 20},
		{"beyond the log's end", 5, 25, 25},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := follow(t)
			s.append(c.prev, term, c.last, term)
			s.wantLog(9, c.want)
		})
	}
}

// A snapshot was put in place, which empties the log, and entries came behind it.
func TestAFollowerTakesEntriesBehindItsSnapshotWhateverFollowedIt(t *testing.T) {
	for _, c := range []struct {
		name string
		last uint64
		of   uint64 // the entries' term
		want uint64 // where the log ends then
	}{
		{"none", 10, term, 20},
		{"the same again", 15, term, 20},
		{"the same and more", 25, term, 25},
		{"others", 15, term - 1, 15},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := follow(t)
			if err := s.log.DeleteRange(9, 10); err != nil {
				t.Fatal(err)
			}
			s.append(10, term, c.last, c.of)
			s.wantLog(11, c.want)
			var e raft.Log
			if err := s.log.GetLog(11, &e); err != nil || e.Term != c.of {
				t.Errorf("entry 11 is of term %d (%v), want %d", e.Term, err, c.of)
			}
		})
	}
}
