package app

import (
	"slices"
	"strings"
	"testing"

	"monban/firmware/access"
	"monban/firmware/calendar"
	"monban/server/directory"
	"monban/server/store"
	"monban/server/web"
)

// RR-8: the rights of a day are what the log tells of it, whatever the directory's table says: with who asked, who agreed and why. A row that
// was changed behind the program's back is named.
func TestRightsAsOf(t *testing.T) {
	p := newPersons(t)
	r, ctx := p.rights(), t.Context()
	day := calendar.DateOf(p.c.at)
	held := func(d calendar.Date, person string) (out []web.HeldRight) {
		t.Helper()
		inv, err := r.RightsAsOf(ctx, "server-room", d)
		if err != nil || inv.Unread > 0 || len(inv.Differs) > 0 {
			t.Fatalf("%+v, %v", inv, err)
		}
		for _, h := range inv.Rights {
			if h.Person == person {
				out = append(out, h)
			}
		}
		return out
	}
	all, err := r.RightsAsOf(ctx, "", day)
	if err != nil || len(all.Rights) == 0 {
		t.Fatalf("%d rights, %v", len(all.Rights), err)
	}
	// The sample site came with its leaves: who holds what today is what the directory says by another way.
	want := map[string]bool{}
	dir, err := p.registry.Directory(ctx)
	if err != nil {
		t.Fatal(err)
	}
	dir.EachRight(func(holder directory.PersonID, g *directory.Grant, _ *directory.Group) {
		if !g.ValidUntil.Before(directory.Date(day)) {
			want[string(holder)+" "+string(g.ID)] = true
		}
	})
	for _, h := range all.Rights {
		if !want[h.Person+" "+h.Grant] {
			t.Errorf("%s has %s by the log alone", h.Person, h.Grant)
		}
		delete(want, h.Person+" "+h.Grant)
	}
	if len(want) > 0 {
		t.Errorf("by the directory alone: %v", want)
	}

	e, err := r.SaveGrant(ctx, web.RegGrant{Person: "1009", Zone: "server-room", Schedule: "always", Basis: "申請 7 → 改, 別紙"}, false, by("chief", "担当替え"))
	if err != nil {
		t.Fatal(err)
	}
	if got := held(day, "1009"); len(got) != 0 {
		t.Errorf("a proposal is a right: %+v", got)
	}
	if err := r.ConfirmProposal(ctx, e.Proposal, by("section", "")); err != nil {
		t.Fatal(err)
	}
	got := held(day, "1009")
	if len(got) != 1 || got[0].Basis != "申請 7 → 改, 別紙" || got[0].Given.By != "section" || got[0].Given.Proposer != "chief" || got[0].Given.Reason != "担当替え" ||
		got[0].Given.Asked == 0 || got[0].Given.Asked >= got[0].Given.Leaf || got[0].State != "now" || got[0].Until != "2027-03-31" {
		t.Fatalf("%+v", got)
	}
	if got := held(day.AddDays(-1), "1009"); len(got) != 0 {
		t.Errorf("the day before: %+v", got)
	}
	// A month later it is changed, and ended after another: each day keeps what it had.
	p.c.at = p.c.at.AddDate(0, 1, 0)
	month := calendar.DateOf(p.c.at)
	id := got[0].Grant
	if _, err := r.SaveGrant(ctx, web.RegGrant{ID: id, Person: "1009", Zone: "server-room", Schedule: "office", ValidUntil: "2027-01-31", Basis: "→ 短縮"}, false, by("chief", "短縮")); err != nil {
		t.Fatal(err)
	}
	waiting, err := r.ListProposals(ctx, "section")
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range waiting {
		if err := r.ConfirmProposal(ctx, w.ID, by("section", "")); err != nil {
			t.Fatal(err)
		}
	}
	if got := held(month, "1009"); len(got) != 1 || got[0].Basis != "→ 短縮" || got[0].Until != "2027-01-31" {
		t.Errorf("changed: %+v", got)
	}
	p.c.at = p.c.at.AddDate(0, 0, 2)
	if _, err := r.EndGrant(ctx, id, by("chief", "異動")); err != nil {
		t.Fatal(err)
	}
	if got := held(calendar.DateOf(p.c.at), "1009"); len(got) != 0 {
		t.Errorf("ended: %+v", got)
	}
	if got := held(month, "1009"); len(got) != 1 || got[0].Until != "2027-01-31" {
		t.Errorf("the days before its end: %+v", got)
	}
	if got := held(day, "1009"); len(got) != 1 || got[0].Basis != "申請 7 → 改, 別紙" || got[0].Until != "2027-03-31" {
		t.Errorf("the first day: %+v", got)
	}
	// Somebody writes a grant into the table without the program.
	err = p.c.site.Store.Write(ctx, func(tx *store.Tx) error {
		return tx.ChangeDirectory(directory.Change{Op: directory.OpAdd, Grant: &directory.Grant{ID: "1009/server-room/secret", Person: "1009", Zone: access.ZoneID("server-room"), Schedule: "always",
			ValidUntil: directory.Date{Year: 2027, Month: 3, Day: 31}}})
	})
	if err != nil {
		t.Fatal(err)
	}
	inv, err := r.RightsAsOf(ctx, "", day)
	if err != nil || !slices.Contains(inv.Differs, "1009/server-room/secret") {
		t.Errorf("a planted row: %v, %v", inv.Differs, err)
	}
	// What nobody can read any more is counted, and never made up.
	past := directory.NewPast()
	past.Add(directory.Deed{Leaf: 1, Verb: "grant_add", Noun: "grant"})
	past.Add(directory.Deed{Leaf: 2, Verb: "group_change", Noun: "group", ID: "ops", Text: strings.Repeat("長", 2000)})
	if past.Unread != 2 || len(past.Rights()) != 0 {
		t.Errorf("%d unread", past.Unread)
	}
}
