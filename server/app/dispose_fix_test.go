package app

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/keystore"
	"monban/server/retention"
	"monban/server/store"
)

var kato, sato = Operator{Account: "kato"}, Operator{Account: "sato"}

// approve2021 asks for a run of a class of fiscal year 2021, and has it approved.
func approve2021(t *testing.T, r *Retainer, class entrylog.Class) string {
	t.Helper()
	id := ok(r.Ask(t.Context(), class, 2021, "保存期間の満了", kato))(t)
	if err := r.Approve(t.Context(), id, "確認済", false, sato); err != nil {
		t.Fatal(err)
	}
	return id
}

func runState(t *testing.T, s *Site, id string) (d store.DisposalRun) {
	t.Helper()
	err := s.Store.Read(t.Context(), func(r *store.ReadTx) (err error) { d, err = r.DisposalRun(id); return err })
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// EV-8: who is only suspended, or has a card without an end, or left after the run was asked for, stays.
func TestDisposalOfPeopleSparesWhoHasNotLeft(t *testing.T) {
	cfg := testSite(t)
	withSite(t, cfg, func(s *Site) {
		seed(t, s, 3)
		left, _ := directory.ParseDate("2021-09-30")
		add := func(id string, until directory.Date, status access.CredentialStatus) {
			t.Helper()
			err := s.Store.Write(t.Context(), func(tx *store.Tx) error {
				p := directory.Person{ID: directory.PersonID(id), Name: "山田", Category: directory.Staff, ValidUntil: until}
				c := directory.Credential{ID: directory.CardID("K-" + id), Person: p.ID, KeyVersion: 1, Masked: "****", Assurance: card.UIDOnly, Status: status, ValidUntil: left}
				if until == left && status != access.CredentialRevoked {
					c.ValidUntil = directory.Date{}
				}
				copy(c.Ref[:], id)
				return errors.Join(tx.ChangeDirectory(directory.Change{Op: directory.OpAdd, Person: &p}), tx.ChangeDirectory(directory.Change{Op: directory.OpAdd, Credential: &c}))
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		add("suspended", directory.Date{}, access.CredentialSuspended)
		add("opencard", left, access.CredentialSuspended)
		r := retainer(s)
		id := approve2021(t, r, retention.ClassDirectory)
		if n := runState(t, s, id).Count; n != 3 {
			t.Errorf("asked for %d people, want 3", n)
		}
		add("later", left, access.CredentialRevoked)
		ok(r.CarryOut(t.Context()))(t)
		err := s.Store.Read(t.Context(), func(r *store.ReadTx) error {
			d, err := r.Directory()
			if err != nil {
				return err
			}
			var ids []string
			for _, p := range d.People {
				if p.ID == "suspended" || p.ID == "opencard" || p.ID == "later" || strings.HasPrefix(string(p.ID), "old") {
					ids = append(ids, string(p.ID))
				}
			}
			if len(ids) != 3 || strings.HasPrefix(strings.Join(ids, " "), "old") {
				t.Errorf("left in the directory: %v, want suspended, opencard, later", ids)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// EV-8: who comes back while the run is being carried out stays.
func TestComesBackDuringTheRun(t *testing.T) {
	cfg := testSite(t)
	withSite(t, cfg, func(s *Site) {
		seed(t, s, 3)
		r := retainer(s)
		approve2021(t, r, retention.ClassDirectory)
		r.step = func(name string) error {
			if name != "key" {
				return nil
			}
			last, _ := directory.ParseDate("2040-03-31")
			p := directory.Person{ID: "old000001", Name: "渡邉", Category: directory.Staff, ValidUntil: last, Active: true}
			return s.Store.Write(t.Context(), func(tx *store.Tx) error {
				return tx.ChangeDirectory(directory.Change{Op: directory.OpChange, Person: &p})
			})
		}
		ok(r.CarryOut(t.Context()))(t)
		err := s.Store.Read(t.Context(), func(r *store.ReadTx) error {
			all, err := r.People()
			if !slices.Contains(all, "old000001") || slices.Contains(all, "old000000") || slices.Contains(all, "old000002") {
				t.Errorf("left in the directory: %v", all)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// EV-9, RA-2: a number is never given twice, also when the key store's list knows higher ones than the rows.
func TestDisposalNumberOnce(t *testing.T) {
	cfg := testSite(t)
	withSite(t, cfg, func(s *Site) {
		seed(t, s, 3)
		r := retainer(s)
		if _, err := s.Store.Keys().Destroy(keystore.Disposal{Run: "disposal-2030-00007", Class: entrylog.ClassRegister, FiscalYear: 1999, Asked: "a", Approved: "b", AtMS: seedMS}); err != nil {
			t.Fatal(err)
		}
		id := ok(r.Ask(t.Context(), entrylog.ClassRegister, 2021, "満了", kato))(t)
		if !strings.HasSuffix(id, "-00008") {
			t.Errorf("after number 7 came %s", id)
		}
		err := s.Store.Write(t.Context(), func(tx *store.Tx) error {
			return tx.AddDisposalRun(store.DisposalRun{ID: id, Class: entrylog.ClassAction, Year: 2021, State: store.RunAsked, AskedBy: "cli-x", Started: -1, Done: -1})
		})
		if !errors.Is(err, store.ErrExists) {
			t.Errorf("a run was written over: %v", err)
		}
	})
}

// EV-8: a hold that comes after the run began and before the key is destroyed still stops it.
func TestHoldAfterStart(t *testing.T) {
	cfg := testSite(t)
	withSite(t, cfg, func(s *Site) {
		seed(t, s, 10)
		r := retainer(s)
		approve2021(t, r, entrylog.ClassRegister)
		r.step = func(name string) error {
			if name == "started" {
				r.step = nil
				_, err := r.PlaceHold(t.Context(), entrylog.ClassRegister, 2021, 2021, "2032-03-31", "訴訟", sato)
				return err
			}
			return nil
		}
		for range 2 { // the run, and the next night
			if _, err := r.CarryOut(t.Context()); !errors.Is(err, store.ErrHeld) {
				t.Errorf("held after the start: %v", err)
			}
		}
		if !s.Store.Keys().Has(keystore.Period{FiscalYear: 2021, Class: entrylog.ClassRegister}) {
			t.Error("the key of a held year was destroyed")
		}
	})
	verified(t, cfg)
}

// EV-8, RA-2: a restore brings no approval back: it may have been withdrawn since, or a hold placed.
func TestRestoreWithdrawsApproved(t *testing.T) {
	cfg := testSite(t)
	var id string
	withSite(t, cfg, func(s *Site) {
		seed(t, s, 10)
		id = approve2021(t, retainer(s), entrylog.ClassRegister)
	})
	before := backupOf(t, cfg)
	if _, err := Restore(t.Context(), cfg, RestoreOptions{Backup: before, Reason: "drill", By: "kato", Now: disposalDay}); err != nil {
		t.Fatal(err)
	}
	withSite(t, cfg, func(s *Site) {
		if d := runState(t, s, id); d.State != store.RunWithdrawn {
			t.Errorf("after a restore the run is %s", d.State)
		}
		if done, err := retainer(s).CarryOut(t.Context()); err != nil || len(done) > 0 {
			t.Errorf("a restored approval was carried out: %v, %v", done, err)
		}
	})
	verified(t, cfg)
}

// EV-8: a run that cannot go keeps no other one back, and a year with an open matter is neither asked for nor approved.
func TestDisposalGoesOnAndOpenMatters(t *testing.T) {
	cfg := testSite(t)
	withSite(t, cfg, func(s *Site) {
		seed(t, s, 10)
		r := retainer(s)
		held := approve2021(t, r, entrylog.ClassRegister)
		other := approve2021(t, r, entrylog.ClassViolation)
		asked := ok(r.Ask(t.Context(), entrylog.ClassAction, 2021, "満了", kato))(t)
		ok(r.PlaceHold(t.Context(), entrylog.ClassRegister, 2021, 2021, "2032-03-31", "訴訟", sato))(t)
		done, err := r.CarryOut(t.Context())
		if !errors.Is(err, store.ErrHeld) || len(done) != 1 || done[0].ID != other {
			t.Errorf("beside the held run %s: %v, %v", held, done, err)
		}
		err = s.Store.Write(t.Context(), func(tx *store.Tx) error {
			text := store.MatterText{ID: "visit-2021-00001", Kind: "visit", State: "asked", Open: true, FromMS: seedMS, Doc: []byte(`{}`)}
			_, err := tx.PutMatter(store.Matter{}, text, entrylog.Action{Account: "a1", Verb: "visit_asked", From: "lan", Result: "ok", AtMS: seedMS + 1}, entrylog.Opening{})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		p := ok(r.Plan(t.Context()))(t)
		for _, x := range p.Items {
			if x.Class == entrylog.ClassAction && x.Year == 2021 && x.Open != 1 {
				t.Errorf("the plan has %d open matters, want 1", x.Open)
			}
		}
		if err := r.Approve(t.Context(), asked, "確認済", false, sato); err == nil {
			t.Error("a year with an open matter was approved")
		}
	})
}

// EV-9: a reader of an old state keeps a run open, not the writer or the start; when it ends, the run does.
func TestDisposalBesideReader(t *testing.T) {
	cfg := testSite(t)
	withSite(t, cfg, func(s *Site) {
		seed(t, s, 10)
		r := retainer(s)
		id := approve2021(t, r, entrylog.ClassRegister)
		err := s.Store.Read(t.Context(), func(old *store.ReadTx) error {
			if _, err := old.DisposalRuns(); err != nil { // the state is taken with the first look
				return err
			}
			r.step = func(name string) error {
				if name == "started" {
					return errCut
				}
				return nil
			}
			if _, err := r.CarryOut(t.Context()); !errors.Is(err, errCut) {
				return err
			}
			r.step = nil
			later, err := r.Resume(t.Context())
			if err != nil || !errors.Is(later, store.ErrStillRead) {
				t.Errorf("beside a reader: %v, %v", later, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if d := runState(t, s, id); d.State != store.RunStarted {
			t.Errorf("the run is %s, though its rows may be in the write-ahead log", d.State)
		}
		if later, err := r.Resume(t.Context()); err != nil || later != nil {
			t.Errorf("after the reader: %v, %v", later, err)
		}
		if d := runState(t, s, id); d.State != store.RunDone {
			t.Errorf("after the reader the run is %s", d.State)
		}
	})
}

// PR-3: a request that a restore brought back, whose record is erased already, can be decided.
func TestDecideErasedAlready(t *testing.T) {
	cfg := testSite(t)
	id := [16]byte{}
	copy(id[:], "att-old000003")
	var req string
	withSite(t, cfg, func(s *Site) {
		seed(t, s, 5)
		req = ok(retainer(s).Restrict(t.Context(), hex.EncodeToString(id[:]), "本人の申出", kato))(t)
	})
	before := backupOf(t, cfg)
	withSite(t, cfg, func(s *Site) {
		if err := retainer(s).Decide(t.Context(), req, "R13-5", true, "認容", sato); err != nil {
			t.Fatal(err)
		}
	})
	if _, err := Restore(t.Context(), cfg, RestoreOptions{Backup: before, Reason: "drill", By: "kato", Now: disposalDay}); err != nil {
		t.Fatal(err)
	}
	withSite(t, cfg, func(s *Site) {
		if err := retainer(s).Decide(t.Context(), req, "R13-5", true, "認容", sato); err != nil {
			t.Errorf("decided anew after a restore: %v", err)
		}
	})
	verified(t, cfg)
}

// EV-9: a restore that broke off and that nobody goes on with leaves nothing of what was disposed of: the next start takes its copy away.
func TestBrokenOffRestoreLeavesNothing(t *testing.T) {
	cfg := siteOf2021(t)
	withSite(t, cfg, func(s *Site) { seed(t, s, 5) })
	before := backupOf(t, cfg)
	withSite(t, cfg, func(s *Site) {
		approveDue(t, s)
		ok(retainer(s).CarryOut(t.Context()))(t)
	})
	_, err := Restore(t.Context(), cfg, RestoreOptions{Backup: before, Reason: "drill", By: "kato", Now: disposalDay, Step: func(name string) error {
		if name == "copied" {
			return errCut
		}
		return nil
	}})
	if !errors.Is(err, errCut) || len(scan(t, 5, cfg.DataDir)) == 0 {
		t.Fatalf("the restore left nothing to look for: %v", err)
	}
	withSite(t, cfg, func(*Site) {})
	if found := scan(t, 5, cfg.DataDir); len(found) > 0 {
		t.Errorf("after the next start: %v", found)
	}
	verified(t, cfg)
}

// EV-8, EV-9: a restore takes of the directory those whom the run took: nobody who came back between the backup and the run, and also who had not left yet when the
// backup was made. The list names nobody. A card that is lost keeps nobody.
func TestRestoreTakesWhomTheRunTook(t *testing.T) {
	cfg := testSite(t)
	change := func(id string, until string, active bool) {
		t.Helper()
		withSite(t, cfg, func(s *Site) {
			last, _ := directory.ParseDate(until)
			p := directory.Person{ID: directory.PersonID(id), Name: "渡邉", Category: directory.Staff, ValidUntil: last, Active: active}
			err := s.Store.Write(t.Context(), func(tx *store.Tx) error {
				return tx.ChangeDirectory(directory.Change{Op: directory.OpChange, Person: &p})
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
	ids := func(s *Site) (out []string) {
		t.Helper()
		err := s.Store.Read(t.Context(), func(r *store.ReadTx) error {
			all, err := r.People()
			for _, id := range all {
				if strings.HasPrefix(id, "old") || id == "lostcard" {
					out = append(out, id)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	withSite(t, cfg, func(s *Site) {
		seed(t, s, 3)
		left, _ := directory.ParseDate("2021-09-30")
		p := directory.Person{ID: "lostcard", Name: "渡邉", Category: directory.Staff, ValidUntil: left}
		c := directory.Credential{ID: "K-lost", Person: p.ID, KeyVersion: 1, Masked: "****", Assurance: card.UIDOnly, Status: access.CredentialLost}
		copy(c.Ref[:], "lostcard")
		err := s.Store.Write(t.Context(), func(tx *store.Tx) error {
			return errors.Join(tx.ChangeDirectory(directory.Change{Op: directory.OpAdd, Person: &p}), tx.ChangeDirectory(directory.Change{Op: directory.OpAdd, Credential: &c}))
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	change("old000002", "2040-03-31", true) // will leave after the backup, in the same year as the others
	before := backupOf(t, cfg)
	change("old000002", "2021-12-31", false)
	change("old000001", "2040-03-31", true) // has come back
	withSite(t, cfg, func(s *Site) {
		r := retainer(s)
		approve2021(t, r, retention.ClassDirectory)
		ok(r.CarryOut(t.Context()))(t)
		if left := ids(s); strings.Join(left, " ") != "old000001" {
			t.Fatalf("after the run: %v, want only who came back", left)
		}
	})
	list := string(ok(os.ReadFile(cfg.Path(keyStoreFile)))(t))
	for _, id := range []string{"old000000", "old000001", "lostcard"} {
		if strings.Contains(list, id) {
			t.Errorf("the list names %s", id)
		}
	}
	if _, err := Restore(t.Context(), cfg, RestoreOptions{Backup: before, Reason: "drill", By: "kato", Now: disposalDay}); err != nil {
		t.Fatal(err)
	}
	withSite(t, cfg, func(s *Site) {
		if later, err := retainer(s).Resume(t.Context()); err != nil || later != nil {
			t.Fatal(err, later)
		}
		if left := ids(s); strings.Join(left, " ") != "old000001" {
			t.Errorf("after a restore: %v, want only who came back", left)
		}
	})
	verified(t, cfg)
}

// EV-8, EV-9: who can write the key store's file cannot take the MAC of its lists away, with or without a line of theirs: the server does not start, and no backup is restored.
func TestListKeepsItsMAC(t *testing.T) {
	cfg := testSite(t)
	withSite(t, cfg, func(s *Site) { seed(t, s, 3) })
	before := backupOf(t, cfg)
	whole := ok(os.ReadFile(cfg.Path(keyStoreFile)))(t)
	bare := regexp.MustCompile(`,\s*"mac": "[0-9a-f]+"`).ReplaceAll(whole, nil)
	forged := bytes.Replace(bare, []byte(`"keys":`), []byte(`"disposals":[{"run":"disposal-2030-00009","class":"register","fiscal_year":2021,"asked":"a","approved":"b","at_ms":1900000000000}],"keys":`), 1)
	if bytes.Equal(bare, whole) || bytes.Equal(forged, bare) {
		t.Fatal("the file has no MAC: there is nothing to take away")
	}
	for name, data := range map[string][]byte{"without": bare, "with a line": forged} {
		if err := os.WriteFile(cfg.Path(keyStoreFile), data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := OpenSite(cfg, time.Now(), quiet)
		wantLine(t, err, "MAC", "copy")
		_, err = Restore(t.Context(), cfg, RestoreOptions{Backup: before, Reason: "drill", By: "kato", Now: disposalDay})
		wantLine(t, err, "MAC", "copy")
		if there, err := exists(cfg.Path(restoreReady)); err != nil || there {
			t.Errorf("%s: a restore has begun: %v", name, err)
		}
	}
	if err := os.WriteFile(cfg.Path(keyStoreFile), whole, 0o600); err != nil {
		t.Fatal(err)
	}
	withSite(t, cfg, func(*Site) {})
	if found := scan(t, 3, cfg.DataDir); len(found) == 0 {
		t.Error("something was destroyed")
	}
	verified(t, cfg)
}

// EV-9: a key store of before a disposal, put back by hand, revives nothing: verify names it, and a start destroys the key again and makes a finding of it, once. A row that no leaf
// bears out destroys nothing.
func TestOldKeyStoreComesBack(t *testing.T) {
	cfg := siteOf2021(t)
	withSite(t, cfg, func(s *Site) { seed(t, s, 3) })
	old := ok(os.ReadFile(cfg.Path(keyStoreFile)))(t)
	withSite(t, cfg, func(s *Site) {
		r := retainer(s)
		approve2021(t, r, entrylog.ClassRegister)
		if done := ok(r.CarryOut(t.Context()))(t); len(done) != 1 {
			t.Fatal("nothing was disposed of")
		}
		err := s.Store.Write(t.Context(), func(tx *store.Tx) error {
			return tx.AddDisposalRun(store.DisposalRun{ID: "disposal-2031-00099", Class: entrylog.ClassAction, Year: 2021, State: store.RunDone, AskedBy: "x", ApprovedBy: "y", Started: 1, Done: 2})
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	if err := os.WriteFile(cfg.Path(keyStoreFile), old, 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := Verify(t.Context(), VerifyOptions{Database: cfg.Path(databaseFile), Openings: true, Out: &out}); err != nil || !strings.Contains(out.String(), "the key of register of fiscal year 2021 is in the key store") {
		t.Errorf("verify says nothing of the key that is back: %v\n%s", err, out.String())
	}
	gone, stays := keystore.Period{FiscalYear: 2021, Class: entrylog.ClassRegister}, keystore.Period{FiscalYear: 2021, Class: entrylog.ClassAction}
	for range 2 {
		withSite(t, cfg, func(s *Site) {
			r := retainer(s)
			if later, err := r.Resume(t.Context()); err != nil || later != nil {
				t.Fatalf("%v, %v", later, err)
			}
			if r.keys.Has(gone) || !r.keys.Has(stays) || len(r.keys.Disposals()) != 1 {
				t.Errorf("after a start: %v, %v; destroyed %v", r.keys.Has(gone), r.keys.Has(stays), r.keys.Disposals())
			}
			var open bool
			err := s.Store.Read(t.Context(), func(r *store.ReadTx) (err error) {
				open, err = r.OpenFinding("log_doubt", "", "", "keystore/register/2021")
				return err
			})
			if err != nil || !open {
				t.Errorf("no finding says that the key was back: %v", err)
			}
		})
	}
}
