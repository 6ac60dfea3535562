package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// clockTick is the unit of CPU times in /proc: USER_HZ, 100 on every Linux.
const clockTick = 10 * time.Millisecond

// Usage is what processes have used since they began.
type Usage struct {
	CPU     time.Duration // user and system
	Written int64         // bytes handed to the disks' layer
	Device  int64         // bytes that the disk was given by all processes; 0 where unknown
	RSS     int64         // bytes resident now
}

// Sub is the use between o and u; RSS is u's.
func (u Usage) Sub(o Usage) Usage {
	return Usage{CPU: u.CPU - o.CPU, Written: u.Written - o.Written, Device: u.Device - o.Device, RSS: u.RSS}
}

// Measure sums the use of processes by what /proc says of them, and what the
// disk of dir was given, where dir is not empty.
func Measure(pids []int, dir string) (Usage, error) {
	sum := Usage{Device: deviceWritten(dir)}
	for _, pid := range pids {
		cpu, err := cpuTime(pid)
		if err != nil {
			return Usage{}, fmt.Errorf("measure process %d: %w", pid, err)
		}
		written, err := field(pid, "io", "write_bytes:")
		if err != nil {
			return Usage{}, fmt.Errorf("measure process %d: %w", pid, err)
		}
		resident, err := field(pid, "status", "VmRSS:")
		if err != nil {
			return Usage{}, fmt.Errorf("measure process %d: %w", pid, err)
		}
		sum.CPU += cpu
		sum.Written += written
		sum.RSS += resident << 10 // told in KiB
	}
	return sum, nil
}

// Memory is what of a process is resident, now and at most since it began, in
// bytes.
func Memory(pid int) (now, peak int64, err error) {
	if now, err = field(pid, "status", "VmRSS:"); err == nil {
		peak, err = field(pid, "status", "VmHWM:")
	}
	return now << 10, peak << 10, err // told in KiB
}

// cpuTime reads fields 14 and 15 of /proc/PID/stat. The name in field 2 may
// hold anything, so fields are counted from its closing bracket.
func cpuTime(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 13 {
		return 0, fmt.Errorf("stat has %d fields", len(f))
	}
	user, err := strconv.ParseInt(f[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * clockTick, err
}

// field reads the number after name in a file of /proc/PID.
func field(pid int, file, name string) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(b))
	for i := range f {
		if f[i] == name && i+1 < len(f) {
			return strconv.ParseInt(f[i+1], 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no %s", file, name)
}

// sector is the unit of /sys/dev/block, whatever the disk's own is.
const sector = 512

// deviceWritten is what the disk under dir was given since it is there, with
// the file system's own journal and the writes of all others; 0 where nobody
// counts it.
func deviceWritten(dir string) int64 {
	var st unix.Stat_t
	if dir == "" || unix.Stat(dir, &st) != nil {
		return 0
	}
	b, err := os.ReadFile(fmt.Sprintf("/sys/dev/block/%d:%d/stat", unix.Major(st.Dev), unix.Minor(st.Dev)))
	f := strings.Fields(string(b))
	if err != nil || len(f) < 7 {
		return 0
	}
	n, err := strconv.ParseInt(f[6], 10, 64)
	if err != nil {
		return 0
	}
	return n * sector
}
