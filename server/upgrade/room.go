package upgrade

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"monban/firmware/update"
)

// spare is left over on each file system for what else is written meanwhile, bytes.
const spare = 64 << 20

// need is what an update needs in a folder's file system, bytes.
type need struct {
	dir, what string
	bytes     int64
}

// needs of an update. The rehearsal has a backup, a copy that the new program changes, and what SQLite writes beside it; when it has ended both are
// gone, and the stopped server's database lies beside the real one, which the new program changes. The package of before is packed again.
func (u *Updater) needs(l *update.List) (out []need, err error) {
	var database, packages int64
	for _, path := range u.Database {
		st, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		database += st.Size()
	}
	files, err := u.files(l)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		packages += f.Size
	}
	st, err := os.Stat(u.Machine.Program())
	if err != nil {
		return nil, err
	}
	return []need{
		{u.Data, "3 × the database of " + inMB(database), 3*database + spare},
		{u.Dir, "the packages and the program of before", packages + 4*st.Size() + spare},
		{filepath.Dir(u.Machine.Program()), "the new program", 2*st.Size() + spare},
	}, nil
}

// room refuses an update for which the disk has not enough, before anything is begun.
func (u *Updater) room(l *update.List) error {
	needs, err := u.needs(l)
	if err != nil {
		return err
	}
	type disk struct {
		free, need int64
		what       []string
		dir        string
	}
	disks := map[uint64]*disk{}
	for _, n := range needs {
		device, free, err := u.Free(n.dir)
		if err != nil {
			return fmt.Errorf("room on the disk: %s: %w", n.dir, err)
		}
		d := disks[device]
		if d == nil {
			d = &disk{free: free, dir: n.dir}
			disks[device] = d
		}
		d.need += n.bytes
		d.what = append(d.what, fmt.Sprintf("%s for %s in %s", inMB(n.bytes), n.what, n.dir))
	}
	for _, n := range needs {
		for _, d := range disks {
			if d.dir == n.dir && d.need > d.free {
				return fmt.Errorf("room on the disk of %s: %s are free, %s are needed (%s): make room; nothing was changed", d.dir, inMB(d.free), inMB(d.need), strings.Join(d.what, ", "))
			}
		}
	}
	return nil
}

// inMB says a size in MB of 10⁶ bytes, rounded up.
func inMB(bytes int64) string { return fmt.Sprintf("%d MB", (bytes+999_999)/1_000_000) }

// Free gives the file system of a folder, and what the server's user may still write there, bytes.
func Free(dir string) (device uint64, free int64, err error) {
	st, err := os.Stat(dir)
	if err != nil {
		return 0, 0, err
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, errors.ErrUnsupported
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, 0, err
	}
	return sys.Dev, int64(fs.Bavail) * fs.Bsize, nil //nolint:gosec // far below 2⁶³
}
