package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

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

// PlaceBackups makes a folder on a stick or share ready for backups.
func PlaceBackups(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, placeMark), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("%w: the folder must be on another disk and writable for the server's user (mount options, chown)", err)
	}
	_, err = f.WriteString("monban-server puts its encrypted backups here.\n")
	return errors.Join(err, f.Sync(), f.Close())
}

// placeThere is an error while backups are to go to a stick or share that is not there, the morning after it was pulled out and not a week
// later; nil where none is named.
func placeThere(cfg *config.Config) error {
	if cfg.Backup.Dir == "" {
		return nil
	}
	if _, err := os.Stat(filepath.Join(cfg.Backup.Dir, placeMark)); err != nil {
		return fmt.Errorf("%s is not there or not made ready: plug the stick in, mount the share, or run `monban-server backup place` (%w)", cfg.Backup.Dir, err)
	}
	return nil
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
	leaves, err := copySite(ctx, cfg, BackupOptions{Out: folder, Now: time.Now()})
	if err == nil {
		_, err = sealed.Seal(folder, out, to)
	}
	if err = errors.Join(err, os.RemoveAll(folder)); err != nil {
		return "", err
	}
	if err := noteBackup(cfg.Path(backupNote), time.Now()); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s: %d leaves", name, leaves), thin(b.Dir, "monban-"+cfg.Site+"-*"+sealedEnd, b.Keep)
}

// dropBackupCopies removes what a nightly backup has left that broke off, so that no disposal is outlived by it: with the stick pulled out no later one
// would. One that is under way ends with an error and is made again.
func dropBackupCopies(cfg *config.Config) error {
	return errors.Join(os.RemoveAll(cfg.Path(backupTmp)), os.RemoveAll(cfg.Path(backupTmp+".partial")))
}

// thin removes the oldest files of a pattern until keep are left. Their names order them by time.
func thin(dir, pattern string, keep int) error {
	names, err := filepath.Glob(filepath.Join(dir, pattern))
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
