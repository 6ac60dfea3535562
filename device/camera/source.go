package camera

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Source gives frames. Run calls emit for each, from one goroutine, until ctx
// is done (it returns ctx's error), the source has no more (nil) or it cannot
// go on. emit does not block for long and keeps the frame's bytes.
type Source interface {
	Run(ctx context.Context, emit func(Frame)) error
}

// Bounds and defaults of a source's rate, in frames a second.
const (
	defaultRate = 5
	minRate     = 0.1
	maxRate     = 30
)

// The test pattern's size in pixels where the address names none.
const (
	patternWidth  = 640
	patternHeight = 480
	minPattern    = 64
	maxPattern    = 1920
)

// newSource makes a source from its address:
//
//	http://HOST/PATH, https://HOST/PATH   an MJPEG stream
//	folder:DIR?fps=5&loop=1               the JPEGs of a folder, by name
//	pattern:seed=7&fps=5&still=1&width=640&height=480
func newSource(address string, log *slog.Logger, st *status) (Source, error) {
	scheme, rest, _ := strings.Cut(address, ":")
	switch scheme {
	case "http", "https":
		u, err := url.Parse(address)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("camera source %q is not an address: use http://HOST/PATH", address)
		}
		return &mjpegSource{
			url: address, client: &http.Client{Transport: &http.Transport{DisableCompression: true}},
			stall: stallTimeout, least: minBackoff, log: log, status: st,
		}, nil
	case "folder":
		dir, query, _ := strings.Cut(rest, "?")
		o, err := parseOptions(query, "fps", "loop")
		if err == nil && dir == "" {
			err = errors.New("no folder is named")
		}
		if err != nil {
			return nil, fmt.Errorf("camera source %q: use folder:DIR?fps=5&loop=1: %w", address, err)
		}
		return &folderSource{dir: dir, every: o.every, loop: o.loop, status: st}, nil
	case "pattern":
		o, err := parseOptions(strings.TrimPrefix(rest, "?"), "fps", "seed", "still", "width", "height")
		if err != nil {
			return nil, fmt.Errorf("camera source %q: use pattern:seed=7&fps=5: %w", address, err)
		}
		fps := float64(time.Second) / float64(o.every)
		return &patternSource{pattern: NewPattern(o.seed, o.width, o.height, fps, o.still), every: o.every, status: st}, nil
	}
	return nil, fmt.Errorf("camera source %q is not known: use http://HOST/PATH, folder:DIR or pattern:seed=N", address)
}

// options are what may stand behind a folder or pattern.
type options struct {
	every         time.Duration
	loop, still   bool
	seed          uint64
	width, height int
}

// parseOptions reads a query that may hold the known names.
func parseOptions(query string, known ...string) (options, error) {
	o := options{every: time.Second / defaultRate, seed: 1, width: patternWidth, height: patternHeight}
	values, err := url.ParseQuery(query)
	if err != nil {
		return o, err
	}
	for name, v := range values {
		if !slices.Contains(known, name) {
			return o, fmt.Errorf("option %q is not known, only %s", name, strings.Join(known, ", "))
		}
		if err := o.set(name, v[len(v)-1]); err != nil {
			return o, fmt.Errorf("option %s: %w", name, err)
		}
	}
	return o, nil
}

func (o *options) set(name, value string) (err error) {
	switch name {
	case "fps":
		fps, err := strconv.ParseFloat(value, 64)
		if err != nil || !(fps >= minRate && fps <= maxRate) {
			return fmt.Errorf("%q is not a rate of %g to %d", value, minRate, maxRate)
		}
		o.every = time.Duration(float64(time.Second) / fps)
	case "loop":
		o.loop, err = strconv.ParseBool(value)
	case "still":
		o.still, err = strconv.ParseBool(value)
	case "seed":
		o.seed, err = strconv.ParseUint(value, 10, 64)
	case "width":
		o.width, err = parseSide(value)
	case "height":
		o.height, err = parseSide(value)
	}
	return err
}

func parseSide(value string) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < minPattern || n > maxPattern {
		return 0, fmt.Errorf("%q is not %d to %d pixels", value, minPattern, maxPattern)
	}
	return n, nil
}

// isStream reports whether a Content-Type may be a stream of parts. ffmpeg's own
// server says application/octet-stream, small cameras say nothing. Of a value
// that RFC 2045 does not allow its beginning decides.
func isStream(contentType string) bool {
	t, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		t = strings.ToLower(strings.TrimSpace(contentType))
	}
	return strings.HasPrefix(t, "multipart/") || t == "application/octet-stream" || t == ""
}
