package main

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const notifySocket = "/run/monban/notify"

// openNotify is where the gateway says that its locks are secured and its doors are served, as it says it to systemd.
func openNotify() (*net.UnixConn, error) {
	_ = os.Remove(notifySocket)
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notifySocket, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	if err := os.Chown(notifySocket, user, user); err != nil {
		return nil, err
	}
	return c, nil
}

// audit waits for the gateway to be ready, then says once what this machine offers to others. The lines are the same on every start and are
// what `make image-boot` looks at.
func (g *gateway) audit(c *net.UnixConn, done <-chan struct{}) {
	b := make([]byte, 512)
	ready := false
	for !ready {
		n, err := c.Read(b)
		if err != nil {
			return // closed: the gateway has ended
		}
		ready = strings.Contains(string(b[:n]), "READY=1")
	}
	go func() { // WATCHDOG=1 and the like: the hardware watchdog is the gateway's own
		for {
			if _, err := c.Read(b); err != nil {
				return
			}
		}
	}()
	g.say("READY: locks are secured, doors are served")
	select {
	case <-done:
		return
	case <-time.After(5 * time.Second): // DHCP closes its socket
	}
	g.say("audit: %d listening sockets%s", len(listening()), names(listening()))
	g.say("audit: %d programs besides init and monban-gateway%s", len(others()), names(others()))
	g.say("audit: root is read only: %t", rootReadOnly())
	open := writable()
	g.say("audit: %d files and devices that everybody may write%s", len(open), names(open))
	g.say("audit: chips %s", strings.Join(chips(), ", "))
}

func names(s []string) string {
	if len(s) == 0 {
		return ""
	}
	return ": " + strings.Join(s, " ")
}

// listening are TCP sockets that take connections, and UDP sockets that are bound without a peer.
func listening() (out []string) {
	for _, kind := range []string{"tcp", "tcp6", "udp", "udp6", "raw", "raw6", "packet"} {
		data, err := os.ReadFile("/proc/net/" + kind)
		if err != nil {
			continue
		}
		for _, line := range strings.Split(string(data), "\n")[1:] {
			f := strings.Fields(line)
			switch {
			case len(f) < 4:
			case strings.HasPrefix(kind, "tcp") && f[3] != "0A":
			case strings.HasPrefix(kind, "udp") && !strings.HasSuffix(f[2], ":0000"):
			default:
				out = append(out, kind+" "+f[1])
			}
		}
	}
	return out
}

// others are programs that should not be there; threads of the kernel have no command line.
func others() (out []string) {
	dirs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, d := range dirs {
		data, err := os.ReadFile(d)
		name, _, _ := strings.Cut(string(data), "\x00")
		if base := filepath.Base(name); err == nil && len(data) > 0 && base != "init" && base != "monban-gateway" {
			out = append(out, name)
		}
	}
	return out
}

func rootReadOnly() bool {
	data, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return false
	}
	read := false
	for _, line := range strings.Split(string(data), "\n") {
		if f := strings.Fields(line); len(f) > 3 && f[1] == "/" {
			read = slices.Contains(strings.Split(f[3], ","), "ro")
		}
	}
	return read
}

// harmless devices are everybody's on every Linux.
var harmless = []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/fuse"}

func writable() (out []string) {
	_ = filepath.WalkDir("/", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // what cannot be read is nobody's
		}
		if path == "/proc" || path == "/sys" {
			return filepath.SkipDir
		}
		i, err := d.Info()
		if err == nil && i.Mode()&fs.ModeSymlink == 0 && i.Mode().Perm()&0o002 != 0 && !slices.Contains(harmless, path) {
			out = append(out, path)
		}
		return nil
	})
	return out
}

// chips are the GPIO chips, with their lines.
func chips() (out []string) {
	dirs, _ := filepath.Glob("/sys/class/gpio/gpiochip*")
	for _, d := range dirs {
		label, err := os.ReadFile(filepath.Join(d, "label"))
		n, err2 := os.ReadFile(filepath.Join(d, "ngpio"))
		lines, err3 := strconv.Atoi(strings.TrimSpace(string(n)))
		if err == nil && err2 == nil && err3 == nil {
			out = append(out, fmt.Sprintf("%s (%d lines)", strings.TrimSpace(string(label)), lines))
		}
	}
	slices.Sort(out)
	return out
}
