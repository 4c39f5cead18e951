package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"monban/server/visit"
	"monban/server/web"
)

func local(d time.Duration) string { return time.Now().In(tokyo).Add(d).Format("2006-01-02T15:04") }

// OP-8: a door goes on paper with ticket, owner and end; lines are typed in and compared by somebody else; the officer of one zone does none
// of it in another; numbered blanks are printed.
func TestPaperMode(t *testing.T) {
	s := newSite(t, nil)
	manager, reviewer, media := s.login(web.RoleZoneManager.String()), s.login(web.RoleReviewer.String()), s.mediaOnly("media", "1004", web.RoleZoneManager)
	out := url.Values{"door": {"server-room-1"}, "ticket": {"修-12"}, "owner": {"設備係"}, "from": {local(0)}, "until": {local(72 * time.Hour)}, "why": {"読取部の故障"}}
	res := s.post("/outages", manager, with(out, "ticket", ""))
	s.status("no ticket", res, http.StatusUnprocessableEntity)
	if !strings.Contains(text(t, res), `aria-invalid="true"`) {
		t.Error("the fault is not at its field")
	}
	s.status("31 days", s.post("/outages", manager, with(out, "until", local(31*24*time.Hour))), http.StatusUnprocessableEntity)
	s.status("another zone", s.post("/outages", media, out), http.StatusForbidden)
	s.status("reception", s.post("/outages", s.login(web.RoleReception.String()), out), http.StatusForbidden)
	s.status("out of service", s.post("/outages", manager, out), http.StatusSeeOther)
	paper := url.Values{"no": {"入-00001-03"}, "door": {"server-room-1"}, "name": {"𠮷田 誠"}, "purpose": {"定期点検"}, "in": {local(-2 * time.Hour)}, "out": {local(-time.Hour)}}
	s.status("out before in", s.post("/outages/paper", manager, with(paper, "out", local(-3*time.Hour))), http.StatusUnprocessableEntity)
	s.status("typed for another zone", s.post("/outages/paper", media, paper), http.StatusForbidden)
	s.status("typed", s.post("/outages/paper", manager, paper), http.StatusSeeOther)
	page := text(t, s.get("/outages", manager))
	for _, want := range []string{"修-12", "設備係", "紙で記録中", "照合待ち", "𠮷田 誠"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(page, "/compare") {
		t.Error("who typed it is offered to compare it")
	}
	if doc := text(t, s.get("/outages", media)); strings.Contains(doc, "修-12") || strings.Contains(doc, "𠮷田 誠") {
		t.Error("another zone's doors are shown")
	}
	compare := "/outages/paper/" + visit.KindPaper + "-2026-00001/compare"
	s.status("by who typed it", s.post(compare, manager, url.Values{}), http.StatusForbidden)
	s.status("compared", s.post(compare, reviewer, url.Values{}), http.StatusSeeOther)
	s.status("twice", s.post(compare, reviewer, url.Values{}), http.StatusConflict)
	s.status("ended", s.post("/outages/outage-2026-00001/end", manager, url.Values{"note": {"交換"}}), http.StatusSeeOther)
	if doc := text(t, s.get("/outages", s.login(web.RoleSystemAdmin.String()))); strings.Contains(doc, "𠮷田 誠") || strings.Contains(doc, "設備係") {
		t.Error("the system administrator reads names")
	}
	blank := text(t, s.get("/outages/blank?kind=keys&from=41&count=2", manager))
	for _, want := range []string{"鍵-00041-01", "鍵-00042-12"} {
		if !strings.Contains(blank, want) {
			t.Errorf("the sheets do not hold %q", want)
		}
	}
	for _, bad := range []string{"from=0", "from=x", "count=21", "from=100000"} {
		s.status(bad, s.get("/outages/blank?"+bad, manager), http.StatusUnprocessableEntity)
	}
}

// OP-6, OP-7: a drill names its doors and is ended; the disaster mode puts alarms of one kind together, says so, and hides none of them.
func TestDrillAndDisaster(t *testing.T) {
	s := newSite(t, nil)
	manager, guard := s.login(web.RoleZoneManager.String()), s.login(web.RoleReception.String())
	drill := url.Values{"doors": {"server-room-1"}, "from": {local(time.Minute)}, "until": {local(time.Hour)}, "why": {"避難訓練"}}
	s.status("no doors", s.post("/outages/drills", manager, with(drill, "doors", "")), http.StatusUnprocessableEntity)
	s.status("another zone", s.post("/outages/drills", s.mediaOnly("media", "1004", web.RoleZoneManager), drill), http.StatusForbidden)
	s.status("a guard's drill", s.post("/outages/drills", guard, drill), http.StatusForbidden)
	s.status("planned", s.post("/outages/drills", manager, drill), http.StatusSeeOther)
	s.status("ended", s.post("/outages/drills/drill-2026-00001/end", manager, url.Values{}), http.StatusSeeOther)

	again := s.mem.Items[0]
	again.ID, again.Door, again.DoorName = "f-9", "server-room-1", "サーバ室 正面"
	s.mem.Items = append(s.mem.Items, again)
	before := text(t, s.get("/findings", manager))
	s.status("25 hours", s.post("/outages/drills", guard, url.Values{"disaster": {"yes"}, "until": {local(25 * time.Hour)}, "why": {"地震"}}), http.StatusUnprocessableEntity)
	s.status("disaster", s.post("/outages/drills", guard, url.Values{"disaster": {"yes"}, "until": {local(3 * time.Hour)}, "why": {"地震"}}), http.StatusSeeOther)
	after := text(t, s.get("/findings", manager))
	if strings.Contains(before, "災害モード(") || !strings.Contains(after, "災害モード(") {
		t.Error("the page does not say whether a disaster is on")
	}
	if strings.Contains(before, "同じ種類のもの1件") || !strings.Contains(after, "同じ種類のもの1件") {
		t.Error("doors are not put together, or are without a disaster")
	}
	for _, id := range []string{"/findings/f-9", "/findings/f-3", "/findings/f-2", "/findings/f-1"} {
		if !strings.Contains(after, id) {
			t.Errorf("%s is hidden", id)
		}
	}
}
