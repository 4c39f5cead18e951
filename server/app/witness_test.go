package app

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"monban/firmware/access"
	"monban/firmware/wire"
	"monban/firmware/witness"
	"monban/server/config"
	"monban/server/directory"
	"monban/server/store"
)

// gate is a gateway as a witness.
type gate struct {
	id    access.GatewayID
	key   *witness.Cosigner
	state witness.State
}

func newGate(site string, id access.GatewayID) *gate {
	seed := sha256.Sum256([]byte(id))
	return &gate{id: id, key: witness.New(witnessName(site, id), ed25519.NewKeyFromSeed(seed[:]))}
}

// ask does what the link does: says what is held, takes what comes, says so.
func (g *gate) ask(t *testing.T, w *witnesses, at time.Time) error {
	t.Helper()
	return g.askOf(t, w, at, at)
}

// askOf is ask with the gateway's clock.
func (g *gate) askOf(t *testing.T, w *witnesses, at, clock time.Time) error {
	t.Helper()
	m := wire.Witness{Gateway: g.id, Key: g.key.VKey(), Held: g.state.Note, Refused: g.state.Refused, Ask: true}
	p, ok, err := w.Witnessed(t.Context(), g.id, m, at)
	if err != nil || !ok {
		return err
	}
	var proof tlog.TreeProof
	for _, h := range p.Proof {
		proof = append(proof, tlog.Hash(h))
	}
	next, takeErr := g.state.Take(g.key, w.keys.Log, p.Checkpoint, int64(p.Old), proof, uint64(clock.Unix()))
	g.state = next
	m.Held, m.Refused, m.Ask = next.Note, next.Refused, false
	_, _, err = w.Witnessed(t.Context(), g.id, m, at)
	return errors.Join(takeErr, err)
}

// past is a whole earlier state of a site: database, anchor file, signer's state.
type past struct {
	backup string
	files  map[string][]byte
}

func pastOf(t *testing.T, cfg *config.Config) past {
	t.Helper()
	p := past{backupOf(t, cfg), map[string][]byte{}}
	for _, name := range []string{cfg.Path(anchorFile), cfg.Path(keysDir, "signed.json")} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		p.files[name] = data
	}
	return p
}

// takeBack puts an earlier state in the place of the present one: nothing but a witness can tell.
func takeBack(t *testing.T, cfg *config.Config, early past) {
	t.Helper()
	db := cfg.Path(databaseFile)
	for _, name := range []string{db, db + "-wal", db + "-shm"} {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if _, err := copyFile(early.backup+"/"+databaseFile, db); err != nil {
		t.Fatal(err)
	}
	for name, data := range early.files {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// EV-4, EV-3, OP-2: gateways follow the log and the server keeps their cosignatures; one that is silent for a day fails the
// self-test; a server whose database is behind what a gateway holds signs nothing any more and says so, once.
func TestWitnesses(t *testing.T) {
	cfg := testSite(t)
	leaves(t, cfg, 3)
	early := pastOf(t, cfg)
	s, err := OpenSite(cfg, time.Now(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	w, err := newWitnesses(s, quiet)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	list := []directory.Gateway{{ID: "gw-1"}, {ID: "gw-2"}}
	one, two := newGate(cfg.Site, "gw-1"), newGate(cfg.Site, "gw-2")
	for range 3 {
		if err := s.Store.Write(t.Context(), gapLeaf); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Store.SignNow(t.Context()), one.ask(t, w, now), two.ask(t, w, now)); err != nil {
			t.Fatal(err)
		}
		if one.state.Held().Size != s.Store.Size() || two.state.Held().Size != s.Store.Size() {
			t.Fatalf("hold %d and %d of %d leaves", one.state.Held().Size, two.state.Held().Size, s.Store.Size())
		}
	}
	if err := witnessAge(t.Context(), s.Store, cfg.Site, list, now); err != nil {
		t.Errorf("witnesses that are there: %v", err)
	}
	if err := witnessAge(t.Context(), s.Store, cfg.Site, list, now.Add(25*time.Hour)); err == nil {
		t.Error("a cosignature of yesterday is enough")
	}
	if err := witnessAge(t.Context(), s.Store, cfg.Site, append(list, directory.Gateway{ID: "gw-3"}), now); err == nil {
		t.Error("a gateway that never cosigned is not missed")
	}
	if err := witnessAge(t.Context(), s.Store, cfg.Site, nil, now); !errors.Is(err, errNotSetUp) {
		t.Errorf("without gateways: %v", err)
	}
	as := newGate(cfg.Site, "gw-2") // one gateway under the name of another
	as.state = two.state
	m := wire.Witness{Gateway: "gw-1", Key: as.key.VKey(), Held: as.state.Note}
	if _, _, err := w.Witnessed(t.Context(), "gw-1", m, now); !errors.Is(err, store.ErrWitness) {
		t.Errorf("gw-1 with gw-2's cosignature: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	// The older database with the signer's state and the anchor taken back too: nothing but a witness can tell.
	takeBack(t, cfg, early)
	s, err = OpenSite(cfg, time.Now(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w, err = newWitnesses(s, quiet)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := one.ask(t, w, now); !errors.Is(err, store.ErrHead) {
			t.Fatalf("behind a witness: %v", err)
		}
	}
	if !errors.Is(s.Store.SignErr(), store.ErrHead) {
		t.Errorf("signs behind a witness: %v", s.Store.SignErr())
	}
	if told := forks(t, s.Store); told != 1 {
		t.Errorf("told %d times", told)
	}
}

// EV-3: a log that changes under a running server is told when a gateway says again what it holds, not only at the first time.
func TestHeldIsComparedEachTime(t *testing.T) {
	cfg := testSite(t)
	leaves(t, cfg, 3)
	withSite(t, cfg, func(s *Site) {
		w, err := newWitnesses(s, quiet)
		if err != nil {
			t.Fatal(err)
		}
		now, one := time.Now(), newGate(cfg.Site, "gw-1")
		for range 2 {
			if err := one.ask(t, w, now); err != nil {
				t.Fatal(err)
			}
		}
		x := w.last["gw-1"]
		x.root[0] ^= 1 // the log's tree is another one than it was when the signatures were looked at
		w.last["gw-1"] = x
		if err := one.ask(t, w, now); !errors.Is(err, store.ErrHead) || s.Store.SignErr() == nil {
			t.Errorf("not compared again: %v", err)
		}
	})
}
