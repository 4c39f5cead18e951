package faults

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// disk is an ext4 file system of its own in a file, loop-mounted. Cut takes its power away.
type disk struct {
	t      *testing.T
	image  string
	loop   string // device
	folder string // where it is mounted
	dev    *os.File
	up     bool
}

const (
	ext4Shutdown = 0x8004587D // EXT4_IOC_SHUTDOWN
	noLogFlush   = 2          // what is in the journal's memory is lost too
)

// mountsEnv says that this program already has mounts of its own.
const mountsEnv = "MONBAN_FAULTS_MOUNTS"

// ownMounts starts this program again, as the same process, with a view of the mounts that is its own. Otherwise a program that gets such a view while a disk is
// mounted ("ip netns exec" of another package's test) keeps the disk in use: unmounted here it lives on there, and what the next mount gives is the same file
// system, still without power, whose files cannot be opened. Without root there are no disks, and nothing is done.
func ownMounts() error {
	if os.Getuid() != 0 || os.Getenv(mountsEnv) != "" {
		return nil
	}
	runtime.LockOSThread() // the view is the thread's, and exec keeps the one of the thread that calls it
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	return fmt.Errorf("exec: %w", unix.Exec("/proc/self/exe", os.Args, append(os.Environ(), mountsEnv+"=1")))
}

// newDisk makes and mounts a disk of size bytes. Where the machine cannot (not root, no loop devices, no ext4)
// the test is skipped with the reason, loudly: the reports list it.
func newDisk(t *testing.T, size int64) *disk {
	t.Helper()
	d, err := makeDisk(t, size)
	if err != nil {
		skipLoudly(t, "loop-mounted ext4", err)
	}
	return d
}

func makeDisk(t *testing.T, size int64) (*disk, error) {
	if os.Getuid() != 0 {
		return nil, errors.New("mounting needs root")
	}
	dir := imageFolder(t, size)
	d := &disk{t: t, image: filepath.Join(dir, "image"), folder: filepath.Join(dir, "below")}
	f, err := os.OpenFile(d.image, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := errors.Join(f.Truncate(size), os.Mkdir(d.folder, 0o700)); err != nil {
		return nil, err
	}
	out, err := exec.Command("mkfs.ext4", "-q", "-F", "-b", "4096", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0", d.image).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("mkfs.ext4: %w: %s", err, bytes.TrimSpace(out))
	}
	if err := d.attach(f); err != nil {
		return nil, err
	}
	t.Cleanup(d.close)
	return d, d.mount()
}

// imageFolder is a folder for the image: in memory when there is room, so that the machine's own disk neither
// slows the cuts down nor wears.
func imageFolder(t *testing.T, size int64) string {
	t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs("/dev/shm", &st); err == nil && int64(st.Bavail)*st.Bsize > 4*size {
		if dir, err := os.MkdirTemp("/dev/shm", "monban-faults-*"); err == nil {
			t.Cleanup(func() { _ = os.RemoveAll(dir) }) // runs after close, which unmounts
			return dir
		}
	}
	return t.TempDir()
}

// attach binds the image to a free loop device. Somebody else may take the same one first: then the next.
func (d *disk) attach(image *os.File) error {
	ctl, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer ctl.Close()
	for range 50 {
		n, err := unix.IoctlRetInt(int(ctl.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return fmt.Errorf("no free loop device: %w", err)
		}
		d.loop = fmt.Sprintf("/dev/loop%d", n)
		dev, err := os.OpenFile(d.loop, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		err = unix.IoctlSetInt(int(dev.Fd()), unix.LOOP_SET_FD, int(image.Fd()))
		if err == nil {
			d.dev = dev
			return nil
		}
		_ = dev.Close()
		if !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("%s: %w", d.loop, err)
		}
	}
	return errors.New("every free loop device was taken by somebody else")
}

func (d *disk) mount() error {
	if err := unix.Mount(d.loop, d.folder, "ext4", unix.MS_NOATIME, ""); err != nil {
		return fmt.Errorf("mount %s: %w", d.loop, err)
	}
	d.up = true
	return nil
}

// cut takes the power away: what was not synced is gone, later writes fail. The caller ends the writer
// and then calls remount.
func (d *disk) cut() {
	d.t.Helper()
	f, err := os.Open(d.folder)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	if err := unix.IoctlSetPointerInt(int(f.Fd()), ext4Shutdown, noLogFlush); err != nil {
		skipLoudly(d.t, "EXT4_IOC_SHUTDOWN", err)
	}
}

// remount is the restart after a cut: the file system as its journal knows it.
func (d *disk) remount() {
	d.t.Helper()
	d.unmount()
	if err := d.mount(); err != nil {
		d.t.Fatal(err)
	}
}

func (d *disk) unmount() {
	d.t.Helper()
	if !d.up {
		return
	}
	var err error
	for range 6000 { // the killed writer's last references go a moment after its end; on a loaded machine that takes seconds
		if err = unix.Unmount(d.folder, 0); err == nil {
			d.up = false
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	d.t.Fatalf("unmount %s: %v", d.folder, err)
}

func (d *disk) close() {
	d.unmount()
	if err := unix.IoctlSetInt(int(d.dev.Fd()), unix.LOOP_CLR_FD, 0); err != nil {
		d.t.Errorf("detach %s: %v", d.loop, err)
	}
	_ = d.dev.Close()
}

// fill writes a file that takes all space but leave bytes, and gives its name.
func (d *disk) fill(leave int64) string {
	d.t.Helper()
	name := filepath.Join(d.folder, "filler")
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	var st unix.Statfs_t
	if err := unix.Statfs(d.folder, &st); err != nil {
		d.t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		d.t.Fatal(err)
	}
	at := info.Size()
	for step := max(int64(st.Bavail)*st.Bsize-leave, 4096); step >= 4096; {
		if err := unix.Fallocate(int(f.Fd()), 0, at, step); err != nil {
			step /= 2
			continue
		}
		at += step
		if err := unix.Statfs(d.folder, &st); err != nil {
			d.t.Fatal(err)
		}
		if int64(st.Bavail)*st.Bsize <= leave {
			break
		}
	}
	return name
}
