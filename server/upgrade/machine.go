package upgrade

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

const unit, signerUnit = "monban-server.service", "monban-signer.service"

// Debian is a machine with dpkg and systemd, on which the package is installed. The release's package goes in by dpkg; what was installed
// before is packed again from its files, so that dpkg knows at any time what is there.
type Debian struct{}

// MachineHere is the kind of machine that this is. While an update is under way in dir, what it has kept says so: dpkg's word of a package that a power
// cut left half installed does not matter then.
func MachineHere(ctx context.Context, dir string) Machine {
	if exists(filepath.Join(dir, stateFile)) {
		switch before := filepath.Join(dir, beforeDir); {
		case exists(filepath.Join(before, program+".deb")):
			return Debian{}
		case exists(filepath.Join(before, keptTar)):
			return Plain{Root: "/"}
		}
	}
	if HasPackage(ctx) {
		return Debian{}
	}
	return Plain{Root: "/"}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// HasPackage reports whether this machine's server came as a Debian package, whole or half installed: files that dpkg has put there are for dpkg alone.
func HasPackage(ctx context.Context) bool {
	out, err := command(ctx, "dpkg-query", "-W", "-f=${db:Status-Status}", program)
	return err == nil && !slices.Contains([]string{"", "not-installed", "config-files"}, string(out))
}

// standingOf is what dpkg says of our package.
type standingOf struct {
	status, version string
	whole           bool // unpacked and configured; on hold or not
}

func installed(ctx context.Context) (standingOf, error) {
	out, err := command(ctx, "dpkg-query", "-W", "-f=${db:Status-Status} ${db:Status-Eflag} ${Version}", program)
	if err != nil {
		return standingOf{}, err
	}
	var s standingOf
	if f := strings.Fields(string(out)); len(f) == 3 {
		s.status, s.version = f[0]+" "+f[1], f[2]
		s.whole = s.status == "installed ok"
	}
	return s, nil
}

// Kind implements Machine.
func (Debian) Kind() string { return "deb" }

// Program implements Machine.
func (Debian) Program() string { return "/usr/bin/" + program }

// Keep implements Machine.
func (Debian) Keep(ctx context.Context, dir string) error {
	is, err := installed(ctx)
	if err != nil {
		return err
	}
	if !is.whole {
		return fmt.Errorf("dpkg says %q of %s, which is not whole: install it again with dpkg -i first", is.status, program)
	}
	status, err := command(ctx, "dpkg-query", "-s", program)
	if err != nil {
		return err
	}
	files, err := command(ctx, "dpkg-query", "-L", program)
	if err != nil {
		return err
	}
	tree := filepath.Join(dir, "tree")
	if err := os.MkdirAll(filepath.Join(tree, "DEBIAN"), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(tree, "DEBIAN", "control"), control(status), 0o644); err != nil {
		return err
	}
	scripts, err := filepath.Glob("/var/lib/dpkg/info/" + program + ".*inst")
	if err != nil {
		return err
	}
	more, err := filepath.Glob("/var/lib/dpkg/info/" + program + ".*rm")
	if err != nil {
		return err
	}
	for _, s := range append(scripts, more...) {
		if err := copyInto(s, filepath.Join(tree, "DEBIAN", strings.TrimPrefix(filepath.Base(s), program+"."))); err != nil {
			return err
		}
	}
	for path := range strings.Lines(string(files)) {
		path = strings.TrimSuffix(path, "\n")
		st, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a minimal system leaves documents out
		}
		if err != nil {
			return err
		}
		if st.Mode().IsRegular() {
			if err := copyInto(path, filepath.Join(tree, path)); err != nil {
				return err
			}
		}
	}
	if _, err := command(ctx, "dpkg-deb", "--root-owner-group", "-Znone", "-b", tree, filepath.Join(dir, program+".deb")); err != nil {
		return err
	}
	if err := os.RemoveAll(tree); err != nil {
		return err
	}
	return syncAll(filepath.Join(dir, program+".deb"))
}

// control is a package's control file from what dpkg says of it.
func control(status []byte) []byte {
	var out bytes.Buffer
	drop := false
	for line := range strings.Lines(string(status)) {
		if !strings.HasPrefix(line, " ") {
			name, _, _ := strings.Cut(line, ":")
			drop = name == "Status" || name == "Conffiles" || name == "Config-Version"
		}
		if !drop && strings.TrimSpace(line) != "" {
			out.WriteString(line)
		}
	}
	return out.Bytes()
}

// Install implements Machine.
func (Debian) Install(ctx context.Context, pkg string) error {
	if _, err := command(ctx, "dpkg", "-i", pkg); err != nil {
		return err
	}
	return renewUnits(ctx)
}

// PutBack implements Machine.
func (d Debian) PutBack(ctx context.Context, dir string) error {
	return d.Install(ctx, filepath.Join(dir, program+".deb"))
}

// Stop implements Machine.
func (Debian) Stop(ctx context.Context) error { return stopUnit(ctx) }

// Start implements Machine.
func (Debian) Start(ctx context.Context) error { return startUnit(ctx) }

// Restarts implements Machine.
func (Debian) Restarts(ctx context.Context) (int, error) { return restartsOfUnit(ctx) }

// Plain is a machine with systemd and without our Debian package: the tar's files are laid over the system, each in one step.
type Plain struct {
	Root string // "/"; tests have their own
	// Units are stopped and started by these, and UnitRestarts counts how often one ended by itself; nil = systemd.
	StopUnit, StartUnit func(ctx context.Context) error
	UnitRestarts        func(ctx context.Context) (int, error)
}

const keptTar = "before.tar" // what was in the places of the new package's files

// Kind implements Machine.
func (Plain) Kind() string { return "tar.gz" }

// Program implements Machine.
func (p Plain) Program() string { return filepath.Join(p.Root, "usr/bin", program) }

// Keep implements Machine. It saves all files below the folders of a package of ours; they are few.
func (p Plain) Keep(_ context.Context, dir string) error {
	var b bytes.Buffer
	t := tar.NewWriter(&b)
	for _, pattern := range []string{
		"usr/bin/" + program, "usr/lib/systemd/system/monban-*", "usr/lib/sysusers.d/" + program + "*", "usr/lib/tmpfiles.d/" + program + "*", "usr/share/doc/" + program + "/*",
	} {
		names, err := filepath.Glob(filepath.Join(p.Root, pattern))
		if err != nil {
			return err
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			st, err := os.Stat(name)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(p.Root, name)
			if err != nil {
				return err
			}
			if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: rel, Mode: int64(st.Mode().Perm()), Size: int64(len(data))}); err != nil {
				return err
			}
			if _, err := t.Write(data); err != nil {
				return err
			}
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	return writeNew(filepath.Join(dir, keptTar), &b, 0o600)
}

// Install implements Machine.
func (p Plain) Install(ctx context.Context, pkg string) error {
	err := eachFile(pkg, func(name string, h *tar.Header, r io.Reader) error {
		if !strings.HasPrefix(name, "usr/") {
			return nil // its README
		}
		return p.lay(name, h, r)
	})
	return errors.Join(err, p.reload(ctx))
}

// lay puts one file in its place: the old one is there until the new one is whole.
func (p Plain) lay(name string, h *tar.Header, r io.Reader) error {
	to := filepath.Join(p.Root, name)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := os.Remove(to + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeNew(to+".new", r, fs.FileMode(h.Mode).Perm()); err != nil {
		return err
	}
	if err := os.Rename(to+".new", to); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(to))
}

// PutBack implements Machine. A file that only the new version had stays: nothing reads it.
func (p Plain) PutBack(ctx context.Context, dir string) error {
	f, err := os.Open(filepath.Join(dir, keptTar))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	t := tar.NewReader(f)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return p.reload(ctx)
		}
		if err != nil {
			return err
		}
		if err := p.lay(h.Name, h, t); err != nil {
			return err
		}
	}
}

// Hold implements Machine: nobody else knows of these files.
func (Plain) Hold(context.Context) (func() error, error) { return func() error { return nil }, nil }

// Kept implements Machine.
func (p Plain) Kept(_ context.Context, dir string) (bool, error) {
	f, err := os.Open(filepath.Join(dir, keptTar))
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }() // only read
	for t := tar.NewReader(f); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		was, err := io.ReadAll(t)
		if err != nil {
			return false, err
		}
		is, err := os.ReadFile(filepath.Join(p.Root, h.Name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		if err != nil || !bytes.Equal(was, is) {
			return false, nil
		}
	}
}

func (p Plain) reload(ctx context.Context) error {
	if p.StopUnit != nil {
		return nil
	}
	return renewUnits(ctx)
}

// Stop implements Machine.
func (p Plain) Stop(ctx context.Context) error {
	if p.StopUnit != nil {
		return p.StopUnit(ctx)
	}
	return stopUnit(ctx)
}

// Start implements Machine.
func (p Plain) Start(ctx context.Context) error {
	if p.StartUnit != nil {
		return p.StartUnit(ctx)
	}
	return startUnit(ctx)
}

// Restarts implements Machine.
func (p Plain) Restarts(ctx context.Context) (int, error) {
	if p.UnitRestarts != nil {
		return p.UnitRestarts(ctx)
	}
	return restartsOfUnit(ctx)
}

// renewUnits has systemd read the units again, and the signer run the program that is there now. It does not wait for the signer: at boot that
// waits for us. The server's unit is ordered after it.
func renewUnits(ctx context.Context) error {
	if _, err := command(ctx, "systemctl", "daemon-reload"); err != nil {
		return err
	}
	_, err := command(ctx, "systemctl", "try-restart", "--no-block", signerUnit)
	return err
}

func stopUnit(ctx context.Context) error {
	_, err := command(ctx, "systemctl", "stop", unit)
	return err
}

// startUnit does not wait: a version that hangs must not hang the update.
func startUnit(ctx context.Context) error {
	_, err := command(ctx, "systemctl", "start", "--no-block", unit)
	return err
}

// restartsOfUnit asks systemd, whose count begins at 0 when a stopped unit is started.
func restartsOfUnit(ctx context.Context) (int, error) {
	out, err := command(ctx, "systemctl", "show", "-P", "NRestarts", unit)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(out)))
}

// AsOwner runs commands as the user whom a folder belongs to.
type AsOwner struct{ Dir string }

// Run implements Server.
func (a AsOwner) Run(ctx context.Context, prog string, args ...string) ([]byte, error) {
	st, err := os.Stat(a.Dir)
	if err != nil {
		return nil, err
	}
	c := exec.CommandContext(ctx, prog, args...)
	sys, ok := st.Sys().(*syscall.Stat_t)
	if ok && os.Geteuid() == 0 && sys.Uid != 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: sys.Uid, Gid: sys.Gid}}
	}
	c.Dir, c.Env = "/", []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/nonexistent", "LC_ALL=C.UTF-8"}
	return output(c)
}

func command(ctx context.Context, name string, args ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive")
	return output(c)
}

// output gives what a command printed; its error ends with the last line that it complained with.
func output(c *exec.Cmd) ([]byte, error) {
	var out, bad bytes.Buffer
	c.Stdout, c.Stderr = &out, &bad
	group(c)
	if err := c.Run(); err != nil {
		lines := strings.Split(strings.TrimSpace(bad.String()), "\n")
		return nil, fmt.Errorf("%s: %w: %s", filepath.Base(c.Path), err, lines[len(lines)-1])
	}
	return out.Bytes(), nil
}

func copyInto(from, to string) error {
	st, err := os.Stat(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	return errors.Join(writeNew(to, in, st.Mode().Perm()), in.Close())
}

func syncAll(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close(), syncFolder(filepath.Dir(path)))
}
