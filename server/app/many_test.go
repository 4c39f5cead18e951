package app

import (
	"cmp"
	crand "crypto/rand"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/config"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/policypub/sitetest"
	"monban/server/privacy"
	"monban/server/review"
	"monban/server/store"
)

// many has twenty cases and five near misses of one kind happen, in a random order. happen makes one of them; after each, what is shown has to
// be the kind once, or nothing, and is closed, as a reviewer does.
func many(t *testing.T, s *store.Store, kind review.Kind, happen func(n int, yes bool, dice *rand.Rand)) {
	t.Helper()
	dice := rand.New(rand.NewPCG(1, 1))
	order := slices.Concat(slices.Repeat([]bool{true}, 20), slices.Repeat([]bool{false}, 5))
	dice.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	seen := int64(-1)
	shown(t, s, &seen)
	for n, yes := range order {
		happen(n, yes, dice)
		var want []string
		if yes {
			want = []string{string(kind)}
		}
		if diff := gocmp.Diff(want, shown(t, s, &seen)); diff != "" {
			t.Errorf("number %d, case %v: %s", n, yes, diff)
		}
	}
}

// shown closes every finding after seen and gives the kinds of those that the test did not write itself.
func shown(t *testing.T, s *store.Store, seen *int64) (kinds []string) {
	t.Helper()
	err := s.Write(t.Context(), func(tx *store.Tx) error {
		list, err := tx.FindingsAfter(*seen, 1000)
		kinds = nil
		for _, f := range list {
			if f.Cause != besides {
				kinds = append(kinds, f.Kind)
			}
			if f.Status == attempt.StatusOpen {
				if _, err := tx.AppendFindingAct(store.FindingAct{Finding: f.Idx, Kind: "finding_mistake", Account: "a", AtMS: f.AtMS, Text: "x"}, "lan", ""); err != nil {
					return err
				}
			}
		}
		if len(list) > 0 {
			*seen = slices.MaxFunc(list, func(a, b attempt.Finding) int { return cmp.Compare(a.Idx, b.Idx) }).Idx
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return kinds
}

// besides is the cause of findings that a test itself writes, for others to be about.
const besides = 0

// VR-1: of what the server finds about itself and the pages' work, twenty cases and five near misses each: each is shown once, and nothing else is.
func TestManyOfTheServer(t *testing.T) {
	if testing.Short() {
		t.Skip("25 of a kind, one after the other, have nothing for the race detector")
	}
	t.Run("export_without_purpose", func(t *testing.T) { // ExportNoPurpose
		at := sitetest.Now()
		reg, s := registryAt(t, &at, false)
		many(t, s.Store, review.ExportNoPurpose, func(_ int, yes bool, dice *rand.Rand) {
			at = at.Add(time.Hour)
			use := privacy.Audit
			if yes {
				use = []privacy.Use{"", privacy.Attendance, privacy.Performance}[dice.IntN(3)]
			}
			for range 1 + dice.IntN(3) { // one while it is open, however often it is tried
				if _, err := reg.Export(t.Context(), first, use, "毎月の確認", directory.KindPeople); (err != nil) != yes {
					t.Fatalf("%q: %v", use, err)
				}
			}
		})
	})
	t.Run("key_copies_due", func(t *testing.T) { // KeyCopiesDue
		cfg, now := testSite(t), time.Now()
		dirs, _ := sticks(t, cfg, now)
		withSite(t, cfg, func(s *Site) {
			many(t, s.Store, review.KeyCopiesDue, func(_ int, yes bool, dice *rand.Rand) {
				read := 2 // copies that were read back in time
				if now = now.Add(copyOld + time.Hour); yes {
					read = dice.IntN(2)
				}
				for _, dir := range dirs[:read] {
					if _, _, err := CheckMasterCopy(cfg, dir, now); err != nil {
						t.Fatal(err)
					}
				}
				for range 2 {
					if _, err := remindCopies(t.Context(), cfg, s.Store, now); err != nil {
						t.Fatal(err)
					}
				}
			})
		})
	})
	t.Run("witness_missing", func(t *testing.T) { // WitnessMissing
		cfg := testSite(t)
		h := newHouse(t, filepath.Join(t.TempDir(), "state"))
		cfg.Witness = []config.Witness{{VKey: h.VKey(), URL: h.url}}
		withSite(t, cfg, func(s *Site) {
			now := time.Now()
			h.Now = func() time.Time { return now }
			o := openOutside(t, s, &now)
			h.Know(o.keys.Log)
			many(t, s.Store, review.WitnessMissing, func(n int, yes bool, _ *rand.Rand) {
				now = now.Add(24*time.Hour + time.Minute)
				h.down.Store(yes)
				if err := errors.Join(s.Store.Write(t.Context(), gapLeaf), s.Store.SignNow(t.Context())); err != nil {
					t.Fatal(err)
				}
				if err := o.ask(t.Context(), o.list[0]); (err != nil) != yes {
					t.Fatalf("day %d: %v", n, err)
				}
				for range 2 {
					if _, err := o.check(t.Context(), now); err != nil {
						t.Fatal(err)
					}
				}
			})
		})
	})
	t.Run("certificate_ends", func(t *testing.T) { // CertificateEnds
		cfg := testSite(t)
		withSite(t, cfg, func(s *Site) {
			a := &App{site: s, log: quiet}
			_, issuing, _, _ := s.CA.Ends()
			if err := os.Remove(filepath.Join(cfg.CA.Dir, "root.key")); err != nil {
				t.Fatal(err)
			}
			many(t, s.Store, review.CertificateEnds, func(_ int, yes bool, dice *rand.Rand) {
				days := 91 + dice.IntN(200)
				if yes {
					days = 1 + dice.IntN(90)
				}
				a.endSaid = 0 // after a restart
				for range 2 {
					a.sayEnd(t.Context(), issuing.AddDate(0, 0, -days).Add(-time.Hour))
				}
			})
		})
	})
	t.Run("items_overdue", func(t *testing.T) { // ItemsOverdue
		c := newCounter(t)
		many(t, c.site.Store, review.ItemsOverdue, func(_ int, yes bool, dice *rand.Rand) {
			c.must(c.site.Store.Write(t.Context(), func(tx *store.Tx) error {
				_, err := tx.AppendFinding(attempt.Finding{Kind: string(review.ForcedOpen), Severity: "high", Gateway: "gw-1", Door: "server-room-1", Cause: besides, AtMS: c.at.UnixMilli()}, nil)
				return err
			}))
			wait := time.Hour // until somebody closes it
			if yes {
				wait = time.Duration(14+dice.IntN(10)) * 24 * time.Hour
			}
			for range 3 { // from level to level
				c.at = c.at.Add(wait)
				c.must(c.escalate(t.Context()))
			}
			c.at = c.at.Add(24 * time.Hour)
		})
	})
	t.Run("command_unknown", func(t *testing.T) { // CommandUnknown
		o := newOrderDesk(t)
		many(t, o.Site.Store, review.CommandUnknown, func(n int, yes bool, _ *rand.Rand) {
			boot := byte(n + 2)
			o.onSend = func(w wire.Command) {
				list := []wire.Record{{Event: door.EventCommandAccepted}}
				if !yes {
					list = append(list, wire.Record{Event: door.EventCommandDone, Reason: access.ReasonGranted})
				}
				o.records(boot-1, hex.EncodeToString(w.ID[:]), list...)
			}
			o.health.heard("gw-1", wire.Heartbeat{Stamp: wire.Stamp{Boot: wire.BootID{boot}}}, o.at) // it was started again meanwhile
			o.ask("A", door.CommandRearm)
			for range 3 {
				o.sweep()
				o.at = o.at.Add(time.Hour)
			}
		})
	})
	t.Run("command_unconfirmed", func(t *testing.T) { // CommandUnconfirmed
		o := newOrderDesk(t)
		o.remote = directory.RemoteOne
		o.onSend = func(w wire.Command) {
			o.records(1, hex.EncodeToString(w.ID[:]), wire.Record{Event: door.EventCommandAccepted}, wire.Record{Event: door.EventCommandDone, Reason: access.ReasonGranted})
		}
		many(t, o.Site.Store, review.CommandUnconfirmed, func(_ int, yes bool, dice *rand.Rand) {
			c := o.ask("A", door.CommandUnlock)
			o.at = o.at.Add(time.Duration(dice.IntN(23)) * time.Hour)
			o.sweep()
			if !yes {
				if err := o.c.ConfirmCommand(t.Context(), c.ID, o.act("B")); err != nil {
					t.Fatal(err)
				}
			}
			o.at = o.at.Add(confirmWithin + time.Minute)
			o.sweep()
			o.sweep()
		})
	})
	t.Run("disposal_due", func(t *testing.T) { // DisposalDue
		cfg := testSite(t)
		withSite(t, cfg, func(s *Site) {
			seed(t, s, 10)
			r := retainer(s)
			many(t, s.Store, review.DisposalDue, func(_ int, yes bool, dice *rand.Rand) {
				at := disposalDay.AddDate(dice.IntN(3), 0, 0)
				if !yes {
					at = disposalDay.AddDate(-30, 0, 0) // long before anything is
				}
				r.now = func() time.Time { return at }
				for range 2 {
					ok(r.tellDue(t.Context(), at))(t)
				}
			})
		})
	})
	t.Run("log_doubt", manyDoubts)
	t.Run("log_fork", manyForks)
	t.Run("unsigned_day", manyDays)
	t.Run("canary_missed", manyCanaries)
	t.Run("rollout_stopped", manyRollouts)
	t.Run("data_request_overdue", manyDataRequests)
	t.Run("log_succeeded", manySuccessions)
}

// manyDoubts puts yesterday's database in today's place twenty times, and leaves it five times.
func manyDoubts(t *testing.T) { // LogDoubt
	cfg := testSite(t)
	db := cfg.Path(databaseFile)
	file := func() []byte {
		t.Helper()
		data, err := os.ReadFile(db)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	put := func(data []byte) {
		t.Helper()
		if err := os.WriteFile(db, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 25 {
		yesterday := file()
		leaves(t, cfg, 1+n%3)
		today, want := file(), 0
		if n%5 != 3 {
			want = 1
			put(yesterday)
		}
		withSite(t, cfg, func(s *Site) {
			a := &App{site: s, log: quiet}
			for range 2 {
				if err := a.findDoubt(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if got := countFindings(t, s.Store, review.LogDoubt); got != want {
				t.Errorf("start %d: %d findings, want %d", n, got, want)
			}
		})
		if want == 1 {
			put(today)
		}
	}
}

// manyForks has a gateway show twenty checkpoints of a second log, each on a day of its own, and five that prove nothing.
func manyForks(t *testing.T) { // LogFork
	cfg := testSite(t)
	leaves(t, cfg, 3)
	text, err := os.ReadFile(cfg.Path(keysDir, "log.key"))
	if err != nil {
		t.Fatal(err)
	}
	own, err := note.NewSigner(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	skey, _, err := note.GenerateKey(crand.Reader, own.Name())
	if err != nil {
		t.Fatal(err)
	}
	other, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	withSite(t, cfg, func(s *Site) {
		w, err := newWitnesses(s, quiet)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Date(2026, 11, 26, 3, 0, 0, 0, time.UTC)
		g := newGate(cfg.Site, "gw-1")
		early := s.Store.Checkpoint()
		if err := errors.Join(s.Store.Write(t.Context(), gapLeaf), s.Store.SignNow(t.Context()), g.ask(t, w, now)); err != nil {
			t.Fatal(err)
		}
		size := g.state.Held().Size
		many(t, s.Store, review.LogFork, func(n int, yes bool, dice *rand.Rand) {
			now = now.AddDate(0, 0, 1)
			shown := []string{"rubbish", early, g.state.Note, signedAs(t, other, size, byte(n))}[dice.IntN(4)]
			if yes {
				shown = signedAs(t, own, size, byte(100+n))
			}
			for range 2 {
				m := wire.Witness{Gateway: g.id, Key: g.key.VKey(), Held: g.state.Note, Refused: shown}
				if _, _, err := w.Witnessed(t.Context(), g.id, m, now); err != nil {
					t.Fatal(err)
				}
			}
		})
	})
}

// manyDays has twenty days with an entry that nobody signs for and five quiet ones, and looks at all of them long after.
func manyDays(t *testing.T) { // UnsignedDay
	d := newDesk(t)
	dice := rand.New(rand.NewPCG(2, 2))
	order := slices.Concat(slices.Repeat([]bool{true}, 20), slices.Repeat([]bool{false}, 5))
	dice.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	if err := d.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SetSetting(unsignedSwept, "2026-11-23") }); err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for n, yes := range order {
		at := sitetest.Now().AddDate(0, 0, n)
		if yes {
			d.decide(uint32(n+1), entrylog.Opening{Person: "1001", Name: "髙橋 健一"}, access.ReasonGranted, at)
			want = append(want, "server-room/"+directory.DateOf(at.In(d.Zone)).String())
		}
	}
	d.now = func() time.Time { return sitetest.Now().AddDate(0, 0, 40) }
	for range 60 {
		if err := d.tellUnsigned(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	d.Read(func(r *store.ReadTx) error {
		list, err := r.FindingsAfter(-1, 1000)
		for _, f := range list {
			if f.Kind == string(review.UnsignedDay) {
				got = append(got, f.Detail)
			}
		}
		return err
	})
	slices.Sort(got)
	slices.Sort(want)
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
