package faultsite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// loopBytes is the size of a small disk. Logs that reserve their space must fit.
const loopBytes = 384 << 20

// loop is an ext4 in a file, mounted.
type loop struct {
	image, dir string
}

// newLoop makes a filesystem of a size, in bytes, and mounts it.
func newLoop(dir string, bytes int64) (*loop, error) {
	l := &loop{image: dir + ".ext4", dir: dir}
	f, err := os.Create(l.image)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Truncate(bytes), f.Close(), os.MkdirAll(dir, 0o755)); err != nil {
		return nil, err
	}
	if err := run("mkfs.ext4", "-q", "-m", "0", l.image); err != nil {
		return nil, err
	}
	return l, run("mount", "-o", "loop", l.image, dir)
}

// fill leaves about so many bytes free.
func (l *loop) fill(leave int64) error {
	f, err := os.Create(l.ballast())
	if err != nil {
		return err
	}
	defer f.Close()
	var st unix.Statfs_t
	if err := unix.Statfs(l.dir, &st); err != nil {
		return err
	}
	size := int64(st.Bavail)*st.Bsize - leave
	if size <= 0 {
		return nil
	}
	for ; size > 0; size -= size/64 + 4096 { // the bookkeeping of the ballast needs some itself
		if err = unix.Fallocate(int(f.Fd()), 0, 0, size); !errors.Is(err, unix.ENOSPC) {
			return err
		}
	}
	return fmt.Errorf("fill %s: %w", l.dir, err)
}

// relieve takes the ballast away.
func (l *loop) relieve() error {
	if err := os.Remove(l.ballast()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func (l *loop) ballast() string { return filepath.Join(l.dir, "ballast") }

// device is the number of the loop device, as cgroups want it.
func (l *loop) device() (string, error) {
	var st syscall.Stat_t
	if err := syscall.Stat(l.dir, &st); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev)), nil
}

func (l *loop) close() error {
	return errors.Join(run("umount", l.dir), os.Remove(l.image))
}

// loops are the small disks of a site.
type loops []*loop

// folders makes a small disk for each node that is asked for.
func (all *loops) folders(dir string, bytes int64) func(int) (string, error) {
	return func(i int) (string, error) {
		l, err := newLoop(filepath.Join(dir, fmt.Sprint("n", i+1)), bytes)
		if err == nil {
			*all = append(*all, l)
			return l.dir, nil
		}
		return "", err
	}
}

func (all loops) close() error {
	var err error
	for _, l := range all {
		err = errors.Join(err, l.close())
	}
	return err
}

// cgroups are a memory limit and limits of a disk, for one node.
type cgroups struct {
	dirs []string
}

// limited makes the cgroups. Those of version 1 are folders of their own for
// each kind; version 2 has one.
func limited(name string, memoryBytes, diskBytesPerSecond int64, device string) (*cgroups, error) {
	const root = "/sys/fs/cgroup"
	limit := fmt.Sprint(memoryBytes)
	if _, err := os.Stat(root + "/cgroup.controllers"); err == nil {
		g := &cgroups{dirs: []string{filepath.Join(root, name)}}
		return g, errors.Join(
			os.WriteFile(root+"/cgroup.subtree_control", []byte("+memory +io"), 0o644),
			os.MkdirAll(g.dirs[0], 0o755),
			os.WriteFile(g.dirs[0]+"/memory.max", []byte(limit), 0o644),
			os.WriteFile(g.dirs[0]+"/io.max", fmt.Appendf(nil, "%s rbps=%d wbps=%d", device, diskBytesPerSecond, diskBytesPerSecond), 0o644))
	}
	memory, disk := filepath.Join(root, "memory", name), filepath.Join(root, "blkio", name)
	g := &cgroups{dirs: []string{memory, disk}}
	rate := fmt.Appendf(nil, "%s %d", device, diskBytesPerSecond)
	return g, errors.Join(
		os.MkdirAll(memory, 0o755), os.MkdirAll(disk, 0o755),
		os.WriteFile(memory+"/memory.limit_in_bytes", []byte(limit), 0o644),
		os.WriteFile(disk+"/blkio.throttle.write_bps_device", rate, 0o644),
		os.WriteFile(disk+"/blkio.throttle.read_bps_device", rate, 0o644))
}

// highest is the most memory that the node's cgroup has held, in bytes, as the
// kernel writes it; caches of files count.
func (g *cgroups) highest() string {
	for _, name := range []string{"/memory.max_usage_in_bytes", "/memory.peak"} {
		if b, err := os.ReadFile(g.dirs[0] + name); err == nil {
			return strings.TrimSpace(string(b))
		}
	}
	return "?"
}

// killed counts the processes that the kernel killed for want of memory.
func (g *cgroups) killed() int {
	for _, name := range []string{"/memory.oom_control", "/memory.events"} {
		b, err := os.ReadFile(g.dirs[0] + name)
		if err != nil {
			continue
		}
		for line := range strings.SplitSeq(string(b), "\n") {
			var n int
			if _, err := fmt.Sscanf(line, "oom_kill %d", &n); err == nil {
				return n
			}
		}
	}
	return 0
}

func (g *cgroups) close() error {
	var err error
	for _, dir := range g.dirs {
		err = errors.Join(err, os.Remove(dir))
	}
	return err
}
