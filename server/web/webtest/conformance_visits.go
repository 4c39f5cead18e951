package webtest

import (
	"errors"
	"slices"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/visit"
	"monban/server/web"
)

// Reception is what CheckVisits runs against: a directory with staff who may escort, badges, and three people who act.
type Reception struct {
	web.Visits
	Asker, Chief, Clerk visit.Actor
	Zone                access.ZoneID
	Attendee            directory.PersonID // may escort
	Forgetful           directory.PersonID // has an active card
	Badge, Temporary    string             // inventory numbers
	Key                 string
	Now                 time.Time
	Leaves              func() int
}

// CheckVisits checks what the pages of visits rely on (VE-1, VE-3, AD-16, AD-17, EQ-4): that steps are refused with a *visit.Error and
// then leave nothing behind, that each step is one leaf, and that the lists say what was done.
func CheckVisits(t T, r Reception) {
	t.Helper()
	ctx := t.Context()
	site, err := r.VisitSite(ctx)
	if err != nil || site.Dir == nil || site.Zone == nil {
		t.Fatalf("site: %v, %v", site, err)
	}
	if _, err := r.VisitByID(ctx, "visit-2026-99999"); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("no such visit: %v, want ErrNotFound", err)
	}
	if _, err := r.DecideVisit(ctx, "visit-2026-99999", true, "", r.Chief); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("decide no such visit: %v, want ErrNotFound", err)
	}
	app := visit.Application{Type: visit.Meeting, Purpose: "監査", System: "文書管理", Zones: []access.ZoneID{r.Zone}, FromMS: r.Now.UnixMilli(), UntilMS: r.Now.Add(time.Hour).UnixMilli(),
		Section: "総務課", Company: "北浜監査法人", Attendee: r.Attendee, Guests: []visit.Guest{{Name: "﨑田 蓮", Category: directory.Visitor}}}
	n := r.Leaves()
	empty := app
	empty.Purpose = ""
	if _, _, err := r.ApplyVisit(ctx, empty, r.Asker); !errors.Is(err, visit.ErrMissing) {
		t.Errorf("without a purpose: %v", err)
	}
	if r.Leaves() != n {
		t.Errorf("a refused application left %d leaves", r.Leaves()-n)
	}
	x, _, err := r.ApplyVisit(ctx, app, r.Asker)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.DecideVisit(ctx, x.ID, true, "", r.Asker); !errors.Is(err, visit.ErrSamePerson) {
		t.Errorf("own application: %v", err)
	}
	if _, err := r.DecideVisit(ctx, x.ID, true, "", r.Chief); err != nil {
		t.Fatal(err)
	}
	form := visit.ReceptionForm{Identity: visit.CompanyCard, Conditions: site.ConditionsOf(x.Zones), Badge: r.Badge, Carrier: r.Attendee}
	if _, err := r.ReceiveGuest(ctx, x.ID, form, r.Clerk); err != nil {
		t.Fatal(err)
	}
	if n += 3; r.Leaves() != n {
		t.Errorf("%d leaves of three steps", r.Leaves()-n+3)
	}
	day, err := r.VisitsOfDay(ctx, r.Now.In(site.Zone).Format("2006-01-02"))
	i := slices.IndexFunc(day, func(v visit.View) bool { return v.ID == x.ID })
	if err != nil || i < 0 || !day[i].Guests[0].Here() || day[i].Guests[0].Escort != r.Attendee || len(day[i].Presence) != 1 {
		t.Fatalf("the day's list: %+v, %v", day, err)
	}
	badges, err := r.ListBadges(ctx)
	if err != nil || !slices.ContainsFunc(badges, func(b visit.BadgeView) bool { return b.ID == r.Badge && b.Matter == x.ID }) {
		t.Errorf("badges: %v", err)
	}
	if _, err := r.ReturnBadge(ctx, r.Badge, false, "", r.Clerk); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReturnBadge(ctx, r.Badge, false, "", r.Clerk); !errors.Is(err, visit.ErrState) {
		t.Errorf("returned twice: %v", err)
	}
	if got, err := r.VisitByID(ctx, x.ID); err != nil || got.State != visit.Closed {
		t.Errorf("after the last badge: %s, %v", got.State, err)
	}
	checkCards(t, r, site)
}

func checkCards(t T, r Reception, site *visit.Site) {
	t.Helper()
	ctx := t.Context()
	temporary := visit.TemporaryForm{Person: r.Forgetful, Identity: visit.DrivingLicence, Badge: r.Temporary}
	card, err := r.IssueTemporary(ctx, temporary, r.Clerk)
	if err != nil || len(card.Suspended) == 0 {
		t.Fatalf("temporary card: %+v, %v", card, err)
	}
	if _, err := r.IssueTemporary(ctx, temporary, r.Clerk); !errors.Is(err, visit.ErrBadgeLent) && !errors.Is(err, visit.ErrLentTwice) {
		t.Errorf("lent twice: %v", err)
	}
	if list, err := r.TemporaryCards(ctx); err != nil || len(list) != 1 || list[0].ID != card.ID {
		t.Errorf("temporary cards: %+v, %v", list, err)
	}
	if _, err := r.ReturnTemporary(ctx, r.Temporary, false, "", r.Clerk); err != nil {
		t.Errorf("%v", err)
	}
	own := card.Suspended[0]
	stopped, err := r.SuspendCard(ctx, own, false, time.Time{}, "見当たらない", r.Clerk)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.AskResume(ctx, stopped.ID, "見つかった", r.Clerk); err != nil {
		t.Errorf("%v", err)
	}
	if _, err := r.ResumeCard(ctx, stopped.ID, "", r.Clerk); !errors.Is(err, visit.ErrSamePerson) {
		t.Errorf("resumed by who asked: %v", err)
	}
	if _, err := r.ResumeCard(ctx, stopped.ID, "", r.Chief); err != nil {
		t.Errorf("%v", err)
	}
	now, err := r.VisitSite(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(now.Dir.Credentials, func(c directory.Credential) bool { return c.ID == own && c.Status == access.CredentialActive }) {
		t.Errorf("the card is not good again")
	}
	loan, err := r.LendKey(ctx, visit.KeyLoan{Key: r.Key, Person: r.Forgetful, Purpose: "点検"}, r.Clerk)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.LendKey(ctx, visit.KeyLoan{Key: r.Key, Person: r.Attendee, Purpose: "点検"}, r.Clerk); !errors.Is(err, visit.ErrBadgeLent) {
		t.Errorf("key lent twice: %v", err)
	}
	if _, err := r.ReturnKey(ctx, loan.ID, false, "", r.Clerk); err != nil {
		t.Errorf("%v", err)
	}
	if dues, err := r.ListDues(ctx); err != nil || slices.ContainsFunc(dues, func(d visit.Due) bool { return d.Matter == loan.ID || d.Matter == card.ID }) {
		t.Errorf("what is done is still owed: %+v, %v", dues, err)
	}
	if list, err := r.OwnEntries(ctx, "", 30); err != nil || len(list) != 0 {
		t.Errorf("entries of nobody: %v, %v", list, err)
	}
}
