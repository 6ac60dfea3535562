package api

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"skerry/fsm"
)

// getDocument answers with one side of a device's twin as it was written. Its
// ETag is the document's version.
func (d *door) getDocument(kind fsm.DocumentKind) action {
	return func(w http.ResponseWriter, r *http.Request) error {
		view, err := d.askedView(r)
		if err != nil {
			return err
		}
		device := r.PathValue("device")
		doc, ok := view.Document(device, kind)
		if !ok {
			return noDocument(device, kind)
		}
		h := w.Header()
		h.Set("ETag", entityTag(doc.Version))
		h.Set("Cache-Control", "no-cache") // to be asked for again each time
		if has(r.Header.Get("If-None-Match"), doc.Version) {
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
		h.Set("Content-Type", mediaType(doc.Format))
		h.Set("X-Content-Type-Options", "nosniff") // a device wrote it
		h.Set("Last-Modified", time.UnixMicro(doc.Updated).UTC().Format(http.TimeFormat))
		_, err = w.Write(doc.Body)
		return err
	}
}

func noDocument(device string, kind fsm.DocumentKind) *problem {
	return problemf(http.StatusNotFound, "no-document", "device %q has no %v document", device, kind)
}

// putDesired replaces what a device shall be like: 201 when there was none, 204
// when there was.
func (d *door) putDesired(w http.ResponseWriter, r *http.Request) error {
	view, err := d.askedView(r)
	if err != nil {
		return err
	}
	format, err := contentFormat(r.Header.Get("Content-Type"))
	if err != nil {
		return problemf(http.StatusUnsupportedMediaType, "content-type", "%s", err)
	}
	body, err := readBody(w, r, fsm.MaxDocument)
	if err != nil {
		return err
	}
	cmd, err := change(r)
	if err != nil {
		return err
	}
	cmd.Format, cmd.Body, cmd.By = format, body, randomKey()
	_, was := view.Document(cmd.Device, cmd.Kind)
	outcome, err := d.changeDocument(r, cmd)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", entityTag(uint64(outcome.First)))
	if was {
		w.WriteHeader(http.StatusNoContent)
	} else {
		w.WriteHeader(http.StatusCreated)
	}
	return nil
}

// deleteDesired takes away what a device shall be like.
func (d *door) deleteDesired(w http.ResponseWriter, r *http.Request) error {
	if err := parseQuery(r).err(); err != nil {
		return err
	}
	cmd, err := change(r)
	if err != nil {
		return err
	}
	cmd.Delete = true
	if _, err := d.changeDocument(r, cmd); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// changeDocument has the site change a document.
func (d *door) changeDocument(r *http.Request, cmd fsm.PutDocumentCommand) (fsm.Outcome, error) {
	if err := check(cmd); err != nil {
		return fsm.Outcome{}, err
	}
	outcome, err := d.decide(r.Context(), cmd)
	if outcome.Code == fsm.NotFound {
		err = noDocument(cmd.Device, cmd.Kind)
		if cmd.IfExists {
			err = fsm.Refusal(fsm.Precondition)
		}
	}
	return outcome, err
}

// change is a change of a desired document under the conditions of a request
// (RFC 9110 section 13.1).
func change(r *http.Request) (fsm.PutDocumentCommand, error) {
	cmd := fsm.PutDocumentCommand{Device: r.PathValue("device"), Kind: fsm.Desired}
	var err error
	if cmd.IfNone, err = onlyNew(r); err != nil {
		return cmd, err
	}
	switch match := r.Header.Get("If-Match"); match {
	case "":
	case "*":
		cmd.IfExists = true
	default:
		for tag := range strings.SplitSeq(match, ",") {
			cmd.IfMatch = append(cmd.IfMatch, versionOf(strings.TrimSpace(tag)))
		}
	}
	return cmd, nil
}

// noVersion is the version of no document: they count from 1.
const noVersion = 0

// entityTag is a document's version as an ETag.
func entityTag(version uint64) string { return strconv.Quote(strconv.FormatUint(version, 10)) }

// versionOf is the version of a strong ETag, noVersion for one that is none of
// ours.
func versionOf(tag string) uint64 {
	digits, ok := strings.CutPrefix(tag, `"`)
	digits, closed := strings.CutSuffix(digits, `"`)
	version, err := strconv.ParseUint(digits, 10, 64)
	if !ok || !closed || err != nil {
		return noVersion
	}
	return version
}

// has tells whether a list of ETags, or *, covers a version. Weak ones do too
// (RFC 9110 section 13.1.2).
func has(tags string, version uint64) bool {
	return tags == "*" || slices.ContainsFunc(strings.Split(tags, ","), func(tag string) bool {
		return versionOf(strings.TrimPrefix(strings.TrimSpace(tag), "W/")) == version
	})
}
