package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/server/web"
	"monban/server/web/webtest"
)

// RA-1, users.md "Denied: now what?": in one click from the live page the counter and the zone manager read who was refused last at a door, a sentence
// to say aloud, and who can mend it; each look is a leaf that names the door.
func TestLastDenial(t *testing.T) {
	s := newSite(t, nil)
	counter := s.login("reception")
	if page := text(t, s.get("/live", counter)); !strings.Contains(page, `href="/doors/server-room-1/last-denial"`) {
		t.Error("the live page has no link to it")
	}
	if page := text(t, s.get("/live", s.login("system_administrator"))); strings.Contains(page, "last-denial") {
		t.Error("the live page of a system administrator links to names")
	}
	n := len(s.mem.Actions())
	page := shown(t, s.get("/doors/server-room-1/last-denial", counter))
	for _, want := range []string{"サーバ室 正面:最後の拒否", "いまの時間帯は入室が許可されていません", "入退室管理者:許可を追加・延長します", "渡邉 さくら", "より安全な種類のカード", "7分前", "/doors/media-store/last-denial"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if strings.Contains(page, "/log/") {
		t.Error("the counter is sent to the log")
	}
	if got := s.mem.Actions()[n:]; len(got) != 1 || got[0].Kind != web.ActionViewDenial || got[0].Target != "server-room-1" {
		t.Errorf("leaves %+v", got)
	}
	if page := shown(t, s.get("/doors/server-room-1/last-denial", s.login("zone_manager"))); !strings.Contains(page, "/log/"+webtest.AttemptID(8)) {
		t.Error("the zone manager is not sent to the line of the log")
	}
	if page := shown(t, s.get("/doors/server-room-2/last-denial", counter)); !strings.Contains(page, "拒否はありません") {
		t.Error("a door without a denial")
	}
	s.status("no such door", s.get("/doors/none/last-denial", counter), http.StatusNotFound)
	media := s.as("media", web.Assignment{Role: web.RoleReception, Zone: "media-store"})
	s.status("a door of another zone", s.get("/doors/server-room-1/last-denial", media), http.StatusForbidden)
	s.status("the own zone's", s.get("/doors/media-store/last-denial", media), http.StatusOK)
	if page := text(t, s.get("/live", media)); strings.Contains(page, "server-room-1/last-denial") || !strings.Contains(page, "media-store/last-denial") {
		t.Error("the live page links to another zone's door")
	}
	s.mem.FailAudit = http.ErrAbortHandler
	res := s.get("/doors/server-room-1/last-denial", counter)
	s.status("without a leaf", res, http.StatusInternalServerError)
	if strings.Contains(text(t, res), "渡邉 さくら") {
		t.Error("no leaf, and a name all the same")
	}
}

// Each reason for which a door stays shut says who can mend it; only faults of the machines are sent to the system administrator.
func TestEveryDenialCanBeMended(t *testing.T) {
	s := newSite(t, nil)
	counter := s.login("reception")
	machine := access.ReasonSet(0)
	for _, r := range []access.Reason{access.ReasonUndecided, access.ReasonUnknownDoor, access.ReasonNoPolicy, access.ReasonClockUntrusted, access.ReasonPolicyBehind, access.ReasonPolicyExpired,
		access.ReasonOfflineDeny, access.ReasonOutboxFull, access.ReasonNotDurable, access.ReasonKnowledgeMissing, access.ReasonExitUnattributed, access.ReasonRecoveryCard, access.ReasonEmergencyEntry} {
		machine = machine.With(r)
	}
	for _, r := range access.Reasons() {
		if r == access.ReasonGranted {
			continue
		}
		s.mem.Day = []web.Attempt{{ID: webtest.AttemptID(1), At: time.Now().In(tokyo), Door: "server-room-1", DoorName: "サーバ室 正面", Result: web.ResultDenied, Reason: r}}
		page := shown(t, s.get("/doors/server-room-1/last-denial", counter))
		if got := strings.Contains(page, "システム管理者:扉の装置"); got != machine.Has(r) {
			t.Errorf("%s: the machines are to blame: %v", r, got)
		}
	}
}

// RA-5: who leaves is stopped as a whole in one press, at once; the cards of somebody who is stopped open nothing.
func TestLeaverIsStopped(t *testing.T) {
	s := newSite(t, nil)
	chief := s.login("ciso")
	form := func(reason string) map[string][]string {
		return map[string][]string{"purpose": {"退職"}, "reason": {reason}}
	}
	res := s.post("/people/1002/stop", chief, form(""))
	s.status("no reason", res, http.StatusUnprocessableEntity)
	s.status("stopped", s.post("/people/1002/stop", chief, form("退職")), http.StatusSeeOther)
	s.status("stopped twice", s.post("/people/1002/stop", chief, form("退職")), http.StatusConflict)
	if page := shown(t, s.get("/people/1002?purpose=x", chief)); !strings.Contains(page, "停止中") || !strings.Contains(page, "/people/1002/start") || !strings.Contains(page, "本人が停止中") && !strings.Contains(page, "停止(棚卸") {
		t.Error("the page does not show that the person is stopped")
	}
	s.status("started again", s.post("/people/1002/start", chief, form("復職")), http.StatusSeeOther)
	if to := s.post("/people/1001/stop", chief, form("退職")).Header.Get("Location"); !strings.Contains(to, "done=person_stopped") {
		t.Error(to)
	}
	if to := s.post("/people/1001/start", chief, form("復職")).Header.Get("Location"); !strings.Contains(to, "done=waits") {
		t.Errorf("to start somebody with rights at level 3 again did not wait: %s", to)
	}
}
