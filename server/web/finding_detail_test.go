package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"monban/server/web"
)

// VR-1, RA-1: the queue, the case and the day's sheet say of which day, visit or card a finding is; days that nobody signed stand each alone, and so
// does the number of those that were counted. Only who may open a page gets its link.
func TestFindingsSayWhatTheyAreAbout(t *testing.T) {
	s := newAPISite(t, nil)
	now := time.Now()
	s.mem.Items = append(s.mem.Items,
		web.Finding{ID: "u-1", Kind: "unsigned_day", Severity: web.SeverityMedium, At: now.Add(-48 * time.Hour), Detail: "server-room/2026-11-20", Zone: "server-room", ZoneName: "サーバ室", Gateway: "gw-1", Open: true, Count: 1, Leaf: 21},
		web.Finding{ID: "u-2", Kind: "unsigned_day", Severity: web.SeverityMedium, At: now.Add(-24 * time.Hour), Detail: "server-room/2026-11-24", Zone: "server-room", ZoneName: "サーバ室", Gateway: "gw-1", Open: true, Count: 1, Leaf: 22},
		web.Finding{ID: "k-1", Kind: "badge_unreturned", Severity: web.SeverityMedium, At: now, Detail: "2", Matter: "visit-2026-00001", Zone: "server-room", About: "101", Gateway: "gw-1", Open: true, Count: 1, Leaf: 23},
		web.Finding{ID: "l-1", Kind: "lost_card_used", Severity: web.SeverityHigh, At: now, Detail: "lost", Door: "server-room-1", DoorName: "サーバ室 正面", Gateway: "gw-1", Open: true, Count: 1, Leaf: 24},
		web.Finding{ID: "l-2", Kind: "lost_card_used", Severity: web.SeverityHigh, At: now, Detail: "lost/more-137", Door: "server-room-1", DoorName: "サーバ室 正面", Gateway: "gw-1", Open: true, Count: 137, Leaf: 25})
	manager := s.login(web.RoleZoneManager.String())
	queue := text(t, s.get("/findings", manager))
	for _, want := range []string{"2026年11月20日", "2026年11月24日", "サーバ室", `href="/review/server-room/2026-11-20"`, `href="/review/server-room/2026-11-24"`,
		`href="/visits/visit-2026-00001"`, "来訪者の2人目", "「101」", "137回", "ほかに137件", "紛失届の出ているカード"} {
		if !strings.Contains(queue, want) {
			t.Errorf("the queue lacks %s", want)
		}
	}
	if strings.Contains(queue, "同じ種類のもの") {
		t.Error("days or a number are hidden below another")
	}
	if doc := text(t, s.get("/findings/u-2", manager)); !strings.Contains(doc, "2026年11月24日") || !strings.Contains(doc, `href="/review/server-room/2026-11-24"`) {
		t.Error("the case says no day")
	}
	if doc := text(t, s.get("/findings/l-2", manager)); !strings.Contains(doc, "137回") {
		t.Error("the case says no number")
	}
	if doc := text(t, s.call("GET", "/api/1/findings", s.tokens["auditor"], "")); !strings.Contains(doc, "2026年11月24日") || !strings.Contains(doc, "来訪者の2人目") {
		t.Errorf("programs are not told: %s", doc)
	}
	// Who sees the gateway but neither zone nor visits reads what it is about, and has no link.
	s.status("other zone's page", s.get("/review/server-room/2026-11-24", s.mediaOnly("media", "1004", web.RoleZoneManager)), http.StatusForbidden)
	admin := text(t, s.get("/findings", s.login(web.RoleSystemAdmin.String())))
	if !strings.Contains(admin, "visit-2026-00001") || strings.Contains(admin, `href="/visits/visit-2026-00001"`) {
		t.Error("a system administrator has a link to a visit, or does not read which it is")
	}
}
