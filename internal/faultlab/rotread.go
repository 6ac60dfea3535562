package faultlab

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"skerry/cluster/logstore"
	"skerry/cluster/summed"
	"skerry/fsm"
	"skerry/fsm/segment"
	"skerry/internal/faultlab/flash"
)

// scope is the prefix of the files that are read together with one.
func scope(name string) string {
	if strings.HasPrefix(name, "raft/") {
		return "raft/"
	}
	return name
}

// reads is all that is read of a file, by a reader of the laboratory's own and from
// a copy: of the log, votes and snapshots what a start would find, of rows their
// values, of JSON its content. Two files that read the same are as good as each
// other. Open frames are compared with their hashes by the check of an epoch, so
// what is left of them reads well.
func (s *site) reads(im flash.Image, name string) string {
	b := im[name]
	switch {
	case strings.HasPrefix(name, "raft/"):
		return readRaft(im)
	case strings.HasPrefix(name, "segments/"):
		return readSegment(b)
	case strings.HasSuffix(name, ".json"):
		var v any
		_, err := summed.Decode(b, &v)
		text, _ := json.Marshal(v) // of JSON
		return fmt.Sprintf("%s (%v)", text, err)
	}
	return ""
}

// readRaft opens a copy of a raft directory.
func readRaft(im flash.Image) string {
	d := flash.New(0)
	d.Put(im)
	store, err := logstore.Open(logstore.Config{Disk: d, Dir: "raft", Logger: hclog.NewNullLogger(), SegmentBytes: segmentBytes, Failed: func(error) {}})
	if err != nil {
		return err.Error()
	}
	defer func() { _ = store.Close() }() // it was read only
	h, r := sha256.New(), store.Recovery()
	for i := r.First; i <= r.Last && r.Last > 0; i++ {
		var e raft.Log
		err := store.GetLog(i, &e)
		fmt.Fprintf(h, "%d %d %d %x %x %v\n", e.Index, e.Term, e.Type, e.Data, e.Extensions, err)
	}
	votes := ""
	for _, key := range []string{"CurrentTerm", "LastVoteTerm", "LastVoteCand"} {
		v, err := store.Stable.Get([]byte(key))
		votes += fmt.Sprintf("%s %x (%v), ", key, v, err)
	}
	list, err := store.Snapshots.List()
	text := fmt.Sprintf("%+v, %sentries %x, %d snapshots (%v)", r, votes, h.Sum(nil)[:8], len(list), err)
	for _, m := range list {
		text += ", " + readSnapshot(store, m.ID)
	}
	return text
}

func readSnapshot(store *logstore.Store, id string) string {
	m, r, err := store.Snapshots.Open(id)
	if err != nil {
		return err.Error()
	}
	h := sha256.New()
	_, err = io.Copy(h, r)
	return fmt.Sprintf("%s of %d: %x (%v, %v)", id, m.Index, h.Sum(nil)[:8], err, r.Close())
}

// readSegment reads all rows.
func readSegment(b []byte) string {
	seg, err := segment.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return err.Error()
	}
	h := sha256.New()
	if seg.Stream() == fsm.Readings {
		rows, names, err := seg.All()
		if err == nil {
			fmt.Fprintf(h, "%+v %+v", *rows, *names)
		}
		return fmt.Sprintf("%+v: %x (%v)", seg.Cut(), h.Sum(nil)[:8], err)
	}
	return fmt.Sprintf("%+v: %s", seg.Cut(), readFrames(seg, h))
}

func readFrames(seg *segment.Segment, h hash.Hash) string {
	frames, err := seg.Frames()
	for _, f := range frames {
		jpeg, err := seg.JPEG(f.Seq)
		fmt.Fprintf(h, "%+v %x %v", f, sha256.Sum256(jpeg), err)
	}
	return fmt.Sprintf("%x (%v)", h.Sum(nil)[:8], err)
}
