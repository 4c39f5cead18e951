package app

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/config"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/retention"
	"monban/server/sealed"
	"monban/server/store"
	"monban/server/web"
)

// disposalDay is when the tests dispose: all that is of fiscal year 2021 is due then.
var disposalDay = time.Date(2031, 4, 2, 0, 0, 0, 0, time.UTC)

// siteOf2021 is a site that was set up in fiscal year 2021, before what is seeded in it.
func siteOf2021(t *testing.T) *config.Config {
	t.Helper()
	cfg := testConfig(t)
	then := time.UnixMilli(seedMS).AddDate(0, -1, 0)
	if err := CreateSite(cfg, then, quiet); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// seedMS is a moment of fiscal year 2021, UTC ms.
const seedMS = 1_625_000_000_000

// secrets are what is known of seeded person n and must be nowhere afterwards.
func secrets(n int) []string {
	return []string{fmt.Sprintf("髙橋%06d郎", n), fmt.Sprintf("𠮷田%06d課", n), fmt.Sprintf("77%08d41", n), fmt.Sprintf("目的%06d保守", n)}
}

// twoPersons has the accounts of two persons in the database who may dispose.
func twoPersons(t *testing.T, s *store.Store) {
	t.Helper()
	err := s.Write(t.Context(), func(tx *store.Tx) error {
		for _, x := range []Operator{kato, sato} {
			_, err := tx.AccountByID(x.Account)
			if errors.Is(err, store.ErrNotFound) {
				err = tx.InsertAccount(store.Account{ID: x.Account, Login: x.Account, FullName: x.Account, Language: "ja", CreatedMS: seedMS})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// seed writes entries of n people of fiscal year 2021, and people who left in it, as the program stores them.
func seed(t *testing.T, s *Site, n int) {
	t.Helper()
	twoPersons(t, s.Store)
	var seq uint64
	for at := 0; at < n; at += 100 {
		err := s.Store.Write(t.Context(), func(tx *store.Tx) error {
			for i := at; i < min(at+100, n); i++ {
				if err := seedOne(tx, i, seq+uint64(i-at)+1); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		seq += uint64(min(at+100, n) - at)
	}
	if err := s.Store.SignNow(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func seedOne(tx *store.Tx, i int, seq uint64) error {
	x := secrets(i)
	id := fmt.Sprintf("old%06d", i)
	at := int64(seedMS + i*60_000)
	left, _ := directory.ParseDate("2021-09-30")
	p := directory.Person{ID: directory.PersonID(id), Name: x[0], Section: x[1], Category: directory.Staff, ValidUntil: left}
	if err := tx.ChangeDirectory(directory.Change{Op: directory.OpAdd, Person: &p}); err != nil {
		return err
	}
	c := directory.Credential{ID: directory.CardID("K-" + id), Person: p.ID, KeyVersion: 1, Masked: "****" + x[2][len(x[2])-4:], Format: x[2], Assurance: card.UIDOnly, Status: access.CredentialRevoked}
	copy(c.Ref[:], id)
	if err := tx.ChangeDirectory(directory.Change{Op: directory.OpAdd, Credential: &c}); err != nil {
		return err
	}
	o := &entrylog.Opening{Person: id, Name: x[0], Section: x[1], Category: "staff", Purpose: x[3], Masked: x[2], Inputs: make([]byte, 100)}
	d := entrylog.Decision{Gateway: "gw-old", Door: "old-door", Side: "enter", Outcome: "granted", Reason: "granted", Policy: 3, AtMS: at, Assurance: "uid_only"}
	copy(d.Attempt[:], "att-"+id)
	copy(d.Ask[:], "ask-"+id)
	if _, err := tx.AppendDecision(d, o); err != nil {
		return err
	}
	b := wire.Record{Gateway: "gw-old", Epoch: [16]byte{7}, Seq: seq, Door: "old-door", Side: access.SideEnter, Event: door.EventEntry, Attempt: d.Attempt, By: access.ByGateway,
		Reason: access.ReasonGranted, Policy: 3, Stamp: wire.Stamp{Boot: wire.BootID{9}, WallMS: at, Quality: access.ClockNTP}}
	l := entrylog.Record{AtMS: at + 40, FromMS: at - 20, ToMS: at + 20, Body: wire.AppendRecord(nil, &b)}
	if _, _, err := tx.AppendRecord(store.RecordIn{Leaf: l, Body: &b}, o); err != nil {
		return err
	}
	if i%10 == 0 {
		f := attempt.Finding{Kind: "held_open", Severity: "medium", Gateway: "gw-old", Door: "old-door", Attempt: d.Attempt, Cause: attempt.NoIndex, AtMS: at, Detail: "rule"}
		idx, err := tx.AppendFinding(f, nil) // as the program writes them
		if err == nil {
			_, err = tx.AppendFindingAct(store.FindingAct{Finding: idx, Kind: "finding_justified", Account: "a1", AtMS: at}, "lan", "")
		}
		if err != nil {
			return err
		}
	}
	_, err := tx.AppendAction(entrylog.Action{Account: "a1", Verb: "person_changed", Target: "person", ID: id, From: "lan", Result: "ok", AtMS: at}, &entrylog.Opening{Person: id, Name: x[0], Text: x[1] + x[2] + x[3]})
	return err
}

// scan looks for what is known of n people in every file below the folders, and gives the first place of each kind of secret.
func scan(t *testing.T, n int, dirs ...string) (found []string) {
	t.Helper()
	kinds := []string{"name", "section", "card number", "purpose"}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			hit := [4]int{}
			for i := range n {
				for k, s := range secrets(i) {
					if bytes.Contains(data, []byte(s)) {
						hit[k]++
					}
				}
			}
			for k, c := range hit {
				if c > 0 {
					found = append(found, fmt.Sprintf("%d × %s in %s", c, kinds[k], path))
				}
			}
			if id := hex.EncodeToString([]byte("att-old00000")); bytes.Contains(data, []byte(id)) || bytes.Contains(data, []byte("att-old00000")) {
				found = append(found, "an attempt in "+path)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// retainer is the retention of a site on the day on which the tests dispose.
func retainer(s *Site) *Retainer {
	t := s.Retainer()
	t.now = func() time.Time { return disposalDay }
	t.batch = 300
	return t
}

// everything due is asked for by one person and approved by another.
func approveDue(t *testing.T, s *Site) (ids []string) {
	t.Helper()
	r := retainer(s)
	p := ok(r.Plan(t.Context()))(t)
	for _, x := range p.Items {
		if !x.Ready() {
			continue
		}
		id := ok(r.Ask(t.Context(), x.Class, x.Year, "保存期間の満了", kato))(t)
		if err := r.Approve(t.Context(), id, "確認済", false, kato); !errors.Is(err, web.ErrSamePerson) {
			t.Fatalf("%s: approved by the one who asked: %v (RA-2)", id, err)
		}
		if err := r.Approve(t.Context(), id, "確認済", false, sato); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

func exportTo(t *testing.T, s *Site, dir string, openings bool) {
	t.Helper()
	_, _, err := s.exportBundle(t.Context(), BundleExport{Openings: openings}, ExportOptions{Out: filepath.Join(dir, fmt.Sprintf("bundle-%v", openings)), Reason: "監査", By: "kato", Version: "test", Now: disposalDay})
	if err != nil {
		t.Fatal(err)
	}
}

// EV-8, EV-9, PR-2: after the disposal of a year nothing of a thousand people is in the database with its log files, in keys, bundles, checkpoints or a backup;
// and a backup from before, plain or encrypted, restored, cannot reveal them either. The log verifies throughout.
func TestDisposalEV9(t *testing.T) {
	n := 1000
	if testing.Short() {
		n = 100
	}
	cfg := siteOf2021(t)
	away := t.TempDir()
	cfg.KeyCopies = []string{filepath.Join(away, "keystore-copy.json")}
	private, public, err := sealed.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Backup.Dir, cfg.Backup.Recipients, cfg.Backup.Keep = filepath.Join(away, "stick"), filepath.Join(away, "to"), 9
	for path, text := range map[string]string{cfg.Backup.Recipients: public, filepath.Join(away, "key"): private} {
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Mkdir(cfg.Backup.Dir, 0o700), PlaceBackups(cfg.Backup.Dir, cfg.DataDir, "test")); err != nil {
		t.Fatal(err)
	}
	withSite(t, cfg, func(s *Site) { seed(t, s, n) })
	before := backupOf(t, cfg)
	ok(nightly(t.Context(), cfg, disposalDay))(t)
	opened := filepath.Join(away, "opened")
	open := func(to string) {
		names := ok(filepath.Glob(filepath.Join(cfg.Backup.Dir, "*"+sealedEnd)))(t)
		if err := sealed.Open(names[len(names)-1], filepath.Join(away, "key"), to); err != nil {
			t.Fatal(err)
		}
	}
	open(opened)
	if len(scan(t, n, cfg.DataDir)) < 3 || len(scan(t, n, before)) < 3 || len(scan(t, n, opened)) < 3 {
		t.Fatal("the scan finds nothing before the disposal: it would find nothing after it")
	}
	out := t.TempDir()
	withSite(t, cfg, func(s *Site) {
		ids := approveDue(t, s)
		if len(ids) != 4 { // EV-8: register, action, violation, directory
			t.Fatalf("%v were due, want one of each class", ids)
		}
		done := ok(retainer(s).CarryOut(t.Context()))(t)
		if len(done) != len(ids) {
			t.Fatalf("%d of %d runs were carried out", len(done), len(ids))
		}
		exportTo(t, s, out, false)
		exportTo(t, s, out, true)
		if found := scan(t, n, cfg.DataDir); len(found) > 0 { // while it is open, with its write-ahead log
			t.Errorf("after the disposal: %v", found)
		}
	})
	verified(t, cfg)
	after := backupOf(t, cfg)
	ok(nightly(t.Context(), cfg, disposalDay.AddDate(0, 0, 1)))(t)
	reopened := filepath.Join(away, "reopened")
	open(reopened)
	if found := scan(t, n, cfg.DataDir, filepath.Dir(cfg.KeyCopies[0])+"/stick", out, after, reopened); len(found) > 0 {
		t.Errorf("after the disposal: %v", found)
	}
	for _, backup := range []string{before, opened} {
		if _, err := Restore(t.Context(), cfg, RestoreOptions{Backup: backup, Reason: "drill", By: "kato", Now: disposalDay}); err != nil {
			t.Fatal(err)
		}
		if found := scan(t, n, cfg.DataDir); len(found) > 0 {
			t.Errorf("restored from %s: %v", backup, found)
		}
		verified(t, cfg)
		withSite(t, cfg, func(s *Site) {
			if later, err := retainer(s).Resume(t.Context()); err != nil || later != nil {
				t.Errorf("the start after a restore: %v, %v", later, err)
			}
		})
		if found := scan(t, n, cfg.DataDir); len(found) > 0 {
			t.Errorf("restored from %s and started: %v", backup, found)
		}
		verified(t, cfg)
	}
}

// EV-8: what is not due, or held, is not asked for, nor carried out when the hold came after the approval; the hold takes two to end.
func TestHoldBlocksDisposal(t *testing.T) {
	cfg := siteOf2021(t)
	withSite(t, cfg, func(s *Site) {
		seed(t, s, 20)
		r := retainer(s)
		r.now = func() time.Time { return time.Date(2025, 3, 31, 14, 59, 0, 0, time.UTC) } // 23:59 of the last day in Tokyo
		if _, err := r.Ask(t.Context(), entrylog.ClassRegister, 2021, "早い", kato); !errors.Is(err, web.ErrNotAllowed) {
			t.Errorf("asked for before its time: %v", err)
		}
		r.now = func() time.Time { return time.Date(2025, 3, 31, 15, 0, 0, 0, time.UTC) } // 1 April
		id := ok(r.Ask(t.Context(), entrylog.ClassRegister, 2021, "満了", kato))(t)
		if _, err := r.Ask(t.Context(), entrylog.ClassRegister, 2021, "満了", kato); !errors.Is(err, web.ErrExists) {
			t.Errorf("asked for twice: %v", err)
		}
		if err := r.Approve(t.Context(), id, "確認", false, sato); err != nil {
			t.Fatal(err)
		}
		hold := ok(r.PlaceHold(t.Context(), entrylog.ClassRegister, 2020, 2021, "2026-03-31", "訴訟", sato))(t)
		size := s.Store.Size()
		if _, err := r.CarryOut(t.Context()); !errors.Is(err, store.ErrHeld) || s.Store.Size() != size {
			t.Fatalf("a held year was disposed of: %v", err)
		}
		for range 2 {
			if released, err := r.ReleaseHold(t.Context(), hold, "終結", kato); released {
				t.Fatalf("one person released a hold: %v (RA-2)", err)
			}
		}
		if _, err := r.CarryOut(t.Context()); !errors.Is(err, store.ErrHeld) {
			t.Errorf("a hold whose release is only asked for does not block: %v", err)
		}
		if released, err := r.ReleaseHold(t.Context(), hold, "終結", sato); err != nil || !released {
			t.Fatalf("released %v, %v", released, err)
		}
		if done, err := r.CarryOut(t.Context()); err != nil || len(done) != 1 {
			t.Errorf("after the release: %v, %v", done, err)
		}
		if err := r.SetYears(t.Context(), entrylog.ClassSystem, 1, "x", kato); err == nil {
			t.Error("what the log says of itself got an end")
		}
	})
	verified(t, cfg)
}

var errCut = errors.New("power cut")

// EV-9: the files as a kill leaves them at any step of a disposal verify, and the next start brings the run to its end, also when it is cut off again.
// MONBAN_DRILLS takes every step and every pair, hundreds of cuts.
func TestDisposalCuts(t *testing.T) {
	cfg := siteOf2021(t)
	cfg.KeyCopies = []string{filepath.Join(filepath.Dir(cfg.DataDir), "copy.json")}
	withSite(t, cfg, func(s *Site) {
		seed(t, s, 40)
		approveDue(t, s)
	})
	base := filepath.Dir(cfg.DataDir)
	whole := copyTree(t, base)
	all := os.Getenv("MONBAN_DRILLS") != ""
	// image runs the disposal of the files in dir up to step n and gives the files as they are then, with the database still open; "" = it ended before.
	image := func(dir string, n int) string {
		c := *cfg
		c.DataDir, c.KeyCopies = filepath.Join(dir, filepath.Base(cfg.DataDir)), []string{filepath.Join(dir, "copy.json")}
		shot := ""
		s := ok(OpenSite(&c, time.Now(), quiet))(t)
		r := retainer(s)
		r.batch = 15
		at := 0
		r.step = func(string) error {
			if at++; at == n {
				shot = copyTree(t, dir)
				return errCut
			}
			return nil
		}
		later, err := r.Resume(t.Context())
		if err == nil && later == nil {
			_, err = r.CarryOut(t.Context())
		}
		if err := errors.Join(err, later); err != nil && !errors.Is(err, errCut) {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return shot
	}
	verify := func(dir string) {
		c := *cfg
		c.DataDir = filepath.Join(dir, filepath.Base(cfg.DataDir))
		verified(t, &c)
	}
	cuts := 0
	for n := 1; ; n++ {
		if !all && n%7 != 1 {
			if n > 60 {
				break
			}
			continue
		}
		first := image(copyTree(t, whole), n)
		if first == "" {
			break
		}
		cuts++
		verify(first)
		for m := 1; ; m++ {
			if !all && m > 1 {
				break
			}
			if all && m%3 != 1 {
				if m > 60 {
					break
				}
				continue
			}
			second := image(copyTree(t, first), m)
			if second == "" {
				break
			}
			cuts++
			verify(second)
			image(second, 0)
			verify(second)
			if found := scan(t, 40, second); len(found) > 0 {
				t.Fatalf("cut at %d and at %d: %v", n, m, found)
			}
		}
	}
	t.Logf("%d cuts", cuts)
	if cuts < 5 || all && cuts < 300 {
		t.Errorf("only %d cuts", cuts)
	}
}

// EV-9: what is under way at the end of the process is carried on by the next start, before anything is served.
func TestDisposalResumesAtStart(t *testing.T) {
	cfg := siteOf2021(t)
	withSite(t, cfg, func(s *Site) {
		seed(t, s, 30)
		approveDue(t, s)
		r := retainer(s)
		cut := false
		r.step = func(name string) error {
			if cut = cut || name == "key"; cut { // nothing comes after a power cut
				return errCut
			}
			return nil
		}
		if _, err := r.CarryOut(t.Context()); !errors.Is(err, errCut) {
			t.Fatal(err)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	a := ok(New(ctx, cfg, quiet, &bytes.Buffer{}))(t)
	var runs []store.DisposalRun
	err := a.site.Store.Read(ctx, func(r *store.ReadTx) (err error) { runs, err = r.DisposalRuns(); return err })
	if err := errors.Join(err, a.close()); err != nil {
		t.Fatal(err)
	}
	done := 0
	for _, d := range runs {
		if d.State == store.RunStarted {
			t.Errorf("%s was not brought to its end", d.ID)
		}
		if d.State == store.RunDone {
			done++
		}
	}
	if done != 1 {
		t.Errorf("%d runs are done, want the one that had begun", done)
	}
	verified(t, cfg)
}

// EV-8: on 1 April what is due is told, once.
func TestDisposalDueTold(t *testing.T) {
	cfg := testSite(t)
	withSite(t, cfg, func(s *Site) {
		seed(t, s, 10)
		r := retainer(s)
		for range 2 {
			ok(r.tellDue(t.Context(), disposalDay))(t)
		}
		var open bool
		err := s.Store.Read(t.Context(), func(r *store.ReadTx) (err error) {
			open, err = r.OpenFinding("disposal_due", "", "", "due:2031")
			return err
		})
		if err != nil || !open {
			t.Errorf("no finding: %v", err)
		}
		p := ok(r.Plan(t.Context()))(t)
		n := 0
		for _, x := range p.Items {
			if x.Class == retention.ClassDirectory && x.Ready() {
				n++
			}
		}
		if n != 1 {
			t.Errorf("people who left in 2021 are due %d times: %+v", n, p.Items)
		}
	})
}
