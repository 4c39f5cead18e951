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
	"time"
)

// renewReady marks that a whole new set of files lies beside the old one (NAME.next).
const renewReady = "renew.ready"

// renewFiles are swapped in this order; the last two only when the root is changed.
func renewFiles() []string {
	return []string{"server.key", "server.crt", "issuing.key", "issuing.crt", "root.key", "root.crt"}
}

// Renew makes a new issuing certificate and a new server certificate in dir with the root's key, which is read from
// rootKey and may lie on a medium that is taken away again. The server must be stopped. Gateways notice
// nothing: they trust the root. The new server certificate has the names of the old one and those in names.
//
//	crash point 1: no renew.ready → the old set counts, what lies beside it is overwritten next time
//	crash point 2: renew.ready    → Open finishes the swap
func Renew(dir, rootKey string, names []string, now time.Time) error {
	if err := finishRenewal(dir); err != nil {
		return fmt.Errorf("renew certificates: %w", err)
	}
	roots, err := readCerts(filepath.Join(dir, "root.crt"))
	if err != nil {
		return err
	}
	root := roots[0]
	key, err := readRootKey(rootKey, root)
	if err != nil {
		return err
	}
	if now.After(root.NotAfter) || now.Before(root.NotBefore) {
		return fmt.Errorf("%s: is valid from %s to %s, and it is %s", filepath.Join(dir, "root.crt"),
			root.NotBefore.Format(time.DateOnly), root.NotAfter.Format(time.DateOnly), now.Format(time.DateOnly))
	}
	own, err := serverNames(dir)
	if err != nil {
		return err
	}
	o := Options{Site: siteOf(root), Names: append(own, names...), Now: now}
	issKey, issDER, err := makeIssuing(o, root, key)
	if err != nil {
		return fmt.Errorf("renew issuing certificate: %w", err)
	}
	issuing, err := x509.ParseCertificate(issDER)
	if err != nil {
		return fmt.Errorf("renew issuing certificate: %w", err)
	}
	srvKey, srvDER, err := makeServer(o, issuing, issKey)
	if err != nil {
		return fmt.Errorf("renew server certificate: %w", err)
	}
	next := map[string][]byte{"server.crt": certPEM(srvDER, issDER), "issuing.crt": certPEM(issDER)}
	for name, k := range map[string]*ecdsa.PrivateKey{"server.key": srvKey, "issuing.key": issKey} {
		if next[name], err = keyPEM(k); err != nil {
			return fmt.Errorf("renew %s: %w", name, err)
		}
	}
	return swap(dir, next)
}

// serverNames are the names that the server's certificate has beside those that each has.
func serverNames(dir string) (names []string, err error) {
	old, err := readCerts(filepath.Join(dir, "server.crt"))
	if err != nil {
		return nil, err
	}
	for _, n := range old[0].DNSNames {
		if n != "localhost" && n != ServerName {
			names = append(names, n)
		}
	}
	for _, ip := range old[0].IPAddresses {
		if !ip.IsLoopback() {
			names = append(names, ip.String())
		}
	}
	return names, nil
}

// swap puts new files in the place of some of renewFiles, all or none.
func swap(dir string, next map[string][]byte) error {
	for _, name := range renewFiles() {
		path := filepath.Join(dir, name+".next")
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return short(path, err)
		}
		if next[name] == nil {
			continue // stays as it is
		}
		if err := writeNew(path, next[name]); err != nil {
			return fmt.Errorf("renew certificates: %w", err)
		}
	}
	if err := errors.Join(syncDir(dir), writeNew(filepath.Join(dir, renewReady), nil), syncDir(dir)); err != nil {
		return fmt.Errorf("renew certificates: %w", err)
	}
	return finishRenewal(dir)
}

// finishRenewal swaps the new set in when it is whole; it may be run again after any crash.
func finishRenewal(dir string) error {
	if _, err := os.Lstat(filepath.Join(dir, renewReady)); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	for _, name := range renewFiles() {
		err := os.Rename(filepath.Join(dir, name+".next"), filepath.Join(dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // not there: swapped before the crash
			return err
		}
	}
	if err := syncDir(dir); err != nil {
		return err
	}
	err := os.Remove(filepath.Join(dir, renewReady))
	if errors.Is(err, fs.ErrNotExist) { // another process has finished it at the same time
		err = nil
	}
	return errors.Join(err, syncDir(dir))
}

func readRootKey(path string, root *x509.Certificate) (crypto.Signer, error) {
	data, err := readSecret(path)
	if err != nil {
		return nil, err
	}
	b, _ := pem.Decode(data)
	if b == nil {
		return nil, fmt.Errorf("%s: holds no PEM private key", path)
	}
	k, err := x509.ParsePKCS8PrivateKey(b.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: holds a damaged private key", path)
	}
	key, ok := k.(crypto.Signer)
	if !ok || !samePublic(root, key) {
		return nil, fmt.Errorf("%s: is not the key of this site's root certificate", path)
	}
	return key, nil
}
