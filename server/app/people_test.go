package app

import (
	"encoding/hex"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/server/authority"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/store"
	"monban/server/web"
)

// personDesk is the sample site with the pages about people.
type personDesk struct {
	*peoplePages
	c *counter
}

func newPersons(t *testing.T) *personDesk {
	t.Helper()
	c := newCounter(t)
	p := &pages{store: c.site.Store, health: newHealth(c.at.Add(-gapLeast)), now: func() time.Time { return c.at }, log: quiet,
		directory: func() directory.Snapshot { return *c.pub.Site().Directory() },
		versions:  func(access.GatewayID) web.Versions { return web.Versions{} }}
	reg := newRegistry(c.site.Store, c.pub, func() directory.CardMaker { return c.site.Keys }, p.now)
	zones := &ZoneDesk{Store: c.site.Store, Places: authority.New(c.pub).Places(), Site: c.pub.Site, Now: p.now}
	return &personDesk{&peoplePages{&apiRegistry{p, reg, c.Visits}, zones}, c}
}

func by(account, reason string) web.Action {
	return web.Action{Actor: account, Reason: reason, Address: "192.0.2.1"}
}

// leaves counts the leaves of the log.
func (p *personDesk) leaves() int64 { return p.c.site.Store.Size() }

// refused checks that a form was refused at a field with a word, and nothing written.
func (p *personDesk) refused(t *testing.T, before int64, err error, field, word string) {
	t.Helper()
	var bad web.FormFault
	if !errors.As(err, &bad) || !slices.Contains(bad, web.FieldFault{Field: field, Word: word}) {
		t.Errorf("%v, want %s at %s", err, word, field)
	}
	if p.leaves() != before {
		t.Error("something was written")
	}
}

func newcomer() web.PersonInput {
	return web.PersonInput{RegPerson: web.RegPerson{ID: "2001", Name: "葛\U000E0100城 蓮", Kana: "カツラギ レン", Section: "会計課", Category: "staff", Kind: "part_time"}}
}

// AD-2, VE-5, D27: somebody is added and changed by the directory's own service: leaves without a name, an Individual Number refused at its
// field, a longer validity of somebody with rights at level 2 waits; a try does nothing.
func TestPersonIsSaved(t *testing.T) {
	p := newPersons(t)
	ctx, act := t.Context(), by("chief", "採用")
	before := p.leaves()
	in := newcomer()
	if e, err := p.SavePerson(ctx, in, true, true, act); err != nil || len(e.Applied) != 1 || e.Applied[0].Noun != "person" || p.leaves() != before {
		t.Fatalf("a try: %+v, %v", e, err)
	}
	if e, err := p.SavePerson(ctx, in, true, false, act); err != nil || len(e.Applied) != 1 || len(e.Waiting) != 0 || p.leaves() <= before {
		t.Fatalf("%+v, %v", e, err)
	}
	f, err := p.PersonFile(ctx, "2001")
	if err != nil || f.Name != in.Name || !f.Active || f.Guest || f.Protected {
		t.Fatalf("%+v, %v", f, err)
	}
	if e, err := p.SavePerson(ctx, in, false, false, act); err != nil || !e.Nothing() {
		t.Errorf("the same again: %+v, %v", e, err)
	}
	before = p.leaves()
	_, err = p.SavePerson(ctx, in, true, false, act)
	p.refused(t, before, err, "id", "taken")
	bad := in
	bad.Section = "1234 5678 9018"
	_, err = p.SavePerson(ctx, bad, false, false, act)
	p.refused(t, before, err, "section", "my_number")
	_, err = p.SavePerson(ctx, in, false, false, by("chief", "番号は123456789018"))
	p.refused(t, before, err, "reason", "my_number")
	_, err = p.SavePerson(ctx, in, false, false, by("chief", " "))
	p.refused(t, before, err, "reason", "required")
	bad = in
	bad.Name = "a\x00b"
	_, err = p.SavePerson(ctx, bad, false, false, act)
	p.refused(t, before, err, "", "refused") // the pages name the field before
	if _, err := p.SavePerson(ctx, web.PersonInput{RegPerson: web.RegPerson{ID: "none", Name: "x", Category: "staff"}}, false, false, act); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}

	// 1001 may enter the server room: to stop takes one person, to start again or to be valid for longer takes two.
	old, err := p.PersonFile(ctx, "1001")
	if err != nil || !old.Protected {
		t.Fatalf("%+v, %v", old, err)
	}
	short := web.PersonInput{RegPerson: old.RegPerson, ContractFrom: old.ContractFrom, ContractUntil: old.ContractUntil}
	short.ValidUntil = "2026-12-31"
	if e, err := p.SavePerson(ctx, short, false, false, act); err != nil || len(e.Applied) != 1 {
		t.Errorf("shorter: %+v, %v", e, err)
	}
	short.ValidUntil = "2027-12-31"
	if e, err := p.SavePerson(ctx, short, false, false, act); err != nil || len(e.Waiting) != 1 || e.Proposal == "" {
		t.Errorf("longer: %+v, %v", e, err)
	}
	if e, err := p.SetPersonActive(ctx, "1001", false, act); err != nil || len(e.Applied) != 1 {
		t.Errorf("stop: %+v, %v", e, err)
	}
	if e, err := p.SetPersonActive(ctx, "1001", true, act); err != nil || len(e.Waiting) != 1 {
		t.Errorf("start: %+v, %v", e, err)
	}
	if f, err := p.PersonFile(ctx, "1001"); err != nil || f.Active || f.Conditions != old.Conditions {
		t.Errorf("%+v, %v", f.RegPerson, err)
	}
}

// PR-2: no leaf of what the pages about people do holds a name or a person's number.
func TestPersonLeavesNameNobody(t *testing.T) {
	p := newPersons(t)
	ctx := t.Context()
	before := p.leaves()
	in := newcomer()
	in.ID = "PERSON-77"
	if _, err := p.SavePerson(ctx, in, true, false, by("chief", "採用")); err != nil {
		t.Fatal(err)
	}
	if _, err := p.AddCard(ctx, web.CardInput{ID: "CARD-77", Person: in.ID, Format: "H10301", Assurance: "uid_only", Facility: "9", Number: "54321", PIN: "90817"}, by("chief", "採用")); err != nil {
		t.Fatal(err)
	}
	if _, err := p.SetPIN(ctx, in.ID, "CARD-77", "90818", "", by("chief", "忘れた")); err != nil {
		t.Fatal(err)
	}
	if _, err := p.ExportPeople(ctx, web.PeopleQuery{}, "audit", false, by("chief", "監査")); err != nil {
		t.Fatal(err)
	}
	n := 0
	p.c.must(p.c.site.Store.Read(ctx, func(r *store.ReadTx) error {
		for i := before; i < p.leaves(); i++ {
			leaf, err := r.Leaf(i)
			if err != nil {
				return err
			}
			if leaf.Kind == entrylog.KindAction {
				n++
			}
			for _, secret := range []string{in.ID, in.Name, "葛", "54321", "90817", "90818", hex.EncodeToString([]byte(in.ID))} {
				if strings.Contains(string(leaf.Body), secret) {
					t.Errorf("leaf %d holds %q", i, secret)
				}
			}
		}
		return nil
	}))
	if n < 4 {
		t.Errorf("%d leaves for four acts", n)
	}
}

// AD-6: a person's page says why each right exists, by grant, zone, schedule and validity, through which group, and what ends next; a temporary card
// and a group's right too.
func TestPersonFileSaysWhy(t *testing.T) {
	p := newPersons(t)
	ctx := t.Context()
	f, err := p.PersonFile(ctx, "1001")
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, r := range f.Rights {
		if r.Zone == "server-room" && r.By == "own" {
			found = true
			if !r.Holds || r.ZoneName != "サーバ室" || r.Level != 3 || r.Schedule == "" || len(r.Hours) == 0 || r.Until == "" {
				t.Errorf("%+v", r)
			}
		}
	}
	if !found || len(f.Cards) == 0 || len(f.Endings) == 0 || f.Endings[0].Day < "2026-11-24" {
		t.Errorf("%+v", f)
	}
	dir, err := p.registry.Directory(ctx)
	if err != nil || len(dir.Groups) == 0 {
		t.Fatal("the sample has no groups", err)
	}
	var grouped directory.Group
	for _, g := range dir.Groups {
		if len(g.Members) > 0 && slices.ContainsFunc(dir.Grants, func(x directory.Grant) bool { return x.Group == g.ID }) {
			grouped = g
		}
	}
	if grouped.ID == "" {
		t.Fatal("the sample gives no group a right")
	}
	f, err = p.PersonFile(ctx, string(grouped.Members[0]))
	if err != nil || !slices.ContainsFunc(f.Rights, func(r web.PersonRight) bool { return r.By == "group" && r.Group == grouped.Name }) {
		t.Errorf("no right by %s: %+v, %v", grouped.Name, f.Rights, err)
	}
}

// AD-17: a card is stopped by one person with a reason that is no Individual Number, and is asked back.
func TestCardIsStoppedOnPages(t *testing.T) {
	p := newPersons(t)
	ctx := t.Context()
	before := p.leaves()
	_, _, err := p.SetCard(ctx, "C-001", access.CredentialLost, p.c.at.AddDate(0, 0, -1), by("watchman", "123456789018"))
	p.refused(t, before, err, "reason", "my_number")
	if c, waiting, err := p.SetCard(ctx, "C-001", access.CredentialLost, p.c.at.AddDate(0, 0, -1), by("watchman", "夜間の届出")); err != nil || waiting || c.Status != access.CredentialLost {
		t.Fatalf("%+v, %v", c, err)
	}
	if _, waiting, err := p.SetCard(ctx, "C-001", access.CredentialActive, p.c.at, by("section", "見つかった")); err != nil || !waiting {
		t.Fatal(err)
	}
	f, err := p.PersonFile(ctx, "1001")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range f.Cards {
		if c.ID == "C-001" && (c.Status != access.CredentialLost || !c.Asked) {
			t.Errorf("%+v", c)
		}
	}
}

// D9, D27: a card is known by its number once, a second person decides where its holder has rights at level 2; no refusal repeats a digit.
func TestCardIsAdded(t *testing.T) {
	p := newPersons(t)
	ctx := t.Context()
	in := web.CardInput{ID: "C-900", Person: "1009", Format: "H10301", Assurance: "uid_only", Facility: "200", Number: "31337", PIN: "86420"}
	if e, err := p.AddCard(ctx, in, by("chief", "交換")); err != nil || len(e.Applied)+len(e.Waiting) != 1 {
		t.Fatalf("%+v, %v", e, err)
	}
	before := p.leaves()
	again := in
	again.ID = "C-901"
	_, err := p.AddCard(ctx, again, by("chief", "交換"))
	p.refused(t, before, err, "number", "card_taken")
	for field, change := range map[string]func(*web.CardInput){
		"id": func(c *web.CardInput) { c.Number, c.ID = "31338", "C-001" }, "number": func(c *web.CardInput) { c.Number = "99999999" }, "facility": func(c *web.CardInput) { c.Facility = "" },
		"format": func(c *web.CardInput) { c.Format = "x" }, "assurance": func(c *web.CardInput) { c.Assurance = "x" }, "valid_until": func(c *web.CardInput) { c.ValidUntil = "31.3." },
	} {
		bad := in
		change(&bad)
		_, err := p.AddCard(ctx, bad, by("chief", "交換"))
		var f web.FormFault
		if !errors.As(err, &f) || f[0].Field != field || strings.Contains(err.Error(), "3133") || strings.Contains(err.Error(), "9999") {
			t.Errorf("%s: %v", field, err)
		}
	}
	if p.leaves() != before {
		t.Error("a refusal wrote a leaf of a change")
	}
	in.ID, in.Person, in.Number = "C-902", "1001", "31339"
	if e, err := p.AddCard(ctx, in, by("chief", "交換")); err != nil || len(e.Waiting) != 1 {
		t.Errorf("a card of somebody with rights at level 3: %+v, %v", e, err)
	}
	if e, err := p.SetPIN(ctx, "1001", "C-001", "97531", "97532", by("chief", "忘れた")); err != nil || len(e.Applied) != 1 {
		t.Errorf("another PIN: %+v, %v", e, err)
	}
	for what, try := range map[string][3]string{"same": {"C-001", "97531", "97531"}, "short": {"C-001", "975", ""}, "another's": {"C-002", "97531", ""}} {
		if _, err := p.SetPIN(ctx, "1001", try[0], try[1], try[2], by("chief", "x")); err == nil || strings.Contains(err.Error(), "975") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// RR-1, A1: an export holds those who fit, runs nothing in a spreadsheet, and says in a leaf how many rows went out; what Shift_JIS cannot write is 〓.
func TestPeopleAreExported(t *testing.T) {
	p := newPersons(t)
	ctx := t.Context()
	if _, err := p.SavePerson(ctx, web.PersonInput{RegPerson: web.RegPerson{ID: "2002", Name: "-2+3", Section: "会計課", Category: "staff"}}, true, false, by("chief", "x")); err != nil {
		t.Fatal(err)
	}
	before := p.leaves()
	data, err := p.ExportPeople(ctx, web.PeopleQuery{Category: "staff"}, "audit", false, by("chief", "監査"))
	if err != nil || p.leaves() != before+1 {
		t.Fatal(err, p.leaves()-before)
	}
	if text := string(data); !strings.Contains(text, "'-2+3") || strings.Contains(text, "contractor") || !strings.Contains(text, "𠮷田 誠") {
		t.Errorf("%q", text)
	}
	data, err = p.ExportPeople(ctx, web.PeopleQuery{Text: "高橋"}, "audit", true, by("chief", "監査"))
	if err != nil || !strings.Contains(string(data), "\xee\xe0\x8b\xb4 ") && !strings.Contains(string(data), "\xfb\xfc\x8b\xb4 ") {
		t.Errorf("%q, %v", data, err)
	}
	names, err := p.Unwritable(ctx, web.PeopleQuery{})
	if err != nil || !slices.ContainsFunc(names, func(s string) bool { return strings.HasPrefix(s, "𠮷田") }) || slices.ContainsFunc(names, func(s string) bool { return strings.HasPrefix(s, "髙橋 健一") }) {
		t.Errorf("%v, %v", names, err)
	}
	_, err = p.ExportPeople(ctx, web.PeopleQuery{}, "marketing", false, by("chief", "x"))
	p.refused(t, p.leaves(), err, "use", "required")
}

// The list: names in any form, what ends soon, and sections to choose from.
func TestPeopleAreFound(t *testing.T) {
	p := newPersons(t)
	ctx := t.Context()
	for what, c := range map[string]struct {
		q    web.PeopleQuery
		want string
	}{
		"reduced form": {web.PeopleQuery{Text: "高橋"}, "1001"}, "hiragana": {web.PeopleQuery{Text: "さきやま"}, "1002"}, "number": {web.PeopleQuery{Text: "1003"}, "1003"},
		"category": {web.PeopleQuery{Category: "contractor"}, ""}, "ends within a fiscal year": {web.PeopleQuery{Within: 200, Text: "1001"}, "1001"},
	} {
		c.q.Limit = 50
		got, err := p.FindPeople(ctx, c.q)
		if err != nil || got.Total == 0 || len(got.Sections) == 0 || c.want != "" && got.People[0].ID != c.want {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
	all, _ := p.FindPeople(ctx, web.PeopleQuery{})
	page, err := p.FindPeople(ctx, web.PeopleQuery{Skip: 2, Limit: 3})
	if err != nil || page.Total != all.Total || len(page.People) != 3 || page.People[0].ID != all.People[2].ID {
		t.Errorf("a page: %+v, %v", page, err)
	}
	if got, _ := p.FindPeople(ctx, web.PeopleQuery{Within: 1, Text: "1001"}); got.Total != 0 {
		t.Errorf("ends tomorrow: %+v", got)
	}
}

// AD-9, AD-13, RA-4: an officer declares somebody outside whose exit was not recorded, or lifts the lockout of a PIN: one leaf each that names
// nobody; without a reason, or for another's card, nothing happens.
func TestOfficersActsOnPages(t *testing.T) {
	p := newPersons(t)
	ctx := t.Context()
	before := p.leaves()
	p.refused(t, before, p.Forgive(ctx, "1001", by("section", " ")), "reason", "required")
	p.refused(t, before, p.LiftPIN(ctx, "1001", "C-001", by("section", "123456789018")), "reason", "my_number")
	for what, err := range map[string]error{"nobody": p.Forgive(ctx, "none", by("section", "x")), "another's card": p.LiftPIN(ctx, "1001", "C-002", by("section", "x"))} {
		if !errors.Is(err, web.ErrNotFound) || p.leaves() != before {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := errors.Join(p.Forgive(ctx, "1001", by("section", "17:10に退室と本人が申告")), p.LiftPIN(ctx, "1001", "C-001", by("section", "本人確認済み"))); err != nil || p.leaves() != before+2 {
		t.Fatal(err, p.leaves()-before)
	}
	p.c.must(p.c.site.Store.Read(ctx, func(r *store.ReadTx) error {
		for i, verb := range []string{store.ActForgiven, store.ActPINReset} {
			leaf, err := r.Leaf(before + int64(i))
			if err != nil {
				return err
			}
			if body := string(leaf.Body); !strings.Contains(body, verb) || regexp.MustCompile(`\b1001\b`).MatchString(body) || strings.Contains(body, "17:10") {
				t.Errorf("leaf %q", body)
			}
		}
		return nil
	}))
}
