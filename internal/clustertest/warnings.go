package clustertest

import (
	"strings"
	"sync"
)

// maxWarnings bounds what is kept of a member's warnings, in bytes.
const maxWarnings = 64 << 10

// warnings are the last lines a member logged as warnings or errors.
type warnings struct {
	mu   sync.Mutex
	text strings.Builder
}

func (w *warnings) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.text.Len() > maxWarnings {
		w.text.Reset()
	}
	return w.text.Write(b)
}

// Said is what the member warned of.
func (m *Member) Said() string {
	m.warnings.mu.Lock()
	defer m.warnings.mu.Unlock()
	return m.warnings.text.String()
}
