// Package sitetest is the sample site in a database of its own, for tests of what works on it.
package sitetest

import (
	"crypto/rand"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/wire"
	"monban/server/directory"
	"monban/server/keystore"
	"monban/server/policypub"
	"monban/server/store"
)

// Name is the site's name.
const Name = "tagajo-demo"

// Now is a Tuesday, 24 November 2026, 10:00 in Tokyo.
func Now() time.Time { return time.Date(2026, 11, 24, 1, 0, 0, 0, time.UTC) }

// Site is the sample site: ten people, three doors on gw-1 and gw-2, published.
type Site struct {
	*policypub.Publisher
	Store  *store.Store
	Keys   policypub.Keys
	Policy note.Verifier // of manifests
	Zone   *time.Location
	Config policypub.Config
	t      testing.TB
}

// New makes the site in t's temporary folder.
func New(t testing.TB) *Site {
	t.Helper()
	return With(t, directory.Terms{})
}

// With makes it with terms of its own.
func With(t testing.TB, terms directory.Terms) *Site {
	t.Helper()
	s := &Site{t: t}
	dir := t.TempDir()
	keyPath, master := filepath.Join(dir, "keystore.json"), filepath.Join(dir, "master.key")
	s.must(keystore.Create(keyPath, master, rand.Reader))
	ks, err := keystore.Open(keyPath, master, rand.Reader)
	s.must(err)
	s.Zone, err = time.LoadLocation("Asia/Tokyo")
	s.must(err)
	s.Store, err = store.Open(filepath.Join(dir, "monban.db"), store.Options{Zone: s.Zone, Keys: ks, Terms: terms})
	s.must(err)
	t.Cleanup(func() {
		if err := s.Store.Close(); err != nil {
			t.Error(err)
		}
	})
	s.Keys, err = policypub.NewKeys(rand.Reader)
	s.must(err)
	for _, gw := range []access.GatewayID{"gw-1", "gw-2"} {
		s.Keys, err = s.Keys.With(gw, rand.Reader)
		s.must(err)
	}
	skey, vkey, err := note.GenerateKey(rand.Reader, wire.KeyName(Name, wire.RolePolicy))
	s.must(err)
	signer, err := note.NewSigner(skey)
	s.must(err)
	s.Policy, err = note.NewVerifier(vkey)
	s.must(err)
	s.Config = policypub.Config{Store: s.Store, Signer: signer, Site: Name, Keys: s.Keys, Now: Now}
	s.Publisher = policypub.New(s.Config)
	files, err := directory.SampleFiles()
	s.must(err)
	_, err = s.Change(t.Context(), func(tx *store.Tx) ([]directory.Change, error) {
		return directory.ImportFiles(tx, directory.Actor{From: "cli"}, "sample site", files,
			directory.ImportConfig{Now: Now(), Zone: s.Zone, Cards: s.Keys, Relative: true})
	})
	s.must(err)
	return s
}

func (s *Site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// Ref is the card_ref of a sample card, format H10301, facility code 123.
func (s *Site) Ref(number uint64) card.Ref {
	s.t.Helper()
	ref, _, err := s.Keys.Card("H10301", 123, number)
	s.must(err)
	return ref
}

// Sealed is the card as a reader of the gateway seals it.
func (s *Site) Sealed(gw access.GatewayID, number uint64) []byte {
	s.t.Helper()
	return wire.SealCard(s.Keys.Gateways[gw].Ask, Nonce(), s.Ref(number))
}

// Proof is what a gateway sends for digits keyed in with a card.
func (s *Site) Proof(gw access.GatewayID, number uint64, digits string, id wire.AskID) wire.Hash {
	s.t.Helper()
	pin, err := s.Keys.PIN(s.Ref(number), digits)
	s.must(err)
	keys := s.Keys.Gateways[gw]
	return wire.PINProof(keys.Ask, pin.Token(keys.Token[:]), id)
}

// Nonce is a fresh nonce.
func Nonce() (n wire.Nonce) {
	_, _ = rand.Read(n[:]) // crypto/rand never fails
	return n
}

// Read runs fn in a read transaction.
func (s *Site) Read(fn func(r *store.ReadTx) error) {
	s.t.Helper()
	s.must(s.Store.Read(s.t.Context(), fn))
}
