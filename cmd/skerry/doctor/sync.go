package doctor

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	syncs     = 300
	syncBytes = 4096
	// measureTime ends the measurement of a slow disk early, hangTime that of one
	// that does not answer.
	measureTime = 10 * time.Second
	hangTime    = 30 * time.Second
)

// What a disk must keep to for a profile: ssd calls an election after 0.3 s of
// silence and ends a node after 2 s in one write, sdcard after 5 s and 10 s.
const (
	ssdUsual      = 50 * time.Millisecond
	ssdWorst      = 250 * time.Millisecond
	sdcardWorst   = 8 * time.Second
	tooQuickUsual = 20 * time.Microsecond
)

// Sync is how long the disk takes to keep 4 KiB more of a file (fdatasync).
type Sync struct {
	Count  int           `json:"count"`
	P50    time.Duration `json:"p50_ns"`
	P99    time.Duration `json:"p99_ns"`
	Max    time.Duration `json:"max_ns"`
	Failed string        `json:"failed,omitempty"` // why it could not be measured
}

// measure syncs a temporary file of a directory.
func measure(dir string) Sync {
	type outcome struct {
		took []time.Duration
		err  error
	}
	done := make(chan outcome, 1)
	go func() { // ends when the disk answers; the process does not wait for it
		took, err := syncTemp(dir)
		done <- outcome{took, err}
	}()
	select {
	case o := <-done:
		return summary(o.took, o.err)
	case <-time.After(measureTime + hangTime):
		return Sync{Failed: fmt.Sprintf("an fsync took more than %s: the disk hangs", hangTime)}
	}
}

// syncTemp returns how long each fdatasync of a file that grows by 4 KiB took.
func syncTemp(dir string) (took []time.Duration, err error) {
	f, err := os.CreateTemp(dir, ".skerry-doctor-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	block := make([]byte, syncBytes)
	for began := time.Now(); len(took) < syncs && time.Since(began) < measureTime; {
		if _, err := f.Write(block); err != nil {
			return nil, err
		}
		before := time.Now()
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return nil, fmt.Errorf("fdatasync: %w", err)
		}
		took = append(took, time.Since(before))
	}
	return took, f.Sync()
}

func summary(took []time.Duration, err error) Sync {
	if err != nil {
		return Sync{Failed: err.Error()}
	}
	slices.Sort(took)
	n := len(took)
	return Sync{Count: n, P50: took[n/2], P99: took[n*99/100], Max: took[n-1]}
}

// judgeSync recommends a profile.
func (r *Report) judgeSync() {
	s := r.Sync
	switch {
	case s.Failed != "":
		r.problem("nothing can be kept there: %s: name a directory on another disk with --data", s.Failed)
		return
	case r.Filesystem.volatile():
		return // its fsync tells nothing, as has been said already
	case s.P50 < tooQuickUsual:
		r.warn("an fsync takes %s, which no disk does: something between says that it is done before it is; look for a cache that a power cut empties", s.P50)
	case s.Max > sdcardWorst:
		r.problem("an fsync took %s: a node would end, as with a broken disk; name a directory on another one with --data", s.Max.Round(time.Millisecond))
		return
	}
	if s.P99 <= ssdUsual && s.Max <= ssdWorst {
		r.Profile = "ssd"
		r.Reason = fmt.Sprintf("99 of 100 fsyncs take %s or less, the slowest %s: no election will be called for want of them", s.P99.Round(time.Microsecond), s.Max.Round(time.Microsecond))
		return
	}
	r.Profile = "sdcard"
	r.Reason = fmt.Sprintf("1 of 100 fsyncs takes %s or more, the slowest %s: a profile that is less patient would call elections", s.P99.Round(time.Millisecond), s.Max.Round(time.Millisecond))
}
