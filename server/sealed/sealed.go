// Package sealed turns a folder of a backup into one encrypted file for a stick or a share, and back. It encrypts to public keys (age); whoever
// makes backups each night cannot read them.
//
// It must never leave a file that looks complete and is not: a file gets its name when it is whole on the disk.
package sealed

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"filippo.io/age"
)

// Recipients reads public keys (age1…), one a line, from a file.
func Recipients(path string) ([]age.Recipient, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	list, err := age.ParseRecipients(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("%s: holds no public keys (age1…, one a line): %w", path, err)
	}
	return list, nil
}

// NewKey makes a key: the private half for a file that is kept offline, twice, and the public one.
func NewKey() (private, public string, err error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return "", "", err
	}
	return id.String(), id.Recipient().String(), nil
}

// Seal writes the files below dir into a new file, encrypted to all recipients, reads it back from the disk and compares. It gives its SHA-256.
func Seal(dir, out string, to []age.Recipient) (sum string, err error) {
	if _, err := os.Lstat(out); !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s exists already and is not overwritten", out)
	}
	tmp := out + ".partial"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	err = write(io.MultiWriter(f, h), dir, to)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(tmp))
	}
	sum = hex.EncodeToString(h.Sum(nil))
	got, err := digest(tmp)
	if err == nil && got != sum {
		err = fmt.Errorf("%s: reads back otherwise than it was written: the disk or stick is broken", tmp)
	}
	if err == nil {
		err = os.Rename(tmp, out)
	}
	if err == nil {
		err = syncDir(filepath.Dir(out))
	}
	return sum, err
}

func write(w io.Writer, dir string, to []age.Recipient) error {
	z, err := age.Encrypt(w, to...)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	if err := t.AddFS(os.DirFS(dir)); err != nil {
		return err
	}
	return errors.Join(t.Close(), z.Close())
}

// Open decrypts a sealed file into a new folder with the private key in the file keys.
func Open(path, keys, dir string) error {
	k, err := os.Open(keys)
	if err != nil {
		return err
	}
	ids, err := age.ParseIdentities(k)
	if err := errors.Join(err, k.Close()); err != nil {
		return fmt.Errorf("%s: holds no private key of backups", keys) // the library's error may quote the line
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	r, err := age.Decrypt(f, ids...)
	if err != nil {
		return fmt.Errorf("%s: %w: is it for another key, or damaged?", path, err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && !filepath.IsLocal(h.Name) {
			err = fmt.Errorf("leads out of the folder: %q", h.Name)
		}
		if err == nil && h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(filepath.Join(dir, h.Name), 0o700)
		} else if err == nil {
			err = put(filepath.Join(dir, h.Name), t)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	// To the end: only then has the last piece been found genuine, and nothing follows it.
	if _, err := io.Copy(io.Discard, r); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func put(path string, r io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r) //nolint:gosec // a backup of ours, decrypted by its key: as large as it is
	return errors.Join(err, f.Close())
}

func digest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), errors.Join(err, f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
