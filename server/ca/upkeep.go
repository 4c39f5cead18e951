package ca

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Kept says what Upkeep made anew.
type Kept struct {
	Server  bool // the server's certificate
	Issuing bool // and the issuing one
}

// Upkeep renews what can be renewed without anybody, from half of its life on: the server's certificate with the issuing
// key, and the issuing one too when the root's key lies in dir. Gateways notice nothing: they trust the root. Only the process that
// holds the data directory may call it. A CA that is open has to Reload afterwards.
func Upkeep(dir string, now time.Time) (k Kept, err error) {
	if err := finishRenewal(dir); err != nil {
		return k, fmt.Errorf("renew certificates: %w", err)
	}
	issuing, key, err := readPair(filepath.Join(dir, "issuing.crt"), filepath.Join(dir, "issuing.key"))
	if err != nil {
		return k, err
	}
	server, err := readCerts(filepath.Join(dir, "server.crt"))
	if err != nil {
		return k, err
	}
	if pastHalf(issuing[0], now) && hasRootKey(dir) {
		if err := Renew(dir, filepath.Join(dir, "root.key"), nil, now); err != nil {
			return k, err
		}
		return Kept{Server: true, Issuing: true}, nil
	}
	const least = 24 * time.Hour // what is gained by it
	if !pastHalf(server[0], now) || now.After(issuing[0].NotAfter) || issuing[0].NotAfter.Sub(server[0].NotAfter) < least {
		return k, nil
	}
	names, err := serverNames(dir)
	if err != nil {
		return k, err
	}
	srvKey, der, err := makeServer(Options{Names: names, Now: now}, issuing[0], key)
	if err != nil {
		return k, fmt.Errorf("renew server certificate: %w", err)
	}
	pem, err := keyPEM(srvKey)
	if err != nil {
		return k, fmt.Errorf("renew server certificate: %w", err)
	}
	return Kept{Server: true}, swap(dir, map[string][]byte{"server.crt": certPEM(der, issuing[0].Raw), "server.key": pem})
}

func pastHalf(c *x509.Certificate, now time.Time) bool {
	return now.After(c.NotBefore.Add(c.NotAfter.Sub(c.NotBefore) / 2))
}

func hasRootKey(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, "root.key"))
	return err == nil || !errors.Is(err, fs.ErrNotExist)
}

// Ends says when the server's, the issuing and the root's certificate end, and whether Upkeep renews the issuing one by itself; else a
// person has to fetch the root's key (`ca renew`).
func (c *CA) Ends() (server, issuing, root time.Time, automatic bool) {
	s := c.held()
	return s.server.Leaf.NotAfter, s.issuing.NotAfter, s.root.NotAfter, hasRootKey(c.dir)
}
