package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"monban/server/web"
	"monban/server/web/webtest"
)

// VR-12: a manager puts a correction beside a row in one step; a person asks for one on their own page and gets an answer from somebody
// else; nothing without a reason, nothing about another's entry, nothing by who may not sign.
func TestCorrectionPages(t *testing.T) {
	s := newSite(t, nil)
	manager := s.login(web.RoleZoneManager.String())
	day := "/review/server-room/" + ago(1)
	page := text(t, s.get(day, manager))
	for _, want := range []string{"/findings/f-2", "確認項目", "記録の途切れ", "訂正する", `id="found"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the day does not hold %q", want)
		}
	}
	if i, j := strings.Index(page, `id="found"`), strings.Index(page, `id="first"`); i < 0 || j < i {
		t.Error("findings do not come first")
	}
	row := webtest.AttemptID(7)
	s.status("form", s.get(day+"/correct?row="+row, manager), http.StatusOK)
	s.status("no such row", s.get(day+"/correct?row=zz", manager), http.StatusNotFound)
	right := url.Values{"row": {row}, "purpose": {"電池の交換"}, "reason": {"聞き違い"}}
	res := s.post(day+"/correct", manager, with(right, "reason", ""))
	s.status("no reason", res, http.StatusUnprocessableEntity)
	if doc := text(t, res); !strings.Contains(doc, "電池の交換") || !strings.Contains(doc, `aria-invalid="true"`) {
		t.Error("what was typed is gone, or the fault is not at its field")
	}
	s.status("nothing right", s.post(day+"/correct", manager, with(right, "purpose", "")), http.StatusUnprocessableEntity)
	s.status("a time of no calendar", s.post(day+"/correct", manager, with(right, "in", "yesterday")), http.StatusUnprocessableEntity)
	s.status("made", s.post(day+"/correct", manager, right), http.StatusSeeOther)
	s.status("an auditor", s.post(day+"/correct", s.login(web.RoleAuditor.String()), right), http.StatusForbidden)
	s.status("another zone's reviewer", s.post(day+"/correct", s.mediaOnly("media", "", web.RoleReviewer), right), http.StatusForbidden)

	s.people(map[string]web.Account{"holder": {Person: "1001", Roles: []web.Assignment{{Role: web.RoleApplicant}}}, "holder2": {Person: "1001", Roles: []web.Assignment{{Role: web.RoleZoneManager}}}})
	holder := s.login("holder")
	own := url.Values{"row": {row}, "purpose": {"定期点検"}, "reason": {"押し間違えた"}}
	s.status("somebody else", s.post("/me/own/correction", manager, own), http.StatusForbidden)
	s.status("asked", s.post("/me/own/correction", holder, own), http.StatusSeeOther)
	if doc := text(t, s.get("/me/own", holder)); !strings.Contains(doc, "回答待ち") {
		t.Error("the page does not say that it waits")
	}
	list := text(t, s.get("/review?zone=server-room", manager))
	for _, want := range []string{"訂正の申出", "定期点検", "押し間違えた"} {
		if !strings.Contains(list, want) {
			t.Errorf("the list does not hold %q", want)
		}
	}
	id := "correction-2026-00002"
	at := "/corrections/server-room/" + id
	s.status("by the same person", s.post(at, s.login("holder2"), url.Values{"do": {"accept"}}), http.StatusForbidden)
	s.status("refused without a word", s.post(at, manager, url.Values{"do": {"refuse"}}), http.StatusUnprocessableEntity)
	s.status("of another zone", s.post("/corrections/media-store/"+id, manager, url.Values{"do": {"accept"}}), http.StatusNotFound)
	s.status("answered", s.post(at, manager, url.Values{"do": {"accept"}, "answer": {"確認しました"}}), http.StatusSeeOther)
	s.status("twice", s.post(at, manager, url.Values{"do": {"accept"}}), http.StatusNotFound)
	if doc := text(t, s.get("/me/own", holder)); !strings.Contains(doc, "認められました 確認しました") {
		t.Error("the answer is not shown")
	}
}

// VR-10: two signatures are asked for by who decides it, with a reason, and refused while fewer than two persons may sign; a deputy
// with dates counts only then.
func TestTwoSignatures(t *testing.T) {
	s := newSite(t, nil)
	chief := s.login("ciso")
	rule := func(two string) *http.Response {
		return s.post("/review/rule", chief, url.Values{"zone": {"server-room"}, "two": {two}, "reason": {"規程第8条"}})
	}
	for _, r := range []web.Role{web.RoleSectionManager, web.RoleReviewer} {
		a, err := s.mem.AccountByID(t.Context(), accountID(r))
		if err != nil {
			t.Fatal(err)
		}
		a.Roles = nil
		s.mem.PutAccount(a)
	}
	now := time.Now()
	s.people(map[string]web.Account{"deputy": {Person: "1002", Roles: []web.Assignment{{Role: web.RoleReviewer, Zone: "server-room", From: now.Add(-48 * time.Hour), Until: now.Add(-time.Hour)}}}})
	if doc := text(t, s.get("/review?zone=server-room", chief)); !strings.Contains(doc, "署名できる人が一人しかいません") {
		t.Error("nobody is told that one person is too few")
	}
	res := rule("yes")
	s.status("one person", res, http.StatusConflict)
	if !strings.Contains(text(t, res), "先に代理を決めてください") {
		t.Error("the refusal does not say what to do")
	}
	deputy, _ := s.mem.AccountByName(t.Context(), "deputy")
	deputy.Roles[0].Until = now.Add(time.Hour)
	s.mem.PutAccount(deputy)
	s.status("a reason", s.post("/review/rule", chief, url.Values{"zone": {"server-room"}, "two": {"yes"}}), http.StatusUnprocessableEntity)
	s.status("not the manager", s.post("/review/rule", s.login(web.RoleZoneManager.String()), url.Values{"zone": {"server-room"}, "two": {"no"}, "reason": {"x"}}), http.StatusForbidden)
	s.status("two persons", rule("yes"), http.StatusSeeOther)

	manager, second := s.login(web.RoleZoneManager.String()), s.login("deputy")
	day := "/review/server-room/" + ago(1)
	sign := func(cookie, act string) *http.Response {
		return s.post(day, cookie, url.Values{"act": {act}, "seen": {"41"}})
	}
	s.status("signed", sign(manager, "day_signed"), http.StatusSeeOther)
	if page := text(t, s.get(day, manager)); !strings.Contains(page, "副署待ち") || strings.Contains(page, "day_countersigned") {
		t.Error("the signer is offered to countersign, or the day does not wait")
	}
	s.status("by the signer", sign(manager, "day_countersigned"), http.StatusConflict)
	s.status("by the deputy", sign(second, "day_countersigned"), http.StatusSeeOther)
	if page := text(t, s.get(day, second)); !strings.Contains(page, "署名済") {
		t.Error("two signatures do not finish the day")
	}
	quiet := url.Values{"zone": {"server-room"}, "from": {ago(6)}, "to": {ago(0)}}
	s.status("quiet days", s.post("/review", manager, quiet), http.StatusSeeOther)
	s.status("not by the signer again", s.post("/review", manager, quiet), http.StatusConflict)
	s.status("countersigned in one act", s.post("/review", second, quiet), http.StatusSeeOther)
}

// VR-11: what is new since somebody's last look at a day is told.
func TestLastLook(t *testing.T) {
	s := newSite(t, nil)
	manager := s.login(web.RoleZoneManager.String())
	day := "/review/server-room/" + ago(1)
	if page := text(t, s.get(day, manager)); strings.Contains(page, "前回") {
		t.Error("a first look knows of one before")
	}
	if page := text(t, s.get(day, manager)); !strings.Contains(page, "から変わっていません") {
		t.Error("a second look does not say that nothing has changed")
	}
}
