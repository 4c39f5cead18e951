package app

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
	"monban/firmware/wire"
	"monban/server/ca"
	"monban/server/config"
	"monban/server/signer"
)

// nextKeysDir holds the next note root while the root is changed (ADR 0024): root.key, then root.vkey.
const nextKeysDir = "next"

// RollOptions of StartRoll and FinishRoll.
type RollOptions struct {
	// RootKey is the file with the key that signs: to start that of the note root, to finish that of the next one. "" = where it
	// was made, in the data directory.
	RootKey string
	Without []string // gateways that are given up: FinishRoll does not wait for them
	User    string   // of the operating system, for the log
	Reason  string
	Now     time.Time
}

// StartRoll begins a change of both roots: a next authority, a next note root, and a list of role keys in which the old root announces
// them. The server must be stopped. It may be run again after a crash; the announcement is the last step, and before it nobody has
// heard of anything.
func StartRoll(cfg *config.Config, o RollOptions) error {
	l, err := lock(cfg.Path(lockFile))
	if err != nil {
		return err
	}
	defer l.Close() // nothing was written through it
	roots, keys, err := readRoll(cfg)
	if err != nil {
		return err
	}
	if keys.NextRoot != "" {
		return errors.New("a change of the root is under way already: see `ca roll --status`, end it with `ca roll --finish`")
	}
	path := o.RootKey
	if path == "" {
		path = cfg.Path(keysDir, rootKeyFile)
	}
	root, err := readRootSigner(path)
	if err != nil {
		return err
	}
	if root.KeyHash() != roots.old.KeyHash() {
		return fmt.Errorf("%s: is not the key that signs this site's list of role keys", path)
	}
	rolling, err := ca.StartRoll(cfg.CA.Dir, o.Now)
	if err != nil {
		return err
	}
	if keys.NextRoot, err = makeNextRoot(cfg); err != nil {
		return err
	}
	keys.Version++
	keys.CA, keys.NextCA = base64.StdEncoding.EncodeToString(rolling.Root), base64.StdEncoding.EncodeToString(rolling.Next)
	if err := noteRoll(cfg, "root_change_begun", o); err != nil { // a crash from here on may log it twice, never not at all
		return err
	}
	return signList(cfg, root, roots.old, keys)
}

// makeNextRoot makes the next note root, or finds the one of an earlier try; it gives its verifier key.
func makeNextRoot(cfg *config.Config) (string, error) {
	dir := cfg.Path(keysDir, nextKeysDir)
	text, err := os.ReadFile(filepath.Join(dir, "root.vkey"))
	if err == nil {
		return firstLine(text), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("next root: %w", err)
	}
	skey, vkey, err := signer.GenerateKey(rand.Reader, signer.KeyName(cfg.Site, signer.RoleRoot))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("next root: %w", err)
	}
	// root.vkey last: it says that both are there.
	return vkey, errors.Join(writeFile(filepath.Join(dir, rootKeyFile), []byte(skey+"\n")), writeFile(filepath.Join(dir, "root.vkey"), []byte(vkey+"\n")), syncDir(cfg.Path(keysDir)))
}

// FinishRoll ends the change: the next roots take the old ones' places, and the next root signs a list that names no other. It refuses while a
// gateway has not said that it could go on with the new ones alone. The server must be stopped. It may be run again after a crash:
//
//	crash point 1: new authority in place, old list → gateways trust both
//	crash point 2: new list, old root.vkey         → the list is the next root's; swapped on the next run
func FinishRoll(cfg *config.Config, o RollOptions) error {
	l, err := lock(cfg.Path(lockFile))
	if err != nil {
		return err
	}
	defer l.Close() // nothing was written through it
	roots, keys, err := readRoll(cfg)
	if err != nil {
		return err
	}
	if roots.next == nil {
		return fmt.Errorf("%w: begin with `ca roll`", ca.ErrNoRoll)
	}
	if !roots.announced && !roots.finished {
		return errors.New("the change of the root has not been announced: run `ca roll` again")
	}
	if roots.announced {
		if err := endOverlap(cfg, o, roots, keys); err != nil {
			return err
		}
	}
	return placeNextRoot(cfg, roots.old)
}

// endOverlap puts the next authority in place and has the next root sign.
func endOverlap(cfg *config.Config, o RollOptions, roots rollRoots, keys wire.Keys) error {
	if waiting, err := notConfirmed(cfg, keys.Version, o.Without); err != nil {
		return err
	} else if len(waiting) > 0 {
		return fmt.Errorf("not yet: %s would be cut off for good; wait until each has connected, or give it up with --without NAME and enrol it again", strings.Join(waiting, ", "))
	}
	path := o.RootKey
	if path == "" {
		path = cfg.Path(keysDir, nextKeysDir, rootKeyFile)
	}
	next, err := readRootSigner(path)
	if err != nil {
		return err
	}
	if next.KeyHash() != roots.next.KeyHash() {
		return fmt.Errorf("%s: is not the next root's key", path)
	}
	if err := ca.FinishRoll(cfg.CA.Dir); err != nil && !errors.Is(err, ca.ErrNoRoll) { // swapped by an earlier try
		return err
	}
	keys.Version++
	keys.CA, keys.NextCA, keys.NextRoot = keys.NextCA, "", ""
	if err := noteRoll(cfg, "root_change_ended", o); err != nil {
		return err
	}
	return signList(cfg, next, roots.next, keys)
}

// placeNextRoot moves the next note root's files over the old one's, whose key keeps a name of its own.
func placeNextRoot(cfg *config.Config, old note.Verifier) error {
	from, to := cfg.Path(keysDir, nextKeysDir), cfg.Path(keysDir)
	key := filepath.Join(to, rootKeyFile)
	text, err := os.ReadFile(filepath.Join(from, "root.vkey"))
	if err != nil {
		return fmt.Errorf("change the root: %w", err)
	}
	if now, err := os.ReadFile(filepath.Join(to, "root.vkey")); err != nil || firstLine(now) != firstLine(text) {
		aside := filepath.Join(to, fmt.Sprintf("root-before-%08x.key", old.KeyHash()))
		if err := os.Rename(key, aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("change the root: %w", err)
		}
		if err := writeFile(filepath.Join(to, "root.vkey"), text); err != nil {
			return err
		}
	}
	if err := os.Rename(filepath.Join(from, rootKeyFile), key); err != nil && !errors.Is(err, fs.ErrNotExist) { // it may be offline
		return fmt.Errorf("change the root: %w", err)
	}
	if err := errors.Join(os.RemoveAll(from), syncDir(to)); err != nil {
		return fmt.Errorf("change the root: %w", err)
	}
	return nil
}

// rollRoots is how far a change of the root has come.
type rollRoots struct {
	old, next note.Verifier // next is nil when there is none
	announced bool          // the list is the old root's and names the next one
	finished  bool          // the list is the next root's; files may still have to be moved
}

// readRoll reads the list of role keys and whose it is.
func readRoll(cfg *config.Config) (r rollRoots, keys wire.Keys, err error) {
	read := func(path ...string) (note.Verifier, error) {
		text, err := os.ReadFile(cfg.Path(append([]string{keysDir}, path...)...))
		if err != nil {
			return nil, fmt.Errorf("root's verifier: %w", err)
		}
		return note.NewVerifier(firstLine(text))
	}
	if r.old, err = read("root.vkey"); err != nil {
		return r, keys, err
	}
	if r.next, err = read(nextKeysDir, "root.vkey"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, keys, err
	}
	list, err := os.ReadFile(cfg.Path(keysDir, keysNoteFile))
	if err != nil {
		return r, keys, fmt.Errorf("list of role keys: %w", err)
	}
	keys, err = wire.OpenKeys(r.old, cfg.Site, string(list))
	if err != nil && r.next != nil {
		if keys, err = wire.OpenKeys(r.next, cfg.Site, string(list)); err == nil {
			r.finished = true
		}
	}
	if err != nil {
		return r, keys, fmt.Errorf("%s: %w", cfg.Path(keysDir, keysNoteFile), err)
	}
	r.announced = !r.finished && keys.NextRoot != ""
	if r.announced && r.next == nil {
		return r, keys, fmt.Errorf("%s: the next root is announced, and its files are missing: put the data directory's keys back from a copy", cfg.Path(keysDir, nextKeysDir))
	}
	return r, keys, nil
}

func readRootSigner(path string) (note.Signer, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: is not there: name the file with the root's key with --root-key", path)
	}
	if err != nil {
		return nil, fmt.Errorf("root's key: %w", err)
	}
	if err := ca.OwnersAlone(path, info.Mode()); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("root's key: %w", err)
	}
	s, err := note.NewSigner(firstLine(text))
	if err != nil {
		return nil, fmt.Errorf("%s: holds no note key; the roots are two, and this one signs lists of keys (keys/root.key), not certificates", path)
	}
	return s, nil
}

// signList puts a newer list of role keys in place.
func signList(cfg *config.Config, root note.Signer, verifier note.Verifier, keys wire.Keys) error {
	signed, err := wire.SealKeys(root, keys)
	if err == nil {
		_, err = wire.OpenKeys(verifier, cfg.Site, signed)
	}
	if err != nil {
		return fmt.Errorf("sign the list of role keys: %w", err)
	}
	return writeFile(cfg.Path(keysDir, keysNoteFile), []byte(signed))
}

// noteRoll spools a leaf; the server writes it when it runs again.
func noteRoll(cfg *config.Config, verb string, o RollOptions) error {
	lists, err := ca.OpenLists(cfg.CA.Dir)
	if err != nil {
		return err
	}
	return lists.Note(ca.Event{Verb: verb, Target: "root", By: ca.By{User: o.User}, Reason: o.Reason, At: o.Now})
}

// RollStatus is how a change of the root stands.
type RollStatus struct {
	UnderWay bool
	Waiting  []string // gateways that have not confirmed
}

// Rolling tells how a change of the root stands; it may be asked beside a running server.
func Rolling(cfg *config.Config) (RollStatus, error) {
	roots, keys, err := readRoll(cfg)
	if err != nil || !roots.announced {
		return RollStatus{UnderWay: roots.next != nil}, err
	}
	waiting, err := notConfirmed(cfg, keys.Version, nil)
	return RollStatus{UnderWay: true, Waiting: waiting}, err
}

func confirmedPath(cfg *config.Config, id string) string {
	return cfg.Path("gateways", id+".keys")
}

// notConfirmed lists the gateways with an identity that have not said that they could go on with this list of keys alone.
func notConfirmed(cfg *config.Config, version uint64, without []string) (waiting []string, err error) {
	names, err := filepath.Glob(cfg.Path("gateways", "*.vkey"))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		id := strings.TrimSuffix(filepath.Base(name), ".vkey")
		if !slices.Contains(without, id) && readConfirmed(cfg, id) < version {
			waiting = append(waiting, id)
		}
	}
	return waiting, nil
}

// readConfirmed is the newest list of keys that a gateway has confirmed; 0 when that cannot be told, so that the server waits.
func readConfirmed(cfg *config.Config, id string) uint64 {
	text, err := os.ReadFile(confirmedPath(cfg, id))
	if err != nil {
		return 0
	}
	n, err := strconv.ParseUint(firstLine(text), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// confirmed writes down what a gateway has said in a heartbeat, when it is news.
func (a *App) confirmed(gw access.GatewayID, version uint64) {
	if version < 2 || !a.health.keys(gw, version) {
		return
	}
	a.findings.Go(func() {
		a.granting.Lock() // one writer of these files
		defer a.granting.Unlock()
		cfg := a.site.Config
		if readConfirmed(cfg, string(gw)) == version {
			return
		}
		if err := writeFile(confirmedPath(cfg, string(gw)), []byte(strconv.FormatUint(version, 10)+"\n")); err != nil {
			a.log.LogAttrs(context.Background(), slog.LevelError, "confirmation of a list of keys not saved", slog.String("gateway", string(gw)), slog.Any("err", err))
			a.health.keys(gw, 0) // told again with the next heartbeat
		}
	})
}
