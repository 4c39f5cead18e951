package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

type file struct {
	name string // slash path on the partition
	data []byte
}

// configTxt tells the firmware what to start. The serial console shows the same lines as the screen; nobody can type there.
const configTxt = `arm_64bit=1
kernel=vmlinuz
initramfs initrd.img followkernel
enable_uart=1
dtparam=i2c_arm=on
dtparam=spi=on
dtparam=watchdog=on
dtoverlay=disable-bt
`

// The kernel's command line. There is no root= : everything lies in the initramfs, in memory.
const cmdline = "console=ttyAMA0,115200 console=tty1 rdinit=/init panic=10 oops=panic quiet loglevel=4\n"

// bootFiles are kernel, device trees, overlays, firmware, licences and what explains the card, sorted.
func bootFiles(kernel, firmware, doc, licence string) ([]file, error) {
	var out []file
	add := func(name, path string) error {
		data, err := os.ReadFile(path)
		if err == nil {
			out = append(out, file{name, data})
		}
		return err
	}
	wanted := map[string]func(name string) string{
		kernel: func(n string) string {
			switch {
			case n == "vmlinuz", strings.HasSuffix(n, ".dtb"):
				return n
			case strings.HasPrefix(n, "overlays/") && (strings.HasSuffix(n, ".dtbo") || strings.HasSuffix(n, ".dtb")):
				return n
			case n == "LICENSE.linux":
				return "licences/kernel-GPL-2.0.txt"
			case n == "LICENSE":
				return "licences/gokrazy-kernel.txt"
			}
			return ""
		},
		firmware: func(n string) string {
			switch {
			case n == "bootcode.bin", strings.HasPrefix(n, "start") && strings.HasSuffix(n, ".elf"), strings.HasPrefix(n, "fixup") && strings.HasSuffix(n, ".dat"):
				return n
			case n == "LICENSE.broadcom":
				return "licences/firmware-broadcom.txt"
			case n == "LICENSE":
				return "licences/gokrazy-firmware.txt"
			}
			return ""
		},
		doc: func(n string) string { return n },
	}
	for dir, name := range wanted {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			rel, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			if to := name(filepath.ToSlash(rel)); to != "" {
				return add(to, path)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if err := add("licences/monban.txt", licence); err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b file) int { return strings.Compare(a.name, b.name) })
	for _, must := range []string{"vmlinuz", "bootcode.bin", "start.elf", "start4.elf", "bcm2711-rpi-4-b.dtb", "overlays/disable-bt.dtbo", "licences/kernel-GPL-2.0.txt", "licences/firmware-broadcom.txt"} {
		if !slices.ContainsFunc(out, func(f file) bool { return f.name == must }) {
			return nil, fmt.Errorf("%s is missing in the modules of kernel and firmware", must)
		}
	}
	return out, nil
}

// initramfs is the whole system: /init and the gateway, in a cpio archive that the kernel unpacks into memory.
func initramfs(initFile, gateway string, epoch int64) ([]byte, error) {
	c := &cpio{epoch: epoch}
	for _, dir := range []string{"boot", "data", "dev", "etc", "proc", "run", "sys"} {
		c.add(dir, 0o040755, nil)
	}
	c.add("etc/resolv.conf", 0o120777, []byte("/run/resolv.conf"))
	for name, path := range map[string]string{"init": initFile, "monban-gateway": gateway} {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if !bytes.HasPrefix(data, []byte("\x7fELF\x02\x01")) || data[18] != 183 { // EM_AARCH64
			return nil, fmt.Errorf("%s: is no program for arm64", path)
		}
		c.files = append(c.files, file{name, data})
	}
	slices.SortFunc(c.files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	for _, f := range c.files {
		c.add(f.name, 0o100755, f.data)
	}
	// The kernel opens it for PID 1 before anything is mounted.
	c.node("dev/console", 0o020600, 5, 1)
	return c.end(), nil
}

// cpio writes the "newc" format.
type cpio struct {
	b     bytes.Buffer
	epoch int64
	inode int
	files []file
}

func (c *cpio) add(name string, mode uint32, data []byte) { c.entry(name, mode, data, 0, 0) }

func (c *cpio) node(name string, mode uint32, major, minor int) {
	c.entry(name, mode, nil, major, minor)
}

func (c *cpio) entry(name string, mode uint32, data []byte, major, minor int) {
	c.inode++
	fmt.Fprintf(&c.b, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		c.inode, mode, 0, 0, 1, c.epoch, len(data), 0, 0, major, minor, len(name)+1, 0, name)
	c.pad()
	c.b.Write(data)
	c.pad()
}

func (c *cpio) pad() {
	for c.b.Len()%4 != 0 {
		c.b.WriteByte(0)
	}
}

func (c *cpio) end() []byte {
	c.epoch = 0
	c.entry("TRAILER!!!", 0, nil, 0, 0)
	return c.b.Bytes()
}
