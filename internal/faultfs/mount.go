package faultfs

import (
	"fmt"
	"os"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// Mount gives the disk power and makes it the folder dir, which is made if it is
// missing. A folder has one disk at a time.
func (d *Disk) Mount(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	d.mu.Lock()
	if d.server != nil {
		d.mu.Unlock()
		return ErrMounted
	}
	if d.power == unpower {
		d.dead = make(chan struct{})
	}
	d.power = on
	door := newDoor(d)
	d.door = door
	d.mu.Unlock()
	server, err := fuse.NewServer(door, dir, &fuse.MountOptions{
		Name: "faultfs", FsName: "faultfs", DirectMountStrict: true,
		MaxWrite: 128 << 10, DisableXAttrs: true, DisableReadDirPlus: true, DisableSplice: true,
	})
	if err != nil {
		return fmt.Errorf("mount a faultfs at %s: %w", dir, err)
	}
	d.mu.Lock()
	d.server, d.dir = server, dir
	d.mu.Unlock()
	go server.Serve() // ends when nobody uses the mount any more, after Unmount
	return server.WaitMount()
}

// Unmount takes the folder away, also from processes that still have files of
// it open. What is on the disk stays, synced or not.
func (d *Disk) Unmount() error {
	d.mu.Lock()
	server, dir := d.server, d.dir
	d.server, d.door = nil, nil
	d.mu.Unlock()
	if server == nil {
		return nil
	}
	if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount the faultfs at %s: %w", dir, err)
	}
	return nil
}
