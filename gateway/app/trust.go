package app

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/link"
	"monban/firmware/wire"
)

const (
	keysFile = "keys.note"
	rootFile = "root.vkey"
	caFile   = "ca.crt"
	// trustRetry is the pause after a list that could not be stored; until it is, the server does not drop the old root.
	trustRetry = time.Minute
)

// belief is what an identity folder says about whom to believe.
type belief struct {
	root note.Verifier // of the root that signed the list
	next note.Verifier // of the root that the list announces, nil for none
	note []byte        // the list of the server's role keys, signed
	keys wire.Keys     // what it says; zero when root did not sign it
	pool *x509.CertPool
}

// loadBelief reads the list of role keys and the roots. root.vkey has two lines only for the moment in which the
// list of one root takes the place of the other's: the root counts that signed the list which is there.
func loadBelief(dir string) (b belief, err error) {
	text, err := os.ReadFile(filepath.Join(dir, rootFile))
	if err != nil {
		return b, notFound(err)
	}
	if b.note, err = os.ReadFile(filepath.Join(dir, keysFile)); err != nil {
		return b, notFound(err)
	}
	for line := range strings.Lines(strings.TrimSpace(string(text))) {
		v, err := note.NewVerifier(strings.TrimSpace(line))
		if err != nil {
			return b, fmt.Errorf("%s: is not a verifier key", filepath.Join(dir, rootFile))
		}
		if b.root == nil {
			b.root = v
		}
		site, _ := strings.CutSuffix(strings.TrimPrefix(v.Name(), "monban/"), "/"+wire.RoleRoot.String())
		if keys, err := wire.OpenKeys(v, site, string(b.note)); err == nil {
			b.root, b.keys = v, keys
			break
		}
	}
	if b.root == nil {
		return b, fmt.Errorf("%s: is not a verifier key", filepath.Join(dir, rootFile))
	}
	if b.next, err = link.NextRoot(&b.keys); err != nil {
		return b, fmt.Errorf("%s: %w", filepath.Join(dir, keysFile), err)
	}
	b.pool, err = tlsRoots(dir, &b.keys)
	return b, err
}

// tlsRoots are the TLS roots of the list; while it names none, that of the identity.
func tlsRoots(dir string, k *wire.Keys) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	for _, der := range k.Roots() {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("%s: names a TLS root that cannot be read", filepath.Join(dir, keysFile))
		}
		pool.AddCert(c)
	}
	if len(k.Roots()) > 0 {
		return pool, nil
	}
	ca, err := os.ReadFile(filepath.Join(dir, caFile))
	if err != nil {
		return nil, notFound(err)
	}
	if !pool.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("%s: holds no PEM certificate", filepath.Join(dir, caFile))
	}
	return pool, nil
}

// trust follows the server's list of role keys and roots, and says when this gateway could go on with the newest
// alone (D18, ADR 0024). Doors do not depend on it: with nobody left to believe the gateway is offline, and they
// decide by their offline mode.
type trust struct {
	dir     string
	renewal *renewal
	kept    func(version uint64) // tells the server, by heartbeats
	log     *slog.Logger
	news    chan string // capacity 1: the newest list, signed
	pool    atomic.Pointer[x509.CertPool]

	mu   sync.Mutex
	held belief // mu
}

func newTrust(dir string, b belief, log *slog.Logger) *trust {
	t := &trust{dir: dir, held: b, log: log, news: make(chan string, 1)}
	t.pool.Store(b.pool)
	return t
}

// roots are the TLS roots believed now.
func (t *trust) roots() *x509.CertPool { return t.pool.Load() }

// learned takes a list that the link has verified; it does not block.
func (t *trust) learned(list string) {
	for {
		select {
		case t.news <- list:
			return
		default:
		}
		select {
		case <-t.news: // an older one that nobody needs any more
		default:
		}
	}
}

// run stores lists until ctx ends.
func (t *trust) run(ctx context.Context) {
	t.settle()
	for {
		var list string
		select {
		case <-ctx.Done():
			return
		case list = <-t.news:
		}
		for err := t.store(list); err != nil; err = t.store(list) {
			t.log.LogAttrs(ctx, slog.LevelError, "new list of keys not stored, trying again; until then the server waits for this gateway", slog.Any("err", err))
			select {
			case <-ctx.Done():
				return
			case list = <-t.news:
			case <-time.After(trustRetry):
			}
		}
		t.settle()
	}
}

// store puts a newer list in place. A crash leaves a folder that can be started from:
//
//	crash point 1: root.vkey has two lines → the one counts that signed keys.note, still the old list
//	crash point 2: keys.note is the new list → the other line counts
//	crash point 3: root.vkey has the new line alone
func (t *trust) store(list string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	next := belief{note: []byte(list)}
	for _, v := range []note.Verifier{t.held.root, t.held.next} {
		if v == nil {
			continue
		}
		if keys, err := wire.OpenKeys(v, t.held.keys.Site, list); err == nil {
			next.root, next.keys = v, keys
			break
		}
	}
	if next.root == nil || next.keys.Version < t.held.keys.Version {
		t.log.LogAttrs(context.Background(), slog.LevelError, "a list of keys came that no known root has signed, or an older one; it is dropped")
		return nil
	}
	var err error
	if next.next, err = link.NextRoot(&next.keys); err != nil {
		return err
	}
	if next.pool, err = tlsRoots(t.dir, &next.keys); err != nil {
		return err
	}
	change := next.root != t.held.root
	if change {
		old, err := os.ReadFile(filepath.Join(t.dir, rootFile))
		if err != nil {
			return err
		}
		both := string(bytes.TrimSpace(old)) + "\n" + t.held.keys.NextRoot + "\n"
		if err := replaceFile(t.dir, rootFile, []byte(both)); err != nil {
			return err
		}
	}
	if err := replaceFile(t.dir, keysFile, next.note); err != nil {
		return err
	}
	if change {
		if err := replaceFile(t.dir, rootFile, []byte(t.held.keys.NextRoot+"\n")); err != nil {
			return err
		}
	}
	t.held = next
	t.pool.Store(next.pool)
	t.log.LogAttrs(context.Background(), slog.LevelInfo, "new list of keys stored", slog.Uint64("version", next.keys.Version), slog.Bool("new_root", change))
	return nil
}

// settle tells the server how far this gateway could go on alone, and asks for a certificate of the newest root when
// that is what is missing.
func (t *trust) settle() {
	t.mu.Lock()
	version := t.held.keys.Version
	t.mu.Unlock()
	if t.behind() {
		if t.renewal.server == "" {
			t.log.LogAttrs(context.Background(), slog.LevelError, "the root of this gateway's certificate ends and enrol_server is not set: give it a new identity with `monban-server gateway add`")
		}
		t.renewal.soon()
		return
	}
	if t.kept != nil {
		t.kept(version)
	}
}

// behind reports whether the certificate is of another root than the newest that the list names.
func (t *trust) behind() bool {
	t.mu.Lock()
	roots := t.held.keys.Roots()
	t.mu.Unlock()
	if len(roots) == 0 {
		return false
	}
	newest, err := x509.ParseCertificate(roots[len(roots)-1])
	if err != nil {
		return true // not understood is not confirmed: the server keeps the old root
	}
	pair := t.renewal.current.Load()
	if pair.Leaf == nil {
		return true
	}
	pool, inter := x509.NewCertPool(), x509.NewCertPool()
	pool.AddCert(newest)
	for _, der := range pair.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			inter.AddCert(c)
		}
	}
	_, err = pair.Leaf.Verify(x509.VerifyOptions{
		Roots: pool, Intermediates: inter, CurrentTime: pair.Leaf.NotBefore.Add(time.Second), // whose, not whether in force
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return err != nil
}

// replaceFile swaps a file of the identity: beside, synced, renamed, folder synced.
func replaceFile(dir, name string, data []byte) error {
	path := filepath.Join(dir, name)
	if err := os.Remove(path + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeDurably(path+".new", data); err != nil {
		return err
	}
	return errors.Join(os.Rename(path+".new", path), syncFolder(dir))
}
