package web_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"monban/server/web"
)

// VR-1, D27: whoever works findings sees what the rules count by. What the configuration asks for and finds less waits: only the CISO office agrees, with
// a reason and on what was on the page, and nobody who keeps the machines.
func TestThresholds(t *testing.T) {
	s := newSite(t, nil)
	officer := s.login(web.RoleCISO.String())
	page := text(t, s.get("/thresholds", s.login(web.RoleZoneManager.String())))
	for _, want := range []string{"検知のしきい値", "1つの扉での未登録カード", "最長の在室(レベル1)", "12時間", "対象外", "7:00", "同意待ち", "次の起動から", "[review]"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(page, "/thresholds/agree") || strings.Count(page, "同意待ち") < 2 {
		t.Error("a zone manager may agree, or what waits is not shown")
	}
	page = text(t, s.get("/thresholds", officer))
	m := regexp.MustCompile(`name="of" value="([0-9a-f]{64})"`).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no form for the CISO office:\n%s", page)
	}
	agree := func(cookie, of, reason string) *http.Response {
		return s.post("/thresholds/agree", cookie, url.Values{"of": {of}, "reason": {reason}})
	}
	s.status("no reason", agree(officer, m[1], " "), http.StatusUnprocessableEntity)
	s.status("other numbers", agree(officer, strings.Repeat("0", 64), "試行"), http.StatusConflict)
	s.status("the auditor", agree(s.login(web.RoleAuditor.String()), m[1], "x"), http.StatusForbidden)
	phc, err := web.HashPassword(goodPassword, cheap)
	if err != nil {
		t.Fatal(err)
	}
	s.mem.PutAccount(web.Account{ID: "BOTH", Name: "both", PasswordHash: phc, Roles: []web.Assignment{{Role: web.RoleCISO}, {Role: web.RoleSystemAdmin}}})
	both := s.login("both")
	if strings.Contains(text(t, s.get("/thresholds", both)), "/thresholds/agree") {
		t.Error("whoever keeps the machines may agree to their own numbers")
	}
	s.status("who keeps the machines", agree(both, m[1], "x"), http.StatusForbidden)
	n := len(s.mem.Actions())
	s.status("the CISO office", agree(officer, m[1], "閉庁日の巡回のため"), http.StatusSeeOther)
	if acts := s.mem.Actions()[n:]; len(acts) == 0 || acts[len(acts)-1].Kind != web.ActionThresholds || acts[len(acts)-1].Reason != "閉庁日の巡回のため" {
		t.Errorf("no leaf: %+v", acts)
	}
	s.status("twice", agree(officer, m[1], "x"), http.StatusConflict)
	if page := text(t, s.get("/thresholds", officer)); strings.Contains(page, "同意待ち") || !strings.Contains(page, "次の起動から有効になります") {
		t.Error("what is agreed still waits, or nothing says from when it counts")
	}
}

// VR-1: whoever works findings looks what other numbers would have found. It is no leaf and changes nothing; numbers that are none are refused
// beside their fields; a role of one zone sees no place of another.
func TestThresholdPreview(t *testing.T) {
	s := newSite(t, nil)
	officer := s.login(web.RoleReviewer.String())
	page := text(t, s.get("/thresholds", officer))
	for _, want := range []string{`name="unknown_cards" type="text" value="8"`, `name="window" type="text" value="10m"`, `name="usual_from" type="text" value="7:00"`, `name="overstay_level_1" type="text" value="0"`, `name="first_use" type="text" value="180d"`} {
		if !strings.Contains(page, want) {
			t.Errorf("no field %s", want)
		}
	}
	if strings.Contains(page, `name="offline_after"`) {
		t.Error("silent gateways are looked at")
	}
	before := len(s.mem.Actions())
	for _, bad := range []url.Values{
		{"unknown_cards": {"x"}}, {"unknown_cards": {"99"}}, {"window": {"10"}}, {"window": {"-1m"}}, {"window": {"2h"}}, {"usual_from": {"25:00"}}, {"usual_from": {"7"}},
		{"usual_from": {"21:00"}, "usual_until": {"20:00"}}, {"flood": {"99999999999999999999"}},
	} {
		r := s.post("/thresholds/preview", officer, bad)
		s.status(bad.Encode(), r, http.StatusUnprocessableEntity)
		if page := text(t, r); !strings.Contains(page, `aria-invalid="true"`) && !strings.Contains(page, `role="alert"`) {
			t.Errorf("%s: nothing says what is wrong", bad.Encode())
		}
	}
	r := s.post("/thresholds/preview", officer, url.Values{"unknown_cards": {"4"}, "window": {"20m"}, "usual_from": {"8:30"}, "usual_until": {"24:00"}, "first_use": {"30d"}})
	s.status("a look", r, http.StatusSeeOther)
	if to := r.Header.Get("Location"); to != "/thresholds/preview/DONE" {
		t.Errorf("led to %s", to)
	}
	page = text(t, s.get("/thresholds/preview/DONE", officer))
	for _, want := range []string{"1つの扉での未登録カード", "20分", "8:30", "2件減", "1件増", "同数", "検知されない", "新たに検知"} {
		if !strings.Contains(page, want) {
			t.Errorf("the result does not say %q", want)
		}
	}
	if n := len(s.mem.Actions()); n != before {
		t.Errorf("%d leaves", n-before)
	}
	if page := text(t, s.get("/thresholds/preview/RUNNING", officer)); !strings.Contains(page, `http-equiv="refresh"`) || !strings.Contains(page, "24000件のうち6000件") {
		t.Error("a look that goes on does not say how far it is")
	}
	if page := text(t, s.get("/thresholds/preview/FAILED", officer)); !strings.Contains(page, "調べられませんでした") {
		t.Error("a look that failed does not say so")
	}
	s.status("none", s.get("/thresholds/preview/none", officer), http.StatusNotFound)
	media := s.mediaOnly("media", "", web.RoleReviewer)
	if page := text(t, s.get("/thresholds/preview/DONE", media)); strings.Count(page, "検知されない") != 1 {
		t.Error("a role of one zone sees a place of another, or not its own")
	}
	s.mem.Thresholds.Busy = true
	r = s.post("/thresholds/preview", officer, url.Values{})
	s.status("another goes on", r, http.StatusUnprocessableEntity)
	if !strings.Contains(text(t, r), "ほかの人が調べています") {
		t.Error("nothing says why")
	}
}
