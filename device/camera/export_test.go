package camera

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// NewStream is an MJPEG source with a short stall time-out and back-off.
func NewStream(url string, stall, least time.Duration) Source {
	return &mjpegSource{
		url: url, client: &http.Client{}, stall: stall, least: least,
		log: slog.New(slog.NewTextHandler(io.Discard, nil)), status: new(status),
	}
}

// ReadParts are the bodies of all parts of a stream.
func ReadParts(contentType string, r io.Reader) (bodies [][]byte) {
	p := parts{r: r, boundary: []byte(boundaryOf(contentType))}
	for {
		b, err := p.next()
		if err == nil {
			bodies = append(bodies, b)
		} else if !errors.Is(err, ErrTooLarge) {
			return bodies
		}
	}
}
