package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
	"monban/firmware/wire"
	"monban/server/ca"
	"monban/server/config"
	"monban/server/directory"
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
	// unfinishedFile exists while a site is being created. Whatever lies beside it was made by that
	// set-up and has never been used.
	unfinishedFile = "setup.unfinished"
)

// Site is an opened data directory: keys, certificate authority and database, held by this process
// alone.
type Site struct {
	Config *config.Config
	CA     *ca.CA
	Signer signer.Signer
	Keys   policypub.Keys
	Store  *store.Store
	lock   *os.File
	held   bool // nothing is written: a new version is tried
	// keysNote is the list of role keys that the root has signed.
	keysNote []byte
}

// CreateSite prepares a new data directory: certificate authority, role keys and the note that lists
// them, year keys, site keys, an empty database. It refuses one that is already there. One that broke
// off (a crash, a full disk) is begun anew: nothing of it has been used.
func CreateSite(cfg *config.Config, now time.Time, log *slog.Logger) error {
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	l, err := lock(cfg.Path(lockFile))
	if err != nil {
		return err
	}
	return errors.Join(createSite(cfg, now, log), l.Close())
}

func createSite(cfg *config.Config, now time.Time, log *slog.Logger) error {
	mark := cfg.Path(unfinishedFile)
	again, err := exists(mark)
	if err != nil {
		return err
	}
	for _, part := range siteParts(cfg) {
		there, err := exists(part)
		switch {
		case err != nil:
			return err
		case there && again:
			if err := os.RemoveAll(part); err != nil {
				return fmt.Errorf("begin set-up anew: %w", err)
			}
		case there:
			return fmt.Errorf("%s: there is a site in it already (%s exists); nothing was changed", cfg.DataDir, part)
		}
	}
	if err := writeFile(mark, []byte("monban-server setup is at work, or broke off: run it again\n")); err != nil {
		return err
	}
	if err := makeSite(cfg, now, log); err != nil {
		return err
	}
	if err := os.Remove(mark); err != nil {
		return fmt.Errorf("finish set-up: %w", err)
	}
	return syncDir(cfg.DataDir)
}

// siteParts is all that makeSite makes, the database first.
func siteParts(cfg *config.Config) []string {
	db := cfg.Path(databaseFile)
	return []string{
		db, db + "-wal", db + "-shm", cfg.Path(anchorFile), cfg.CA.Dir, cfg.Path(keysDir), cfg.Path(keyStoreFile),
		cfg.Path(masterFile), cfg.Path(siteKeysFile),
	}
}

func makeSite(cfg *config.Config, now time.Time, log *slog.Logger) error {
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
	s := &Site{Config: unsplit(cfg)}
	return errors.Join(s.open(now, log), s.Close()) // makes the database and its first leaf
}

// unsplit is the configuration of a site whose signing keys still lie where CreateSite makes them, whatever [signer] says of later:
// the signer of its own cannot run before `signer split` has given it these keys.
func unsplit(cfg *config.Config) *config.Config {
	c := *cfg
	c.Signer = config.Signer{}
	return &c
}

// SetUp is CreateSite, and Japan's closed days of the coming years for a site of its time zone; days is how many it knows then.
func SetUp(ctx context.Context, cfg *config.Config, now time.Time, log *slog.Logger) (days int, err error) {
	if err := CreateSite(cfg, now, log); err != nil {
		return 0, err
	}
	s, err := OpenSite(unsplit(cfg), now, log)
	if err != nil {
		return 0, err
	}
	days, err = s.ImportHolidays(ctx, now)
	if err := errors.Join(err, s.Close()); err != nil {
		return 0, fmt.Errorf("the site is prepared, but without national holidays; import closed_days.csv: %w", err)
	}
	return days, nil
}

// exists reports whether something is at path; an error means that it cannot be known.
func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("data directory: %w", err)
	}
	return true, nil
}

// writeFile puts data at path, 0600, durably and in one step: a crash leaves the old file or the new.
func writeFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // made 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
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
	return writeFile(filepath.Join(dir, keysNoteFile), []byte(signed))
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
	return openSite(&Site{Config: cfg}, now, log)
}

func openSite(s *Site, now time.Time, log *slog.Logger) (*Site, error) {
	cfg := s.Config
	there, err := exists(cfg.Path(siteKeysFile))
	if err != nil {
		return nil, err
	}
	if !there {
		return nil, fmt.Errorf("%s: no site here yet: run `monban-server setup --config FILE` first", cfg.DataDir)
	}
	if s.lock, err = lock(cfg.Path(lockFile)); err != nil {
		return nil, err
	}
	if err := s.whole(); err != nil {
		return nil, errors.Join(err, s.lock.Close())
	}
	if err := s.open(now, log); err != nil {
		return nil, errors.Join(err, s.lock.Close())
	}
	return s, nil
}

// whole refuses what is no complete site. A lost database must not be replaced by an empty one: it
// would be a log without its past, and the doors would go on as if nothing had happened.
func (s *Site) whole() error {
	cfg := s.Config
	broken, err := exists(cfg.Path(unfinishedFile))
	if err != nil {
		return err
	}
	if broken {
		return fmt.Errorf("%s: setup broke off here: run `monban-server setup --config FILE` again", cfg.DataDir)
	}
	broken, err = exists(cfg.Path(restoreReady))
	if err != nil {
		return err
	}
	if broken {
		return fmt.Errorf("%s: a restore broke off here: run `monban-server restore --config FILE --resume`", cfg.DataDir)
	}
	// A restore that broke off before it had changed anything leaves a copy of a backup, perhaps with what was disposed of since (EV-9).
	if err := os.RemoveAll(cfg.Path(restoreNew)); err != nil {
		return fmt.Errorf("what a restore left that broke off: %w", err)
	}
	if err := dropBackupCopies(cfg); err != nil {
		return fmt.Errorf("what a backup left that broke off: %w", err)
	}
	if !s.held {
		tried, err := exists(cfg.Path(trialFile))
		if err != nil {
			return err
		}
		if tried { // what is written now would be lost if the database of before comes back (I4)
			return fmt.Errorf("%s: a new version is being tried here: wait until `update apply` has ended, or run `monban-server update resume`", cfg.DataDir)
		}
		if err := dropUpdateCopies(cfg); err != nil {
			return err
		}
	}
	there, err := exists(cfg.Path(databaseFile))
	if err != nil {
		return err
	}
	if !there {
		return fmt.Errorf("%s: is missing, though the site's keys are there: put the newest backup in its place with `monban-server restore`", cfg.Path(databaseFile))
	}
	return nil
}

func (s *Site) open(now time.Time, log *slog.Logger) error {
	cfg := s.Config
	var err error
	if s.CA, err = ca.Open(cfg.CA.Dir, now); err != nil {
		// A server that was off for long: what nobody is needed for is made good.
		done, keepErr := upkeep(cfg, now, log)
		if keepErr != nil || !done.Server {
			return err
		}
		if s.CA, err = ca.Open(cfg.CA.Dir, now); err != nil {
			return err
		}
	}
	if name := s.CA.Site(); name != cfg.Site {
		return fmt.Errorf("site: the configuration says %q, the certificates in %s are those of %q", cfg.Site, cfg.CA.Dir, name)
	}
	if s.Signer, err = openSigner(cfg); err != nil {
		return err
	}
	if s.keysNote, err = os.ReadFile(cfg.Path(keysDir, keysNoteFile)); err != nil {
		return fmt.Errorf("list of role keys: %w", err)
	}
	if s.Keys, err = policypub.LoadKeys(cfg.Path(siteKeysFile)); err != nil {
		return err
	}
	keys, err := keystore.Open(cfg.Path(keyStoreFile), cfg.Path(masterFile), rand.Reader, cfg.KeyCopies...)
	if err != nil {
		return err
	}
	logKey, err := s.Signer.Verifier(signer.RoleLog)
	if err != nil {
		return err
	}
	s.Store, err = store.Open(cfg.Path(databaseFile), store.Options{
		Zone: cfg.Location(), Keys: keys, Signer: s.Signer, Log: logKey, Anchor: cfg.Path(anchorFile), Logger: log, Terms: cfg.Terms(), Trial: s.held,
	})
	if err != nil {
		return err
	}
	if err := vouchList(context.Background(), s.Store, keys, cfg.Path(keyStoreFile), !s.held); err != nil {
		return errors.Join(err, s.Store.Close())
	}
	return nil
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

// silent is an error that can be asked for and adds no words.
type silent struct{ error }

func (silent) Error() string   { return "" }
func (s silent) Unwrap() error { return s.error }

// lock takes the data directory's lock file; it is given back by closing, or by the end of the process.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := likeFolder(f); err != nil {
		return nil, errors.Join(fmt.Errorf("data directory: %w", err), f.Close())
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case err == nil:
		return f, nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = fmt.Errorf("%s: another monban-server is using this data directory: stop it first%w", path, silent{err})
	default:
		err = fmt.Errorf("%s: cannot be locked: %w", path, err)
	}
	return nil, errors.Join(err, f.Close())
}

// Close signs what is not signed yet and gives everything back.
func (s *Site) Close() error {
	var errs []error
	if s.Store != nil {
		errs = append(errs, s.Store.Close())
	}
	if c, ok := s.Signer.(io.Closer); ok { // a signer of its own; the store has signed its last checkpoint
		errs = append(errs, c.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// KnowsGateway is an error unless the gateway is in the directory: an identity for a mistyped name
// would be carried to a gateway that is then given no policy.
func (s *Site) KnowsGateway(ctx context.Context, id access.GatewayID) error {
	dir, err := s.Directory(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(dir.Gateways, func(g directory.Gateway) bool { return g.ID == id }) {
		return fmt.Errorf("gateway %q is not in the directory: import gateways.csv and doors.csv first", id)
	}
	return nil
}

// ReplaceGateway is AddGateway for another device in the place of one that is dead or stolen: the old one's certificates are refused,
// and what only it and the server knew is made anew.
func (s *Site) ReplaceGateway(id access.GatewayID, out, user string, now time.Time) error {
	there, err := exists(out)
	if err != nil {
		return err
	}
	if there {
		return fmt.Errorf("%s exists already and is not overwritten: name a new folder", out)
	}
	if _, err := s.CA.Refuse(string(id), user, "replaced", now); err != nil && !errors.Is(err, ca.ErrNoCertificate) {
		return err
	}
	if err := s.newKeys(id, true); err != nil {
		return err
	}
	return s.AddGateway(id, out, now)
}

// AddGateway makes the identity bundle of a gateway in the new folder out; see KnowsGateway. One that
// had symmetric keys keeps them, since records that it has not delivered are sealed with them; its note key is a new one, and what
// the old one signs is not believed any more.
func (s *Site) AddGateway(id access.GatewayID, out string, now time.Time) error {
	there, err := exists(out)
	if err != nil {
		return err
	}
	if there {
		return fmt.Errorf("%s exists already and is not overwritten: name a new folder", out)
	}
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
	// without a bundle harm nobody. The verifier last: until then a gateway that had an identity
	// goes on with it, whatever breaks here.
	if err := keys.Save(s.Config.Path(siteKeysFile)); err != nil {
		return err
	}
	s.Keys = keys
	err = ca.WriteBundle(out, ca.Bundle{
		TLSCert: issued.CertPEM, TLSKey: issued.KeyPEM, CACert: s.CA.RootPEM(),
		NoteKey: []byte(skey + "\n"), KeysNote: s.keysNote, RootVKey: root, Symmetric: sym,
	})
	if err != nil {
		return err
	}
	if err := s.saveVerifier(id, vkey); err != nil {
		return errors.Join(err, os.RemoveAll(out)) // nobody would believe what it signs
	}
	return nil
}

// trust gives a gateway that made its keys itself its symmetric keys, or leaves it those it had, has them
// published, and believes the note key from then on.
func (s *Site) trust(id access.GatewayID, noteKey string, replace bool, publish func() error) error {
	if _, known := s.Keys.Gateways[id]; !known || replace {
		if err := s.newKeys(id, replace); err != nil {
			return err
		}
	}
	if err := publish(); err != nil {
		return err
	}
	return s.saveVerifier(id, noteKey)
}

// newKeys saves symmetric keys for a gateway: those it has, or with replace fresh ones. The old device's are then worth
// nothing, and cards need not be enrolled again: tokens are derived from their references anew (OP-9).
func (s *Site) newKeys(id access.GatewayID, replace bool) error {
	old := s.Keys
	if replace {
		old = old.Without(id)
	}
	keys, err := old.With(id, rand.Reader)
	if err != nil {
		return err
	}
	if err := keys.Save(s.Config.Path(siteKeysFile)); err != nil {
		return err
	}
	s.Keys = keys
	return nil
}

func (s *Site) verifierPath(id access.GatewayID) string {
	return s.Config.Path("gateways", string(id)+".vkey")
}

func (s *Site) saveVerifier(id access.GatewayID, vkey string) error {
	if err := os.MkdirAll(s.Config.Path("gateways"), 0o700); err != nil {
		return fmt.Errorf("gateway's verifier: %w", err)
	}
	return writeFile(s.verifierPath(id), []byte(vkey+"\n"))
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
