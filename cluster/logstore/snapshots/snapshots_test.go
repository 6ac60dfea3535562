package snapshots_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
	"skerry/cluster/logstore/snapshots"
)

const dir = "snapshots"

var members = raft.Configuration{Servers: []raft.Server{{Suffrage: raft.Voter, ID: "n1.aa", Address: "10.0.0.1:7420"}}}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func open(tb testing.TB, d disk.Disk) *snapshots.Store {
	tb.Helper()
	s, err := snapshots.Open(d, dir, 2, hclog.NewNullLogger())
	must(tb, err)
	return s
}

// take takes a snapshot whose data is text.
func take(tb testing.TB, s *snapshots.Store, term, index uint64, text string) string {
	tb.Helper()
	sink, err := s.Create(1, index, term, members, 3, nil)
	must(tb, err)
	_, err = io.WriteString(sink, text)
	must(tb, err)
	must(tb, sink.Close())
	must(tb, sink.Close()) // as raft does
	return sink.ID()
}

func read(tb testing.TB, s *snapshots.Store, id string) (*raft.SnapshotMeta, string, error) {
	tb.Helper()
	m, r, err := s.Open(id)
	if err != nil {
		return nil, "", err
	}
	b, err := io.ReadAll(r)
	return m, string(b), errors.Join(err, r.Close())
}

func indexes(tb testing.TB, s *snapshots.Store) (list []uint64) {
	tb.Helper()
	metas, err := s.List()
	must(tb, err)
	for _, m := range metas {
		list = append(list, m.Index)
	}
	return list
}

func TestTheNewestTwoAreKeptAndComeBackWhole(t *testing.T) {
	d := disk.NewMemory()
	s := open(t, d)
	text := strings.Repeat("state ", 100_000)
	for i := uint64(1); i <= 4; i++ {
		take(t, s, 1+i/3, 100*i, text[:100_000*i])
		d.Cut() // it is durable when the sink is closed
		s = open(t, d)
	}
	if got := indexes(t, s); !slices.Equal(got, []uint64{400, 300}) {
		t.Errorf("kept %v, want 400 and 300", got)
	}
	list, err := s.List()
	must(t, err)
	m, got, err := read(t, s, list[0].ID)
	if err != nil || got != text[:400_000] || m.Index != 400 || m.Term != 2 || m.Size != 400_000 || m.ConfigurationIndex != 3 ||
		m.Version != 1 || !slices.Equal(m.Configuration.Servers, members.Servers) {
		t.Errorf("read %+v and %d bytes (%v)", m, len(got), err)
	}
	must(t, s.DropOlder())
	d.Cut()
	if got := indexes(t, open(t, d)); !slices.Equal(got, []uint64{400}) {
		t.Errorf("after the older was dropped %v are there, want 400", got)
	}
}

func TestWhatIsNotClosedIsNoSnapshotAndIsTidiedAway(t *testing.T) {
	d := disk.NewMemory()
	s := open(t, d)
	take(t, s, 1, 10, "ten")
	for _, end := range []func(raft.SnapshotSink) error{func(raft.SnapshotSink) error { return nil }, raft.SnapshotSink.Cancel} {
		sink, err := s.Create(1, 20, 1, members, 1, nil)
		must(t, err)
		_, err = io.WriteString(sink, "twenty")
		must(t, errors.Join(err, end(sink)))
	}
	if got := indexes(t, s); !slices.Equal(got, []uint64{10}) {
		t.Errorf("%v are there, want 10", got)
	}
	if names := d.Names(dir); len(names) != 2 {
		t.Errorf("files %q, want the snapshot and one that is not closed", names)
	}
	s = open(t, d)
	if names := d.Names(dir); len(names) != 1 {
		t.Errorf("files %q, want the snapshot alone", names)
	}
	take(t, s, 1, 20, "twenty")
	if got := indexes(t, s); !slices.Equal(got, []uint64{20, 10}) {
		t.Errorf("%v are there, want 20 and 10", got)
	}
}

func TestAnyFlippedBitOrMissingByteIsFoundBeforeRaftGetsTheData(t *testing.T) {
	d := disk.NewMemory()
	s := open(t, d)
	take(t, s, 1, 10, "older")
	id := take(t, s, 1, 20, strings.Repeat("newer", 20))
	name := dir + "/" + id + ".snap"
	whole, err := disk.ReadFile(d, name, 1<<20)
	must(t, err)
	for at := range whole {
		d.Corrupt(name, int64(at), uint(at))
		if _, _, err := s.Open(id); !errors.Is(err, snapshots.ErrRotten) {
			t.Errorf("byte %d flipped: Open gives %v, want ErrRotten", at, err)
		}
		if err := s.Verify(id); !errors.Is(err, snapshots.ErrRotten) {
			t.Errorf("byte %d flipped: Verify gives %v, want ErrRotten", at, err)
		}
		if got := indexes(t, s); got[len(got)-1] != 10 {
			t.Errorf("byte %d flipped: %v are listed, want the older one among them", at, got)
		}
		d.Corrupt(name, int64(at), uint(at))
	}
	must(t, s.Verify(id))
	f, err := d.Open(name)
	must(t, err)
	must(t, f.Truncate(int64(len(whole)-1)))
	if got := indexes(t, s); !slices.Equal(got, []uint64{10}) {
		t.Errorf("one was cut short: %v are listed, want 10", got)
	}
	if rotten, err := s.Rotten(); err != nil || !slices.Equal(rotten, []string{id}) {
		t.Errorf("rotten are %q (%v), want %q", rotten, err, id)
	}
	take(t, s, 1, 30, "newest") // the damaged one does not count, and goes
	if got := indexes(t, s); !slices.Equal(got, []uint64{30, 10}) {
		t.Errorf("%v are there, want 30 and 10", got)
	}
}

func TestASnapshotThatFindsNoRoomLeavesTheOthers(t *testing.T) {
	d := disk.NewMemory()
	s := open(t, d)
	take(t, s, 1, 10, "ten")
	space, err := d.Space()
	must(t, err)
	d.SetCapacity(space.Total - space.Free + 10_000)
	sink, err := s.Create(1, 20, 1, members, 1, nil)
	must(t, err)
	_, err = sink.Write(bytes.Repeat([]byte("x"), 1<<20))
	if err = errors.Join(err, sink.Close()); err == nil {
		t.Error("a snapshot larger than the disk is there")
	}
	if got := indexes(t, s); !slices.Equal(got, []uint64{10}) || len(d.Names(dir)) != 1 {
		t.Errorf("%v are there in %q, want 10 alone", got, d.Names(dir))
	}
}

func TestTheBytesOfAHeadStayWhatTheyAre(t *testing.T) {
	const golden = "736b65727279736e010000000a00000014000000000000001e000000000000002800000000000000d2f9f64d"
	if got := hex.EncodeToString(snapshots.EncodeHead(10, 20, 30, 40)); got != golden {
		t.Errorf("head\n%s, want\n%s", got, golden)
	}
}

func FuzzHead(f *testing.F) {
	f.Add(snapshots.EncodeHead(10, 20, 30, 40), int64(74))
	f.Fuzz(func(t *testing.T, b []byte, size int64) {
		n, data, err := snapshots.DecodeHead(b, size)
		if err == nil && (n < 0 || n > snapshots.MaxDescription || data < 0 || int64(n)+data+44 != size) {
			t.Errorf("a file of %d bytes with a description of %d and data of %d", size, n, data)
		}
	})
}
