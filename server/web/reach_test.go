package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"monban/server/web"
	"monban/server/web/webtest"
)

// RA-1, PR-4: a role for one zone shows the records of that zone and no other's: log, register, who is present, review, cases, the live
// page. A role for the whole site beside it shows everything.
func TestZoneRoleSeesItsZone(t *testing.T) {
	s := newSite(t, nil)
	for _, r := range []web.Role{web.RoleZoneManager, web.RoleSectionManager, web.RoleReviewer} {
		media := s.mediaOnly("media"+r.String(), "", r)
		day := text(t, s.get("/log", media))
		if !strings.Contains(day, "𠮷田 太郎") {
			t.Errorf("%s: the own zone's entry is missing", r)
		}
		for page, at := range map[string]string{"log": "/log", "live": "/live", "findings": "/findings", "register": "/register", "present": "/present", "review": "/review"} {
			doc := text(t, s.get(at, media))
			for _, other := range []string{"﨑山 健太", "渡邉 さくら", "サーバ室 正面</bdi>", `value="server-room"`, "𩸽 海斗"} {
				if page == "live" && strings.HasPrefix(other, "サーバ室") {
					continue // that a door works is not whose it is
				}
				if strings.Contains(doc, other) {
					t.Errorf("%s: %s shows %q of another zone", r, page, other)
				}
			}
		}
		for at, want := range map[string]int{
			"/log/" + webtest.AttemptID(9): http.StatusForbidden, "/log/" + webtest.AttemptID(7): http.StatusOK,
			"/log?door=server-room-1":    http.StatusBadRequest,
			"/findings/f-3":              http.StatusForbidden,
			"/findings/f-2":              http.StatusOK,
			"/register?zone=media-store": http.StatusOK, "/register?zone=server-room": http.StatusUnprocessableEntity,
			"/present?zone=server-room":         http.StatusUnprocessableEntity,
			"/review?zone=server-room":          http.StatusUnprocessableEntity,
			"/review/calendar?zone=server-room": http.StatusUnprocessableEntity,
			"/review/server-room/" + ago(1):     http.StatusForbidden,
		} {
			s.status(r.String()+" "+at, s.get(at, media), want)
		}
		s.status("note on another's case", s.post("/findings/f-3", media, map[string][]string{"act": {"finding_noted"}, "text": {"x"}}), http.StatusForbidden)
	}
	s.people(map[string]web.Account{"both": {Roles: []web.Assignment{{Role: web.RoleReviewer, Zone: "media-store"}, {Role: web.RoleAuditor},
		{Role: web.RoleCSIRT, Until: time.Now().Add(-time.Hour)}}}})
	if doc := text(t, s.get("/log", s.login("both"))); !strings.Contains(doc, "﨑山 健太") {
		t.Error("an auditor of the site does not see the site")
	}
	s.people(map[string]web.Account{"apply": {Roles: []web.Assignment{{Role: web.RoleReviewer, Zone: "media-store"}, {Role: web.RoleApplicant},
		{Role: web.RoleCSIRT, Until: time.Now().Add(-time.Hour)}}}})
	if doc := text(t, s.get("/log", s.login("apply"))); strings.Contains(doc, "﨑山 健太") {
		t.Error("a role that does not let anybody in here, or is over, widens what is seen")
	}
	s.people(map[string]web.Account{"machines": {Roles: []web.Assignment{{Role: web.RoleReviewer, Zone: "media-store"}, {Role: web.RoleSystemAdmin}}}})
	if doc := text(t, s.get("/log", s.login("machines"))); strings.Contains(doc, "﨑山 健太") || !strings.Contains(doc, "𠮷田") {
		t.Error("a role for the whole site that sees no names shows names of the whole site")
	}
	s.people(map[string]web.Account{"csirt-media": {Roles: []web.Assignment{{Role: web.RoleCSIRT, Zone: "media-store"}}}})
	for _, at := range []string{"/incidents", "/incidents/incident-2026-00001"} {
		s.status("incident by a role for one zone", s.get(at, s.login("csirt-media")), http.StatusForbidden)
	}
}

// RA-1: programs see what the account of their token sees.
func TestZoneRoleByAPI(t *testing.T) {
	s := newAPISite(t, nil)
	s.people(map[string]web.Account{"media": {Roles: []web.Assignment{{Role: web.RoleReviewer, Zone: "media-store"}}}})
	a, err := s.mem.AccountByName(t.Context(), "media")
	if err != nil {
		t.Fatal(err)
	}
	token := s.token(a.ID, 1<<web.RoleReviewer)
	log := text(t, s.call("GET", "/api/1/log", token, ""))
	if !strings.Contains(log, "𠮷田") || strings.Contains(log, "﨑山") {
		t.Errorf("log: %s", log)
	}
	if found := text(t, s.call("GET", "/api/1/findings", token, "")); !strings.Contains(found, `"f-2"`) || strings.Contains(found, `"f-3"`) {
		t.Errorf("findings: %s", found)
	}
	if visits := text(t, s.call("GET", "/api/1/visits", token, "")); strings.Contains(visits, "server-room") {
		t.Errorf("visits: %s", visits)
	}
	s.status("door", s.call("GET", "/api/1/log?door=server-room-1", token, ""), http.StatusBadRequest)
	s.status("attempt", s.call("GET", "/api/1/log/"+webtest.AttemptID(9), token, ""), http.StatusForbidden)
	s.status("own attempt", s.call("GET", "/api/1/log/"+webtest.AttemptID(7), token, ""), http.StatusOK)
}
