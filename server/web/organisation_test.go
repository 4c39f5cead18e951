package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"monban/server/web"
)

// A33: whose papers these are and whom to ask is said once, with a reason; papers, the sticker of a door and the way of set-up follow.
func TestOrganisation(t *testing.T) {
	s := newSite(t, nil)
	admin, auditor, guard := s.login(web.RoleSystemAdmin.String()), s.login(web.RoleAuditor.String()), s.login(web.RoleChiefSecurity.String())
	good := url.Values{"name": {"多賀城市"}, "name_en": {"Tagajo City"}, "section": {"情報政策課"}, "phone": {"022-368-1141"}, "address": {"中央二丁目1番1号"}, "reason": {"初期設定"}}
	before := len(s.mem.Actions())
	for key, bad := range map[string]string{"name": "", "section": " ", "phone": strings.Repeat("1", 41), "reason": "", "address": "a\x01", "name_en": "123456789018"} {
		wrong := url.Values{}
		for k, v := range good {
			wrong[k] = v
		}
		wrong.Set(key, bad)
		res := s.post("/reports/organisation", admin, wrong)
		s.status(key, res, http.StatusUnprocessableEntity)
		if doc := text(t, res); strings.Count(doc, `aria-invalid="true"`) != 1 || !strings.Contains(doc, `id="`+key+`-error"`) {
			t.Errorf("%s: the fault is not at its field alone", key)
		}
	}
	if o, _ := s.mem.Sources().Reports.Organisation(t.Context()); o.Name != "" || len(s.mem.Actions()) != before {
		t.Errorf("what was refused is kept: %+v", o)
	}
	f := &s.mem.Startup.Facts
	f.Organisation = false
	if doc := text(t, s.get("/startup", admin)); !strings.Contains(doc, `href="/reports/organisation"`) {
		t.Error("the way of set-up does not lead to the page")
	}
	s.status("saved", s.post("/reports/organisation", admin, good), http.StatusSeeOther)
	if got := s.acts(before); len(got) != 1 || got[0] != web.ActionOrganisation {
		t.Errorf("leaves %v", got)
	}
	if doc := text(t, s.get("/reports/organisation", admin)); !strings.Contains(doc, `value="022-368-1141"`) {
		t.Error("the page does not show what was saved")
	}
	if file := text(t, s.get(s.paper(auditor)+"/0", auditor)); !strings.Contains(file, "<dt>多賀城市</dt>") || !strings.Contains(file, "情報政策課 022-368-1141") {
		t.Error("the register does not say whose it is and whom to ask")
	}
	if doc := text(t, s.get("/doors/server-room-1/papers", guard)); !strings.Contains(doc, `value="022-368-1141"`) || !strings.Contains(doc, "022-368-1141 ") && strings.Count(doc, "022-368-1141") < 3 {
		t.Error("the sticker does not name the number to ring")
	}
	if doc := text(t, s.get("/doors/server-room-1/papers?extension=4321", guard)); strings.Contains(doc, "022-368-1141") {
		t.Error("a door's own extension is not what is printed")
	}
	good.Set("phone", "022-368-9999")
	s.status("changed", s.post("/reports/organisation", admin, good), http.StatusSeeOther)
	if file := text(t, s.get(s.paper(auditor)+"/0", auditor)); !strings.Contains(file, "022-368-9999") || strings.Contains(file, "022-368-1141") {
		t.Error("the paper does not follow the change")
	}
	for _, r := range []web.Role{web.RoleReception, web.RoleAuditor, web.RoleZoneManager} {
		s.status(r.String(), s.post("/reports/organisation", s.login(r.String()), good), http.StatusForbidden)
	}
}
