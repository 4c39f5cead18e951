package faults

import (
	"bytes"
	"context"
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"

	"monban/firmware/wire"
	"monban/gateway/outbox"
	"monban/gateway/policycache"
	"monban/server/ingest"
	"monban/server/policypub"
	"monban/server/store"
)

// errFound is what a damaged file should lead to, if it leads to anything.
var errFound = errors.New("damage found")

// damageable is one kind of closed files: how to make them whole, which to spoil, and what the product says then.
type damageable struct {
	name  string
	files []string
	share int // of all damaged files, in percent
	make  func(folder string) error
	// open gives an error that wraps errFound when the product tells of damage, nil when everything is there, and
	// any other error for what must not be: something wrong or missing in silence.
	open func(folder string) error
}

// Reliability goal 4: flipped bits, scrambled and zeroed pages and cut-off ends in closed files of outbox, policy
// cache, database, anchor and signer: told of, or without any effect; never a wrong row in silence, never the
// death of the process (all of it happens in this one). MONBAN_FLIPS asks for so many damaged files in all.
func TestDamagedFiles(t *testing.T) {
	total := count(t, "MONBAN_FLIPS", 150)
	n := seed(t)
	box, policies, db := newOutboxLedger(), newPolicyLedger(), newStoreLedger()
	site := &siteKeys{}
	for i, d := range []damageable{
		{"outbox", []string{"outbox.db"}, 45, func(f string) error { return fillOnce(box, f) }, func(f string) error { return openDamagedOutbox(box, f) }},
		{"policycache", []string{"policy", "policy", "policy.floor", "policy.age"}, 45,
			func(f string) error { return makePolicies(policies, f) }, func(f string) error { return openDamagedPolicies(policies, f) }},
		{"store", []string{"monban.db", "monban.db", "monban.db", "monban.db.anchor", "sign/signed.json", "sign/log.key", "keystore.json"}, 10,
			func(f string) error { return makeStore(db, f) }, func(f string) error { return openDamagedStore(db, f) }},
		{"keys", []string{"site-keys.json"}, 5, site.make, site.open},
	} {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			damage(t, d, max(total*d.share/100, 10), n+uint64(i))
		})
	}
}

func damage(t *testing.T, d damageable, times int, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 6))
	whole := t.TempDir()
	if err := d.make(whole); err != nil {
		t.Fatal(err)
	}
	if err := copied(whole, t.TempDir(), d.open); err != nil {
		t.Fatalf("the whole files: %v", err)
	}
	dir := imageFolder(t, 64<<20)
	found, harmless := 0, 0
	for i := range times {
		file := d.files[rng.IntN(len(d.files))]
		what := ""
		err := copied(whole, dir, func(folder string) error {
			path := filepath.Join(folder, file)
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			bad, how := spoil(rng, data)
			what = file + ": " + how
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				return err
			}
			return d.open(folder)
		})
		switch {
		case errors.Is(err, errFound):
			found++
		case err != nil:
			t.Fatalf("SEED=%d file %d, %s: %v", seed, i, what, err)
		default:
			harmless++
		}
	}
	if found < times/10 {
		t.Errorf("only %d of %d found: the damage does not reach what is checked", found, times)
	}
	report(t, seed, "%d damaged files, %d told of, %d without effect, 0 silent, 0 deaths", times, found, harmless)
}

// copied runs do on a copy of a folder.
func copied(whole, dir string, do func(folder string) error) error {
	folder := filepath.Join(dir, "copy")
	if out, err := exec.Command("cp", "-a", whole, folder).CombinedOutput(); err != nil {
		return fmt.Errorf("copy: %w: %s", err, out)
	}
	return errors.Join(do(folder), os.RemoveAll(folder))
}

// spoil damages bytes in one of five ways.
func spoil(rng *rand.Rand, data []byte) (bad []byte, how string) {
	bad = bytes.Clone(data)
	const page = 4096
	at := rng.IntN(len(bad))
	switch rng.IntN(10) {
	default:
		bit := rng.IntN(8)
		bad[at] ^= 1 << bit
		return bad, fmt.Sprintf("bit %d of byte %d", bit, at)
	case 6:
		for range 1 + rng.IntN(50) {
			bad[min(at/page*page+rng.IntN(page), len(bad)-1)] ^= 1 << rng.IntN(8)
		}
		return bad, fmt.Sprintf("page %d scrambled", at/page)
	case 7:
		clear(bad[at/page*page : min(at/page*page+page, len(bad))])
		return bad, fmt.Sprintf("page %d zeroed", at/page)
	case 8: // a write that went to the wrong place
		from := rng.IntN(len(bad)) / page * page
		copy(bad[at/page*page:min(at/page*page+page, len(bad))], data[from:])
		return bad, fmt.Sprintf("page %d over page %d", from/page, at/page)
	case 9:
		return bad[:at], fmt.Sprintf("cut to %d bytes", at)
	}
}

func openDamagedOutbox(l *outboxLedger, folder string) error {
	cfg := outboxConfig(folder)
	told := false
	cfg.Notify = func(n outbox.Notice) { told = told || n.Kind == outbox.NoticeDamaged || n.Kind == outbox.NoticeDoubt }
	o, err := outbox.Open(cfg)
	if err != nil {
		return fmt.Errorf("%w: %w", errFound, err)
	}
	missing := 0
	for epoch, records := range l.records {
		for seq, word := range records {
			ev, err := o.Load(epoch, seq, 1)
			if err != nil {
				missing++
				continue
			}
			rec, err := wire.ParseRecord(ev.Records[0].Body)
			if err != nil || rec.Detail != word {
				return errors.Join(fmt.Errorf("WRONG record %d: %q for %q: %w", seq, rec.Detail, word, err), o.Close())
			}
		}
		if told && o.Stat().Current == epoch {
			return errors.Join(errors.New("damage without a new epoch: numbers could be given twice"), o.Close())
		}
	}
	if err := o.Close(); err != nil {
		return err
	}
	switch {
	case told:
		return errFound
	case missing > 0:
		return fmt.Errorf("%d records are gone and nothing was told", missing)
	}
	return nil
}

func makePolicies(l *policyLedger, folder string) error {
	c, err := policycache.Open(policyConfig(folder))
	if err != nil {
		return err
	}
	for v := uint64(1); v <= 3; v++ {
		msg, parts, err := policyOf(v)
		if err != nil {
			return err
		}
		if _, err := c.Store(msg, parts); err != nil {
			return err
		}
	}
	l.version, l.ages[3] = 3, 60_000
	return c.SaveAge(3, 60_000)
}

func openDamagedPolicies(l *policyLedger, folder string) error {
	c, err := policycache.Open(policyConfig(folder))
	if err == nil {
		_, err = l.check(folder)
		return err
	}
	if _, ok := c.Held(); ok {
		return fmt.Errorf("damage is told, and still a policy is in force (I9): %w", err)
	}
	return fmt.Errorf("%w: %w", errFound, err)
}

func makeStore(l *storeLedger, folder string) error {
	if err := setUpSite(folder); err != nil {
		return err
	}
	s, err := openSite(folder)
	if err != nil {
		return err
	}
	pipe := ingest.New(s.policies, s.store.Zone())
	epoch := wire.Epoch{1}
	for range 20 {
		out, err := s.takeNext(pipe, epoch)
		if err != nil {
			return err
		}
		if err := l.told([]string{"ack", string(gateways[0]), fmt.Sprintf("%x", epoch[:]), fmt.Sprint(out.Seq), fmt.Sprintf("%x", out.Hash[:])}); err != nil {
			return err
		}
	}
	return s.store.Close()
}

func openDamagedStore(l *storeLedger, folder string) error {
	s, err := openSite(folder)
	if err != nil {
		return fmt.Errorf("%w: %w", errFound, err)
	}
	defer s.store.Close()
	opt := store.VerifyOptions{Log: s.log, Keys: s.keys, Structure: true}
	if res, err := s.store.Verify(context.Background(), opt); err != nil || !res.Clean() || res.Erased > 0 {
		return fmt.Errorf("%w: %v", errFound, err)
	}
	_, err = l.compare(s)
	return err
}

// siteKeys are the site's symmetric keys as they were saved.
type siteKeys struct{ saved policypub.Keys }

func (k *siteKeys) make(folder string) (err error) {
	if k.saved, err = policypub.NewKeys(cryptorand.Reader); err != nil {
		return err
	}
	if k.saved, err = k.saved.With("gw-1", cryptorand.Reader); err != nil {
		return err
	}
	return k.saved.Save(filepath.Join(folder, "site-keys.json"))
}

func (k *siteKeys) open(folder string) error {
	got, err := policypub.LoadKeys(filepath.Join(folder, "site-keys.json"))
	if err != nil {
		return fmt.Errorf("%w: %w", errFound, err)
	}
	if !reflect.DeepEqual(got, k.saved) {
		return errors.New("WRONG keys: every card would be unknown, in silence")
	}
	return nil
}
