package camera

import (
	"bytes"
	"context"
	"fmt"
	"image/jpeg"
	"time"
)

// patternQuality is that of the pattern's JPEGs, as cameras send them.
const patternQuality = 85

// patternSource emits a pattern as JPEGs at its rate.
type patternSource struct {
	pattern *Pattern
	every   time.Duration
	status  *status
}

// Run emits frames until ctx is done.
func (s *patternSource) Run(ctx context.Context, emit func(Frame)) error {
	s.status.connected()
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for {
		img, _ := s.pattern.Next()
		var b bytes.Buffer
		if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: patternQuality}); err != nil {
			return fmt.Errorf("encode test pattern: %w", err)
		}
		emit(Frame{JPEG: b.Bytes(), Time: time.Now()})
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
