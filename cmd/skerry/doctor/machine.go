package doctor

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Clock is the machine's wall clock.
type Clock struct {
	Now    time.Time `json:"now"`
	Synced bool      `json:"synced"` // by NTP, as the kernel knows
	RTC    bool      `json:"rtc"`    // a clock goes on while the power is off
}

// notBefore is a time that no machine of today can truly have.
var notBefore = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

func clockOf(now time.Time) Clock {
	c := Clock{Now: now.UTC()}
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err == nil {
		c.Synced = t.Status&unix.STA_UNSYNC == 0
	}
	clocks, _ := filepath.Glob("/sys/class/rtc/rtc*") // the pattern is right
	c.RTC = len(clocks) > 0
	return c
}

func (r *Report) judgeClock() {
	switch c := r.Clock; {
	case c.Now.Before(notBefore):
		r.warn("the clock says %s: it was never set; readings will be marked so until it is", c.Now.Format(time.DateOnly))
	case !c.Synced && !c.RTC:
		r.warn("nothing sets the clock, and it stops with the power: run an NTP client")
	case !c.Synced:
		r.warn("no NTP client keeps the clock right, as far as the kernel knows")
	case !c.RTC:
		r.warn("the clock stops with the power: after a power cut readings are marked as of unknown time until NTP has set it")
	}
}

// openFiles is how many files this process may open.
func openFiles() uint64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return math.MaxUint64
	}
	return limit.Max
}

// Memory is what a process may use, in bytes; 0 is not known.
type Memory struct {
	Total int64 `json:"total"`
	Limit int64 `json:"limit"` // of the cgroup
}

// Least is what counts of both.
func (m Memory) Least() int64 {
	if m.Total == 0 || m.Limit > 0 && m.Limit < m.Total {
		return m.Limit
	}
	return m.Total
}

// memoryOf reads the files of /proc and /sys below root.
func memoryOf(root string) Memory {
	var m Memory
	text, _ := os.ReadFile(filepath.Join(root, "proc/meminfo")) // none: not known
	for line := range strings.SplitSeq(string(text), "\n") {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "MemTotal:" {
			kib, _ := strconv.ParseInt(fields[1], 10, 64)
			m.Total = kib << 10
		}
	}
	// Of version 1 "9:memory:/group", of version 2 "0::/group" (cgroups(7)).
	groups, _ := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	for line := range strings.SplitSeq(string(groups), "\n") {
		_, rest, _ := strings.Cut(line, ":")
		kind, group, _ := strings.Cut(rest, ":")
		file := ""
		switch kind {
		case "memory":
			file = filepath.Join("sys/fs/cgroup/memory", group, "memory.limit_in_bytes")
		case "":
			file = filepath.Join("sys/fs/cgroup", group, "memory.max")
		default:
			continue
		}
		b, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			continue
		}
		if limit, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64); err == nil && limit < math.MaxInt64/2 {
			m.Limit = limit
		}
	}
	if m.Limit >= m.Total && m.Total > 0 {
		m.Limit = 0 // no limit is a number near 2^63 in version 1
	}
	return m
}
