package app

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/server/config"
	"monban/server/keystore"
	"monban/server/signer"
	"monban/server/store"
)

// manifestFile lists what a backup consists of; it is written last.
const manifestFile = "backup.json"

// backupManifest is the content of manifestFile.
type backupManifest struct {
	Version    int               `json:"monban_backup"` // 1
	Site       string            `json:"site"`
	MadeMS     int64             `json:"made_ms"` // UTC ms
	Leaves     int64             `json:"leaves"`
	Checkpoint string            `json:"checkpoint"`    // newest signed one in the copy, "" when there is none
	Files      map[string]string `json:"files"`         // path below the folder → SHA-256 in hex
	MAC        string            `json:"mac,omitempty"` // of all before, under the master key, hex; "" = a program of before it made the backup, or the key was lost

	raw []byte // the file, where it was read from one
}

// sum is the manifest's MAC. Of a database only the log is signed: people, cards and accounts are vouched for by nothing else. It is over the file's JSON without
// "mac", members sorted, no spaces: so what a later version adds counts too, and this program need not know it.
func (m *backupManifest) sum(masterPath string) (string, error) {
	data := m.raw
	if data == nil {
		var err error
		if data, err = json.Marshal(m); err != nil {
			return "", err
		}
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var members map[string]any
	if err := dec.Decode(&members); err != nil {
		return "", err
	}
	delete(members, "mac")
	data, err := json.Marshal(members) // sorts
	if err != nil {
		return "", err
	}
	return keystore.BackupMAC(masterPath, data)
}

// vouched is an error when the manifest is not as this site's server wrote it. bare says that it has no MAC: then nothing tells.
func (m *backupManifest) vouched(dir, masterPath string) (bare bool, err error) {
	if m.MAC == "" {
		return true, nil
	}
	want, err := m.sum(masterPath)
	if err == nil && !hmac.Equal([]byte(want), []byte(m.MAC)) {
		err = fmt.Errorf("%s: is not what this site's server wrote: somebody without the master key changed it, or it was made with another master key: use another backup", filepath.Join(dir, manifestFile))
	}
	return false, err
}

// BareBackup says of a backup that its list has no MAC.
const BareBackup = "backup.json has no MAC. An older version made it, or without the master key, or somebody took the MAC away: the log is checked, people, cards, rights and accounts are not. Compare them with paper before doors get them."

const bareBackupJapanese = "backup.json に認証符号（MAC）がありません。以前の版で作られたか、マスター鍵なしで作られたか、取り除かれたものです。検証できるのは記録簿だけです。人・カード・権限・アカウントは、使う前に紙の資料と照合してください。"

// bareMark stands in the log with the reason of a restore from such a backup.
const bareMark = " (backup.json: no MAC)"

// BackupOptions of Backup.
type BackupOptions struct {
	Out string // new folder
	Now time.Time
}

// Backup copies the database of a site, whose server may be running, into a new folder, with the public
// keys and notes that verifying and restoring it need; it verifies the copy before it says that there is
// one. No secret is copied: neither signing keys nor the keys of openings, which must die with their
// year in every copy (D17), nor the certificate authority. They are kept apart; restoring needs both.
//
// The folder gets its name when everything in it is on the disk; what a broken-off backup leaves ends in
// .partial and can be deleted.
func Backup(ctx context.Context, cfg *config.Config, o BackupOptions) (leaves int64, err error) {
	if leaves, err = copySite(ctx, cfg, o); err != nil {
		return 0, err
	}
	if err := noteBackup(cfg.Path(backupNote), o.Now); err != nil {
		return 0, fmt.Errorf("the backup is made, but the self-test will not know of it: %w", err)
	}
	return leaves, nil
}

// copySite does it, but for the note that there is one.
func copySite(ctx context.Context, cfg *config.Config, o BackupOptions) (leaves int64, err error) {
	there, err := exists(o.Out)
	if err != nil {
		return 0, err
	}
	if there {
		return 0, fmt.Errorf("%s exists already and is not overwritten: name a new folder", o.Out)
	}
	tmp := o.Out + ".partial"
	if err := os.RemoveAll(tmp); err != nil {
		return 0, fmt.Errorf("backup: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(tmp, keysDir), 0o700); err != nil {
		return 0, fmt.Errorf("backup: %w", err)
	}
	m := backupManifest{Version: 1, Site: cfg.Site, MadeMS: o.Now.UnixMilli(), Files: map[string]string{}}
	if err := store.Backup(ctx, cfg.Path(databaseFile), filepath.Join(tmp, databaseFile)); err != nil {
		return 0, err
	}
	if err := copyPublic(cfg, tmp); err != nil {
		return 0, fmt.Errorf("backup: %w", err)
	}
	if m.Leaves, m.Checkpoint, err = checkCopy(ctx, cfg, filepath.Join(tmp, databaseFile), nil, false); err != nil {
		return 0, err
	}
	if err := m.write(tmp, cfg.Path(masterFile)); err != nil {
		return 0, fmt.Errorf("backup: %w", err)
	}
	if err := os.Rename(tmp, o.Out); err != nil {
		return 0, fmt.Errorf("backup: %w", err)
	}
	if err := syncDir(filepath.Dir(filepath.Clean(o.Out))); err != nil {
		return 0, err
	}
	return m.Leaves, nil
}

// copyPublic copies public keys and notes.
func copyPublic(cfg *config.Config, to string) error {
	for _, pattern := range []string{filepath.Join(keysDir, "*.vkey"), filepath.Join(keysDir, keysNoteFile), "gateways/*.vkey"} {
		names, err := filepath.Glob(cfg.Path(pattern))
		if err != nil {
			return err
		}
		for _, name := range names {
			rel, err := filepath.Rel(cfg.DataDir, name)
			if err != nil {
				return err
			}
			if err := os.MkdirAll(filepath.Dir(filepath.Join(to, rel)), 0o700); err != nil {
				return err
			}
			if _, err := copyFile(name, filepath.Join(to, rel)); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkCopy verifies a copy of the database with the site's own public keys and says where it ends. With
// restored it may end as an earlier log.
func checkCopy(ctx context.Context, cfg *config.Config, db string, keys *keystore.KeyStore, restored bool) (leaves int64, checkpoint string, err error) {
	opt, err := logKeys(cfg.Path(keysDir))
	if err != nil {
		return 0, "", err
	}
	opt.Structure, opt.Restored, opt.Keys = true, restored, keys
	res, err := store.VerifyFile(ctx, db, opt)
	if err != nil {
		return 0, "", err
	}
	if !res.Clean() {
		return 0, "", fmt.Errorf("%s: does not verify (%d findings, the first: %s): run `monban-server verify`", db, len(res.Findings)+res.More, res.Findings[0])
	}
	h, err := store.HeadOf(ctx, db)
	return h.Size, h.Checkpoint, err
}

// logKeys are the public keys of this log and of those it has followed.
func logKeys(dir string) (opt store.VerifyOptions, err error) {
	text, err := os.ReadFile(filepath.Join(dir, "log.vkey"))
	if err != nil {
		return opt, fmt.Errorf("public log key: %w", err)
	}
	if opt.Log, err = note.NewVerifier(firstLine(text)); err != nil {
		return opt, fmt.Errorf("public log key: %w", err)
	}
	opt.Before, err = signer.OldLogKeys(dir)
	return opt, err
}

// write sums up every file of the folder, and makes folder and manifest durable. Where the master key is lost or cannot be read there is a backup all the same, without its MAC.
func (m *backupManifest) write(dir, masterPath string) error {
	for _, suffix := range []string{"-wal", "-shm"} { // of looking at the copy; all of it is in the file
		if err := os.Remove(filepath.Join(dir, databaseFile+suffix)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	dirs := []string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			dirs = append(dirs, path)
			return nil
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		m.Files[filepath.ToSlash(rel)], err = sumFile(path)
		return err
	})
	if err != nil {
		return err
	}
	m.MAC, _ = m.sum(masterPath) // a restore says that there is none
	data, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, manifestFile), append(data, '\n')); err != nil {
		return err
	}
	for _, d := range dirs {
		if err := syncDir(d); err != nil {
			return err
		}
	}
	return nil
}

// readManifest reads a backup's manifest and checks that every file is the one that was written. site "" stands for
// any.
func readManifest(dir, site string) (m backupManifest, err error) {
	data, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil {
		return m, fmt.Errorf("%s: is no complete backup: %w", dir, err)
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("%s: %w", filepath.Join(dir, manifestFile), err)
	}
	m.raw = data
	switch {
	case m.Version != 1:
		return m, fmt.Errorf("%s: backup of version %d, this program knows 1", dir, m.Version)
	case site != "" && m.Site != site:
		return m, fmt.Errorf("%s: is a backup of site %q, the configuration says %q", dir, m.Site, site)
	case m.Files[databaseFile] == "":
		return m, fmt.Errorf("%s: lists no database", filepath.Join(dir, manifestFile))
	}
	for name, want := range m.Files {
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return m, fmt.Errorf("%s: lists %q, which is outside the backup", filepath.Join(dir, manifestFile), name)
		}
		got, err := sumFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return m, fmt.Errorf("backup: %w", err)
		}
		if got != want {
			return m, fmt.Errorf("%s: is not the file that was backed up: use another backup", filepath.Join(dir, name))
		}
	}
	return m, nil
}

func sumFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close() // only read
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// copyFile copies into a new file, 0600, durably, and gives the SHA-256 of what was copied in hex.
func copyFile(from, to string) (sum string, err error) {
	in, err := os.Open(from)
	if err != nil {
		return "", err
	}
	defer in.Close() // only read
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(out, h), in)
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
