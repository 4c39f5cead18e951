package app

import (
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"monban/server/directory"
	"monban/server/web"
)

// rehearseByPage tries something and gives the page of its result.
func (d *rulesDesk) rehearseByPage(account, what, from, until string) string {
	d.Helper()
	code, body, to := d.as(account, "/rehearse", url.Values{"what": {what}, "from": {from}, "until": {until}})
	if code != http.StatusSeeOther {
		d.Fatalf("%s: %d\n%s", what, code, mainOf(body))
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		code, body, _ = d.as(account, to, nil)
		if code != http.StatusOK {
			d.Fatalf("%s: %d\n%s", to, code, mainOf(body))
		}
		if !strings.Contains(body, `http-equiv="refresh"`) {
			return mainOf(body)
		}
		if time.Now().After(end) {
			d.Fatal("the rehearsal does not end within a minute")
		}
	}
}

// VR-9: by page too, a proposal "nobody after 22:00" and the same as a file name exactly the past entries that would have been
// refused, and whose rights change, before anything is in force; nothing is written but that it was asked.
func TestRehearseByPage(t *testing.T) {
	now := noonOfTest()
	d := newRulesDesk(t, &now)
	enterAt(t, d.site, "2026-11-24 09:00:00", "2026-11-24 21:59:59", "2026-11-24 22:00:00", "2026-11-24 23:30:00", "2026-11-25 05:00:00")
	before := d.dir()
	// The right to the media store of the sample is for every hour: as a file, it becomes one until ten.
	schedules := "schedule_id,name,days,from,to\nalways,常時,every,0:00,22:00\n"
	_, body, to := d.upload("a-1", "", "schedules.csv", schedules)
	if to == "" {
		t.Fatalf("no draft\n%s", mainOf(body))
	}
	draft := "import/" + strings.TrimPrefix(to, "/import/")
	page := d.rehearseByPage("a-1", draft, "2026-11-01", "2026-11-25")
	if !strings.Contains(page, "2 of 5 decisions") || strings.Count(page, `<time datetime="2026-11-24T2`) != 2 || strings.Contains(page, "21:59:59") {
		t.Errorf("the draft's page\n%s", page)
	}
	for _, want := range []string{"22:00:00", "23:30:00", "hours or days change", "﨑山"} {
		if !strings.Contains(page, want) {
			t.Errorf("the draft's page does not say %q\n%s", want, page)
		}
	}
	if !reflect.DeepEqual(d.dir(), before) {
		t.Error("a rehearsal changed the directory")
	}
	// As a proposal: a right more, for somebody who has none there.
	holders, nobody := before.Holders("archive"), directory.PersonID("")
	for i := range before.People {
		if p := &before.People[i]; p.Category == directory.Staff && p.Active && !slices.Contains(holders, p.ID) {
			nobody = p.ID
		}
	}
	ok(d.registry.Change(t.Context(), directory.Actor{Account: "a-1", From: "lan"}, "保管室の当番", func(s *directory.Snapshot) error {
		return s.PutGrant(d.registry.Today(), directory.Grant{Person: nobody, Zone: "archive", Schedule: "office"})
	}))(t)
	list := ok(d.registry.Proposals(t.Context(), false, 9))(t)
	if len(list) != 1 {
		t.Fatalf("%d proposals", len(list))
	}
	_, body, _ = d.as("a-2", "/rehearse", nil)
	d.want("what can be tried", 200, body, 200, "Proposal: 保管室の当番")
	if strings.Contains(body, "schedules.csv") {
		t.Error("the draft of another account can be tried")
	}
	page = d.rehearseByPage("a-2", "proposal/"+list[0].ID, "2026-11-01", "2026-11-25")
	if !strings.Contains(page, "gains") || !strings.Contains(page, "0 of 5 decisions") {
		t.Errorf("the proposal's page\n%s", page)
	}
	// A proposal whose row has changed since is not tried: what it would do is not what was looked at.
	zone := d.zoneForm("archive")
	zone.Set("do", "save")
	zone.Set("reason", "試験")
	zone.Set("two_person_within", "60")
	for _, proof := range []string{"mutual_auth", "uid_only"} {
		zone.Set("min_assurance", proof)
		if code, body, _ := d.as("a-1", "/zones/archive/edit", zone); code != http.StatusSeeOther {
			t.Fatalf("%d\n%s", code, mainOf(body))
		}
	}
	zone.Set("min_assurance", "mutual_auth")
	zone.Set("name", "新しい保管室")
	if code, _, to := d.as("a-1", "/zones/archive/edit", zone); to != "/zones/archive?done=rule_changed" {
		t.Fatalf("%d %s", code, to)
	}
	for _, p := range ok(d.registry.Proposals(t.Context(), false, 9))(t) {
		code, body, _ := d.as("a-1", "/rehearse", url.Values{"what": {"proposal/" + p.ID}, "from": {"2026-11-24"}, "until": {"2026-11-25"}})
		if stale := p.ID != list[0].ID; (code == http.StatusUnprocessableEntity && strings.Contains(body, "has changed since")) != stale {
			t.Errorf("proposal %s (stale %v): %d", p.Reason, stale, code)
		}
	}
	asked := 0
	for _, a := range d.mem.Actions() {
		if a.Kind == web.ActionRehearsed {
			asked++
		}
	}
	if asked != 3 {
		t.Errorf("%d rehearsals were noted, want 3", asked)
	}
	// What cannot be tried is said.
	for what, form := range map[string]url.Values{
		"a longer period": {"what": {draft}, "from": {"2026-01-01"}, "until": {"2026-11-25"}}, "backwards": {"what": {draft}, "from": {"2026-11-25"}, "until": {"2026-11-01"}},
		"no day": {"what": {draft}, "from": {"x"}, "until": {"2026-11-01"}}, "nothing": {"from": {"2026-11-01"}, "until": {"2026-11-25"}},
		"another's": {"what": {"import/NONE"}, "from": {"2026-11-01"}, "until": {"2026-11-25"}}, "a proposal that is none": {"what": {"proposal/x"}, "from": {"2026-11-01"}, "until": {"2026-11-25"}},
	} {
		if code, body, _ := d.as("a-1", "/rehearse", form); code != http.StatusUnprocessableEntity || !strings.Contains(body, `role="alert"`) && !strings.Contains(body, `class="fault"`) {
			t.Errorf("%s: %d", what, code)
		}
	}
	if code, _, _ := d.as("a-2", "/rehearse", url.Values{"what": {draft}, "from": {"2026-11-01"}, "until": {"2026-11-25"}}); code != http.StatusUnprocessableEntity {
		t.Errorf("another account tries the draft: %d", code)
	}
	for _, account := range []string{"auditor", "admin", "manager"} { // RA-1
		if code, _, _ := d.as(account, "/rehearse", url.Values{"what": {"proposal/" + list[0].ID}}); code != http.StatusForbidden {
			t.Errorf("%s may rehearse: %d", account, code)
		}
	}
}
