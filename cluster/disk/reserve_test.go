package disk_test

import (
	"path/filepath"
	"testing"
	"time"

	"skerry/cluster/disk"
)

const reserved = 100_000

func TestAReserveIsHeldGivenUpAndFoundAgain(t *testing.T) {
	for name, d := range map[string]disk.Disk{
		"a directory of the operating system": disk.NewOS(filepath.Join(t.TempDir(), "data")),
		"a disk in memory":                    disk.NewMemory(),
	} {
		t.Run(name, func(t *testing.T) {
			r := disk.NewReserve(d, reserved)
			if r.Held() || r.GiveUp() {
				t.Error("a new directory has a reserve")
			}
			for range 2 {
				if err := r.Hold(); err != nil || !r.Held() {
					t.Fatalf("hold: %v", err)
				}
			}
			if !disk.NewReserve(d, reserved).Held() {
				t.Error("the next life does not find it")
			}
			if disk.NewReserve(d, 2*reserved).Held() {
				t.Error("one that is too small is taken for whole")
			}
			r = disk.NewReserve(d, reserved)
			if err := r.Hold(); err != nil {
				t.Fatal(err)
			}
			if !r.GiveUp() || r.Held() || r.GiveUp() {
				t.Error("it was not given up, once")
			}
			want(t, d, disk.ReserveFile, "-")
			none := disk.NewReserve(d, 0)
			if err := none.Hold(); err != nil || none.Held() {
				t.Errorf("a reserve of nothing: held %v (%v)", none.Held(), err)
			}
		})
	}
}

func TestAWriteThatFindsTheDiskFullUsesTheReserveOnce(t *testing.T) {
	for _, at := range []bool{false, true} {
		d := disk.NewMemory()
		d.SetCapacity(2 * reserved)
		r := disk.NewReserve(d, reserved)
		if err := r.Hold(); err != nil {
			t.Fatal(err)
		}
		f, err := r.Create("file")
		if err != nil {
			t.Fatal(err)
		}
		write := func(n int) error {
			b := make([]byte, n)
			if at {
				size, err := f.Size()
				if err != nil {
					t.Fatal(err)
				}
				_, err = f.WriteAt(b, size)
				return err
			}
			_, err := f.Write(b)
			return err
		}
		if err := write(reserved); err != nil || !r.Held() {
			t.Fatalf("what fits needs no reserve: %v", err)
		}
		if err := write(reserved); err != nil || r.Held() {
			t.Errorf("the reserve was not used: %v, held %v", err, r.Held())
		}
		if err := write(1); !disk.IsFull(err) {
			t.Errorf("without a reserve: %v, want a full disk", err)
		}
		if err := r.Hold(); !disk.IsFull(err) || r.Held() {
			t.Errorf("a reserve was made of no room: %v", err)
		}
		want(t, d, disk.ReserveFile, "-")
		if err := f.Truncate(0); err != nil {
			t.Fatal(err)
		}
		if err := r.Hold(); err != nil || !r.Held() {
			t.Errorf("it is not made again: %v", err)
		}
	}
}

func TestWhetherTheReserveIsHeldIsToldWhileItIsMade(t *testing.T) {
	d := disk.NewMemory()
	r := disk.NewReserve(d, reserved)
	syncs, goOn, held := make(chan struct{}), make(chan struct{}), make(chan bool)
	d.OnSync(func(string) { close(syncs); <-goOn })
	made := make(chan error, 1)
	go func() { made <- r.Hold() }()
	<-syncs
	go func() { held <- r.Held() }()
	select {
	case got := <-held:
		if got {
			t.Error("it is held before it is there")
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits for the disk")
	}
	close(goOn)
	if err := <-made; err != nil || !r.Held() {
		t.Errorf("held %v (%v), want it made", r.Held(), err)
	}
}
