package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"monban/server/web"
	"monban/server/web/webtest"
)

// mediaOnly is somebody with these roles for the media store and for no other zone.
func (s *site) mediaOnly(name, person string, r ...web.Role) string {
	s.Helper()
	a := web.Account{Person: person}
	for _, x := range r {
		a.Roles = append(a.Roles, web.Assignment{Role: x, Zone: "media-store"})
	}
	s.people(map[string]web.Account{name: a})
	return s.login(name)
}

// AD-14, RA-1: the officer of one zone opens no other: neither by breaking the glass nor by agreeing to what somebody asked for.
func TestEmergencyByZone(t *testing.T) {
	s := newHall(t)
	media, clerk := s.mediaOnly("media", "1004", web.RoleZoneManager), s.login("clerk")
	s.proved(media)
	s.proved(clerk)
	form := url.Values{"zones": {"server-room"}, "persons": {"1001"}, "hours": {"2"}, "reason": {"地震による漏水"}}
	s.status("break the glass of another zone", s.post("/emergency", media, with(form, "break_glass", "yes")), http.StatusForbidden)
	both := with(form, "break_glass", "yes")
	both["zones"] = []string{"media-store", "server-room"}
	s.status("of the own and another", s.post("/emergency", media, both), http.StatusForbidden)
	s.status("of no zone", s.post("/emergency", media, with(form, "break_glass", "yes", "zones", "")), http.StatusUnprocessableEntity)
	s.goes("asked", "/emergency", clerk, form)
	list, _ := s.mem.Desk.Emergencies(t.Context())
	if len(list) != 1 || list[0].FromMS != 0 {
		t.Fatalf("asked: %+v", list)
	}
	at := "/emergency/" + list[0].ID
	if doc := text(t, s.get("/emergency", media)); strings.Contains(doc, at+"/agree") {
		t.Error("the officer of another zone is offered to agree")
	}
	s.status("agree for another zone", s.post(at+"/agree", media, nil), http.StatusForbidden)
	if list, _ = s.mem.Desk.Emergencies(t.Context()); list[0].FromMS != 0 {
		t.Error("it is in force")
	}
	s.status("of none", s.post("/emergency/NONE/agree", media, nil), http.StatusNotFound)
	s.goes("the own zone", "/emergency", media, with(form, "break_glass", "yes", "zones", "media-store"))
}

// AD-17, RA-1: a card opens wherever its holder has rights, so that the officer of one zone does not make it good again.
func TestResumeByZone(t *testing.T) {
	s := newHall(t)
	media, clerk := s.mediaOnly("media", "1004", web.RoleZoneManager), s.login("clerk")
	s.goes("stop", "/stopped", clerk, url.Values{"card": {"C-2"}, "reason": {"本人から電話"}})
	list, _ := s.mem.Desk.Suspensions(t.Context())
	at := "/stopped/" + list[0].ID
	s.goes("asked", at+"/ask", clerk, url.Values{"note": {"見つかった"}})
	s.proved(media)
	if doc := text(t, s.get("/stopped", media)); strings.Contains(doc, at+"/resume") {
		t.Error("the officer of another zone is offered to agree")
	}
	s.status("agree", s.post(at+"/resume", media, nil), http.StatusForbidden)
	if list, _ = s.mem.Desk.Suspensions(t.Context()); len(list) != 1 {
		t.Error("the card is good again")
	}
}

// VR-2, VR-12: a reason that is no text is the sender's fault and not the server's.
func TestReasonIsText(t *testing.T) {
	s := newSite(t, nil)
	manager, officer := s.login(web.RoleZoneManager.String()), s.login(web.RoleCSIRT.String())
	for _, bad := range []string{"\xff\xfe", "a\x00b", "\x1b[31m"} {
		s.status("review", s.post("/review/server-room/"+ago(1), manager, url.Values{"act": {"day_signed"}, "seen": {"41"}, "reason": {bad}}), http.StatusBadRequest)
		s.status("case", s.post("/findings/f-2", officer, url.Values{"act": {"finding_noted"}, "text": {bad}}), http.StatusBadRequest)
	}
	s.status("several lines", s.post("/findings/f-2", officer, url.Values{"act": {"finding_noted"}, "text": {"一\r\n二\t三"}}), http.StatusSeeOther)
}

// PR-2, RA-4: what somebody types into an address does not become part of a leaf.
func TestReviewOfNoZone(t *testing.T) {
	s := newSite(t, nil)
	cookie := s.login(web.RoleZoneManager.String())
	before := len(s.mem.Actions())
	for _, zone := range []string{"髙橋", strings.Repeat("z", 9000), "%FF", "nowhere"} {
		s.status("zone", s.get("/review/"+zone+"/"+ago(1), cookie), http.StatusNotFound)
		s.status("act", s.post("/review/"+zone+"/"+ago(1), cookie, url.Values{"act": {"day_signed"}, "seen": {"41"}}), http.StatusNotFound)
	}
	for _, a := range s.mem.Actions()[before:] {
		if a.Kind == web.ActionViewReview {
			t.Errorf("a view of %.20q", a.Target)
		}
	}
}

// RA-4: a form that is refused, or shown before the last press, names people as the page before it does, and leaves the same trace.
func TestRefusedFormsAreLooks(t *testing.T) {
	s := newSite(t, nil)
	chief := s.login("ciso")
	s.proved(chief)
	id := webtest.AttemptID(0x51)
	for what, c := range map[string]struct {
		path string
		form url.Values
		want int
		name string
		kind web.ActionKind
	}{
		"withdrawal":  {"/proposals/" + id + "/withdraw", nil, http.StatusUnprocessableEntity, "𠮷田 誠", web.ActionViewProposals},
		"grant's end": {"/grants/+end", url.Values{"id": {"1001/server-room/office"}}, http.StatusUnprocessableEntity, "髙橋 健一", web.ActionViewGrants},
		"grant":       {"/grants/+change", url.Values{"id": {"1001/server-room/office"}}, http.StatusUnprocessableEntity, "髙橋 健一", web.ActionViewGrants},
		"preview":     {"/grants", grantForm(), http.StatusOK, "", web.ActionViewGrants},
		"rehearsal":   {"/rehearse", nil, http.StatusUnprocessableEntity, "", web.ActionViewProposals},
	} {
		n := len(s.mem.Actions())
		res := s.post(c.path, chief, c.form)
		s.status(what, res, c.want)
		if page := shown(t, res); !strings.Contains(page, c.name) {
			t.Errorf("%s names nobody: nothing is tested", what)
		}
		if got := s.kinds(n); !slices.Contains(got, c.kind) {
			t.Errorf("%s: leaves %v, want %s", what, got, c.kind)
		}
	}
}

// EQ-1, EQ-4, RA-1: carry sessions, keys and the names of forms of other zones are out of reach of the manager of one zone: as if they were
// not there.
func TestDeskByZone(t *testing.T) {
	s := newHall(t)
	media, clerk := s.mediaOnly("media", "1004", web.RoleZoneManager), s.login("clerk")
	carry := url.Values{"direction": {"in"}, "zone": {"server-room"}, "doors": {"server-room-1"}, "purpose": {"ディスク交換"}, "attendee": {"1001"}, "impact": {"none"}, "checker": {"1002"}}
	s.status("open a session of another zone", s.post("/equipment", media, carry), http.StatusNotFound)
	s.goes("opened", "/equipment", clerk, carry)
	list, _ := s.mem.Desk.Carries(t.Context())
	at := "/equipment/" + list[0].ID
	if doc := text(t, s.get("/equipment", media)); strings.Contains(doc, at+"/") {
		t.Error("the manager of another zone is offered to work at the session")
	}
	for _, act := range []string{"/shut", "/items", "/settle"} {
		s.status(act, s.post(at+act, media, url.Values{"items": {"ディスク, SN-1"}, "note": {"x"}}), http.StatusNotFound)
	}
	if list, _ = s.mem.Desk.Carries(t.Context()); list[0].Closed.Done() || len(list[0].Items) != 0 || list[0].Settled.Done() {
		t.Errorf("the session has changed: %+v", list[0])
	}

	loan := url.Values{"key": {"KEY-1"}, "person": {"1001"}, "purpose": {"扉の点検"}}
	s.status("lend a key of another zone", s.post("/ledgers/keys", media, loan), http.StatusNotFound)
	s.goes("lent", "/ledgers/keys", clerk, loan)
	loans, _ := s.mem.Desk.KeyLoans(t.Context())
	back := "/ledgers/keys/" + loans[0].ID + "/return"
	if doc := text(t, s.get("/ledgers", media)); strings.Contains(doc, back) || strings.Contains(doc, "/ledgers/forms") {
		t.Error("the manager of another zone is offered the key, or the names of forms")
	}
	s.status("take it back", s.post(back, media, nil), http.StatusNotFound)
	if loans, _ = s.mem.Desk.KeyLoans(t.Context()); len(loans) != 1 {
		t.Error("the key is back")
	}
	s.status("of none", s.post("/ledgers/keys/NONE/return", media, nil), http.StatusNotFound)

	s.status("see the names of forms", s.get("/ledgers/forms", media), http.StatusNotFound)
	s.status("change them", s.post("/ledgers/forms", media, url.Values{"keys": {"鍵"}, "reason": {"x"}}), http.StatusNotFound)
}
