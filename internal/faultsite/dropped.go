package faultsite

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"skerry/cluster"
	"skerry/fsm"
	"skerry/fsm/segment"
)

// dropped are the readings that the site no longer keeps, as far as the bucket
// has them. cloudsync.Verify has found the bucket sound: rows that its files hold
// more than once are the same, and those of none are counted by the gaps.
func (s *Site) dropped(rest cluster.Status) ([]fsm.Reading, error) {
	if rest.RetainedFrom <= 1 {
		return nil, nil
	}
	bySeq := map[fsm.Seq]fsm.Reading{}
	dir := filepath.Join(s.Bucket, siteName, fsm.Readings.String(), "data")
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".parquet" {
			return err
		}
		rows, names, err := rowsOf(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for i := range rows.Len() {
			if r := rows.Reading(i, names); uint64(r.Seq) < rest.RetainedFrom {
				bySeq[r.Seq] = r
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	list := make([]fsm.Reading, 0, len(bySeq))
	for _, r := range bySeq {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b fsm.Reading) int { return cmp.Compare(a.Seq, b.Seq) })
	if lacking := rest.RetainedFrom - 1 - uint64(len(list)); lacking != rest.GapReadings {
		return nil, violation("the site has dropped all before %d; the bucket lacks %d of them and the gaps have %d",
			rest.RetainedFrom, lacking, rest.GapReadings)
	}
	return list, nil
}

func rowsOf(path string) (*fsm.Rows, *fsm.Names, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	seg, err := segment.Open(f, st.Size())
	if err != nil {
		return nil, nil, err
	}
	return seg.All()
}
