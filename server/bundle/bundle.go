// Package bundle makes and checks the one folder that is carried to a site without Internet: packages, manual, licences, and a list of all of it,
// signed by the release key. Nothing of a folder is believed, and no file but the list is opened, before the signature over the list holds.
//
// It must never call a folder good that holds a file which is not listed, and never one that is older than one which was good before.
package bundle

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
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
)

// Manifest is the name of the signed list in the folder.
const Manifest = "MANIFEST"

const (
	head      = "monban bundle 1"
	mostFiles = 10_000
	mostBytes = 4 << 20 // of the list
)

// Info is what the signed list says.
type Info struct {
	Version string // as the packages have it
	Number  int64  // time of the commit in seconds: a later release has a higher one; over 0
	Files   []File // by path
}

// File is one line of the list.
type File struct {
	Path string // slash path below the folder
	Size int64
	Sum  string // SHA-256, 64 hex digits
}

// Make lists what is in dir and signs the list. The folder must not have a list yet.
func Make(dir, version string, number int64, s note.Signer) (Info, error) {
	if version == "" || strings.ContainsAny(version, " \n") || number <= 0 {
		return Info{}, fmt.Errorf("bundle: version %q and number %d: the first is one word, the second over 0", version, number)
	}
	files, err := list(dir)
	if err != nil {
		return Info{}, err
	}
	info := Info{Version: version, Number: number}
	for _, path := range files {
		if path == Manifest {
			return Info{}, fmt.Errorf("%s: has a %s already; make the bundle in a new folder", dir, Manifest)
		}
		size, sum, err := digest(filepath.Join(dir, filepath.FromSlash(path)))
		if err != nil {
			return Info{}, err
		}
		info.Files = append(info.Files, File{path, size, sum})
	}
	if len(info.Files) == 0 {
		return Info{}, fmt.Errorf("%s: is empty", dir)
	}
	signed, err := note.Sign(&note.Note{Text: info.text()}, s)
	if err != nil {
		return Info{}, fmt.Errorf("bundle: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, Manifest), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return Info{}, err
	}
	_, err = f.Write(signed)
	return info, errors.Join(err, f.Close())
}

func (i Info) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nversion %s\nnumber %d\n", head, i.Version, i.Number)
	for _, f := range i.Files {
		fmt.Fprintf(&b, "%s %d %s\n", f.Sum, f.Size, f.Path)
	}
	return b.String()
}

// Verify checks the folder against its list, and the list against the release key. floor is the number of the newest bundle that was good so far;
// 0 when there was none. Its errors name the first fault of each kind.
func Verify(dir string, key note.Verifier, floor int64) (Info, error) {
	data, err := readList(filepath.Join(dir, Manifest))
	if err != nil {
		return Info{}, err
	}
	n, err := note.Open(data, note.VerifierList(key))
	if err != nil {
		return Info{}, fmt.Errorf("%s: is not signed by the release key %s (%w): do not use this bundle", Manifest, key.Name(), err)
	}
	info, err := parse(n.Text)
	if err != nil {
		return Info{}, err
	}
	if info.Number < floor {
		return Info{}, fmt.Errorf("%s: version %s is older than one that was used here (number %d, floor %d): an old bundle brings old faults back", Manifest, info.Version, info.Number, floor)
	}
	have, err := list(dir)
	if err != nil {
		return Info{}, err
	}
	for _, path := range have {
		if path != Manifest && !slices.ContainsFunc(info.Files, func(f File) bool { return f.Path == path }) {
			return Info{}, fmt.Errorf("%s: is not in the list: somebody added it", path)
		}
	}
	for _, f := range info.Files {
		if !slices.Contains(have, f.Path) {
			return Info{}, fmt.Errorf("%s: is missing: copy the bundle again", f.Path)
		}
		size, sum, err := digest(filepath.Join(dir, filepath.FromSlash(f.Path)))
		if err != nil {
			return Info{}, err
		}
		if size != f.Size || sum != f.Sum {
			return Info{}, fmt.Errorf("%s: is not the file that was signed: copy the bundle again, and ask if it happens twice", f.Path)
		}
	}
	return info, nil
}

// readList reads the list, which nobody has vouched for yet, up to a limit.
func readList(path string) ([]byte, error) {
	st, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: is missing: this is no bundle, or it was not signed", path)
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular() || st.Size() > mostBytes:
		return nil, fmt.Errorf("%s: is no list of a bundle (at most %d bytes)", path, mostBytes)
	}
	return os.ReadFile(path)
}

// parse reads the signed text strictly: what it does not write itself is an error.
func parse(text string) (Info, error) {
	bad := func(what string) (Info, error) { return Info{}, fmt.Errorf("%s: %s", Manifest, what) }
	var info Info
	sc := bufio.NewScanner(strings.NewReader(text))
	for line := 0; sc.Scan(); line++ {
		s := sc.Text()
		switch {
		case line == 0:
			if s != head {
				return bad("is of another format; this program is too old for it")
			}
		case line == 1:
			info.Version = strings.TrimPrefix(s, "version ")
		case line == 2:
			n, err := strconv.ParseInt(strings.TrimPrefix(s, "number "), 10, 64)
			if err != nil || n <= 0 {
				return bad("has no number")
			}
			info.Number = n
		default:
			part := strings.SplitN(s, " ", 3)
			if len(part) != 3 || len(info.Files) == mostFiles {
				return bad("line " + strconv.Itoa(line+1) + " is not one of a file")
			}
			size, err := strconv.ParseInt(part[1], 10, 64)
			sum, err2 := hex.DecodeString(part[0])
			if err != nil || err2 != nil || len(sum) != sha256.Size || size < 0 || !fs.ValidPath(part[2]) || part[2] == Manifest {
				return bad("line " + strconv.Itoa(line+1) + " is not one of a file")
			}
			info.Files = append(info.Files, File{part[2], size, part[0]})
		}
	}
	if err := sc.Err(); err != nil {
		return Info{}, err
	}
	if info.text() != text {
		return bad("is not written as this program writes it")
	}
	return info, nil
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

func digest(path string) (size int64, sum string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	h := sha256.New()
	size, err = io.Copy(h, f)
	return size, hex.EncodeToString(h.Sum(nil)), errors.Join(err, f.Close())
}

// Floor reads the number of the newest good bundle from a file; 0 when there is none yet.
func Floor(path string) (int64, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(data)), 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s: holds no number of a bundle", path)
	}
	return n, nil
}

// Raise writes that number, never a lower one, whole or not at all.
func Raise(path string, number int64) error {
	old, err := Floor(path)
	if err != nil || number <= old {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".floor-*")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, number)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
