package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxFile bounds every file read here; a chain of certificates is a few KiB.
const maxFile = 256 << 10

type file struct {
	name string
	data []byte
}

// readSecret reads a file that must be the owner's alone.
func readSecret(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, short(path, err)
	}
	defer f.Close() //nolint:errcheck // only read
	st, err := f.Stat()
	if err != nil {
		return nil, short(path, err)
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: is not a regular file", path)
	}
	if err := OwnersAlone(path, st.Mode()); err != nil {
		return nil, err
	}
	return read(path, st)
}

// OwnersAlone is an error for a key that others can read, with what helps where it lies: FAT and NTFS, as sticks come from the shop, show
// the modes that they were mounted with.
func OwnersAlone(path string, mode fs.FileMode) error {
	if mode.Perm()&0o077 == 0 {
		return nil
	}
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return short(path, err)
	}
	return othersRead(path, mode, int64(st.Type), os.Geteuid()) //nolint:unconvert // another width on 32 bits
}

func othersRead(path string, mode fs.FileMode, kind int64, euid int) error {
	// FAT, exFAT, NTFS, and what FUSE mounts of them.
	const exfat, ntfs3, fuse = 0x2011bab0, 0x7366746e, 0x65735546
	switch kind {
	case unix.MSDOS_SUPER_MAGIC, exfat, ntfs3, fuse:
		return fmt.Errorf("%s: others can read this key (mode %04o), and this medium keeps no modes, so chmod does nothing there: mount it with -o uid=%d,umask=077, or copy the key into a folder that is yours alone, chmod 600, and destroy the copy afterwards", path, mode.Perm(), euid)
	}
	return fmt.Errorf("%s: others can read this key (mode %04o): run chmod 600 on it, or make a new key if others had access", path, mode.Perm())
}

func readPublic(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, short(path, err)
	}
	return read(path, st)
}

func read(path string, st fs.FileInfo) ([]byte, error) {
	if st.Size() > maxFile {
		return nil, fmt.Errorf("%s: is larger than %d bytes", path, maxFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, short(path, err)
	}
	return data, nil
}

// short drops the operation and the second mention of the path.
func short(path string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return fmt.Errorf("%s: %w", path, pe.Err)
	}
	return fmt.Errorf("%s: %w", path, err)
}

// readCerts reads one or more PEM certificates, the leaf first.
func readCerts(path string) ([]*x509.Certificate, error) {
	data, err := readPublic(path)
	if err != nil {
		return nil, err
	}
	var out []*x509.Certificate
	for {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			break
		}
		if b.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("%s: holds a %q, want only certificates", path, b.Type)
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: holds a damaged certificate", path)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: holds no PEM certificate", path)
	}
	return out, nil
}

// readPair reads a certificate and its key and proves that they belong together.
func readPair(certPath, keyPath string) ([]*x509.Certificate, crypto.Signer, error) {
	certs, err := readCerts(certPath)
	if err != nil {
		return nil, nil, err
	}
	data, err := readSecret(keyPath)
	if err != nil {
		return nil, nil, err
	}
	b, rest := pem.Decode(data)
	if b == nil || b.Type != "PRIVATE KEY" || len(rest) != 0 {
		return nil, nil, fmt.Errorf("%s: does not hold exactly one PEM private key (PKCS #8)", keyPath)
	}
	k, err := x509.ParsePKCS8PrivateKey(b.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: holds a damaged private key", keyPath)
	}
	key, ok := k.(crypto.Signer)
	if !ok {
		return nil, nil, fmt.Errorf("%s: holds a key that cannot sign", keyPath)
	}
	if !samePublic(certs[0], key) {
		return nil, nil, fmt.Errorf("%s: is not the key of %s", keyPath, certPath)
	}
	return certs, key, nil
}

func certPEM(ders ...[]byte) []byte {
	var out []byte
	for _, d := range ders {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d})...)
	}
	return out
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// writeNew writes a file that must not exist, 0600 from its first byte, and syncs it.
func writeNew(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return short(path, err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return short(path, err)
	}
	return nil
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}

// Bundle is everything a new gateway is given (docs: the gateway's identity directory).
type Bundle struct {
	TLSCert   []byte // tls.crt, PEM: the gateway's certificate and the issuing one
	TLSKey    []byte // tls.key, PEM
	CACert    []byte // ca.crt, PEM: the root it trusts
	NoteKey   []byte // note.key: its note signer, one line
	KeysNote  []byte // keys.note: the signed list of role keys
	RootVKey  []byte // root.vkey: the offline root's verifier, one line
	Symmetric []byte // symmetric.json: card, PIN, gateway and ask key
}

// WriteBundle writes b as the directory dir, which must not exist: either all files are there with
// mode 0600 in a directory of mode 0700, or none is. An empty part is an error.
func WriteBundle(dir string, b Bundle) error {
	files := []file{
		{"tls.crt", b.TLSCert}, {"tls.key", b.TLSKey}, {"ca.crt", b.CACert}, {"note.key", b.NoteKey},
		{"keys.note", b.KeysNote}, {"root.vkey", b.RootVKey}, {"symmetric.json", b.Symmetric},
	}
	for _, f := range files {
		if len(f.data) == 0 {
			return fmt.Errorf("write provisioning bundle: %s would be empty", f.name)
		}
	}
	dir = filepath.Clean(dir)
	if _, err := os.Lstat(dir); err == nil {
		return fmt.Errorf("write provisioning bundle: %s exists already and is not overwritten", dir)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write provisioning bundle: %w", err)
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return fmt.Errorf("write provisioning bundle: %w", err)
	}
	tmp, err := os.MkdirTemp(parent, ".bundle-*") // MkdirTemp makes it 0700
	if err != nil {
		return fmt.Errorf("write provisioning bundle: %w", err)
	}
	for _, f := range files {
		if err := writeNew(filepath.Join(tmp, f.name), f.data); err != nil {
			return errors.Join(fmt.Errorf("write provisioning bundle: %w", err), os.RemoveAll(tmp))
		}
	}
	if err := syncDir(tmp); err != nil {
		return errors.Join(fmt.Errorf("write provisioning bundle: %w", err), os.RemoveAll(tmp))
	}
	// rename(2) of a directory replaces only an empty directory, never a bundle made meanwhile.
	if err := os.Rename(tmp, dir); err != nil {
		return errors.Join(fmt.Errorf("write provisioning bundle: %w", err), os.RemoveAll(tmp))
	}
	if err := syncDir(parent); err != nil {
		return fmt.Errorf("write provisioning bundle: %w", err)
	}
	return nil
}
