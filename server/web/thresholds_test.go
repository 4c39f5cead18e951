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
