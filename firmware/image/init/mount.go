package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"monban/firmware/image/boot"
)

// partitions are where the card's two partitions may appear: a card, a USB disk, a disk of a virtual machine.
var partitions = []string{"/dev/mmcblk%sp%d", "/dev/sda%s%d", "/dev/vda%s%d"}

const patience = 60 * time.Second // for a card reader to appear

// mounts brings up the kernel's file systems, the boot partition (read only) and the data partition. Its journal is the check after a power cut.
func (m *machine) mounts() error {
	type mount struct {
		what, where, kind string
		flags             uintptr
		data              string
	}
	const quiet = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	for _, f := range []mount{
		{"devtmpfs", "/dev", "devtmpfs", unix.MS_NOSUID | unix.MS_NOEXEC, "mode=0755"},
		{"proc", "/proc", "proc", quiet, "hidepid=0"},
		{"sysfs", "/sys", "sysfs", quiet, ""},
		{"tmpfs", "/run", "tmpfs", quiet, "mode=0755,size=16m"},
	} {
		err := unix.Mount(f.what, f.where, f.kind, f.flags, f.data)
		if err != nil && !errors.Is(err, unix.EBUSY) { // the kernel may have mounted /dev itself
			return fmt.Errorf("mount %s: %w", f.where, err)
		}
	}
	if c, err := os.OpenFile("/dev/console", os.O_WRONLY|unix.O_NOCTTY, 0); err == nil {
		m.out.console = c
	}
	var failed error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		for _, p := range partitions {
			name := func(n int) string {
				if strings.Contains(p, "mmcblk") {
					return fmt.Sprintf(p, "0", n)
				}
				return fmt.Sprintf(p, "", n)
			}
			if _, err := os.Stat(name(2)); err != nil {
				continue
			}
			if failed = unix.Mount(name(1), bootDir, "vfat", quiet|unix.MS_RDONLY, "umask=0077"); failed != nil {
				failed = fmt.Errorf("mount %s: %w", name(1), failed)
				continue
			}
			if failed = unix.Mount(name(2), dataDir, "ext4", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOATIME, "errors=remount-ro"); failed != nil {
				_ = unix.Unmount(bootDir, 0)
				failed = fmt.Errorf("mount %s: %w", name(2), failed)
				continue
			}
			m.mounted = true
			return m.folders()
		}
	}
	if failed == nil {
		failed = errors.New("no card with two partitions appeared")
	}
	return failed
}

// folders belong to the gateway's user, but the log, which is ours.
func (m *machine) folders() error {
	if err := os.MkdirAll(filepath.Join(dataDir, "log"), 0o700); err != nil {
		return err
	}
	for _, dir := range []string{filepath.Join(dataDir, "monban"), slotsDir, "/run/monban"} {
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.Chown(dir, user, user)); err != nil {
			return err
		}
	}
	if err := m.out.open(filepath.Join(dataDir, "log")); err != nil {
		m.say("log: %v", err)
	}
	// The configuration as the gateway's user may read it; the card's own is nobody's but ours.
	for _, name := range []string{"gateway.toml", "board.toml", "release.root"} {
		data, err := os.ReadFile(filepath.Join(ownDir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join("/run/monban", name), data, 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sealRoot makes the root, which lies in memory, read only.
func (m *machine) sealRoot() error {
	if err := os.Chmod("/", 0o755); err != nil { // the kernel makes it everybody's
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("make the root read only: %w", err)
	}
	return nil
}

// devices gives the gateway's user what it drives, and nothing else.
func (m *machine) devices() {
	for _, dir := range []string{"", "input/"} {
		names, err := os.ReadDir("/dev/" + dir)
		if err != nil {
			continue
		}
		for _, n := range names {
			if name := dir + n.Name(); boot.Device(name) {
				if err := errors.Join(os.Chown("/dev/"+name, 0, user), os.Chmod("/dev/"+name, 0o660)); err != nil {
					m.say("%s: %v", name, err)
				}
			}
		}
	}
}
