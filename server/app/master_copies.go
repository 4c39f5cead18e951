package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"monban/server/attempt"
	"monban/server/config"
	"monban/server/keystore"
	"monban/server/review"
	"monban/server/store"
)

const (
	// copiesFile lies in the data directory and says which copies of the master key were made and when each was read back last. It
	// holds no key.
	copiesFile = "master-copies.json"
	// copiesWanted is how many copies there must be: one that is lost or unreadable must not be the last (OP-10).
	copiesWanted = 2
	// copyOld is the age from which a copy has to be read back again: sticks forget in years, and safes are emptied.
	copyOld = 180 * 24 * time.Hour
)

// copyState is one copy.
type copyState struct {
	ID     string `json:"id"`
	Path   string `json:"path"` // where it was read last
	ReadMS int64  `json:"read_ms"`
}

func readCopies(cfg *config.Config) (list []copyState, err error) {
	data, err := os.ReadFile(cfg.Path(copiesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &list)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w (delete it and check the copies again)", cfg.Path(copiesFile), err)
	}
	return list, nil
}

// noteCopy remembers that a copy was read back.
func noteCopy(cfg *config.Config, id, path string, now time.Time) error {
	list, err := readCopies(cfg)
	if err != nil {
		return err
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(c copyState) bool { return c.ID == id })
	data, err := json.MarshalIndent(append(list, copyState{id, path, now.UnixMilli()}), "", " ")
	if err != nil {
		return err
	}
	return writeFile(cfg.Path(copiesFile), append(data, '\n'))
}

// CopyMaster makes a copy of the master key in a folder of another medium and reads it back (OP-10). have is how many copies were read
// back so far, this one included. The server may run.
func CopyMaster(cfg *config.Config, dir string, now time.Time) (path string, have int, err error) {
	info, err := os.Stat(dir)
	if err != nil {
		return "", 0, aboutStick(fmt.Errorf("copy of the master key: %w", err))
	}
	if !info.IsDir() {
		return "", 0, fmt.Errorf("%s is no folder: name the folder of the stick", dir)
	}
	if liesIn(dir, cfg.DataDir) {
		return "", 0, fmt.Errorf("%s lies in %s: a copy that is lost with the key is none", dir, cfg.DataDir)
	}
	if there, _ := filepath.Glob(filepath.Join(dir, keystore.MasterCopyName(cfg.Site, "*"))); len(there) > 0 {
		return "", 0, fmt.Errorf("%s holds a copy already (%s): the second one belongs on another medium", dir, filepath.Base(there[0]))
	}
	c, path, err := keystore.CopyMaster(cfg.Path(masterFile), dir, cfg.Site, now, rand.Reader)
	if err != nil {
		return "", 0, aboutStick(err)
	}
	return noted(cfg, c.ID, path, now)
}

// CheckMasterCopy reads a copy back, a file or the folder that it lies in, and compares it with the master key.
func CheckMasterCopy(cfg *config.Config, path string, now time.Time) (string, int, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		there, _ := filepath.Glob(filepath.Join(path, keystore.MasterCopyName(cfg.Site, "*")))
		if len(there) != 1 {
			return "", 0, fmt.Errorf("%s holds %d copies of this site's master key, name the file", path, len(there))
		}
		path = there[0]
	}
	c, err := keystore.CheckMaster(path, cfg.Path(masterFile))
	if err != nil {
		return "", 0, aboutStick(err)
	}
	return noted(cfg, c.ID, path, now)
}

// aboutStick adds what to do about a medium that is not there or not ours.
func aboutStick(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: plug the stick in, mount it, and name the folder in which it is mounted", err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: mount the stick writable for this user (as root: mount -o uid=%s,umask=077 for FAT, chown of its folder for others)", err, userName(uint32(os.Geteuid()))) //nolint:gosec // a user's number
	}
	return err
}

func noted(cfg *config.Config, id, path string, now time.Time) (string, int, error) {
	if err := noteCopy(cfg, id, path, now); err != nil {
		return path, 0, err
	}
	list, err := readCopies(cfg)
	return path, len(list), err
}

// OpenToOthers says that others on this machine can read a copy while its medium is mounted, and what helps; "" = they cannot. FAT keeps no modes: what
// shows there is what it was mounted with, whatever the file was made with. The copy is as good, so this is a note.
func OpenToOthers(path string) string {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return ""
	}
	return fmt.Sprintf("%s can be read by others while it is mounted: mount a FAT stick with -o uid=%s,umask=077, elsewhere chmod 600", filepath.Base(path), userName(uint32(os.Geteuid()))) //nolint:gosec // a user's number
}

// RestoreMaster puts a copy of the master key in the place of the lost one. Nothing else may use the site meanwhile.
func RestoreMaster(cfg *config.Config, path string) error {
	l, err := lock(cfg.Path(lockFile))
	if err != nil {
		return err
	}
	return errors.Join(keystore.RestoreMaster(path, cfg.Path(masterFile), cfg.Path(keyStoreFile)), l.Close())
}

// liesIn reports whether a folder lies in another one, or is it.
func liesIn(dir, in string) bool {
	for _, f := range []func(string) (string, error){filepath.Abs, filepath.EvalSymlinks} {
		a, err1 := f(dir)
		b, err2 := f(in)
		if err1 == nil && err2 == nil {
			if rel, err := filepath.Rel(b, a); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
				return true
			}
		}
	}
	return false
}

// masterCopies is the doctor's line: two copies that read back and are equal to the key. A medium that lies in a safe cannot be read;
// what counts then is when it was read last.
func masterCopies(cfg *config.Config, now time.Time) Check {
	c := Check{Name: "copies of the master key"}
	list, err := readCopies(cfg)
	if err != nil {
		c.Err = err
		return c
	}
	if len(list) < copiesWanted {
		c.Err = fmt.Errorf("%d of %d: set-up is not finished. Make them on two media that lie in two places: monban-server keys copy --config FILE --to DIR", len(list), copiesWanted)
		return c
	}
	devices := map[uint64]string{}
	good := 0
	var bad, notes []string
	for _, x := range list {
		read := time.UnixMilli(x.ReadMS).In(cfg.Location()).Format(time.DateOnly)
		info, err := os.Stat(x.Path)
		switch {
		case err == nil:
			if _, err := keystore.CheckMaster(x.Path, cfg.Path(masterFile)); err != nil {
				bad = append(bad, err.Error())
				continue
			}
			good++
			if open := OpenToOthers(x.Path); open != "" {
				notes = append(notes, open)
			}
			if s, ok := info.Sys().(*syscall.Stat_t); ok {
				if other := devices[s.Dev]; other != "" {
					notes = append(notes, other+" and "+x.ID+" lie on one medium: move one")
				}
				devices[s.Dev] = x.ID
			}
		case now.Sub(time.UnixMilli(x.ReadMS)) > copyOld:
			bad = append(bad, fmt.Sprintf("%s is not at %s and was read back last on %s: bring it and run `monban-server keys check`", x.ID, x.Path, read))
		default:
			good++
			notes = append(notes, fmt.Sprintf("%s is not here, read back on %s", x.ID, read))
		}
	}
	c.Note = fmt.Sprintf(": %d of %d", good, len(list))
	if len(notes) > 0 {
		c.Note += " (" + strings.Join(notes, "; ") + ")"
	}
	if len(bad) > 0 && good >= copiesWanted { // one that is lost and replaced harms nobody
		c.Note += ": " + strings.Join(bad, "; ")
	} else if len(bad) > 0 {
		c.Err = errors.New(strings.Join(bad, "; "))
	}
	return c
}

// remindCopies is a daily job: as long as fewer than two copies were read back within half a year, there is an open finding (OP-10).
func (a *App) remindCopies(ctx context.Context, _ time.Time) (string, error) {
	return remindCopies(ctx, a.site.Config, a.site.Store, time.Now())
}

func remindCopies(ctx context.Context, cfg *config.Config, s *store.Store, now time.Time) (string, error) {
	list, err := readCopies(cfg)
	if err != nil {
		return "", err
	}
	fresh := 0
	for _, x := range list {
		if now.Sub(time.UnixMilli(x.ReadMS)) <= copyOld {
			fresh++
		}
	}
	if fresh >= copiesWanted {
		return "", nil
	}
	detail := fmt.Sprintf("copies-%d", fresh)
	return detail, s.Write(ctx, func(tx *store.Tx) error {
		f := review.New(review.KeyCopiesDue, review.NoCause)
		open, err := tx.OpenFinding(string(f.Kind), "", "", detail)
		if err != nil || open {
			return err
		}
		_, err = tx.AppendFinding(attempt.Finding{Kind: string(f.Kind), Severity: f.Severity.String(), Cause: f.Cause, Detail: detail, AtMS: now.UnixMilli()}, nil)
		return err
	})
}
