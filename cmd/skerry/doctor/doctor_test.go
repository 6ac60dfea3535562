package doctor_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"skerry/cmd/skerry/doctor"
)

func TestTheProfileFollowsFromTheDisksSyncs(t *testing.T) {
	ms := func(n float64) time.Duration { return time.Duration(n * float64(time.Millisecond)) }
	ext4 := doctor.Filesystem{Type: "ext4", Mount: "/data"}
	for _, c := range []struct {
		name    string
		on      doctor.Filesystem
		sync    doctor.Sync
		profile string
		problem bool
		says    string
	}{
		{"a quick disk is an ssd", ext4, doctor.Sync{Count: 300, P50: ms(0.4), P99: ms(3), Max: ms(9)}, "ssd", false, ""},
		{"one slow sync in a hundred is a card", ext4, doctor.Sync{Count: 300, P50: ms(4), P99: ms(80), Max: ms(90)}, "sdcard", false, ""},
		{"one very slow sync is a card", ext4, doctor.Sync{Count: 300, P50: ms(4), P99: ms(8), Max: ms(900)}, "sdcard", false, ""},
		{"a sync of nine seconds is a broken disk", ext4, doctor.Sync{Count: 3, P50: ms(4), P99: ms(9000), Max: ms(9000)}, "", true, "as with a broken disk"},
		{"a sync that fails is no disk", ext4, doctor.Sync{Failed: "fdatasync: invalid argument"}, "", true, "invalid argument: name a directory on another disk"},
		{"a sync that takes nothing is a cache", ext4, doctor.Sync{Count: 300, P50: ms(0.002), P99: ms(1), Max: ms(1)}, "ssd", false, "look for a cache"},
		{"memory is no disk", doctor.Filesystem{Type: "tmpfs", Mount: "/tmp"}, doctor.Sync{Count: 300, P50: 1}, "", true, "/tmp is memory (tmpfs)"},
		{"no barriers are no disk", doctor.Filesystem{Type: "ext4", Mount: "/d", Options: []string{"nobarrier"}}, doctor.Sync{Count: 300, P50: ms(1)}, "ssd", true, "without barriers"},
		{"a read-only disk is none", doctor.Filesystem{Type: "ext4", Mount: "/d", Options: []string{"ro"}}, doctor.Sync{Failed: "read-only file system"}, "", true, "remount,rw /d"},
		{"writeback is warned of", doctor.Filesystem{Type: "ext4", Mount: "/d", Options: []string{"data=writeback"}}, doctor.Sync{Count: 300, P50: ms(1)}, "ssd", false, "data=writeback"},
		{"an overlay is warned of", doctor.Filesystem{Type: "overlay", Mount: "/"}, doctor.Sync{Count: 300, P50: ms(1)}, "ssd", false, "give the node a volume"},
		{"another machine's disk is warned of", doctor.Filesystem{Type: "nfs4", Mount: "/n"}, doctor.Sync{Count: 300, P50: ms(1)}, "ssd", false, "another machine"},
		{"a program's disk is warned of", doctor.Filesystem{Type: "fuse.sshfs", Mount: "/n"}, doctor.Sync{Count: 300, P50: ms(1)}, "ssd", false, "program's filesystem"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := doctor.Judged(c.on, c.sync)
			if r.Profile != c.profile || r.OK() == c.problem {
				t.Errorf("got profile %q, ok %v; want %q, %v", r.Profile, r.OK(), c.profile, !c.problem)
			}
			var said []string
			for _, f := range r.Findings {
				said = append(said, f.Text)
			}
			if all := strings.Join(said, "\n"); !strings.Contains(all, c.says) || c.says == "" && all != "" {
				t.Errorf("got %q, want %q in it", all, c.says)
			}
		})
	}
}

func TestTheMountOfADirectoryIsTheInnermostOfItsDevice(t *testing.T) {
	const mountinfo = `22 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
23 22 0:5 / /dev rw - devtmpfs dev rw
30 22 8:1 / /var/lib/my\040data rw,noatime shared:7 - ext4 /dev/sda1 rw,data=writeback
31 30 8:1 /sub /var/lib/my\040data/sub ro - ext4 /dev/sda1 rw
`
	for _, c := range []struct {
		device, dir string
		want        doctor.Filesystem
	}{
		{"254:0", "/home/x", doctor.Filesystem{Type: "ext4", Mount: "/", Device: "/dev/vda", Options: []string{"discard", "relatime", "rw"}}},
		{"8:1", "/var/lib/my data", doctor.Filesystem{Type: "ext4", Mount: "/var/lib/my data", Device: "/dev/sda1", Options: []string{"data=writeback", "noatime", "rw"}}},
		{"8:1", "/var/lib/my data/sub/n1", doctor.Filesystem{Type: "ext4", Mount: "/var/lib/my data/sub", Device: "/dev/sda1", Options: []string{"ro", "rw"}}},
		{"9:9", "/home", doctor.Filesystem{Type: "unknown"}},
	} {
		got, err := doctor.MountOf(strings.NewReader(mountinfo), c.device, c.dir)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, %v, want %+v", c.dir, got, err, c.want)
		}
	}
}

func TestTheLimitOfACgroupCounts(t *testing.T) {
	for _, c := range []struct {
		name        string
		files       map[string]string
		total, want int64
	}{
		{"version 1", map[string]string{"proc/self/cgroup": "9:memory:/node\n4:blkio:/x\n", "sys/fs/cgroup/memory/node/memory.limit_in_bytes": "536870912\n"}, 1 << 30, 512 << 20},
		{"version 2", map[string]string{"proc/self/cgroup": "0::/node\n", "sys/fs/cgroup/node/memory.max": "268435456\n"}, 1 << 30, 256 << 20},
		{"no limit of version 1", map[string]string{"proc/self/cgroup": "9:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 1 << 30, 1 << 30},
		{"no limit of version 2", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, 1 << 30, 1 << 30},
	} {
		root := t.TempDir()
		c.files["proc/meminfo"] = "MemTotal:        1048576 kB\nMemFree: 1 kB\n"
		for name, text := range c.files {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if m := doctor.MemoryOf(root); m.Total != c.total || m.Least() != c.want {
			t.Errorf("%s: got %+v, %d, want %d of %d", c.name, m, m.Least(), c.want, c.total)
		}
	}
}

func TestAnExaminationLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	r, err := doctor.Examine(filepath.Join(dir, "not", "there", "yet"))
	if err != nil {
		t.Fatal(err)
	}
	if r.Sync.Failed != "" || r.Sync.Count == 0 || r.Sync.P50 > r.Sync.P99 || r.Sync.P99 > r.Sync.Max {
		t.Errorf("got %+v", r.Sync)
	}
	if r.Filesystem.Type == "" || r.Space.Total == 0 || r.OpenFiles == 0 || r.Memory.Total == 0 {
		t.Errorf("got %+v, want all of it known", r)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := doctor.Examine(filepath.Join(file, "below")); err == nil {
		t.Error("a directory below a file was examined")
	}
}
