package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/update"
)

// LoadTrust reads what this machine remembers of bundles. When there is nothing yet it begins with the root in a file, which came another way
// than the bundles; "" = there must be something.
func LoadTrust(path, root string) (update.Trust, error) {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && root == "":
		return update.Trust{}, fmt.Errorf("%s: no bundle was checked here yet: name the root with --root, a file that came another way than the bundle", path)
	case errors.Is(err, fs.ErrNotExist):
		if data, err = os.ReadFile(root); err != nil {
			return update.Trust{}, err
		}
		t, err := update.Begin(data)
		if err != nil {
			return update.Trust{}, fmt.Errorf("%s: %w", root, err)
		}
		return t, nil
	case err != nil:
		return update.Trust{}, err
	}
	t, err := update.ParseTrust(data)
	if err != nil {
		return update.Trust{}, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// SaveTrust writes it, whole or not at all, and over a power cut.
func SaveTrust(path string, t update.Trust) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".trust-*")
	if err != nil {
		return err
	}
	_, err = f.Write(t.Bytes())
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// MakeRoot signs a root. It is not checked against the one before: Make does that.
func MakeRoot(r *update.Root, keys ...note.Signer) ([]byte, error) {
	if _, err := update.ParseRoot(r.Text()); err != nil {
		return nil, err
	}
	return note.Sign(&note.Note{Text: r.Text()}, keys...)
}

func digest(dir, path string) (update.File, error) {
	f, err := os.Open(filepath.Join(dir, filepath.FromSlash(path)))
	if err != nil {
		return update.File{}, err
	}
	h := sha256.New()
	size, err := io.Copy(h, f)
	return update.File{Path: path, Size: size, Sum: hex.EncodeToString(h.Sum(nil))}, errors.Join(err, f.Close())
}
