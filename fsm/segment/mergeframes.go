package segment

import (
	"context"
	"fmt"
	"io"
	"sort"

	"skerry/fsm"
)

// MergeFrames is Merge for frames. It holds the list of the cut's frames and
// one picture in memory. Errors: as Merge.
func MergeFrames(ctx context.Context, w io.Writer, site string, cut fsm.Cut, files []*Segment) (Stats, error) {
	var frames []fsm.Frame
	from := make(map[fsm.Seq]*Segment)
	for _, s := range files {
		list, err := s.Frames()
		if err != nil {
			return Stats{}, err
		}
		lo := sort.Search(len(list), func(i int) bool { return list[i].Seq >= cut.First })
		hi := sort.Search(len(list), func(i int) bool { return list[i].Seq > cut.Last })
		for _, f := range list[lo:hi] {
			if from[f.Seq] != nil {
				return Stats{}, fmt.Errorf("%w: frame %d is there twice", ErrOtherRows, f.Seq)
			}
			from[f.Seq] = s
			frames = append(frames, f)
		}
	}
	return WriteFrames(w, site, cut, frames, func(i int) ([]byte, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return from[frames[i].Seq].JPEG(frames[i].Seq)
	})
}
