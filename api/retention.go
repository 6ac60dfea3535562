package api

import (
	"context"
	"errors"
	"math"
	"net/http"

	"skerry/fsm"
)

// maxRetentionBody bounds the body of new settings, in bytes.
const maxRetentionBody = 4 << 10

// keepRow is how much is kept of readings or of frames. 0 is no bound.
type keepRow struct {
	Age   float64 `json:"age"`   // seconds of log time since the rows were closed
	Bytes uint64  `json:"bytes"` // of files on one node
}

// retentionRow is what the site keeps, as JSON shows and takes it.
type retentionRow struct {
	Version   *uint64 `json:"version,omitempty"` // of the settings; in a PUT, the one that is replaced
	Readings  keepRow `json:"readings"`
	Frames    keepRow `json:"frames"`
	Unshipped string  `json:"unshipped"` // keep, or drop with a gap
}

// What becomes of rows that the bucket lacks, when their time or room is over.
const (
	unshippedKeep = "keep"
	unshippedDrop = "drop"
)

func (d *door) getRetention(w http.ResponseWriter, r *http.Request) error {
	view, err := d.askedView(r)
	if err != nil {
		return err
	}
	settings, version := view.Retention()
	return writeJSON(w, http.StatusOK, rowOfRetention(settings, version))
}

// putRetention replaces the settings. With a version in the body it does so
// only where they still are of that version.
func (d *door) putRetention(w http.ResponseWriter, r *http.Request) error {
	if err := parseQuery(r).err(); err != nil {
		return err
	}
	body, err := readBody(w, r, maxRetentionBody)
	if err != nil {
		return err
	}
	var in retentionRow
	if err := strictJSON(body, &in); err != nil {
		return problemf(http.StatusBadRequest, "retention", "%s", err)
	}
	cmd := fsm.SetRetentionCommand{}
	if cmd.Retention, err = in.settings(); err != nil {
		return err
	}
	op, encoded := fsm.Encode(cmd)
	if err := fsm.Check(op, encoded); err != nil {
		return problemf(http.StatusBadRequest, "retention", "%s", err)
	}
	version, err := d.setRetention(r.Context(), cmd, in.Version)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, rowOfRetention(cmd.Retention, version))
}

// setRetention replaces settings of a version, or of any where it is nil.
func (d *door) setRetention(ctx context.Context, cmd fsm.SetRetentionCommand, version *uint64) (uint64, error) {
	if version != nil {
		cmd.Version = *version
	}
	for {
		o, err := d.decide(ctx, cmd)
		if version != nil || !errors.Is(err, fsm.Refusal(fsm.Precondition)) {
			return uint64(o.First), err
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		cmd.Version = uint64(o.First) // that of the settings there are
	}
}

func (r *retentionRow) settings() (out fsm.Retention, err error) {
	for _, k := range []struct {
		from *keepRow
		to   *fsm.Keep
	}{{&r.Readings, &out.Readings}, {&r.Frames, &out.Frames}} {
		if k.from.Age < 0 || k.from.Age > fsm.MaxKeepAge/1e6 {
			return out, problemf(http.StatusBadRequest, "retention", "age %g is out of range: seconds up to 100 years, 0 for no bound", k.from.Age)
		}
		*k.to = fsm.Keep{Age: int64(math.Round(k.from.Age * 1e6)), Bytes: k.from.Bytes}
	}
	switch r.Unshipped {
	case "", unshippedKeep:
	case unshippedDrop:
		out.Unshipped = true
	default:
		return out, problemf(http.StatusBadRequest, "retention", "unshipped is %q: use keep, or drop to let rows go that the bucket lacks, with a gap", r.Unshipped)
	}
	return out, nil
}

func rowOfRetention(r fsm.Retention, version uint64) retentionRow {
	keep := func(k fsm.Keep) keepRow { return keepRow{Age: float64(k.Age) / 1e6, Bytes: k.Bytes} }
	out := retentionRow{Version: &version, Readings: keep(r.Readings), Frames: keep(r.Frames), Unshipped: unshippedKeep}
	if r.Unshipped {
		out.Unshipped = unshippedDrop
	}
	return out
}

// deleteData erases what a device has sent up to now.
func (d *door) deleteData(w http.ResponseWriter, r *http.Request) error {
	if err := parseQuery(r).err(); err != nil {
		return err
	}
	name := r.PathValue("device")
	missing := problemf(http.StatusNotFound, "no-such-device", "device %q has sent nothing: see /v1/devices for the names", name)
	return d.remove(w, r, fsm.EraseCommand{Device: name}, missing)
}
