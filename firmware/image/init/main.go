// Command init is PID 1 of the image: it mounts, brings the network up, and keeps monban-gateway running. There is no shell, no login and no
// other program. What it shows goes to the console and to a bounded log on the data partition.
//
// At the doors: while the gateway does not run, locks are without current, which is locked; leaving is mechanical. Whatever fails here is said
// and tried again: a machine without its data partition or its configuration serves no door and opens none.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"monban/firmware/image/boot"
)

// Set by the linker: the release and the time of its commit, s since 1970.
var (
	version = "unknown"
	number  = "0"
)

const (
	bootDir   = "/boot"
	ownDir    = "/boot/monban" // what a PC may write
	dataDir   = "/data"
	slotsDir  = "/data/slots"
	program   = "/monban-gateway"
	user      = 990 // of the gateway; it is in no file
	stopLimit = 15 * time.Second
)

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "init: is PID 1 of the image and nothing else")
		os.Exit(2)
	}
	m := &machine{out: &journal{console: os.Stderr}, made: made()}
	power := unix.LINUX_REBOOT_CMD_RESTART
	if err := m.run(); err != nil {
		if errors.Is(err, errPowerOff) {
			power = unix.LINUX_REBOOT_CMD_POWER_OFF
		} else {
			m.say("%v; once more in a minute", err)
			time.Sleep(time.Minute)
		}
	}
	m.end(power)
}

func made() time.Time {
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		n = 0
	}
	return time.Unix(n, 0)
}

var errPowerOff = errors.New("told to stop")

// machine is what PID 1 knows.
type machine struct {
	out     *journal
	made    time.Time
	cfg     boot.Config
	mounted bool // the data partition is there
}

func (m *machine) say(format string, args ...any) {
	m.out.line("init: " + fmt.Sprintf(format, args...))
}

// run does not return while all is well.
func (m *machine) run() error {
	stop := make(chan os.Signal, 4)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	if err := m.mounts(); err != nil {
		return err
	}
	m.say("monban image %s", version)
	if err := os.WriteFile("/proc/sys/kernel/sysrq", []byte("0"), 0); err != nil { // keys that reach the kernel past us
		m.say("sysrq: %v", err)
	}
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_OFF) // the keys that restart a PC send SIGINT from now on
	if time.Now().Before(m.made) {                 // no machine is older than its own program
		tv := unix.NsecToTimeval(m.made.UnixNano())
		if err := unix.Settimeofday(&tv); err != nil {
			m.say("clock: %v", err)
		}
	}
	text, err := os.ReadFile(filepath.Join(ownDir, "monban.txt"))
	if err == nil {
		m.cfg, err = boot.Parse(string(text))
	}
	if err != nil { // doors work without a network: what the gateway knows already counts
		m.say("no network: %v", err)
		m.cfg = boot.Config{Hostname: "monban-gateway"}
	} else {
		go m.network()
	}
	if err := unix.Sethostname([]byte(m.cfg.Hostname)); err != nil {
		m.say("hostname: %v", err)
	}
	m.devices()
	if err := errors.Join(os.MkdirAll("/etc/monban", 0o755), os.Symlink("/run/monban/release.root", "/etc/monban/release.root")); err != nil { // where the gateway looks for it
		m.say("release.root: %v", err)
	}
	if err := m.sealRoot(); err != nil {
		return err
	}
	g := &gateway{machine: m, stop: stop}
	return g.serve()
}

// end leaves the machine as a power cut may find it: everything written, nothing mounted.
func (m *machine) end(power int) {
	m.say("end")
	m.out.close()
	unix.Sync()
	for _, dir := range []string{dataDir, bootDir} {
		_ = unix.Unmount(dir, 0) // the kernel is asked to forget it anyway
	}
	unix.Sync()
	_ = unix.Reboot(power)
	select {}
}
