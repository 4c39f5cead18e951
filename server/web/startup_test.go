package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"monban/server/setup"
	"monban/server/web"
	"monban/server/web/webtest"
)

// DS-11, OP-9: the way to a guarded door on one page, in both languages, with the step that comes next; it says what to do only where
// something is to be done.
func TestStartupSteps(t *testing.T) {
	s := newSite(t, nil)
	admin := s.login("system_administrator")
	for lang, words := range map[string][]string{
		"ja": {"初期設定", "2 人目の管理者を登録", "通知の画面で試験送信", "全 12 項目中 11 項目完了", "観察のみ 1"},
		"en": {"Set-up", "second administrator", "Press &#34;test&#34;", "11 of 12 steps done", "of them only watched: 1"},
	} {
		doc := text(t, s.get("/startup", admin+"; monban_language="+lang))
		for _, w := range words {
			if !strings.Contains(doc, w) {
				t.Errorf("%s: no %q", lang, w)
			}
		}
		if strings.Count(doc, `aria-current="step"`) != 1 {
			t.Errorf("%s: %d steps are the next one", lang, strings.Count(doc, `aria-current="step"`))
		}
	}
	if doc := text(t, s.get("/startup", admin)); strings.Contains(doc, "/startup/door") {
		t.Error("a site with doors is offered its first one")
	}
	f := &s.mem.Startup.Facts
	f.Administrators, f.Alerted, f.BackupPlace, f.Gateways = 2, f.Now, true, f.Gateways[:1]
	if doc := text(t, s.get("/startup", admin)); !strings.Contains(doc, "初期設定は完了しています") || strings.Contains(doc, `aria-current="step"`) {
		t.Error("a site that is set up is told to go on")
	}
}

// OP-3, OP-9: a code for a gateway is shown once, on the answer alone; the fingerprint is read at the gateway and never shown here; another one
// ends the code.
func TestGatewayByCode(t *testing.T) {
	s := newSite(t, nil)
	admin := s.login("system_administrator")
	before := len(s.mem.Actions())
	at := "/startup/gateways/gw-1/invite"
	s.status("no reason", s.post(at, admin, url.Values{"life": {"15"}, "reason": {" "}}), http.StatusUnprocessableEntity)
	for _, life := range []string{"", "0", "-1", "1441", "x"} {
		s.status("life "+life, s.post(at, admin, url.Values{"life": {life}, "reason": {"x"}}), http.StatusBadRequest)
	}
	s.status("unknown", s.post("/startup/gateways/gw-9/invite", admin, url.Values{"life": {"15"}, "reason": {"x"}}), http.StatusNotFound)
	s.status("no name", s.post("/startup/gateways/%3Cb%3E/invite", admin, url.Values{"life": {"15"}, "reason": {"x"}}), http.StatusBadRequest)
	res := s.post(at, admin, url.Values{"life": {"60"}, "reason": {"故障による交換"}, "replace": {"yes"}})
	s.status("a code", res, http.StatusOK)
	made := text(t, res)
	if strings.Count(made, webtest.GatewayCode) != 1 || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the code is not shown, or may be kept: %q", res.Header.Get("Cache-Control"))
	}
	if !strings.Contains(made, "monban-gateway enrol を実行するとコードを尋ねられる") { // on the line of the command it could be read by others
		t.Error("nobody is told that enrol asks for the code")
	}
	if strings.Contains(text(t, s.get("/startup", admin)), webtest.GatewayCode) {
		t.Error("the code is shown again")
	}

	at = "/startup/gateways/gw-2/confirm"
	doc := text(t, s.get("/startup", admin))
	if !strings.Contains(doc, at) || strings.Contains(doc, webtest.GatewayPrint) {
		t.Error("the fingerprint is given away, or nobody is asked for it")
	}
	s.status("nothing typed", s.post(at, admin, url.Values{"fingerprint": {" "}}), http.StatusUnprocessableEntity)
	s.status("not come", s.post("/startup/gateways/gw-1/confirm", admin, url.Values{"fingerprint": {webtest.GatewayPrint}}), http.StatusUnprocessableEntity)
	res = s.post(at, admin, url.Values{"fingerprint": {" " + strings.ToLower(webtest.GatewayPrint) + " "}})
	if s.status("confirmed", res, http.StatusSeeOther); res.Header.Get("Location") != "/startup?done=gateway_confirmed" {
		t.Errorf("to %s", res.Header.Get("Location"))
	}
	if got := s.acts(before); len(got) != 2 || got[0] != web.ActionGatewayInvited || got[1] != web.ActionGatewayConfirmed {
		t.Errorf("leaves %v", got)
	}
	for _, a := range s.mem.Actions()[before:] {
		if strings.Contains(a.Target+a.Reason+a.Filter, webtest.GatewayCode) {
			t.Error("the code is in the log")
		}
	}

	s = newSite(t, nil)
	admin = s.login("system_administrator")
	res = s.post(at, admin, url.Values{"fingerprint": {"ZZZZ-ZZZZ-ZZZZ-ZZZZ"}})
	s.status("another gateway", res, http.StatusUnprocessableEntity)
	if !strings.Contains(text(t, res), "別の機器") {
		t.Error("nobody is told that somebody else has the code")
	}
	s.status("the right one after that", s.post(at, admin, url.Values{"fingerprint": {webtest.GatewayPrint}}), http.StatusUnprocessableEntity)
}

// DS-11: the first door goes through the import, which finds what is wrong and says it at the field.
func TestFirstDoor(t *testing.T) {
	s := newSite(t, nil)
	f := &s.mem.Startup.Facts
	*f = setup.Facts{Now: f.Now}
	chief := s.login("ciso")
	if doc := text(t, s.get("/startup", chief)); !strings.Contains(doc, `action="/startup/door"`) {
		t.Error("no form for the first door")
	}
	if doc := text(t, s.get("/startup", s.login("system_administrator"))); strings.Contains(doc, `action="/startup/door"`) {
		t.Error("who may not import is offered the form")
	}
	form := url.Values{"gateway": {"gw-1"}, "gateway_name": {"機械室前"}, "zone": {"machine-room"}, "zone_name": {"機械室"}, "level": {"2"}, "door": {"machine-1"},
		"door_name": {"機械室 扉"}, "kind": {"observe"}, "exit": {"reader"}}
	res := s.post("/startup/door", chief, form)
	if s.status("first door", res, http.StatusSeeOther); !strings.HasPrefix(res.Header.Get("Location"), "/import/") {
		t.Errorf("to %q", res.Header.Get("Location"))
	}
}

// users.md: a sticker in both languages for everybody who stands at the door, and an emergency sheet with nobody's name on it.
func TestDoorPapers(t *testing.T) {
	s := newSite(t, nil)
	guard := s.login("reception")
	doc := text(t, s.get("/doors/server-room-1/papers?extension=4321", guard))
	for _, want := range []string{"内線 4321", "Ring 4321", "短音 3 回", "three short tones", "緊急時の手順", "復旧カード（2 枚）", "退室はいつでもできます"} {
		if !strings.Contains(doc, want) {
			t.Errorf("no %q", want)
		}
	}
	for _, p := range webtest.AllPersons {
		if main := doc[strings.Index(doc, "<main"):]; strings.Contains(main, p.Name) {
			t.Errorf("the sheet on the wall names %s", p.Name)
		}
	}
	if doc := text(t, s.get("/doors/server-room-1/papers", guard)); !strings.Contains(doc, "__________") {
		t.Error("no line to write the extension on")
	}
	for _, bad := range []string{"%3Cb%3E", "%00", strings.Repeat("1", 21), "%E2%80%AE1"} {
		res := s.get("/doors/server-room-1/papers?extension="+bad, guard)
		if s.status(bad, res, http.StatusBadRequest); strings.Contains(text(t, res), "<b>") {
			t.Errorf("%s is on the page", bad)
		}
	}
	s.status("unknown door", s.get("/doors/nowhere/papers", guard), http.StatusNotFound)
	media := s.as("media", web.Assignment{Role: web.RoleZoneManager, Zone: "media-store"})
	s.status("another zone's manager", s.get("/doors/server-room-1/papers", media), http.StatusForbidden)
	observed := ""
	for _, d := range s.mem.Orders.At {
		if d.Observe {
			observed = string(d.Door)
		}
	}
	if observed == "" {
		t.Skip("no door is only watched")
	}
	if doc := text(t, s.get("/doors/"+observed+"/papers", guard)); strings.Contains(doc, "three short tones") || !strings.Contains(doc, "電気錠がありません") {
		t.Error("a door without a lock promises lights that it never shows")
	}
}

// RA-1: what belongs to no zone is not for somebody whose role is for one.
func TestSitewideActs(t *testing.T) {
	s := newSite(t, nil)
	one := s.as("one-zone", web.Assignment{Role: web.RoleCISO, Zone: "media-store"})
	admin := s.as("one-zone-admin", web.Assignment{Role: web.RoleSystemAdmin, Zone: "media-store"})
	for path, who := range map[string]string{
		"/startup/gateways/gw-1/invite": one, "/startup/gateways/gw-2/confirm": admin, "/thresholds/agree": one, "/desks": admin, "/desks/desk-1/remove": admin, "/desks/desk-1/bind": admin, "/desks/desk-1/unbind": admin, "/updates/stop": admin, "/updates/resume": admin,
	} {
		s.status(path, s.post(path, who, url.Values{"life": {"15"}, "reason": {"x"}, "fingerprint": {webtest.GatewayPrint}}), http.StatusForbidden)
	}
}
