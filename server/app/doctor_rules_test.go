package app

import (
	"strings"
	"testing"
	"time"

	"monban/server/directory"
	"monban/server/policypub"
	"monban/server/policypub/sitetest"
)

// AD-19: in March the doctor says BAD while nobody could enter on 1 April; in November it only notes it; renewed, it is content.
func TestDoctorLooksAtTheFirstOfApril(t *testing.T) {
	at := time.Date(2027, 3, 2, 1, 0, 0, 0, time.UTC)
	reg, _ := registryAt(t, &at, false)
	dir := ok(reg.Directory(t.Context()))(t)
	if c := rollover(&dir, directory.Date{Year: 2026, Month: 11, Day: 24}); c.Err != nil || !strings.Contains(c.Note, "server-room (0)") {
		t.Errorf("in November: %+v", c)
	}
	if c := rollover(&dir, reg.Today()); c.Err == nil || !strings.Contains(c.Err.Error(), "AD-19") {
		t.Errorf("in March: %+v", c)
	}
	due := ok(reg.Due(t.Context()))(t)
	if len(due.Renewals) == 0 || len(due.Gaps) != 2 {
		t.Fatalf("due: %d renewals, %d gaps", len(due.Renewals), len(due.Gaps))
	}
	var ids []directory.GrantID
	for _, r := range due.Renewals {
		ids = append(ids, r.Grant.ID)
	}
	if out := ok(reg.Renew(t.Context(), directory.Actor{From: "cli"}, "年度更新", ids))(t); len(out.Applied) != len(ids) {
		t.Errorf("%d of %d renewed", len(out.Applied), len(ids))
	}
	dir = ok(reg.Directory(t.Context()))(t)
	if c := rollover(&dir, reg.Today()); c.Err != nil || c.Note == "" {
		t.Errorf("renewed: %+v", c)
	}
	at = sitetest.Now()
	if due := ok(reg.Due(t.Context()))(t); len(due.Renewals) != 0 {
		t.Error("renewal is open in November")
	}
}

// VR-8, AD-3: the day after its last, an exception is off at the doors by the new day's work alone.
func TestExceptionEndsWithItsLastDay(t *testing.T) {
	at := time.Date(2027, 3, 31, 14, 59, 0, 0, time.UTC) // 23:59 in Tokyo
	s := sitetest.New(t)
	cfg := s.Config
	cfg.Now = func() time.Time { return at }
	pub := policypub.New(cfg)
	reg := newRegistry(s.Store, pub, func() directory.CardMaker { return s.Keys }, cfg.Now)
	asks := func() bool {
		t.Helper()
		if err := reg.Daily(t.Context()); err != nil {
			t.Fatal(err)
		}
		z, known := pub.Site().Policy.Zone("media-store")
		if !known {
			t.Fatal("no such zone")
		}
		return z.RequirePIN
	}
	if asks() {
		t.Error("the PIN is asked for on the exception's last day")
	}
	version := pub.Site().Versions.Rules
	if asks() || pub.Site().Versions.Rules != version {
		t.Error("the work of a day was done twice")
	}
	at = at.Add(2 * time.Minute) // 00:01 on 1 April
	if !asks() || pub.Site().Versions.Rules == version {
		t.Error("the exception is over and the PIN is not asked for")
	}
}
