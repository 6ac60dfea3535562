package faultsite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// withinBytes is the size of the disk that a program within a small gateway has
// for its temporary files. It is sparse.
const withinBytes = 4 << 30

// Within runs a program with the memory of the smallest gateway and, for its
// temporary files, a disk as slow as a slow card, and prints what it took. dir is
// made, and removed at the end.
func Within(ctx context.Context, dir string, out io.Writer, argv ...string) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	disk, err := newLoop(filepath.Join(dir, "disk"), withinBytes)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, disk.close(), os.RemoveAll(dir)) }()
	device, err := disk.device()
	if err != nil {
		return err
	}
	g, err := limited(fmt.Sprintf("faultsite-within-%d", os.Getpid()), smallMemory, smallRate, device)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.close()) }()
	enter := ""
	for _, dir := range g.dirs {
		enter += fmt.Sprintf("echo $$ >%s/cgroup.procs && ", dir)
	}
	cmd := exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", enter + `exec "$0" "$@"`}, argv...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+disk.dir)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err = cmd.Run()
	resident := int64(0)
	if use, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		resident = use.Maxrss << 10
	}
	fmt.Fprintf(out, "%s: in %d MiB and %d MiB/s, at most %s bytes with caches of files, %d resident; %d processes killed for want of memory\n",
		strings.Join(argv, " "), smallMemory>>20, smallRate>>20, g.highest(), resident, g.killed())
	return err
}
