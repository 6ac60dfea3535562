package api

import (
	"encoding/hex"
	"net/http"
	"strconv"

	"skerry/fsm"
)

// frameRow is a frame as JSON shows it; its bytes are at /v1/frames/{seq}.
type frameRow struct {
	Seq      fsm.Seq `json:"seq"`
	Device   string  `json:"device"`
	Resource string  `json:"resource"`
	Time     string  `json:"time"`
	Received string  `json:"received"`
	Width    uint32  `json:"width"` // pixels
	Height   uint32  `json:"height"`
	Size     uint32  `json:"size"` // bytes
	SHA256   string  `json:"sha256"`
}

func frameRowOf(f *fsm.Frame) frameRow {
	return frameRow{
		Seq: f.Seq, Device: f.Device, Resource: f.Resource, Time: formatTime(f.Time), Received: formatTime(f.Received),
		Width: f.Width, Height: f.Height, Size: f.Size, SHA256: hex.EncodeToString(f.SHA256[:]),
	}
}

// maxFrameRows bounds a list of frames: it is held whole.
const maxFrameRows = 10_000

// getFrames answers with the frames after a seq of theirs, without their bytes.
func (d *door) getFrames(w http.ResponseWriter, r *http.Request) error {
	q := parseQuery(r, "after", "limit", "cursor", "consistency")
	after, limit, consistency := q.seq("cursor", "after"), min(q.limit(), maxFrameRows), q.consistency()
	if err := q.err(); err != nil {
		return err
	}
	view, err := d.view(r.Context(), consistency)
	if err != nil {
		return err
	}
	frames, err := view.FramesAfter(r.Context(), after, limit)
	if err != nil {
		return err
	}
	rows, next := make([]frameRow, len(frames)), ""
	for i := range frames {
		rows[i] = frameRowOf(&frames[i])
		next = nextSeq(frames[i].Seq, view.Last(fsm.Frames))
	}
	return writeJSON(w, http.StatusOK, struct {
		Frames []frameRow `json:"frames"`
		Next   string     `json:"next"`
	}{rows, next})
}

// getFrame answers with a frame's own bytes, as the camera sent them.
func (d *door) getFrame(w http.ResponseWriter, r *http.Request) error {
	q := parseQuery(r, "consistency")
	consistency := q.consistency()
	seq, err := strconv.ParseUint(r.PathValue("seq"), 10, 64)
	if err != nil || seq == 0 {
		q.fail("frame %q is not a seq: see /v1/frames for those that exist", r.PathValue("seq"))
	}
	if err := q.err(); err != nil {
		return err
	}
	view, err := d.view(r.Context(), consistency)
	if err != nil {
		return err
	}
	found, err := view.FramesAfter(r.Context(), fsm.Seq(seq-1), 1)
	if err != nil {
		return err
	}
	if len(found) == 0 || found[0].Seq != fsm.Seq(seq) {
		return problemf(http.StatusNotFound, "no-such-frame", "there is no frame %d: see /v1/frames for those that exist", seq)
	}
	jpeg, err := view.JPEG(r.Context(), fsm.Seq(seq))
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "image/jpeg")
	h.Set("Content-Length", strconv.Itoa(len(jpeg)))
	h.Set("ETag", `"`+hex.EncodeToString(found[0].SHA256[:])+`"`)
	_, err = w.Write(jpeg)
	return err
}
