package camera

import (
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
