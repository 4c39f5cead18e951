package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"monban/server/ca"
	"monban/server/config"
	"monban/server/entrylog"
	"monban/server/keystore"
	"monban/server/policypub"
	"monban/server/store"
)

// updateFormat is that of what two versions hand each other during an update (server/upgrade reads it).
const updateFormat = 1

// updateRequest is what `update` asks a running server for: how it stands; with Leaf an entry of the log; with Open that a server that
// is being tried opens.
type updateRequest struct {
	Leaf *UpdateNote `json:"leaf,omitempty"`
	Open bool        `json:"open,omitempty"`
}

// UpdateState is how a server stands, before an update and after.
type UpdateState struct {
	Format int      `json:"monban_update"`    // 1; another program refuses what it does not know
	Trial  bool     `json:"trial,omitempty"`  // a new version is tried: nothing is written
	Linked []string `json:"linked,omitempty"` // gateways that were heard within the life of a lease
	Faults []string `json:"faults,omitempty"` // of doctor, one line each
	Leaves int64    `json:"leaves"`
}

// UpdateNote is an entry of the log about an update. Who did it and why go into its encrypted opening (PR-2).
type UpdateNote struct {
	Verb    string `json:"verb"` // one of the Update… verbs
	Version string `json:"version"`
	Reason  string `json:"reason"`
	By      string `json:"by"`
}

// The verbs of leaves about updates of the server.
const (
	UpdateBegun      = "update_begun"       // a checked release is about to be tried
	UpdateDone       = "update_done"        // it was well and is open
	UpdateRolledBack = "update_rolled_back" // the program and the database of before run again
)

func (n *UpdateNote) write(ctx context.Context, s *store.Store, at time.Time) error {
	switch n.Verb {
	case UpdateBegun, UpdateDone, UpdateRolledBack:
	default:
		return errors.New("not a note of an update")
	}
	if strings.TrimSpace(n.Reason) == "" || n.By == "" || n.Version == "" {
		return errors.New("not a note of an update")
	}
	err := s.Write(ctx, func(tx *store.Tx) error {
		a := entrylog.Action{Verb: n.Verb, Target: "version", ID: strings.Map(leafID, n.Version), From: "cli", Result: "ok", Reason: true, AtMS: at.UnixMilli()}
		_, err := tx.AppendAction(a, &entrylog.Opening{Name: n.By, Text: n.Reason})
		return err
	})
	if err != nil {
		return err
	}
	return s.SignNow(ctx)
}

// leafID leaves what a leaf's id may hold: a version has a tilde too.
func leafID(r rune) rune {
	if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("_.:-", r) {
		return r
	}
	return '-'
}

// NoteUpdate writes an entry of the log: through the running server, else into the database of the stopped one.
func NoteUpdate(ctx context.Context, cfg *config.Config, n UpdateNote, log *slog.Logger) error {
	l, err := lock(cfg.Path(lockFile))
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		_, err := askServer(ctx, cfg.Path(requestDir), request{Update: &updateRequest{Leaf: &n}})
		return err
	case err != nil:
		return err
	}
	if err := l.Close(); err != nil {
		return err
	}
	s, err := OpenSite(cfg, time.Now(), log)
	if err != nil {
		return err
	}
	return errors.Join(n.write(ctx, s.Store, time.Now()), s.Close())
}

// AskUpdateState asks the running server how it stands.
func AskUpdateState(ctx context.Context, cfg *config.Config) (UpdateState, error) {
	a, err := askServer(ctx, cfg.Path(requestDir), request{Update: &updateRequest{}})
	if errors.Is(err, errNoAnswer) {
		return UpdateState{}, errors.New("the server does not answer") // asked by an update, which does the rest itself
	}
	if err != nil {
		return UpdateState{}, err
	}
	if a.Update == nil {
		return UpdateState{}, errors.New("the server that runs is too old to be asked")
	}
	if a.Update.Format != updateFormat {
		return UpdateState{}, fmt.Errorf("the server that runs says how it stands in format %d, this program knows %d: use the program that the server runs", a.Update.Format, updateFormat)
	}
	return *a.Update, nil
}

// OpenTrial has the server that is being tried open.
func OpenTrial(ctx context.Context, cfg *config.Config) error {
	_, err := askServer(ctx, cfg.Path(requestDir), request{Update: &updateRequest{Open: true}})
	return err
}

// updateRequested does what `update` asks this server for.
func (a *App) updateRequested(ctx context.Context, q *updateRequest) (out answer, err error) {
	switch {
	case q.Open:
		return out, nil // it is open
	case q.Leaf != nil:
		return out, q.Leaf.write(ctx, a.site.Store, time.Now())
	}
	out.Update = updateState(ctx, a.site, a.health, time.Now())
	return out, nil
}

func updateState(ctx context.Context, s *Site, h *health, now time.Time) *UpdateState {
	u := &UpdateState{Format: updateFormat, Linked: h.linkedNow(now), Leaves: s.Store.Size()}
	for _, c := range siteChecks(ctx, s, now) {
		if c.Err != nil && !errors.Is(c.Err, store.ErrTrial) {
			u.Faults = append(u.Faults, c.Name+": "+c.Err.Error())
		}
	}
	return u
}

// TryResult is what TryUpdate found.
type TryResult struct {
	Format  int     `json:"monban_update"` // 1
	Leaves  int64   `json:"leaves"`
	Applied []int64 `json:"applied"` // numbers of the migrations that the copy had not seen; the database cannot go back over them
}

// TryUpdate is the rehearsal of an update, done by the new program: it brings a copy of a backup that the old one has made, its
// schema up to date, and verifies it from the first leaf. Site and backup are only read; the copy has one name in the data directory and is removed.
func TryUpdate(ctx context.Context, cfg *config.Config, dir string) (out TryResult, err error) {
	if _, err := readManifest(dir, cfg.Site); err != nil {
		return out, err
	}
	out.Format = updateFormat
	tmp := cfg.Path(updateTry)
	if err := os.RemoveAll(tmp); err != nil { // of one that was killed
		return out, err
	}
	if err := os.Mkdir(tmp, 0o700); err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	db := filepath.Join(tmp, databaseFile)
	if _, err := copyFile(filepath.Join(dir, databaseFile), db); err != nil {
		return out, err
	}
	if out.Applied, err = store.Upgrade(ctx, db); err != nil {
		return out, err
	}
	if out.Applied == nil {
		out.Applied = []int64{}
	}
	out.Leaves, _, err = checkCopy(ctx, cfg, db, nil, false)
	return out, err
}

// CopyForTry is a backup for TryUpdate. It is no backup that anybody is told of: it is gone when the rehearsal has ended.
func CopyForTry(ctx context.Context, cfg *config.Config, dir string) error {
	_, err := copySite(ctx, cfg, BackupOptions{Out: dir, Now: time.Now()})
	return err
}

// Reads reports by nil that this program can read what is in the data directory: its schema, and each file beside the database that has a form of its
// own. A running server of another version may use it.
func Reads(ctx context.Context, cfg *config.Config) error {
	if err := store.Known(ctx, cfg.Path(databaseFile)); err != nil {
		return err
	}
	if _, err := ca.Open(cfg.CA.Dir, time.Now()); err != nil {
		return err
	}
	if _, err := policypub.LoadKeys(cfg.Path(siteKeysFile)); err != nil {
		return err
	}
	_, err := keystore.Open(cfg.Path(keyStoreFile), cfg.Path(masterFile), rand.Reader)
	return err
}

// TakeBack copies the stopped server's database beside everything of before the update, so that PutBack can restore it, and then marks that the next
// program is on trial. dir must not be there yet. It is a copy of bytes, with what SQLite has not merged yet: nobody may have it open. Copy and mark are
// made under one lock: what a command wrote between the two would be lost with the way back.
func TakeBack(cfg *config.Config, dir, version string) error {
	return stopped(cfg, func() error {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		for _, name := range databaseFiles {
			if _, err := os.Stat(cfg.Path(name)); errors.Is(err, os.ErrNotExist) {
				continue
			}
			if _, err := copyFile(cfg.Path(name), filepath.Join(dir, name)); err != nil {
				return err
			}
		}
		if err := writeFile(filepath.Join(dir, wholeFile), []byte("all of it is here\n")); err != nil {
			return err
		}
		if err := syncDir(filepath.Dir(dir)); err != nil {
			return err
		}
		return writeFile(cfg.Path(trialFile), []byte(version+"\n"))
	})
}

// Names in the data directory that an update gives (server/upgrade knows them too): copies of the database, with the directory in clear (EV-8).
const (
	updateBackup = "update-backup" // during the rehearsal
	updateTry    = "update-try"    // during the rehearsal
	updateBefore = "update-before" // until the new version has opened, or the one before is back
)

// dropUpdateCopies removes what updates have left that broke off, so that no disposal is outlived by it. Whoever calls it holds the data directory, and
// no version is tried. A rehearsal that is under way ends with an error, and nothing is changed.
func dropUpdateCopies(cfg *config.Config) error {
	var errs []error
	for _, name := range []string{updateBackup, updateBackup + ".partial", updateTry, updateBefore} {
		errs = append(errs, os.RemoveAll(cfg.Path(name)))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("copies that an update left: %w", err)
	}
	return nil
}

// DatabaseFiles are the paths of what a stopped server's database consists of.
func DatabaseFiles(cfg *config.Config) (out []string) {
	for _, name := range databaseFiles {
		out = append(out, cfg.Path(name))
	}
	return out
}

// databaseFiles are what a stopped server's database consists of, the anchor with it.
var databaseFiles = [...]string{databaseFile, databaseFile + "-wal", anchorFile}

const wholeFile = "whole" // written last

// PutBack puts the database of before the update in its place again, and takes the mark of the trial away. It refuses when there is no mark:
// then the new version has opened, and what it has acknowledged would be lost. Broken off, it can be done again.
func PutBack(cfg *config.Config, dir string) error {
	return stopped(cfg, func() error {
		there, err := exists(cfg.Path(trialFile))
		if err != nil {
			return err
		}
		if !there {
			return errors.New("the new version has opened: records may have been acknowledged, and nothing is put back")
		}
		if _, err := os.Stat(filepath.Join(dir, wholeFile)); err != nil {
			return fmt.Errorf("the database of before: %w", err)
		}
		for _, name := range databaseFiles {
			from := filepath.Join(dir, name)
			if _, err := os.Stat(from); errors.Is(err, os.ErrNotExist) {
				if err := os.Remove(cfg.Path(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
					return err
				}
				continue
			}
			tmp := cfg.Path(name + ".back")
			if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			if _, err := copyFile(from, tmp); err != nil {
				return err
			}
			if err := os.Rename(tmp, cfg.Path(name)); err != nil {
				return err
			}
		}
		if err := os.Remove(cfg.Path(databaseFile + "-shm")); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := syncDir(cfg.DataDir); err != nil {
			return err
		}
		if err := os.Remove(cfg.Path(trialFile)); err != nil {
			return err
		}
		return syncDir(cfg.DataDir)
	})
}

// stopped does what needs a data directory that nobody uses.
func stopped(cfg *config.Config, f func() error) error {
	l, err := lock(cfg.Path(lockFile))
	if err != nil {
		return err
	}
	return errors.Join(f(), l.Close())
}

// PrintJSON writes one line that another program reads.
func PrintJSON(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) }
