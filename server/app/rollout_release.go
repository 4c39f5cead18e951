package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"monban/firmware/update"
	"monban/server/bundle"
	"monban/server/config"
)

// Names in the data directory.
const (
	rolloutDir   = "rollout" // of releases that gateways fetch: a folder a number
	rolloutTrust = "trust"   // in it: what is remembered of releases
)

const (
	gatewayPrograms = "programs/monban-gateway-" // before the architecture, in a release
	mostSigned      = 8 << 20                    // bytes of one signed text; the roles' own bounds are narrower
	mostOffered     = 2000                       // files of a release that a gateway may be told of
)

// releaseFiles are the files of a checked release that gateways may fetch.
type releaseFiles struct {
	dir     string
	number  int64
	version string
	signed  []offered // signed texts, which every gateway needs
	byArch  map[string]offered
}

// offered is a file as a gateway is told of it. It believes none of it.
type offered struct {
	Path string `json:"path"`
	Size int64  `json:"size"`
}

// find gives a file that may be fetched.
func (r *releaseFiles) find(path string) (offered, bool) {
	for _, f := range r.signed {
		if f.Path == path {
			return f, true
		}
	}
	f, ok := r.byArch[strings.TrimPrefix(path, gatewayPrograms)]
	return f, ok && f.Path == path
}

// openRelease checks a release that lies in the folder of releases.
func openRelease(dir string, number int64, now time.Time) (*releaseFiles, error) {
	trust, err := bundle.LoadTrust(filepath.Join(dir, rolloutTrust), "")
	if err != nil {
		return nil, fmt.Errorf("the release is not here: begin the roll-out from its folder again: %w", err)
	}
	folder := filepath.Join(dir, strconv.FormatInt(number, 10))
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("the release is not here: begin the roll-out from its folder again: %w", err)
	}
	defer func() { _ = root.Close() }() // only read
	l, _, err := trust.Check(root.FS(), update.Clock{Now: now.Unix(), Sure: true})
	if err != nil {
		return nil, err
	}
	if l.Number != number {
		return nil, fmt.Errorf("%s: holds release %d", folder, l.Number)
	}
	out := &releaseFiles{dir: folder, number: l.Number, version: l.Version, byArch: map[string]offered{}}
	for _, f := range l.Files {
		arch, ok := strings.CutPrefix(f.Path, gatewayPrograms)
		if !ok {
			continue
		}
		if err := update.Copy(io.Discard, root.FS(), f); err != nil {
			return nil, err
		}
		out.byArch[arch] = offered{f.Path, f.Size}
	}
	names, err := signedTexts(root.FS())
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		st, err := fs.Stat(root.FS(), name)
		if err != nil {
			return nil, err
		}
		out.signed = append(out.signed, offered{name, st.Size()})
	}
	switch {
	case len(out.byArch) == 0:
		return nil, fmt.Errorf("version %s has no program for gateways: this release is not for them", l.Version)
	case len(out.signed) > mostOffered:
		return nil, fmt.Errorf("version %s has more than %d signed texts", l.Version, mostOffered)
	}
	return out, nil
}

// signedTexts lists the signed texts of a release's folder: stamp, list, and roots by their numbers.
func signedTexts(folder fs.FS) ([]string, error) {
	names := []string{update.StampFile, update.ListFile}
	list, err := fs.ReadDir(folder, update.RootFolder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range list {
		if n, err := strconv.ParseInt(e.Name(), 10, 64); err == nil && n > 0 && strconv.FormatInt(n, 10) == e.Name() && e.Type().IsRegular() {
			names = append(names, update.RootFolder+"/"+e.Name())
		}
	}
	return names, nil
}

// takeRelease checks a release and copies what gateways need of it into the folder of releases: the stick can go. It gives the release's
// number. A release that is bad in any way leaves nothing but what was signed well in the trust.
func takeRelease(cfg *config.Config, dir, rootFile string, now time.Time) (number int64, err error) {
	if err := asOwner(os.Geteuid(), cfg.DataDir); err != nil {
		return 0, err
	}
	home := cfg.Path(rolloutDir)
	if err := os.MkdirAll(home, 0o700); err != nil {
		return 0, err
	}
	trust, err := bundle.LoadTrust(filepath.Join(home, rolloutTrust), rootFile)
	if err != nil {
		return 0, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, err
	}
	defer func() { _ = root.Close() }() // only read
	before := trust.Bytes()
	l, trust, err := trust.Check(root.FS(), update.Clock{Now: now.Unix(), Sure: true})
	if err == nil || !bytes.Equal(trust.Bytes(), before) {
		err = errors.Join(err, bundle.SaveTrust(filepath.Join(home, rolloutTrust), trust))
	}
	if err != nil {
		return 0, err
	}
	fresh := filepath.Join(home, strconv.FormatInt(l.Number, 10))
	if _, err := openRelease(home, l.Number, now); err == nil {
		return l.Number, nil // it lies there, whole, from an earlier time
	}
	tmp := filepath.Join(home, ".new")
	if err := errors.Join(os.RemoveAll(tmp), os.RemoveAll(fresh), os.MkdirAll(filepath.Join(tmp, update.RootFolder), 0o700), os.Mkdir(filepath.Join(tmp, "programs"), 0o700)); err != nil {
		return 0, err
	}
	if err := copyRelease(root.FS(), l, tmp); err != nil {
		return 0, errors.Join(err, os.RemoveAll(tmp))
	}
	if err := os.Rename(tmp, fresh); err != nil {
		return 0, err
	}
	return l.Number, syncDir(home)
}

func copyRelease(from fs.FS, l *update.List, to string) error {
	names, err := signedTexts(from)
	if err != nil {
		return err
	}
	for _, name := range names {
		in, err := from.Open(name)
		if err != nil {
			return err
		}
		data, err := io.ReadAll(io.LimitReader(in, mostSigned+1))
		if err := errors.Join(err, in.Close()); err != nil {
			return err
		}
		if len(data) > mostSigned {
			return fmt.Errorf("%s: has more than %d bytes", name, mostSigned)
		}
		if err := writeFile(filepath.Join(to, filepath.FromSlash(name)), data); err != nil {
			return err
		}
	}
	for _, f := range l.Files {
		arch, ok := strings.CutPrefix(f.Path, gatewayPrograms)
		if !ok || strings.Contains(arch, "/") {
			continue
		}
		out, err := os.OpenFile(filepath.Join(to, filepath.FromSlash(f.Path)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		err = update.Copy(out, from, f)
		if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
			return err
		}
	}
	return errors.Join(syncDir(filepath.Join(to, "programs")), syncDir(filepath.Join(to, update.RootFolder)), syncDir(to))
}

// asOwner refuses a user to whom the data directory does not belong: the server could not read what he leaves there.
func asOwner(euid int, dir string) error {
	st, err := os.Stat(dir)
	if err != nil {
		return err
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok || int(sys.Uid) == euid {
		return nil
	}
	name := "#" + strconv.Itoa(int(sys.Uid))
	if u, err := user.LookupId(strconv.Itoa(int(sys.Uid))); err == nil {
		name = u.Username
	}
	return fmt.Errorf("%s belongs to another user, and the server cannot read what you leave there: type sudo -u '%s' monban-server …", dir, name)
}
