package app

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/visit"
	"monban/server/web"
)

func everywhere(access.ZoneID) bool { return true }

func (p *personDesk) rights() *rightsPages { return &rightsPages{p.peoplePages} }

// AD-6, D27, RA-2: a grant for a zone of level 2 or above waits, is said in words with who gains, is confirmed by another person and not by
// another account of the same, and stands in the matrix then; ending it acts at once.
func TestGrantsOnPages(t *testing.T) {
	p := newPersons(t)
	r, ctx := p.rights(), t.Context()
	in := web.RegGrant{Person: "1009", Zone: "server-room", Schedule: "always", Basis: "申請 7"}
	before := p.leaves()
	if e, err := r.SaveGrant(ctx, in, true, by("chief", "担当替え")); err != nil || len(e.Waiting) != 1 || len(e.Applied) != 0 || p.leaves() != before {
		t.Fatalf("a try: %+v, %v", e, err)
	}
	e, err := r.SaveGrant(ctx, in, false, by("chief", "担当替え"))
	if err != nil || e.Proposal == "" || len(e.Waiting) != 1 {
		t.Fatalf("%+v, %v", e, err)
	}
	list, err := r.ListProposals(ctx, "chief")
	if err != nil || len(list) != 1 || !list[0].Mine || list[0].Reason != "担当替え" || list[0].ByName != "chief" {
		t.Fatalf("%+v, %v", list, err)
	}
	file, err := r.ProposalByID(ctx, e.Proposal, "section")
	if err != nil || file.Mine || file.Stale || file.Decided || len(file.Rights) != 1 || file.Rights[0].Effect != "gains" || file.Rights[0].ZoneName != "サーバ室" {
		t.Fatalf("%+v, %v", file, err)
	}
	fields := map[string]string{}
	for _, f := range file.Changes[0].Fields {
		fields[f.Name] = f.Is
	}
	if !strings.Contains(fields["person_id"], "(1009)") || fields["zone_id"] != "サーバ室" || fields["valid_until"] != "2027-03-31" {
		t.Errorf("in words: %v", fields)
	}
	if err := r.ConfirmProposal(ctx, e.Proposal, by("chief", "")); !errors.Is(err, web.ErrSamePerson) {
		t.Errorf("the proposer: %v", err)
	}
	if err := r.ConfirmProposal(ctx, e.Proposal, by("section", "")); err != nil {
		t.Fatal(err)
	}
	if err := r.ConfirmProposal(ctx, e.Proposal, by("section", "")); !errors.Is(err, web.ErrTooLate) {
		t.Errorf("twice: %v", err)
	}
	if file, err := r.ProposalByID(ctx, e.Proposal, "section"); err != nil || !file.Decided || len(file.Changes) != 0 {
		t.Errorf("decided: %+v, %v", file, err)
	}
	found, err := r.FindGrants(ctx, web.GrantQuery{Text: "1009", Zone: "server-room"}, everywhere)
	if err != nil || found.Total != 1 || len(found.Holders[0].Grants) != 1 || found.Holders[0].Grants[0].State != "now" {
		t.Fatalf("%+v, %v", found.Holders, err)
	}
	id := found.Holders[0].Grants[0].ID
	g, err := r.GrantByID(ctx, id)
	if err != nil || g.Holder == "" || g.Level != 3 || g.Basis != "申請 7" {
		t.Errorf("%+v, %v", g, err)
	}
	// A shorter end acts at once, a longer one waits; who and where cannot be changed by a form of another.
	short := g.RegGrant
	short.ValidUntil, short.Person, short.Zone = "2026-12-31", "1001", "media-store"
	if e, err := r.SaveGrant(ctx, short, false, by("chief", "短縮")); err != nil || len(e.Applied) != 1 || len(e.Waiting) != 0 {
		t.Errorf("shorter: %+v, %v", e, err)
	}
	if g, err := r.GrantByID(ctx, id); err != nil || g.Person != "1009" || g.Zone != "server-room" || g.ValidUntil != "2026-12-31" {
		t.Errorf("%+v, %v", g, err)
	}
	if e, err := r.EndGrant(ctx, id, by("chief", "異動")); err != nil || len(e.Applied) != 1 {
		t.Errorf("ended: %+v, %v", e, err)
	}
	if _, err := r.EndGrant(ctx, id, by("chief", "異動")); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("twice: %v", err)
	}
	if found, err := r.FindGrants(ctx, web.GrantQuery{}, nil); err != nil || found.Total != 0 || found.Zones != nil {
		t.Errorf("without leave to see: %+v, %v", found, err)
	}
	some, err := r.FindGrants(ctx, web.GrantQuery{}, func(z access.ZoneID) bool { return z == "media-store" })
	if err != nil || some.Total == 0 || len(some.Zones) != 1 || slices.ContainsFunc(some.Holders, func(x web.GrantHolder) bool {
		return slices.ContainsFunc(x.Grants, func(g web.GrantLine) bool { return g.Zone != "media-store" })
	}) {
		t.Errorf("one zone's: %+v, %v", some.Holders, err)
	}
}

// AD-6, VE-5: what cannot be is refused at its field, and nothing is written.
func TestGrantFaults(t *testing.T) {
	p := newPersons(t)
	r, ctx := p.rights(), t.Context()
	good := web.RegGrant{Person: "1009", Zone: "floor-3", Schedule: "always"}
	contractor := web.RegGrant{Zone: "floor-3", Schedule: "always", ValidUntil: "2099-03-31"}
	for _, x := range p.pages.directory().People {
		if x.Category == directory.Contractor {
			contractor.Person = string(x.ID)
		}
	}
	before := p.leaves()
	for _, c := range []struct {
		field, word string
		g           web.RegGrant
	}{
		{"person", "nobody", web.RegGrant{Person: "9999", Zone: "floor-3", Schedule: "always"}},
		{"group", "nobody", web.RegGrant{Group: "none", Zone: "floor-3", Schedule: "always"}},
		{"zone", "required", web.RegGrant{Person: "1009", Zone: "moon", Schedule: "always"}},
		{"schedule", "required", web.RegGrant{Person: "1009", Zone: "floor-3", Schedule: "never-heard"}},
		{"basis", "my_number", web.RegGrant{Person: "1009", Zone: "floor-3", Schedule: "always", Basis: "1234 5678 9018"}},
		{"valid_from", "day", web.RegGrant{Person: "1009", Zone: "floor-3", Schedule: "always", ValidFrom: "x"}},
		{"", "refused", web.RegGrant{Person: "1009", Zone: "floor-3", Schedule: "always", ValidFrom: "2027-02-01", ValidUntil: "2027-01-01"}}, // the page says where
		{"valid_until", "after_contract", contractor},
	} {
		_, err := r.SaveGrant(ctx, c.g, false, by("chief", "x"))
		p.refused(t, before, err, c.field, c.word)
	}
	_, err := r.SaveGrant(ctx, good, false, by("chief", "123456789018"))
	p.refused(t, before, err, "reason", "my_number")
	if e, err := r.SaveGrant(ctx, good, false, by("chief", "事務室")); err != nil || len(e.Applied) != 1 || len(e.Waiting) != 0 {
		t.Errorf("level 1: %+v, %v", e, err)
	}
	good.Schedule = "office"
	if e, err := r.SaveGrant(ctx, good, true, by("chief", "x")); err != nil || len(e.Overlaps) == 0 {
		t.Errorf("a second grant for the same zone and days: %+v, %v", e, err)
	}
}

// D27: a proposal whose rows have changed since is stale; one that is withdrawn does nothing; a reason is needed.
func TestProposalsOnPages(t *testing.T) {
	p := newPersons(t)
	r, ctx := p.rights(), t.Context()
	in, _ := p.PersonFile(ctx, "1001")
	long := web.PersonInput{RegPerson: in.RegPerson}
	long.ValidUntil = "2026-12-31"
	if _, err := p.SavePerson(ctx, long, false, false, by("chief", "x")); err != nil {
		t.Fatal(err)
	}
	long.ValidUntil = "2027-12-31"
	e, err := p.SavePerson(ctx, long, false, false, by("chief", "延長"))
	if err != nil || e.Proposal == "" {
		t.Fatal(err)
	}
	file, err := r.ProposalByID(ctx, e.Proposal, "section")
	if err != nil || file.Stale || !slices.ContainsFunc(file.Rights, func(x web.RightEffect) bool { return x.Effect == "keeps" && x.Zone == "server-room" }) {
		t.Errorf("%+v, %v", file, err)
	}
	long.ValidUntil = "2026-11-30"
	if _, err := p.SavePerson(ctx, long, false, false, by("section", "短縮")); err != nil {
		t.Fatal(err)
	}
	if file, err := r.ProposalByID(ctx, e.Proposal, "section"); err != nil || !file.Stale {
		t.Errorf("%+v, %v", file, err)
	}
	if err := r.ConfirmProposal(ctx, e.Proposal, by("section", "")); !errors.Is(err, web.ErrStale) {
		t.Errorf("stale: %v", err)
	}
	before := p.leaves()
	p.refused(t, before, r.WithdrawProposal(ctx, e.Proposal, by("section", "")), "reason", "required")
	p.refused(t, before, r.WithdrawProposal(ctx, e.Proposal, by("section", "123456789018")), "reason", "my_number")
	if err := r.WithdrawProposal(ctx, e.Proposal, by("section", "古い")); err != nil {
		t.Fatal(err)
	}
	if list, err := r.ListProposals(ctx, "section"); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	if err := r.WithdrawProposal(ctx, e.Proposal, by("section", "古い")); !errors.Is(err, web.ErrTooLate) {
		t.Errorf("twice: %v", err)
	}
	if _, err := r.ProposalByID(ctx, strings.Repeat("a", 32), "section"); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("none: %v", err)
	}
}

// AD-17: a card that pages have asked back is agreed to by another person than who asked and the holder.
func TestStoppedCardsOnPages(t *testing.T) {
	p := newPersons(t)
	r, ctx := p.rights(), t.Context()
	if _, _, err := p.SetCard(ctx, "C-001", access.CredentialSuspended, p.c.at, by("watchman", "置き忘れ")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.SetCard(ctx, "C-001", access.CredentialActive, p.c.at, by("clerk", "見つかった")); err != nil {
		t.Fatal(err)
	}
	list, err := r.visits.Suspensions(ctx)
	if err != nil || len(list) != 1 || list[0].Card != "C-001" || list[0].Asked.Note != "見つかった" {
		t.Fatalf("%+v, %v", list, err)
	}
	resume := func(id, who string) error {
		a, err := r.actor(ctx, by(who, ""))
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.visits.ResumeCard(ctx, id, "", a)
		return err
	}
	for _, who := range []string{"clerk", "chief"} { // chief is the holder's own account
		if err := resume(list[0].ID, who); !errors.Is(err, visit.ErrSamePerson) {
			t.Errorf("%s: %v", who, err)
		}
	}
	if err := resume(list[0].ID, "section"); err != nil {
		t.Fatal(err)
	}
	if f, err := p.PersonFile(ctx, "1001"); err != nil || f.Cards[0].Status != access.CredentialActive {
		t.Errorf("%+v, %v", f.Cards, err)
	}
}
