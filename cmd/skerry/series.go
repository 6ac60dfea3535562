package main

import (
	"strconv"
	"strings"
	"time"
)

// splitSeries splits DEVICE/RESOURCE at the last '/'. Without one, or with
// nothing after it, all of it is the device and resource is "": so a device
// whose name has a '/' is written with one more at its end.
func splitSeries(s string) (device, resource string) {
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return s, ""
	}
	return s[:i], s[i+1:]
}

// parseTime reads a time as people write it here: RFC 3339 or Unix seconds.
func parseTime(flag, s string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	seconds, err := strconv.ParseFloat(s, 64)
	if err != nil || !(seconds >= -1<<33 && seconds <= 1<<38) { // NaN is neither
		return time.Time{}, usagef("--%s %s is not a time: write 2026-01-31T12:00:00Z or Unix seconds", flag, s)
	}
	return time.UnixMicro(int64(seconds * 1e6)).UTC(), nil
}
