package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"skerry/cluster"
	"skerry/fsm"
)

const (
	// maxPack is the largest pack in a request, in bytes.
	maxPack = 128 << 10
	// maxID is the longest ?id=, in bytes.
	maxID = 64
)

// PackTypes are the media types of a pack, RFC 8428 section 12.
var PackTypes = []string{
	"application/senml+json", "application/senml+cbor",
	"application/sensml+json", "application/sensml+cbor",
}

// postReadings stores a pack, all of it or nothing.
func (d *door) postReadings(w http.ResponseWriter, r *http.Request) error {
	q := parseQuery(r, "id")
	id := q.values.Get("id")
	if len(id) > maxID {
		q.fail("id has %d bytes, at most %d are taken", len(id), maxID)
	}
	if q.values.Has("id") && id == "" {
		q.fail("id is empty: give a key of your own for this message, or leave it out")
	}
	if err := q.err(); err != nil {
		return err
	}
	records, err := d.readPack(w, r)
	if err != nil {
		return err
	}
	item, err := d.item(id, records)
	if err != nil {
		return err
	}
	outcome, err := d.propose(r.Context(), &fsm.Batch{Items: []fsm.Item{item}})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, struct {
		FirstSeq fsm.Seq `json:"first_seq"`
		Count    int     `json:"count"`
	}{outcome.First, len(records)})
}

// readPack reads and checks the body of a request.
func (d *door) readPack(w http.ResponseWriter, r *http.Request) ([]fsm.Record, error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || !slices.Contains(PackTypes, mediaType) {
		return nil, problemf(http.StatusUnsupportedMediaType, "content-type",
			"Content-Type is %q: send a SenML pack as %s", r.Header.Get("Content-Type"), strings.Join(PackTypes[:2], " or "))
	}
	body, err := readBody(w, r, maxPack)
	if err != nil {
		return nil, err
	}
	records, err := d.Packs.Decode(mediaType, body)
	if errors.Is(err, ErrTooLarge) {
		return nil, err
	}
	if err != nil {
		return nil, problemf(http.StatusBadRequest, "pack", "%s", err)
	}
	if len(records) == 0 {
		return nil, problemf(http.StatusBadRequest, "pack", "the pack has no value: give at least one record with v, vs, vb or vd")
	}
	for i := range records {
		if err := records[i].Validate(); err != nil {
			return nil, problemf(http.StatusBadRequest, "pack", "value %d of the pack: %s", i+1, err)
		}
	}
	return records, nil
}

// readBody reads a body of at most limit bytes.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, problemf(http.StatusRequestEntityTooLarge, "too-large", "the body is over %d bytes: send it in parts", limit)
	}
	if err != nil {
		return nil, problemf(http.StatusBadRequest, "body", "the body ended early: %s", err)
	}
	return body, nil
}

// item keys a message: by its id or content where these name it, else by chance,
// so that nothing else has its key.
func (d *door) item(id string, records []fsm.Record) (fsm.Item, error) {
	key, content, named, err := d.Packs.Key(id, records)
	if err != nil {
		return fsm.Item{}, err
	}
	if !named {
		key, content = randomKey(), 0
	}
	return fsm.Item{Key: key, Content: content, Records: records}, nil
}

func randomKey() (key fsm.Key) {
	// It never fails: the program ends where the system has no randomness.
	_, _ = rand.Read(key[:])
	return key
}

// propose gives a command to the site and returns its one outcome, or its
// refusal as the error.
func (d *door) propose(ctx context.Context, cmd fsm.Command) (fsm.Outcome, error) {
	_, outcome, err := d.proposeAt(ctx, cmd)
	return outcome, err
}

// decide is propose for what the devices' doors go by. When it returns this node
// has applied it, unless that takes long: a device that comes here next is let
// in, or kept out.
func (d *door) decide(ctx context.Context, cmd fsm.Command) (fsm.Outcome, error) {
	index, outcome, err := d.proposeAt(ctx, cmd)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, appliedWithin)
		defer cancel()
		_ = d.Site.Await(ctx, index) // it fails by its time only
	}
	return outcome, err
}

// proposeAt is propose, and the index of the log where it was decided.
func (d *door) proposeAt(ctx context.Context, cmd fsm.Command) (uint64, fsm.Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	res, err := d.Site.Propose(ctx, cmd)
	if errors.Is(err, cluster.ErrClosed) {
		// The node stops with the command under way; it may be stored.
		return 0, fsm.Outcome{}, fmt.Errorf("%w: %w", cluster.ErrUnknown, err)
	}
	if err != nil {
		return 0, fsm.Outcome{}, err
	}
	if len(res.Outcomes) != 1 {
		return 0, fsm.Outcome{}, fmt.Errorf("%T has %d outcomes, want 1", cmd, len(res.Outcomes))
	}
	return res.Index, res.Outcomes[0], res.Outcomes[0].Code.Err()
}
