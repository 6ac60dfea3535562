package cluster_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"

	"skerry/cluster"
	"skerry/cluster/disk"
	"skerry/fsm"
)

// picture is the bytes of frame seq.
func picture(seq fsm.Seq) []byte { return fmt.Appendf(nil, "picture %d", seq) }

func openFrame(seq fsm.Seq) fsm.Frame {
	return fsm.Frame{Seq: seq, SHA256: sha256.Sum256(picture(seq))}
}

func openFrames(seqs ...fsm.Seq) (list []fsm.Frame) {
	for _, s := range seqs {
		list = append(list, openFrame(s))
	}
	return list
}

// recordSize is of one picture's record.
const recordSize = cluster.FrameHeader + int64(len("picture 1"))

func TestFramesComeBackAsTheSnapshotListsThem(t *testing.T) {
	for _, c := range []struct {
		name    string
		put     []fsm.Seq
		spoil   func(tb testing.TB, d *disk.Memory, file string)
		open    []fsm.Seq // what the snapshot lists
		missing []fsm.Seq
		size    int64 // of the file afterwards, 0 for none
	}{
		{"all of them", []fsm.Seq{1, 2, 3}, nil, []fsm.Seq{1, 2, 3}, nil, 3 * recordSize},
		{"none when none are listed", []fsm.Seq{1, 2, 3}, nil, nil, nil, 0},
		{"up to the list: replay brings the rest", []fsm.Seq{1, 2, 3}, nil, []fsm.Seq{1, 2}, nil, 2 * recordSize},
		{"behind one of an earlier head that was fetched late", []fsm.Seq{4, 1, 5}, nil, []fsm.Seq{4, 5}, nil, 3 * recordSize},
		{"in front of a torn tail", []fsm.Seq{1, 2}, truncated(2*recordSize - 3), []fsm.Seq{1, 2}, []fsm.Seq{2}, recordSize},
		{"in front of a torn header", []fsm.Seq{1, 2}, truncated(recordSize + 5), []fsm.Seq{1, 2}, []fsm.Seq{2}, recordSize},
		{"around a damaged picture", []fsm.Seq{1, 2, 3}, flipped(recordSize + cluster.FrameHeader + 2), []fsm.Seq{1, 2, 3}, []fsm.Seq{2}, 3 * recordSize},
		{"in front of a damaged length", []fsm.Seq{1, 2, 3}, flipped(recordSize + 11), []fsm.Seq{1, 2, 3}, []fsm.Seq{2, 3}, recordSize},
		{"not one under another's number", []fsm.Seq{1, 2}, flipped(0), []fsm.Seq{1, 2}, []fsm.Seq{1}, 2 * recordSize},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := disk.NewMemory()
			s := cluster.NewFrameStore(d)
			for _, seq := range c.put {
				if err := s.Put(seq, picture(seq)); err != nil {
					t.Fatal(err)
				}
			}
			file := fmt.Sprintf("frames/%020d.log", c.put[0])
			if c.spoil != nil {
				c.spoil(t, d, file)
			}

			s = cluster.NewFrameStore(d)
			missing, err := s.Restore(openFrames(c.open...))
			if err != nil {
				t.Fatal(err)
			}
			var seqs []fsm.Seq
			for _, f := range missing {
				seqs = append(seqs, f.Seq)
			}
			if !slices.Equal(seqs, c.missing) {
				t.Errorf("missing %v, want %v", seqs, c.missing)
			}
			wantSize(t, d, file, c.size)
			// What is missing or came after is put again, and all can be read.
			for _, seq := range append(c.missing, 9) {
				if err := s.Put(seq, picture(seq)); err != nil {
					t.Fatal(err)
				}
			}
			for _, seq := range append(c.open, 9) {
				if got, err := s.JPEG(seq); err != nil || string(got) != string(picture(seq)) {
					t.Errorf("frame %d is %q (%v)", seq, got, err)
				}
			}
		})
	}
}

func truncated(size int64) func(testing.TB, *disk.Memory, string) {
	return func(tb testing.TB, d *disk.Memory, file string) {
		tb.Helper()
		f, err := d.Open(file)
		if err == nil {
			err = f.Truncate(size)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
}

func flipped(at int64) func(testing.TB, *disk.Memory, string) {
	return func(tb testing.TB, d *disk.Memory, file string) {
		tb.Helper()
		if !d.Corrupt(file, at, 7) {
			tb.Fatalf("%s has no byte %d", file, at)
		}
	}
}

func wantSize(tb testing.TB, d disk.Disk, name string, want int64) {
	tb.Helper()
	b, err := disk.ReadFile(d, name, 1<<20)
	if int64(len(b)) != want || (err == nil) != (want > 0) {
		tb.Errorf("%s has %d bytes (%v), want %d", name, len(b), err, want)
	}
}

func TestAFramesFileGoesWhenNoneOfItIsWanted(t *testing.T) {
	d := disk.NewMemory()
	s := cluster.NewFrameStore(d)
	for seq := fsm.Seq(1); seq <= 4; seq++ {
		if err := s.Put(seq, picture(seq)); err != nil {
			t.Fatal(err)
		}
		if seq == 2 {
			s.CloseHead()
		}
	}
	if err := errors.Join(s.Sync(), s.Drop(1, 1)); err != nil {
		t.Fatal(err)
	}
	if got := len(d.Names("frames/")); got != 2 {
		t.Errorf("%d files while one frame of the first is wanted, want 2", got)
	}
	if err := s.Drop(2, 2); err != nil {
		t.Fatal(err)
	}
	if got := d.Names("frames/"); len(got) != 1 {
		t.Errorf("files %q, want the second head's alone", got)
	}
	if _, err := s.JPEG(2); !errors.Is(err, cluster.ErrMissing) {
		t.Errorf("a dropped frame: %v, want ErrMissing", err)
	}
}

func TestSyncedFramesSurviveACut(t *testing.T) {
	d := disk.NewMemory()
	s := cluster.NewFrameStore(d)
	if err := errors.Join(s.Put(1, picture(1)), s.Sync(), s.Put(2, picture(2))); err != nil {
		t.Fatal(err)
	}
	d.Cut()
	missing, err := cluster.NewFrameStore(d).Restore(openFrames(1, 2))
	if err != nil || len(missing) != 1 || missing[0].Seq != 2 {
		t.Errorf("missing %+v (%v), want frame 2, which was not synced", missing, err)
	}
}

func TestFramesThatFindNoRoomWaitInMemoryAndAreNotTakenForDurable(t *testing.T) {
	d := disk.NewMemory()
	s := cluster.NewFrameStore(d)
	small, large := bytes.Repeat([]byte{1}, 100), bytes.Repeat([]byte{2}, 10_000)
	if err := s.Put(1, small); err != nil {
		t.Fatal(err)
	}
	d.SetCapacity(1000)
	for seq, jpeg := range map[fsm.Seq][]byte{2: large, 3: small} {
		if err := s.Put(seq, jpeg); err != nil {
			t.Fatalf("a full disk is no reason to end: %v", err)
		}
	}
	for seq, want := range map[fsm.Seq][]byte{1: small, 2: large, 3: small} {
		if got, err := s.JPEG(seq); err != nil || !bytes.Equal(got, want) {
			t.Errorf("frame %d: %d bytes (%v)", seq, len(got), err)
		}
	}
	if err := s.Sync(); !disk.IsFull(err) {
		t.Errorf("a snapshot would replace the log: %v, want a full disk", err)
	}
	d.SetCapacity(0)
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	d.Cut()
	open := make([]fsm.Frame, 0, 3)
	for seq, jpeg := range map[fsm.Seq][]byte{1: small, 2: large, 3: small} {
		open = append(open, fsm.Frame{Seq: seq, Size: uint32(len(jpeg)), SHA256: sha256.Sum256(jpeg)})
	}
	if missing, err := cluster.NewFrameStore(d).Restore(open); err != nil || len(missing) != 0 {
		t.Errorf("after a power cut %d frames are missing (%v), want none", len(missing), err)
	}
}
