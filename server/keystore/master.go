package keystore

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// MasterCopy is a copy of the master key on another medium (OP-10). Its file is text that can be printed and typed in.
type MasterCopy struct {
	ID   string // 8 hex digits, made with the copy: a copy of a copy is the same one
	Site string
	Made time.Time // UTC, to the day
	key  []byte
}

const masterCopyHead = "monban master key, copy "

// sum guards against a misread character; it gives nothing of the key away that 2^64 tries would not.
func (c *MasterCopy) sum() string {
	h := sha256.New()
	fmt.Fprintf(h, "monban/1 master copy\n%s\n%s\n%s\n", c.ID, c.Site, c.Made.Format(time.DateOnly))
	h.Write(c.key)
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func (c *MasterCopy) text() []byte {
	return fmt.Appendf(nil, "%s%s\nsite %s\nmade %s\nkey %s\ncheck %s\n", masterCopyHead, c.ID, c.Site, c.Made.Format(time.DateOnly), base64.StdEncoding.EncodeToString(c.key), c.sum())
}

// MasterCopyName is what the file of a site's copy is called.
func MasterCopyName(site, id string) string { return "monban-master-" + site + "-" + id + ".txt" }

// readMaster reads the master key's own file.
func readMaster(path string) ([]byte, error) {
	text, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("master key %s: want 32 bytes of base64", path)
	}
	return key, nil
}

// BackupMAC is the MAC, in hex, of the list of what a backup consists of: only who has the site's master key can make it.
func BackupMAC(masterPath string, list []byte) (string, error) {
	key, err := readMaster(masterPath)
	if err != nil {
		return "", err
	}
	own := hmac.New(sha256.New, key)
	own.Write([]byte("monban/1 list of a backup"))
	m := hmac.New(sha256.New, own.Sum(nil))
	m.Write(list)
	return hex.EncodeToString(m.Sum(nil)), nil
}

// CopyMaster writes a copy of the master key into a folder of another medium, has the medium give it back, and compares: only then
// is it a copy. It overwrites nothing.
func CopyMaster(masterPath, dir, site string, now time.Time, rand io.Reader) (c MasterCopy, path string, err error) {
	key, err := readMaster(masterPath)
	if err != nil {
		return c, "", err
	}
	var id [4]byte
	if _, err := io.ReadFull(rand, id[:]); err != nil {
		return c, "", fmt.Errorf("copy of the master key: %w", err)
	}
	c = MasterCopy{ID: hex.EncodeToString(id[:]), Site: site, Made: now.UTC().Truncate(24 * time.Hour), key: key}
	path = filepath.Join(dir, MasterCopyName(site, c.ID))
	if err := createFile(path, c.text()); err != nil {
		return c, "", fmt.Errorf("copy of the master key: %w", err)
	}
	if _, err := CheckMaster(path, masterPath); err != nil {
		return c, "", fmt.Errorf("copy of the master key does not read back, and is none: %w", err)
	}
	return c, path, nil
}

// ReadMasterCopy reads a copy from its medium, past what the system remembers of it.
func ReadMasterCopy(path string) (c MasterCopy, err error) {
	f, err := os.Open(path)
	if err != nil {
		return c, fmt.Errorf("copy of the master key: %w", err)
	}
	defer f.Close()
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) // a medium that cannot do this is read all the same
	data, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return c, fmt.Errorf("copy of the master key: %w", err)
	}
	bad := fmt.Errorf("%s is not a whole copy of a master key", path)
	var made, key, sum string
	lines := strings.Split(strings.ReplaceAll(strings.TrimSpace(string(data)), "\r", ""), "\n")
	if len(lines) != 5 {
		return c, bad
	}
	for i, x := range []struct {
		head string
		to   *string
	}{{masterCopyHead, &c.ID}, {"site ", &c.Site}, {"made ", &made}, {"key ", &key}, {"check ", &sum}} {
		var ok bool
		if *x.to, ok = strings.CutPrefix(strings.TrimSpace(lines[i]), x.head); !ok {
			return c, bad
		}
	}
	var keyErr error
	c.Made, err = time.Parse(time.DateOnly, made)
	c.key, keyErr = base64.StdEncoding.DecodeString(key)
	if err != nil || keyErr != nil || len(c.key) != 32 || c.sum() != sum {
		return c, bad
	}
	return c, nil
}

// CheckMaster reads a copy and compares it with the master key in use.
func CheckMaster(path, masterPath string) (c MasterCopy, err error) {
	if c, err = ReadMasterCopy(path); err != nil {
		return c, err
	}
	key, err := readMaster(masterPath)
	if err != nil {
		return c, err
	}
	if !bytes.Equal(key, c.key) {
		return c, fmt.Errorf("%s is a copy of another master key (of site %s, made on %s)", path, c.Site, c.Made.Format(time.DateOnly))
	}
	return c, nil
}

// RestoreMaster puts the key of a copy where the master key was lost. It must open the key store, and overwrites nothing.
func RestoreMaster(path, masterPath, keyStorePath string) error {
	c, err := ReadMasterCopy(path)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(masterPath); err == nil {
		return fmt.Errorf("%s is there; nothing was changed. Move it away first if it is the wrong one", masterPath)
	} else if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("master key: %w", err)
	}
	ks := &KeyStore{path: keyStorePath}
	if ks.master, err = newAEAD(c.key); err != nil {
		return err
	}
	ks.list = listKey(c.key)
	form, err := readForm(keyStorePath)
	if err != nil {
		return err
	}
	if _, err := ks.read(keyStorePath, form); err != nil {
		return fmt.Errorf("%s is not the master key of this key store: %w", path, err)
	}
	return createFile(masterPath, []byte(base64.StdEncoding.EncodeToString(c.key)+"\n"))
}
