package world

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// others watches how much of the processors goes to other processes: a badge crosses both cores
// several times, so it waits for them far more than a disk's answer does.
type others struct {
	server           *child
	start            time.Time
	busy, own, child time.Duration
}

// crowded is the share of the processors above which a run is marked.
const crowded = 0.15

func startOthers(server *child) (others, error) {
	o := others{server: server, start: time.Now()}
	var err error
	o.busy, o.own, o.child, err = o.read()
	return o, err
}

func (o others) read() (busy, own, child time.Duration, err error) {
	text, err := os.ReadFile("/proc/stat") // proc(5): cpu user nice system idle iowait irq softirq steal …, in ticks
	if err != nil {
		return 0, 0, 0, fmt.Errorf("processor time of others: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	for i, f := range strings.Fields(line) {
		if i == 0 || i == 4 || i == 5 || i > 8 { // name, idle, waiting for the disk, guests (counted as user already)
			continue
		}
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, 0, 0, fmt.Errorf("processor time of others: %w", err)
		}
		busy += time.Duration(n) * 10 * time.Millisecond
	}
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		return 0, 0, 0, fmt.Errorf("processor time of the bench: %w", err)
	}
	child, err = o.server.cpu()
	return busy, time.Duration(r.Utime.Nano() + r.Stime.Nano()), child, err
}

// share is the part of all processors that others used since startOthers.
func (o others) share() (float64, error) {
	busy, own, child, err := o.read()
	if err != nil {
		return 0, err
	}
	all := time.Since(o.start) * time.Duration(runtime.NumCPU())
	foreign := (busy - o.busy) - (own - o.own) - (child - o.child)
	return max(0, float64(foreign)/float64(all)), nil
}

func othersNote(share float64) string {
	if share > crowded {
		return "NOISY RUN: c had to wait for the processors"
	}
	return ""
}
