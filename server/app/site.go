package app

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
	"monban/firmware/wire"
	"monban/server/ca"
	"monban/server/config"
	"monban/server/keystore"
	"monban/server/policypub"
	"monban/server/signer"
	"monban/server/store"
)

// Names of the files in the data directory.
const (
	databaseFile = "monban.db"
	anchorFile   = "anchor"
	keysDir      = "keys"
	keysNoteFile = "keys.note"
	keyStoreFile = "keystore.json"
	masterFile   = "master.key"
	siteKeysFile = "site-keys.json"
	lockFile     = "lock"
)

// Site is an opened data directory: keys, certificate authority and database, held by this process
// alone.
type Site struct {
	Config *config.Config
	CA     *ca.CA
	Signer *signer.Local
	Keys   policypub.Keys
	Store  *store.Store
	lock   *os.File
	// keysNote is the list of role keys that the root has signed.
	keysNote []byte
}

// CreateSite prepares a new data directory: certificate authority, role keys and the note that lists
// them, year keys, site keys, an empty database. It refuses one that is already there.
func CreateSite(cfg *config.Config, now time.Time, log *slog.Logger) error {
	if _, err := os.Stat(cfg.Path(databaseFile)); err == nil {
		return fmt.Errorf("%s: there is a site in it already; nothing was changed", cfg.DataDir)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("data directory: %w", err)
	}
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if _, err := ca.Create(cfg.CA.Dir, ca.Options{Site: cfg.Site, Names: cfg.CA.Names, Now: now}); err != nil {
		return err
	}
	dir := cfg.Path(keysDir)
	if err := signer.Create(dir, cfg.Site, rand.Reader); err != nil {
		return err
	}
	if err := writeKeysNote(dir, cfg.Site); err != nil {
		return err
	}
	if err := keystore.Create(cfg.Path(keyStoreFile), cfg.Path(masterFile), rand.Reader); err != nil {
		return err
	}
	keys, err := policypub.NewKeys(rand.Reader)
	if err != nil {
		return err
	}
	if err := keys.Save(cfg.Path(siteKeysFile)); err != nil {
		return err
	}
	s, err := OpenSite(cfg, now, log) // the database last: its presence says that the rest is whole
	if err != nil {
		return err
	}
	return s.Close()
}

// writeKeysNote has the root sign the list of role keys.
func writeKeysNote(dir, site string) error {
	text, err := os.ReadFile(filepath.Join(dir, "root.key"))
	if err != nil {
		return fmt.Errorf("sign the list of role keys: %w", err)
	}
	root, err := note.NewSigner(firstLine(text))
	if err != nil {
		return fmt.Errorf("sign the list of role keys: %w", err)
	}
	keys := wire.Keys{Site: site, Version: 1}
	for role, to := range map[signer.Role]*string{
		signer.RoleLink: &keys.Link, signer.RolePolicy: &keys.Policy, signer.RoleCommand: &keys.Command, signer.RoleLog: &keys.Log,
	} {
		vkey, err := os.ReadFile(filepath.Join(dir, string(role)+".vkey"))
		if err != nil {
			return fmt.Errorf("sign the list of role keys: %w", err)
		}
		*to = firstLine(vkey)
	}
	signed, err := wire.SealKeys(root, keys)
	if err != nil {
		return fmt.Errorf("sign the list of role keys: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, keysNoteFile), []byte(signed), 0o600); err != nil {
		return fmt.Errorf("sign the list of role keys: %w", err)
	}
	return nil
}

func firstLine(b []byte) string {
	for i, c := range b {
		if c == '\n' || c == '\r' {
			return string(b[:i])
		}
	}
	return string(b)
}

// OpenSite opens a data directory for this process alone: a second one would have its own idea of
// where the log ends.
func OpenSite(cfg *config.Config, now time.Time, log *slog.Logger) (*Site, error) {
	s := &Site{Config: cfg}
	if _, err := os.Stat(cfg.Path(siteKeysFile)); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: no site here yet: run `monban-server setup --config FILE` first", cfg.DataDir)
	}
	var err error
	if s.lock, err = lock(cfg.Path(lockFile)); err != nil {
		return nil, err
	}
	if err := s.open(now, log); err != nil {
		return nil, errors.Join(err, s.lock.Close())
	}
	return s, nil
}

func (s *Site) open(now time.Time, log *slog.Logger) error {
	cfg := s.Config
	var err error
	if s.CA, err = ca.Open(cfg.CA.Dir, now); err != nil {
		return err
	}
	if s.Signer, err = signer.Open(cfg.Path(keysDir), manifestVersion); err != nil {
		return err
	}
	if s.keysNote, err = os.ReadFile(cfg.Path(keysDir, keysNoteFile)); err != nil {
		return fmt.Errorf("list of role keys: %w", err)
	}
	if s.Keys, err = policypub.LoadKeys(cfg.Path(siteKeysFile)); err != nil {
		return err
	}
	keys, err := keystore.Open(cfg.Path(keyStoreFile), cfg.Path(masterFile), rand.Reader)
	if err != nil {
		return err
	}
	logKey, err := s.Signer.Verifier(signer.RoleLog)
	if err != nil {
		return err
	}
	s.Store, err = store.Open(cfg.Path(databaseFile), store.Options{
		Zone: cfg.Location(), Keys: keys, Signer: s.Signer, Log: logKey, Anchor: cfg.Path(anchorFile), Logger: log,
	})
	return err
}

// manifestVersion reads gateway and version out of the text of a sealed manifest, for the signer's
// floor. The text is this program's own; anything else is refused.
func manifestVersion(text string) (gateway string, version uint64, err error) {
	_, rest, ok := strings.Cut(text, `","body":`)
	body, whole := strings.CutSuffix(rest, "}\n")
	if !ok || !whole {
		return "", 0, errors.New("not the text of a manifest")
	}
	m, err := wire.ParseManifest([]byte(body))
	if err != nil {
		return "", 0, err
	}
	return string(m.Gateway), m.Version, nil
}

// lock takes the data directory's lock file; it is given back by closing, or by the end of the process.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: another monban-server is using this data directory: stop it first", path), f.Close())
	}
	return f, nil
}

// Close signs what is not signed yet and gives everything back.
func (s *Site) Close() error {
	var err error
	if s.Store != nil {
		err = s.Store.Close()
	}
	return errors.Join(err, s.lock.Close())
}

// AddGateway makes the identity bundle of a gateway in the directory out. The gateway must be in the
// directory of doors. A gateway that had keys keeps them.
func (s *Site) AddGateway(id access.GatewayID, out string, now time.Time) error {
	keys, err := s.Keys.With(id, rand.Reader)
	if err != nil {
		return err
	}
	skey, vkey, err := signer.GenerateKey(rand.Reader, signer.GatewayKeyName(s.Config.Site, string(id)))
	if err != nil {
		return err
	}
	root, err := os.ReadFile(s.Config.Path(keysDir, "root.vkey"))
	if err != nil {
		return fmt.Errorf("root's verifier: %w", err)
	}
	issued, err := s.CA.IssueGateway(string(id), s.Config.CA.DeviceValidity.Std(), now)
	if err != nil {
		return err
	}
	sym, err := keys.Symmetric(id)
	if err != nil {
		return err
	}
	// Keys first: a bundle whose keys the server does not know would be worthless; known keys
	// without a bundle harm nobody.
	if err := keys.Save(s.Config.Path(siteKeysFile)); err != nil {
		return err
	}
	if err := s.saveVerifier(id, vkey); err != nil {
		return err
	}
	s.Keys = keys
	return ca.WriteBundle(out, ca.Bundle{
		TLSCert: issued.CertPEM, TLSKey: issued.KeyPEM, CACert: s.CA.RootPEM(),
		NoteKey: []byte(skey + "\n"), KeysNote: s.keysNote, RootVKey: root, Symmetric: sym,
	})
}

func (s *Site) verifierPath(id access.GatewayID) string {
	return s.Config.Path("gateways", string(id)+".vkey")
}

func (s *Site) saveVerifier(id access.GatewayID, vkey string) error {
	if err := os.MkdirAll(s.Config.Path("gateways"), 0o700); err != nil {
		return fmt.Errorf("gateway's verifier: %w", err)
	}
	if err := os.WriteFile(s.verifierPath(id), []byte(vkey+"\n"), 0o600); err != nil {
		return fmt.Errorf("gateway's verifier: %w", err)
	}
	return nil
}

// Verifier is the public half of a gateway's note key. An unknown gateway has none, and nothing it
// sends is believed.
func (s *Site) Verifier(id access.GatewayID) (note.Verifier, error) {
	if !wire.ValidID(string(id)) {
		return nil, fmt.Errorf("gateway id %q is not valid", id)
	}
	text, err := os.ReadFile(s.verifierPath(id))
	if err != nil {
		return nil, fmt.Errorf("gateway %s has no identity here: %w", id, err)
	}
	return note.NewVerifier(firstLine(text))
}
