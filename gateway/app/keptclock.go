package app

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"strings"

	"monban/firmware/access"
)

// keptClock is what a process knew of the time, for the next process of the same boot of the machine. A
// process that ends and starts again is no boot (D12): the kernel's boot clock has run on, also while the machine
// slept, so the time is as good as if the process had not ended. After a boot nothing of it is used.
type keptClock struct {
	boot     string // the kernel's boot id
	boottime int64  // CLOCK_BOOTTIME, ns
	wallMS   int64  // UTC ms then
	quality  access.ClockQuality
}

// bootIDPath is where the kernel names the boot it is in.
const bootIDPath = "/proc/sys/kernel/random/boot_id"

// kernelBoot is the kernel's boot id, "" when it cannot be read: then no clock is kept.
func kernelBoot() string {
	b, err := os.ReadFile(bootIDPath)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// continued takes over the clock that a process before this one kept, if it is of the boot named and
// better than the kernel's. One that stands before the last trusted time is not taken.
func (a *anchor) continued(k keptClock, boot string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if boot == "" || k.boot != boot || k.boottime <= 0 || k.boottime > a.boottime || k.quality < access.ClockRTC ||
		k.quality > access.ClockServer || k.quality <= a.clock() {
		return
	}
	wall := k.wallMS + (a.boottime-k.boottime)/1_000_000
	if wall < a.least(0)-clockBack {
		return
	}
	a.offset.Store(wall - a.start.UnixMilli())
	a.quality.Store(uint32(k.quality))
}

// keep is what a later process of this boot may take over; ok is false while the time is not trusted.
func (a *anchor) keep(boot string) (k keptClock, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return keptClock{boot, a.boottime, a.wall(0), a.clock()}, boot != "" && a.boottime > 0 && a.clock() >= access.ClockRTC
}

const keptMagic = "monban-clock 1"

func (k keptClock) line() string {
	text := fmt.Sprintf("%s %s %d %d %d", keptMagic, k.boot, k.boottime, k.wallMS, k.quality)
	return fmt.Sprintf("%s %08x\n", text, crc32.ChecksumIEEE([]byte(text)))
}

// saveClock writes k for the next process. It is not synced: what a power cut spoils belongs to a boot
// that is over.
func saveClock(path string, k keptClock) error {
	if err := os.WriteFile(path+".new", []byte(k.line()), 0o600); err != nil {
		return fmt.Errorf("keep the clock: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("keep the clock: %w", err)
	}
	return nil
}

// loadClock reads what saveClock wrote; the zero value, which nobody takes over, when there is nothing or
// it is damaged.
func loadClock(path string) (keptClock, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return keptClock{}, nil
	}
	if err != nil {
		return keptClock{}, fmt.Errorf("kept clock: %w", err)
	}
	var k keptClock
	var sum uint32
	_, err = fmt.Sscanf(string(b), keptMagic+" %s %d %d %d %08x\n", &k.boot, &k.boottime, &k.wallMS, &k.quality, &sum)
	if err != nil || k.line() != string(b) {
		return keptClock{}, fmt.Errorf("%s is damaged: entries wait for the server's or the network's time", path)
	}
	return k, nil
}
