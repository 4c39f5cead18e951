// Package preflight looks at a machine before the visit on which the server is set up: does it have what monban-server needs, and if not, what
// is to be done. It changes nothing but a file for measuring, which it removes, and it needs neither a site nor a network.
package preflight

import (
	"context"
	"errors"
	"time"

	"monban/server/config"
)

// Language of the report.
type Language int

// The languages of people who read it.
const (
	English Language = iota
	Japanese
)

// State says whether a line asks for something.
type State int

// Note is what should be known and stops nothing; Bad must be mended before the server is set up.
const (
	OK State = iota
	Note
	Bad
)

// Line is one thing that was looked at.
type Line struct {
	State State
	What  Text
	Do    Text // empty when there is nothing to do
}

// Disk is what was measured on the disk of the data.
type Disk struct {
	FileSystem string        // as statfs(2) names it, such as ext4
	InMemory   bool          // nothing in it outlives a power cut
	Options    string        // of the mount, comma separated
	Sync       time.Duration // median of one small write with fdatasync
	MBps       float64       // written at a stretch and synced, in 10^6 bytes a second
	Free       uint64        // bytes
}

// Machine is what is asked of the machine; This is the one the program runs on. Times are absolute, sizes in bytes.
type Machine struct {
	OSRelease func() (string, error)                   // text of /etc/os-release
	Library   func() (have, needs string, err error)   // versions of glibc; needs is empty for a program without
	Synced    func() (bool, error)                     // the kernel's clock is disciplined by somebody
	Listen    func(address string) error               // can this address be listened on
	Disk      func(dir string) (Disk, error)           // dir exists
	Exists    func(dir string) string                  // dir, or the nearest folder above it that exists
	Memory    func() (uint64, error)                   // total
	Print     func(ctx context.Context) error          // can PDFs be made
	Resolve   func(ctx context.Context, n string) bool // does the name stand for an address of this machine
	Now       func() time.Time
}

// Run looks at everything that the configuration at path asks for. A configuration that cannot be read is a bad line; what does not depend on it
// is looked at all the same.
func Run(ctx context.Context, path string, m Machine) []Line {
	lines := []Line{system(m), library(m), clock(m), memory(m)}
	cfg, err := config.Load(path)
	if err != nil {
		lines = append(lines, Line{Bad, text("config.bad", err), text("config.do")})
		return append(lines, printing(ctx, m))
	}
	lines = append(lines, Line{OK, text("config.ok", path), Text{}})
	lines = append(lines, disk(m, cfg.DataDir)...)
	lines = append(lines, ports(m, cfg)...)
	lines = append(lines, names(cfg))
	lines = append(lines, certificate(cfg, m.Now()))
	lines = append(lines, browser(ctx, m, cfg))
	return append(lines, printing(ctx, m))
}

// Worst is the worst state of lines.
func Worst(lines []Line) (worst State) {
	for _, l := range lines {
		worst = max(worst, l.State)
	}
	return worst
}

// errUnknown stands for an answer that the machine did not give.
var errUnknown = errors.New("unknown")
