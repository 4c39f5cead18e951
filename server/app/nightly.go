package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"monban/server/config"
	"monban/server/sealed"
)

const (
	// placeMark lies in a folder for backups. Without it the stick is not plugged in or the share not mounted, and what is there is
	// an empty folder of the server's own disk, which would die with it.
	placeMark = "monban-backups"
	// sealedEnd is how the names of sealed backups end.
	sealedEnd = ".tar.age"
	// backupTmp is the copy that is being made, in clear, in the data directory, where the database lies in clear too.
	backupTmp = "backup.tmp"
)

// placeText is the mark's content; a place on the data directory's own disk has the reason beside it, since it is no place for the only backup.
const (
	placeText = "monban-server puts its encrypted backups here.\n"
	placeSame = "On the disk of the data directory, as was said: "
)

// PlaceBackups makes a folder on a stick or share ready for backups. It must lie on another disk than data, the data directory ("" = not
// known here), unless somebody says why one disk is enough.
func PlaceBackups(dir, data, sameDisk string) error {
	text := placeText
	if sameDisk != "" {
		text += placeSame + strings.Join(strings.Fields(sameDisk), " ") + "\n"
	} else if data != "" {
		if err := otherDisk(dir, data); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(filepath.Join(dir, placeMark), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644) //nolint:gosec // it says nothing that others may not read
	if err != nil {
		return fmt.Errorf("%w: the folder must be on another disk and writable for the server's user (mount options, chown)", err)
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// otherDisk is an error while two folders lie on one disk. A folder that is not there yet lies where the one above it does.
func otherDisk(dir, data string) error {
	var dev [2]uint64
	for i, at := range []string{dir, data} {
		st, err := os.Stat(at)
		for errors.Is(err, fs.ErrNotExist) && i == 1 && filepath.Dir(at) != at {
			at = filepath.Dir(at)
			st, err = os.Stat(at)
		}
		if err != nil {
			return fmt.Errorf("%w: the folder must be on another disk and writable for the server's user (mount options, chown)", err)
		}
		sys, ok := st.Sys().(*syscall.Stat_t)
		if !ok {
			return nil
		}
		dev[i] = uint64(sys.Dev) //nolint:unconvert // another width elsewhere
	}
	if dev[0] == dev[1] {
		return fmt.Errorf("%s lies on the disk of %s and would die with it: plug the stick in and mount it, mount the share, then run `monban-server backup place`; with --same-disk REASON if one disk is meant", dir, data)
	}
	return nil
}

// placeThere is an error while backups are to go to a stick or share that is not there, or that cannot be written, the morning after it was
// pulled out and not a week later; nil where none is named.
func placeThere(cfg *config.Config) error {
	_, err := placeSaid(cfg)
	return err
}

// placeSaid also gives why the place may lie on the data directory's own disk, "" where it does not.
func placeSaid(cfg *config.Config) (same string, err error) {
	if cfg.Backup.Dir == "" {
		return "", nil
	}
	mark := filepath.Join(cfg.Backup.Dir, placeMark)
	text, err := os.ReadFile(mark)
	if errors.Is(err, fs.ErrPermission) { // root's, made by an earlier version: it is there, and says no more
		_, err = os.Stat(mark)
	}
	if err != nil {
		return "", fmt.Errorf("%s is not there or not made ready: plug the stick in, mount the share, or run `monban-server backup place` (%w)", cfg.Backup.Dir, err)
	}
	if disk := otherDisk(cfg.Backup.Dir, cfg.DataDir); disk != nil {
		_, reason, said := strings.Cut(string(text), placeSame)
		if !said {
			return "", disk
		}
		same = strings.TrimSpace(reason)
	}
	return same, writable(cfg.Backup.Dir)
}

// recipientsThere is an error while nobody could read the backups that are to be made, told before the night.
func recipientsThere(cfg *config.Config) error {
	if cfg.Backup.Dir == "" {
		return nil
	}
	_, err := sealed.Recipients(cfg.Backup.Recipients)
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: it holds public keys only: chmod 644", err)
	}
	return err
}

// backupReady is the first thing that would keep tonight's backup from being made.
func backupReady(cfg *config.Config) error {
	if err := placeThere(cfg); err != nil {
		return err
	}
	return recipientsThere(cfg)
}

// foldersWritable makes and removes a file where reception's copy of who is inside and the further key files go: in a fire an old copy is
// found, and a disposal does not begin, if they cannot be written. errNotSetUp when nothing is to go anywhere.
func foldersWritable(cfg *config.Config) error {
	var dirs []string
	if cfg.Muster.Dir != "" {
		dirs = append(dirs, cfg.Muster.Dir)
	}
	for _, path := range cfg.KeyCopies {
		dirs = append(dirs, filepath.Dir(path))
	}
	if len(dirs) == 0 {
		return errNotSetUp
	}
	slices.Sort(dirs)
	for _, dir := range slices.Compact(dirs) {
		if err := writable(dir); err != nil {
			return err
		}
	}
	return nil
}

// writable is an error for a folder in which this process cannot make a file: what the mode says is not enough, since the unit has
// most of the disk read-only.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".monban-probe-*")
	if errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("%s cannot be written: it is mounted read-only, or the unit may not write there: systemctl edit monban-server, and below [Service] ReadWritePaths=%s", dir, dir)
	}
	if err != nil {
		return fmt.Errorf("%s cannot be written: mount it for the server's user, or give it to him with chown (%w)", dir, err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// nightly makes the backup that was due at a time: copied and verified beside the database, encrypted onto the other disk, read back from it. Only
// then older ones are removed. A try that was cut off begins anew.
func nightly(ctx context.Context, cfg *config.Config, due time.Time) (note string, err error) {
	b := cfg.Backup
	if err := placeThere(cfg); err != nil {
		return "", err
	}
	to, err := sealed.Recipients(b.Recipients)
	if err != nil {
		return "", err
	}
	name := "monban-" + cfg.Site + "-" + due.UTC().Format("20060102T150405Z") + sealedEnd
	out := filepath.Join(b.Dir, name)
	if there, err := exists(out); err != nil || there {
		return name + " was made before", err
	}
	folder := cfg.Path(backupTmp)
	if err := dropBackupCopies(cfg); err != nil {
		return "", err
	}
	sealedHere := filepath.Join(b.Dir, "monban-"+cfg.Site+nightStamp+sealedEnd)
	leaves, err := copySite(ctx, cfg, BackupOptions{Out: folder, Now: time.Now()})
	if err == nil {
		err = makeRoom(folder, sealedHere, b.Keep, freeOf)
	}
	if err == nil {
		_, err = sealed.Seal(folder, out, to)
	}
	if err = errors.Join(err, os.RemoveAll(folder)); err != nil {
		return "", err
	}
	if err := noteBackup(cfg.Path(backupNote), time.Now()); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s: %d leaves", name, leaves), thin(sealedHere, b.Keep)
}

// nightStamp is the pattern of a backup's time in its name; a site of a longer name, whose backups lie on the same stick, does not fit it.
const nightStamp = "-????????T??????Z"

// makeRoom removes what nights that were cut off have left, and, where the room is short, the oldest backup that would go anyway once the
// new one is there: a stick that is full must not stay full. One that was read back stays in any case.
func makeRoom(folder, pattern string, keep int, freeOf func(dir string) (uint64, error)) error {
	left, err := filepath.Glob(pattern + ".partial")
	if err != nil {
		return err
	}
	for _, path := range left {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	need := uint64(1 << 20) // for what wraps the files
	err = filepath.WalkDir(folder, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			need += uint64(info.Size()) //nolint:gosec // no file is of a negative size
		}
		return err
	})
	if err != nil {
		return err
	}
	need += need / 100
	free, err := freeOf(filepath.Dir(pattern))
	if err != nil || free >= need {
		return err
	}
	return thin(pattern, max(keep-1, 1))
}

func freeOf(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("free room of %s: %w", dir, err)
	}
	return st.Bavail * uint64(st.Bsize), nil //nolint:gosec // no block is of a negative size
}

// dropBackupCopies removes what a nightly backup has left that broke off, so that no disposal is outlived by it: with the stick pulled out no later one
// would. One that is under way ends with an error and is made again.
func dropBackupCopies(cfg *config.Config) error {
	return errors.Join(os.RemoveAll(cfg.Path(backupTmp)), os.RemoveAll(cfg.Path(backupTmp+".partial")))
}

// thin removes the oldest files of a pattern until keep are left. Their names order them by time.
func thin(pattern string, keep int) error {
	names, err := filepath.Glob(pattern)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for len(names) > keep {
		if err := os.Remove(names[0]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		names = names[1:]
	}
	return nil
}
