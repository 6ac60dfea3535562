package doctor

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Filesystem is what the directory is on.
type Filesystem struct {
	Type    string   `json:"type"`   // as in /proc/self/mountinfo
	Mount   string   `json:"mount"`  // folder
	Device  string   `json:"device"` // or whatever it was mounted from
	Options []string `json:"options"`
}

// volatile tells that the files are in memory.
func (f *Filesystem) volatile() bool { return f.Type == "tmpfs" || f.Type == "ramfs" }

// filesystemOf asks the kernel.
func filesystemOf(dir string) (Filesystem, Space, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return Filesystem{}, Space{}, fmt.Errorf("look at the disk of %s: %w", dir, err)
	}
	block := int64(st.Bsize) //nolint:unconvert // of 32 bits on arm
	space := Space{Free: int64(st.Bavail) * block, Total: int64(st.Blocks) * block}
	var info unix.Stat_t
	if err := unix.Stat(dir, &info); err != nil {
		return Filesystem{}, space, fmt.Errorf("look at the disk of %s: %w", dir, err)
	}
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return Filesystem{}, space, err
	}
	defer mounts.Close()
	f, err := mountOf(mounts, fmt.Sprintf("%d:%d", unix.Major(info.Dev), unix.Minor(info.Dev)), dir)
	return f, space, err
}

// mountOf finds a directory's mount in /proc/self/mountinfo (proc(5)): that of
// its device with the longest folder that the directory is in, the last of them
// when several lie over each other.
func mountOf(mountinfo io.Reader, device, dir string) (Filesystem, error) {
	var found Filesystem
	lines := bufio.NewScanner(mountinfo)
	for lines.Scan() {
		// 36 35 98:0 /root /folder rw,noatime master:1 - ext4 /dev/sda1 rw,errors=continue
		front, back, ok := strings.Cut(lines.Text(), " - ")
		of, what := strings.Fields(front), strings.Fields(back)
		if !ok || len(of) < 6 || len(what) < 3 || of[2] != device {
			continue
		}
		mount := unescape(of[4])
		if within(dir, mount) && len(mount) >= len(found.Mount) {
			options := append(strings.Split(of[5], ","), strings.Split(what[2], ",")...)
			slices.Sort(options)
			found = Filesystem{Type: what[0], Mount: mount, Device: unescape(what[1]), Options: slices.Compact(options)}
		}
	}
	if err := lines.Err(); err != nil {
		return found, err
	}
	if found.Type == "" {
		found.Type = "unknown" // btrfs gives its files devices of their own
	}
	return found, nil
}

func within(dir, mount string) bool {
	return mount == "/" || dir == mount || strings.HasPrefix(dir, mount+"/")
}

// unescape undoes what the kernel does to spaces and the like.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// judgeFilesystem says what its kind and its options mean for what is kept.
func (r *Report) judgeFilesystem() {
	f := &r.Filesystem
	has := func(option string) bool { return slices.Contains(f.Options, option) }
	switch f.Type {
	case "tmpfs", "ramfs":
		r.problem("%s is memory (%s): a power cut takes all of it; name a directory on a disk with --data", f.Mount, f.Type)
	case "overlay":
		r.warn("%s is an overlay: it lasts as long as its container; give the node a volume, and run this there", f.Mount)
	case "nfs", "nfs4", "cifs", "smb3", "9p", "ceph":
		r.warn("%s is on another machine (%s): the node depends on it and on the network between; a disk of its own is safer", f.Mount, f.Type)
	case "vfat", "exfat", "msdos", "ntfs", "ntfs3":
		r.warn("%s is %s: it may need repair after a power cut; use ext4", f.Mount, f.Type)
	case "squashfs", "iso9660", "erofs":
		r.problem("%s is %s, which cannot be written to: name another directory with --data", f.Mount, f.Type)
	default:
		if strings.HasPrefix(f.Type, "fuse") {
			r.warn("%s is a program's filesystem (%s): what it keeps is its own matter", f.Mount, f.Type)
		}
	}
	if has("ro") {
		r.problem("%s is read-only: mount it for writing (mount -o remount,rw %s), or name another directory with --data", f.Mount, f.Mount)
	}
	if has("nobarrier") || has("barrier=0") || has("fsync_mode=nobarrier") {
		r.problem("%s is mounted without barriers: an fsync returns before the disk has written, and a power cut takes what was acknowledged; mount it without nobarrier", f.Mount)
	}
	if has("data=writeback") {
		r.warn("%s is mounted with data=writeback: files may hold old bytes after a power cut, which skerry finds and fetches again; data=ordered spares that", f.Mount)
	}
}
