package app

import (
	"crypto/rand"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/calendar"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/keystore"
	"monban/server/store"
)

// AD-19, RA-5: the table "Year-end roll-over" of the operations manual, walked with a moved clock: in March the doctor says who could not get
// in, renewal mends it, a transfer waits for its day, and on 1 April the old rights are gone and at least two people can enter each zone.
func TestYearEnd(t *testing.T) {
	jst := time.FixedZone("JST", 9*3600)
	at := time.Date(2027, 2, 27, 10, 0, 0, 0, jst)
	reg, _ := registryAt(t, &at, true)
	ctx := t.Context()
	look := func() (directory.Snapshot, error) {
		dir := ok(reg.Directory(ctx))(t)
		return dir, rollover(&dir, reg.Today()).Err
	}
	if _, err := look(); err != nil {
		t.Errorf("in February: %v", err)
	}
	if due := ok(reg.Due(ctx))(t); len(due.Renewals) != 0 {
		t.Errorf("%d rights are to be renewed before 1 March", len(due.Renewals))
	}

	at = time.Date(2027, 3, 1, 10, 0, 0, 0, jst)
	if _, err := look(); err == nil {
		t.Error("on 1 March nobody is told that zones would be empty on 1 April")
	}
	var ids []directory.GrantID
	for _, r := range ok(reg.Due(ctx))(t).Renewals {
		ids = append(ids, r.Grant.ID)
	}
	out := ok(reg.Renew(ctx, first, "年度更新", ids))(t)
	if out.Proposal != "" {
		ok(reg.ConfirmProposal(ctx, second, out.Proposal))(t)
	}
	if _, err := look(); err != nil {
		t.Errorf("renewed, and: %v", err)
	}

	// 15 March: somebody moves on 1 April. Until then nothing changes.
	at = time.Date(2027, 3, 15, 10, 0, 0, 0, jst)
	const mover = directory.PersonID("1003")
	confirmed := func(o directory.Outcome) {
		t.Helper()
		if o.Proposal != "" {
			ok(reg.ConfirmProposal(ctx, second, o.Proposal))(t)
		}
	}
	confirmed(ok(reg.GiveGrant(ctx, first, "個別", directory.Grant{Person: mover, Zone: "server-room", Schedule: "always", ValidUntil: directory.Date{Year: 2028, Month: 3, Day: 31}}))(t))
	ok(reg.Import(ctx, first, "人事異動", []directory.File{{Name: "transfers.csv", Kind: directory.KindTransfers, Data: []byte("person_id,day,section,leave\n1003,2027-04-01,,はい\n")}}))(t)
	enters := func(day directory.Date) bool {
		dir := ok(reg.Directory(ctx))(t)
		for _, p := range dir.Entrants("server-room", day) {
			if p == mover {
				return true
			}
		}
		return false
	}
	if !enters(directory.Date{Year: 2027, Month: 3, Day: 31}) {
		t.Error("the right ended before the day of the move")
	}

	at = time.Date(2027, 4, 1, 0, 5, 0, 0, jst)
	if err := reg.Daily(ctx); err != nil {
		t.Fatal(err)
	}
	if enters(reg.Today()) {
		t.Error("who left on 1 April can still enter")
	}
	dir, err := look()
	if err != nil {
		t.Errorf("on 1 April: %v", err)
	}
	for _, z := range []access.ZoneID{"server-room", "media-store"} { // those that had been empty
		if n := len(dir.Entrants(z, reg.Today())); n < 2 {
			t.Errorf("%d people can enter %s on 1 April", n, z)
		}
	}
}

// OP-2, EV-8, D17: what of the roll-over the site does by itself: closed days are known for the years of set-up and asked for before they
// run out; the key of a new year is made with its first record; what is due for disposal is so from 1 April and not a day before.
func TestYearEndOfTheSite(t *testing.T) {
	cfg := testConfig(t)
	begin := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	ok(SetUp(t.Context(), cfg, begin, quiet))(t)
	has := func(year int) bool {
		keys := ok(keystore.Open(cfg.Path(keyStoreFile), cfg.Path(masterFile), rand.Reader))(t)
		return keys.Has(keystore.Period{FiscalYear: year, Class: entrylog.ClassOf(entrylog.KindAction, "")})
	}
	for _, c := range []struct {
		at   time.Time
		year int
	}{{time.Date(2027, 3, 31, 14, 59, 59, 0, time.UTC), 2026}, {time.Date(2027, 3, 31, 15, 0, 0, 0, time.UTC), 2027}} { // midnight in Tokyo
		if c.year == 2027 && has(c.year) {
			t.Error("the key of the new year is there before its first record")
		}
		withSite(t, cfg, func(s *Site) {
			err := s.Store.Write(t.Context(), func(tx *store.Tx) error {
				_, err := tx.AppendAction(entrylog.Action{Account: "a1", Verb: "person_changed", Target: "person", ID: "1", From: "lan", Result: "ok", AtMS: c.at.UnixMilli()}, &entrylog.Opening{Text: "x"})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
		if !has(c.year) {
			t.Errorf("a record of %v made no key of its year", c.at)
		}
	}
	withSite(t, cfg, func(s *Site) {
		dir := ok(s.Directory(t.Context()))(t)
		for year := calendar.FiscalYear(2026); year < 2030; year++ {
			if err := holidaysAhead(dir.ClosedDays, year); err != nil {
				t.Errorf("in FY%d: %v", year, err)
			}
		}
		if err := holidaysAhead(dir.ClosedDays, 2031); err == nil {
			t.Error("the closed days never run out")
		}
		r := s.Retainer()
		for day, want := range map[time.Time]bool{time.Date(2030, 3, 31, 14, 0, 0, 0, time.UTC): false, time.Date(2030, 3, 31, 16, 0, 0, 0, time.UTC): true} {
			r.now = func() time.Time { return day }
			due := false
			for _, x := range ok(r.Plan(t.Context()))(t).Items {
				due = due || x.Year == 2026 && x.Class == entrylog.ClassOf(entrylog.KindAction, "") && x.Due
			}
			if due != want {
				t.Errorf("on %v the year 2026 is due: %v", day, due)
			}
		}
	})
}
