// Package bundle makes and checks the one folder that is carried to a site without Internet: packages, programs, manual, licences, and a list
// of all of it. Who must have signed what is the business of firmware/update; this package looks at the folder as a whole.
//
// It must never call a folder good that holds a file which is not listed.
package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/update"
)

// Plan is what Make writes beside the files.
type Plan struct {
	Version      string // as the packages have it
	Number       int64  // time of the commit, s since 1970
	Expires      int64  // of the list, s since 1970, the beginning of a day
	Stamped      int64  // now, s since 1970
	StampExpires int64  // of the stamp, as Expires
	Roots        [][]byte
	Release      []note.Signer // as many as the last root wants
	Stamp        note.Signer
}

// Make lists what is in dir and signs list and stamp; the result is checked as a site will. The folder must not be signed yet.
func Make(dir string, p Plan) (*update.List, error) {
	if p.Version == "" || strings.ContainsAny(p.Version, " \n") || p.Number <= 0 {
		return nil, fmt.Errorf("bundle: version %q and number %d: the first is one word, the second over 0", p.Version, p.Number)
	}
	if len(p.Roots) == 0 {
		return nil, errors.New("bundle: no root: make one with monban-server bundle root")
	}
	names, err := list(dir)
	if err != nil {
		return nil, err
	}
	l := &update.List{Version: p.Version, Number: p.Number, Expires: p.Expires}
	for _, path := range names {
		if update.Signed(path) {
			return nil, fmt.Errorf("%s: has a %s already; make the bundle in a new folder", dir, path)
		}
		f, err := digest(dir, path)
		if err != nil {
			return nil, err
		}
		l.Files = append(l.Files, f)
	}
	if len(l.Files) == 0 {
		return nil, fmt.Errorf("%s: is empty", dir)
	}
	if err := os.Mkdir(filepath.Join(dir, update.RootFolder), 0o755); err != nil {
		return nil, err
	}
	var trust update.Trust
	for i, data := range p.Roots {
		r, err := update.Begin(data)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			trust = r
		}
		if err := create(filepath.Join(dir, update.RootFolder, strconv.FormatInt(r.Root().Number, 10)), data); err != nil {
			return nil, err
		}
	}
	signed, err := note.Sign(&note.Note{Text: l.Text()}, p.Release...)
	if err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	if err := create(filepath.Join(dir, update.ListFile), signed); err != nil {
		return nil, err
	}
	if err := stamp(dir, signed, l, p); err != nil {
		return nil, err
	}
	if _, _, err := Verify(dir, trust, update.Clock{Now: p.Stamped, Sure: true}); err != nil {
		return nil, fmt.Errorf("this bundle would be refused: %w", err)
	}
	return l, nil
}

func stamp(dir string, signed []byte, l *update.List, p Plan) error {
	data, err := note.Sign(&note.Note{Text: update.StampOf(signed, l, p.Stamped, p.StampExpires).Text()}, p.Stamp)
	if err != nil {
		return fmt.Errorf("stamp: %w", err)
	}
	return create(filepath.Join(dir, update.StampFile), data)
}

// Restamp says again that the list in dir is the present one: of p only Stamped, StampExpires and Stamp are used. Nothing is looked at but the
// list's form: what it is worth, sites see by its signatures.
func Restamp(dir string, p Plan) error {
	signed, err := os.ReadFile(filepath.Join(dir, update.ListFile))
	if err != nil {
		return err
	}
	at := bytes.LastIndex(signed, []byte("\n\n"))
	if at < 0 {
		return fmt.Errorf("%s: is not signed", update.ListFile)
	}
	l, err := update.ParseList(string(signed[:at+1]))
	if err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, update.StampFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return stamp(dir, signed, l, p)
}

// Verify checks a folder: its signed texts, then that each file is the one that was listed and that there is no other. What it gives as trust
// is to be kept before anything of the folder is used, and with an error too. Its errors name the first fault of each kind.
func Verify(dir string, trust update.Trust, clock update.Clock) (*update.List, update.Trust, error) {
	have, err := list(dir) // first, so that nothing is followed out of the folder
	if err != nil {
		return nil, trust, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, trust, err
	}
	defer func() { _ = root.Close() }() // only read
	l, next, err := trust.Check(root.FS(), clock)
	if err != nil {
		return nil, next, err
	}
	listed := map[string]bool{}
	for _, f := range l.Files {
		listed[f.Path] = true
	}
	for _, path := range have {
		if !listed[path] && !known(path, next.Root().Number) {
			return nil, next, fmt.Errorf("%s: is not in the list: somebody added it", path)
		}
	}
	for _, f := range l.Files {
		if err := update.Copy(io.Discard, root.FS(), f); err != nil {
			return nil, next, err
		}
	}
	return l, next, nil
}

// known reports whether a path is a signed text that Check has looked at, or a root before them.
func known(path string, newest int64) bool {
	if name, ok := strings.CutPrefix(path, update.RootFolder+"/"); ok {
		n, err := strconv.ParseInt(name, 10, 64)
		return err == nil && n > 0 && n <= newest && strconv.FormatInt(n, 10) == name
	}
	return update.Signed(path)
}

// list names every file below dir, sorted; anything that is neither a file nor a folder is an error, so that no link leads elsewhere.
func list(dir string) (files []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s: is neither a file nor a folder", rel)
		}
		if strings.ContainsAny(rel, "\n\r") {
			return fmt.Errorf("%q: no such name in a bundle", rel)
		}
		files = append(files, rel)
		return nil
	})
	slices.Sort(files)
	return files, err
}

// create writes a new file.
func create(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
