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
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/config"
	"monban/server/entrylog"
	"monban/server/ingest"
	"monban/server/keystore"
	"monban/server/policypub"
	"monban/server/review"
	"monban/server/signer"
	"monban/server/store"
)

const (
	// restoreNew is where a restore prepares everything. Until it gets its other name nothing of the
	// site has been touched, and what lies there may be deleted.
	restoreNew = "restore.new"
	// restoreReady holds what has been prepared and is being moved into its place. While it is there
	// nothing but `restore --resume` opens the site.
	restoreReady = "restore.ready"
	planFile     = "plan.json"
	rootKeyFile  = "root.key"
)

// policyJump is how far the versions of rules and modes rise in a restore: above whatever was published
// between the backup and the loss. A site that changes its directory each minute does so in two years.
const policyJump = 1_000_000

// RestoreOptions of Restore.
type RestoreOptions struct {
	Backup     string // the folder
	Reason     string // in words; goes into the log
	By         string // who; goes into the log
	Checkpoint string // file with a newer checkpoint of the old log than the data directory knows; "" = none
	RootKey    string // file with the root key, which signs the new log's key; "" = keys/root.key
	Now        time.Time

	// Step is called between the steps with their names; an error there ends the restore as a crash
	// would. Tests use it; nil otherwise.
	Step func(name string) error
}

// Restored says what a restore came to.
type Restored struct {
	Leaves         int64 // restored
	LostFrom       int64 // leaves of the old log that are known to be lost, from ≤ index < to
	LostTo         int64
	Before, Origin string // the log that ended, the log that began
	Unvouched      bool   // the backup's list has no MAC: nothing tells whether somebody changed people, cards or accounts in it
	Aside          string // folder with the database that was replaced, "" when there was none
}

// restorePlan is what a resumed restore needs to know.
type restorePlan struct {
	Aside    string   `json:"aside"` // name of the folder in the data directory
	Restored Restored `json:"restored"`
}

// Restore puts a backup in the place of a stopped server's database. The site's secrets must be in the data
// directory already: those of the machine itself, or on a new machine the copy that is kept apart.
//
// The old log ends and a new one begins, whatever was lost: leaves that others have seen may be gone, and
// the old key never signs again. What the gateways have recorded since comes back from them.
//
//	crash point 1: restore.new incomplete or complete → nothing happened; run again
//	crash point 2: renamed to restore.ready → run with --resume; nothing else opens the site
//	crash point 3: old database moved aside, new one not in place → as 2
//	crash point 4: new database in place, keys old → as 2
//	crash point 5: all in place, restore.ready still there → as 2
func Restore(ctx context.Context, cfg *config.Config, o RestoreOptions) (Restored, error) {
	if o.Step == nil {
		o.Step = func(string) error { return nil }
	}
	switch {
	case o.Reason == "":
		return Restored{}, errors.New("restore: no reason given: it goes into the log")
	case o.By == "":
		return Restored{}, errors.New("restore: nobody named who does it: it goes into the log")
	}
	l, err := lock(cfg.Path(lockFile))
	if err != nil {
		return Restored{}, err
	}
	r := restore{cfg: cfg, o: o}
	err = r.prepare(ctx)
	var done Restored
	if err == nil {
		done, err = finishRestore(cfg, o.Step)
	}
	return done, errors.Join(err, l.Close())
}

// ResumeRestore brings a restore that broke off to its end.
func ResumeRestore(cfg *config.Config, step func(string) error) (Restored, error) {
	if step == nil {
		step = func(string) error { return nil }
	}
	there, err := exists(cfg.Path(restoreReady))
	if err != nil {
		return Restored{}, err
	}
	if !there {
		return Restored{}, fmt.Errorf("%s: no restore broke off here after it had begun to change anything", cfg.DataDir)
	}
	l, err := lock(cfg.Path(lockFile))
	if err != nil {
		return Restored{}, err
	}
	done, err := finishRestore(cfg, step)
	return done, errors.Join(err, l.Close())
}

type restore struct {
	cfg *config.Config
	o   RestoreOptions

	keys   *keystore.KeyStore
	signer *signer.Local // with the old log's key
	old    note.Verifier
	new    note.Verifier
	out    Restored
}

// signDir is where log.key and signed.json lie: with a signer of its own not in the data directory.
func signDir(cfg *config.Config) string {
	if cfg.Signer.Socket != "" {
		return cfg.Signer.KeysDir
	}
	return cfg.Path(keysDir)
}

// prepare makes restore.ready, or leaves everything as it was.
func (r *restore) prepare(ctx context.Context) error {
	for _, name := range []string{restoreReady, unfinishedFile} {
		there, err := exists(r.cfg.Path(name))
		if err != nil {
			return err
		}
		if there {
			return fmt.Errorf("%s: is there: a restore or set-up broke off; run `monban-server restore --resume` or `setup` first", r.cfg.Path(name))
		}
	}
	m, err := readManifest(r.o.Backup, r.cfg.Site)
	if err != nil {
		return err
	}
	if err := r.openKeys(); err != nil {
		return err
	}
	if r.out.Unvouched, err = m.vouched(r.o.Backup, r.cfg.Path(masterFile)); err != nil {
		return err
	}
	stage := r.cfg.Path(restoreNew)
	if err := os.RemoveAll(stage); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(stage, keysDir), 0o700); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	db := filepath.Join(stage, databaseFile)
	sum, err := copyFile(filepath.Join(r.o.Backup, databaseFile), db)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if sum != m.Files[databaseFile] {
		return fmt.Errorf("%s: changed while it was read", filepath.Join(r.o.Backup, databaseFile))
	}
	if _, _, err := checkCopy(ctx, r.cfg, db, r.keys, true); err != nil {
		return err
	}
	if err := r.o.Step("copied"); err != nil {
		return err
	}
	if err := r.succeed(ctx, db, m); err != nil {
		return err
	}
	if err := r.o.Step("succeeded"); err != nil {
		return err
	}
	if err := r.forget(ctx, db); err != nil {
		return err
	}
	if err := r.keysNote(filepath.Join(stage, keysDir)); err != nil {
		return err
	}
	if err := r.plan(stage); err != nil {
		return err
	}
	if err := r.o.Step("prepared"); err != nil {
		return err
	}
	if err := os.Rename(stage, r.cfg.Path(restoreReady)); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := syncDir(r.cfg.DataDir); err != nil {
		return err
	}
	return r.o.Step("ready")
}

// openKeys opens the secrets that restoring needs.
func (r *restore) openKeys() error {
	missing := func(err error) error {
		return fmt.Errorf("%w (restoring needs the site's secrets, which no backup holds: put the copy that is kept apart into the data directory first)", err)
	}
	var err error
	if r.keys, err = keystore.Open(r.cfg.Path(keyStoreFile), r.cfg.Path(masterFile), rand.Reader, r.cfg.KeyCopies...); err != nil {
		return missing(err)
	}
	if _, err = policypub.LoadKeys(r.cfg.Path(siteKeysFile)); err != nil {
		return missing(err)
	}
	if r.signer, err = signer.Open(signDir(r.cfg), manifestVersion, signer.RoleLog); err != nil {
		if errors.Is(err, fs.ErrPermission) && r.cfg.Signer.Socket != "" {
			return fmt.Errorf("%w (the signer's keys belong to its own user: with the signer stopped, as root, chown -R %s: %s, then restore, then give them back with chown -R)", err, userName(uint32(os.Geteuid())), signDir(r.cfg)) //nolint:gosec // a user's number
		}
		return missing(err)
	}
	if r.old, err = r.signer.Verifier(signer.RoleLog); err != nil {
		return missing(err)
	}
	if _, err := os.Stat(r.rootKey()); err != nil {
		return fmt.Errorf("root key, which signs the new log's key: %w (name it with --root-key)", err)
	}
	return nil
}

func (r *restore) rootKey() string {
	if r.o.RootKey != "" {
		return r.o.RootKey
	}
	return r.cfg.Path(keysDir, rootKeyFile)
}

// succeed begins the new log in the staged database.
func (r *restore) succeed(ctx context.Context, db string, m backupManifest) error {
	known, err := r.lastKnown(m)
	if err != nil {
		return err
	}
	opt := store.Options{Zone: r.cfg.Location(), Keys: r.keys, Anchor: filepath.Join(filepath.Dir(db), "no-anchor")}
	err = store.Succeed(ctx, db, opt, func(h store.Head) (s entrylog.Succession, o *entrylog.Opening, also func(*store.Tx) error, err error) {
		if r.new, err = r.signer.Succeed(filepath.Join(filepath.Dir(db), keysDir), h.Size, h.Root, rand.Reader); err != nil {
			return s, nil, nil, err
		}
		s = entrylog.Succession{
			Origin: r.new.Name(), Before: r.old.Name(), Size: h.Size, Root: h.Root, Known: known,
			SinceMS: h.LastMS, AtMS: r.o.Now.UnixMilli(), Why: "restore",
		}
		r.out.Leaves, r.out.Before, r.out.Origin = h.Size, s.Before, s.Origin
		r.out.LostFrom, r.out.LostTo = s.Lost()
		why := r.o.Reason
		if r.out.Unvouched {
			why += bareMark
		}
		return s, &entrylog.Opening{Name: r.o.By, Text: why}, func(tx *store.Tx) error { return r.also(tx, h.Size) }, nil
	})
	if err != nil {
		return err
	}
	return cleanWAL(db)
}

// forget destroys in the staged database what was destroyed since the backup was made: the key store's list knows (EV-9).
func (r *restore) forget(ctx context.Context, db string) error {
	s, err := store.Open(db, store.Options{Zone: r.cfg.Location(), Keys: r.keys, Anchor: filepath.Join(filepath.Dir(db), "no-anchor")})
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	t := &Retainer{store: s, keys: r.keys, zone: r.cfg.Location(), now: func() time.Time { return r.o.Now }, step: r.o.Step}
	if err := vouchList(ctx, s, r.keys, r.cfg.Path(keyStoreFile), false); err != nil {
		return errors.Join(err, s.Close())
	}
	if err = t.withdrawRestored(ctx, Operator{Name: r.o.By}); err == nil {
		err = t.applyList(ctx)
	}
	if canWait(err) { // in the database it is gone
		err = nil
	}
	if err := errors.Join(err, s.Close()); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return cleanWAL(db)
}

// cleanWAL removes what SQLite leaves beside a closed database.
func cleanWAL(db string) error {
	for _, suffix := range []string{"-wal", "-shm"} {
		info, err := os.Stat(db + suffix)
		if err == nil && info.Size() > 0 && suffix == "-wal" {
			return fmt.Errorf("BUG: %s: is not empty after closing", db+suffix)
		}
		if err := os.Remove(db + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("restore: %w", err)
		}
	}
	return nil
}

// also is what goes into the log with the succession: a finding for a person, and a floor for versions. Which gateways were silent when the backup
// was made says nothing of today.
func (r *restore) also(tx *store.Tx, size int64) error {
	f := review.New(review.LogSucceeded, size)
	_, err := tx.AppendFinding(attempt.Finding{
		Kind: string(f.Kind), Severity: f.Severity.String(), Cause: f.Cause, AtMS: r.o.Now.UnixMilli(),
		Detail: fmt.Sprintf("lost:%d-%d", r.out.LostFrom, r.out.LostTo),
	}, nil)
	if err != nil {
		return err
	}
	if err := tx.DropSettings(ingest.SilenceSetting); err != nil {
		return err
	}
	floor := r.signer.PolicyFloor()
	for _, part := range []string{wire.PartRules, wire.PartModes} {
		v, _, err := tx.PolicyHead("", part)
		if err != nil {
			return err
		}
		floor = max(floor, v)
	}
	return tx.SetSetting(policypub.FloorSetting, strconv.FormatUint(floor+policyJump, 10))
}

// lastKnown is the newest checkpoint of the old log that can be shown: of the signer, the anchor file, the
// backup, or the file that was named.
func (r *restore) lastKnown(m backupManifest) (string, error) {
	best, size := "", int64(0)
	take := func(signed string) {
		if c, err := entrylog.OpenCheckpoint([]byte(signed), r.old); err == nil && c.Size > size && entrylog.OwnSignature([]byte(signed)) == nil {
			best, size = signed, c.Size
		}
	}
	if n, root := r.signer.LastCheckpoint(); n > 0 { // signed before; the note itself may be stored nowhere
		signed, err := r.signer.SignCheckpoint(entrylog.Checkpoint{Origin: r.old.Name(), Size: n, Root: root}.Text(), nil)
		if err != nil {
			return "", err
		}
		take(string(signed))
	}
	for _, path := range []string{r.cfg.Path(anchorFile), r.o.Checkpoint} {
		if path == "" {
			continue
		}
		text, err := os.ReadFile(path)
		if err == nil {
			take(string(text))
		} else if path == r.o.Checkpoint {
			return "", fmt.Errorf("last known checkpoint: %w", err)
		}
	}
	take(m.Checkpoint)
	return best, nil
}

// keysNote has the root sign the list of role keys with the new log's.
func (r *restore) keysNote(to string) error {
	fail := func(err error) error { return fmt.Errorf("sign the list of role keys: %w", err) }
	text, err := os.ReadFile(r.rootKey())
	if err != nil {
		return fail(err)
	}
	root, err := note.NewSigner(firstLine(text))
	if err != nil {
		return fail(err)
	}
	if text, err = os.ReadFile(r.cfg.Path(keysDir, "root.vkey")); err != nil {
		return fail(err)
	}
	verifier, err := note.NewVerifier(firstLine(text))
	if err != nil {
		return fail(err)
	}
	if text, err = os.ReadFile(r.cfg.Path(keysDir, keysNoteFile)); err != nil {
		return fail(err)
	}
	keys, err := wire.OpenKeys(verifier, r.cfg.Site, string(text))
	if err != nil {
		return fail(err)
	}
	if text, err = os.ReadFile(filepath.Join(to, "log.vkey")); err != nil {
		return fail(err)
	}
	keys.Version++
	keys.Log = firstLine(text)
	signed, err := wire.SealKeys(root, keys)
	if err != nil {
		return fail(err)
	}
	if _, err := wire.OpenKeys(verifier, r.cfg.Site, signed); err != nil { // the wrong root key
		return fail(err)
	}
	return writeFile(filepath.Join(to, keysNoteFile), []byte(signed))
}

// plan writes down what finishing needs, and makes the folder durable.
func (r *restore) plan(stage string) error {
	p := restorePlan{Aside: "replaced-" + r.o.Now.UTC().Format("20060102T150405.000000000Z"), Restored: r.out}
	data, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := writeFile(filepath.Join(stage, planFile), data); err != nil {
		return err
	}
	return errors.Join(syncDir(filepath.Join(stage, keysDir)), syncDir(stage))
}

// finishRestore moves what is prepared into its place. Each step can be run again: what has been moved is no
// longer in restore.ready.
func finishRestore(cfg *config.Config, step func(string) error) (Restored, error) {
	ready := cfg.Path(restoreReady)
	data, err := os.ReadFile(filepath.Join(ready, planFile))
	if errors.Is(err, fs.ErrNotExist) { // crash point 5: it is removed last
		return Restored{}, removeReady(cfg)
	}
	if err != nil {
		return Restored{}, fmt.Errorf("restore: %w", err)
	}
	var p restorePlan
	if err := json.Unmarshal(data, &p); err != nil || !filepath.IsLocal(p.Aside) {
		return Restored{}, fmt.Errorf("restore: %s: cannot be read: %w", filepath.Join(ready, planFile), err)
	}
	if err := placeDatabase(cfg, p.Aside, step); err != nil {
		return Restored{}, fmt.Errorf("restore: %w", err)
	}
	if err := step("database"); err != nil {
		return Restored{}, err
	}
	if err := placeKeys(cfg, step); err != nil {
		return Restored{}, fmt.Errorf("restore: %w", err)
	}
	if err := step("keys"); err != nil {
		return Restored{}, err
	}
	if there, err := exists(cfg.Path(p.Aside)); err != nil {
		return Restored{}, err
	} else if there {
		p.Restored.Aside = cfg.Path(p.Aside)
	}
	return p.Restored, removeReady(cfg)
}

func removeReady(cfg *config.Config) error {
	ready := cfg.Path(restoreReady)
	left, err := filepath.Glob(filepath.Join(ready, keysDir, "*"))
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if there, err := exists(filepath.Join(ready, databaseFile)); err != nil || there || len(left) > 0 {
		return errors.Join(err, fmt.Errorf("restore: %s: has lost its plan and still holds files: move them by hand (docs/operations.md, Restore)", ready))
	}
	if err := os.RemoveAll(ready); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return syncDir(cfg.DataDir)
}

// placeDatabase moves the old database aside and the new one in; nothing is overwritten.
func placeDatabase(cfg *config.Config, aside string, step func(string) error) error {
	from := cfg.Path(restoreReady, databaseFile)
	if there, err := exists(from); err != nil || !there {
		return err // it is in its place
	}
	for _, name := range []string{databaseFile + "-wal", databaseFile + "-shm", anchorFile, databaseFile} {
		there, err := exists(cfg.Path(name))
		if err != nil {
			return err
		}
		if !there {
			continue
		}
		if err := os.MkdirAll(cfg.Path(aside), 0o700); err != nil {
			return err
		}
		if err := os.Rename(cfg.Path(name), cfg.Path(aside, name)); err != nil {
			return err
		}
		if err := step("aside " + name); err != nil {
			return err
		}
	}
	if there, err := exists(cfg.Path(aside)); err != nil {
		return err
	} else if there {
		if err := syncDir(cfg.Path(aside)); err != nil {
			return err
		}
	}
	if err := os.Rename(from, cfg.Path(databaseFile)); err != nil {
		return err
	}
	return syncDir(cfg.DataDir)
}

// placeKeys puts the new log's keys in the place of the old one's. log.key comes last but for the state that
// belongs to it: both are written together or, after a crash, again.
func placeKeys(cfg *config.Config, step func(string) error) error {
	names, err := filepath.Glob(cfg.Path(restoreReady, keysDir, "*"))
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, from := range names {
		name := filepath.Base(from)
		data, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		dirs := []string{cfg.Path(keysDir)}
		switch own := signDir(cfg); {
		case name == "log.key" || name == "signed.json":
			dirs = []string{own}
		case own != dirs[0] && name != keysNoteFile:
			dirs = append(dirs, own)
		}
		for _, dir := range dirs {
			if err := writeFile(filepath.Join(dir, name), data); err != nil {
				return err
			}
		}
		if err := step("placed " + name); err != nil {
			return err
		}
		if err := os.Remove(from); err != nil {
			return err
		}
		if err := step("key " + name); err != nil {
			return err
		}
	}
	return syncDir(cfg.Path(restoreReady, keysDir))
}
