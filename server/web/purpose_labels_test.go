package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"monban/firmware/access"
	"monban/server/web"
)

// RR-7, RA-1: who answers for a zone sets what the keys of its readers stand for, with a reason, and whether people are asked; nobody else does,
// and of another zone nothing is seen. A refused form changes nothing.
func TestPurposeLabels(t *testing.T) {
	s := newHall(t)
	manager, media := s.login("manager"), s.mediaOnly("media", "1004", web.RoleZoneManager)
	at := "/ledgers/purposes/server-room"
	form := url.Values{"ask": {"yes"}, "labels": {"巡回\r\n\r\n障害対応\r\n\r\n"}, "reason": {"規程の改正"}}
	settings := func() []string {
		x, err := s.mem.Desk.VisitSite(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return x.Settings.PurposeLabels["server-room"]
	}
	for what, c := range map[string][2]string{
		"no reason": {"reason", ""}, "ten lines": {"labels", strings.Repeat("点検\n", 10)}, "too long": {"labels", strings.Repeat("長", 200)}, "a My Number": {"labels", "作業者 123456789018"},
		"a mark that turns the line": {"labels", "点検\u202e"},
	} {
		res := s.post(at, manager, with(form, c[0], c[1]))
		s.status(what, res, http.StatusUnprocessableEntity)
		if doc := text(t, res); !strings.Contains(doc, `id="purposes-server-room-`+c[0]+`-error"`) {
			t.Errorf("%s: %v, want a fault at %s", what, faults(doc), c[0])
		}
		if got := settings(); got != nil {
			t.Fatalf("%s: set to %q", what, got)
		}
	}
	s.status("a clerk", s.post(at, s.login("clerk"), form), http.StatusForbidden)
	s.status("another zone's manager", s.post(at, media, form), http.StatusNotFound)
	s.status("no such zone", s.post("/ledgers/purposes/nowhere", manager, form), http.StatusNotFound)
	s.goes("set", at, manager, form)
	if got := settings(); !slices.Equal(got, []string{"巡回", "", "障害対応"}) {
		t.Errorf("set: %q", got)
	}
	if doc := text(t, s.get("/ledgers/purposes", manager)); !strings.Contains(doc, "<li><bdi>障害対応</bdi></li>") {
		t.Error("the page does not show what is set")
	}
	if doc := text(t, s.get("/ledgers/purposes", media)); strings.Contains(doc, "障害対応") || !strings.Contains(doc, "媒体保管庫") {
		t.Error("the page of another zone's manager")
	}
	s.goes("asks no more", at, manager, with(form, "ask", "", "labels", ""))
	x, _ := s.mem.Desk.VisitSite(t.Context())
	if x.Settings.AsksPurpose("server-room") || !x.Settings.AsksPurpose("media-store") || len(x.Settings.PurposeLabels) != 0 {
		t.Errorf("after: %+v", x.Settings)
	}
	s.goes("asks again", at, manager, with(form, "labels", ""))
	if x, _ = s.mem.Desk.VisitSite(t.Context()); !x.Settings.AsksPurpose("server-room") || !slices.Contains(x.Settings.PurposeZones, access.ZoneID("media-store")) {
		t.Errorf("again: %+v", x.Settings.PurposeZones)
	}
}
