package preflight

import (
	"context"
	"debug/elf"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"monban/server/report"
)

// This is the machine that the program runs on.
func This() Machine {
	return Machine{
		OSRelease: func() (string, error) {
			data, err := os.ReadFile("/etc/os-release")
			return string(data), err
		},
		Library: func() (string, string, error) { return libraries("/proc/self/exe", "/proc/self/maps") },
		Synced: func() (bool, error) {
			var t unix.Timex // no mode bits: only read
			state, err := unix.Adjtimex(&t)
			return state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0, err
		},
		Listen: func(address string) error {
			l, err := net.Listen("tcp", address)
			if err != nil {
				return err
			}
			return l.Close()
		},
		Disk: Measure, Exists: existing,
		Memory: func() (uint64, error) {
			var s unix.Sysinfo_t
			err := unix.Sysinfo(&s)
			return uint64(s.Totalram) * uint64(s.Unit), err
		},
		Print: func(ctx context.Context) error {
			_, err := report.FindPrinter(ctx)
			return err
		},
		Resolve: resolves, Now: time.Now,
	}
}

// libraries reads the version of glibc in use, and the one that the program needs at least.
func libraries(program, maps string) (have, needs string, err error) {
	f, err := elf.Open(program)
	if err != nil {
		return "", "", err
	}
	defer func() { _ = f.Close() }() // only read
	symbols, err := f.ImportedSymbols()
	if err != nil {
		return "", "", nil // no dynamic symbols: a static program
	}
	for _, s := range symbols {
		if v, ok := strings.CutPrefix(s.Version, "GLIBC_"); ok && newer(v, needs) {
			needs = v
		}
	}
	if needs == "" {
		return "", "", nil
	}
	data, err := os.ReadFile(maps)
	if err != nil {
		return "", "", err
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) < 6 || !strings.HasPrefix(filepath.Base(f[5]), "libc.so") && !strings.HasPrefix(filepath.Base(f[5]), "libc-2") {
			continue
		}
		lib, err := elf.Open(f[5])
		if err != nil {
			return "", "", err
		}
		versions, err := lib.DynamicVersions()
		if err := lib.Close(); err != nil {
			return "", "", err
		}
		if err != nil {
			return "", "", err
		}
		for _, v := range versions {
			if n, ok := strings.CutPrefix(v.Name, "GLIBC_"); ok && n[0] >= '0' && n[0] <= '9' && newer(n, have) {
				have = n
			}
		}
		return have, needs, nil
	}
	return "", "", errUnknown
}

// existing is dir, or the nearest folder above it that is there.
func existing(dir string) string {
	for {
		if st, err := os.Stat(dir); err == nil && st.IsDir() || dir == "/" || dir == "." {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

// resolves says whether one of the name's addresses is this machine's.
func resolves(ctx context.Context, name string) bool {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	found, err := net.DefaultResolver.LookupHost(ctx, name)
	if err != nil {
		return false
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range own {
		if p, ok := a.(*net.IPNet); ok && slices.Contains(found, p.IP.String()) {
			return true
		}
	}
	return false
}

// Sizes of the measurement: some seconds on the slowest disk that is taken.
const (
	syncs     = 100
	syncLimit = 5 * time.Second
	block     = 4096
	stretch   = 32 << 20
)

// Measure writes a file of 32 MiB into dir, tells what it took, and removes it.
func Measure(dir string) (d Disk, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return d, fmt.Errorf("%s: %w", dir, err)
	}
	d.Free = st.Bavail * uint64(st.Bsize)
	if d.FileSystem, d.Options, err = mounted(dir); err != nil {
		return d, err
	}
	d.InMemory = slices.Contains([]string{"tmpfs", "ramfs", "rootfs"}, d.FileSystem)
	f, err := os.CreateTemp(dir, ".monban-preflight-*")
	if err != nil {
		return d, err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	d.Sync, d.MBps, err = write(f)
	if err2 := f.Close(); err == nil {
		err = err2
	}
	return d, err
}

func write(f *os.File) (median time.Duration, mbps float64, err error) {
	data := make([]byte, 1<<20)
	for i := range data {
		data[i] = byte(i * 167 >> 3) // not all zeros: some disks leave those out
	}
	var took []time.Duration
	for begin := time.Now(); len(took) < syncs && (len(took) == 0 || time.Since(begin) < syncLimit); {
		at := time.Now()
		if _, err := f.WriteAt(data[:block], int64(len(took))*block); err != nil {
			return 0, 0, err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return 0, 0, err
		}
		took = append(took, time.Since(at))
	}
	slices.Sort(took)
	at := time.Now()
	for off := int64(0); off < stretch; off += int64(len(data)) {
		if _, err := f.WriteAt(data, off); err != nil {
			return 0, 0, err
		}
	}
	if err := f.Sync(); err != nil {
		return 0, 0, err
	}
	return took[len(took)/2], stretch / 1e6 / time.Since(at).Seconds(), nil
}

// mounted finds the file system and the mount options of dir: the longest mount point above it.
func mounted(dir string) (kind, options string, err error) {
	dir, err = filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return "", "", err
	}
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", "", err
	}
	kind, options = fileSystem(string(data), dir)
	return kind, options, nil
}

// fileSystem reads proc(5)'s mountinfo. A later line covers an earlier one of the same place.
func fileSystem(mountinfo, dir string) (kind, options string) {
	longest := -1
	for line := range strings.Lines(mountinfo) {
		left, right, ok := strings.Cut(strings.TrimSpace(line), " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 6 || len(r) < 3 {
			continue
		}
		point := strings.ReplaceAll(l[4], `\040`, " ")
		if dir != point && point != "/" && !strings.HasPrefix(dir, point+"/") || len(point) < longest {
			continue
		}
		longest, kind, options = len(point), r[0], l[5]+","+r[2]
	}
	return kind, options
}
