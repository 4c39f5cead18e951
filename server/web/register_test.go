package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"monban/server/web"
)

// RR-1, RR-2, RA-4: the register shows each row with its reason, leaves a trace of names that were shown, and refuses a period that
// is none.
func TestRegisterPage(t *testing.T) {
	s := newSite(t, nil)
	cookie := s.login(web.RoleZoneManager.String())
	page := text(t, s.get("/register?zone=server-room&all=1", cookie))
	for _, want := range []string{"令和", "髙橋 美咲", "渡邉 一郎", "退室未記録", "入室未記録", "退室者不明", "開扉者不明", "未入室", "拒否", "消去済", "社員証", "電池 A-1042", "本人申告 14:50 退室。髙橋 美咲が確認", "遵守事項 第4版に同意", "目的は本人の申告", "10:02:00"} {
		if !strings.Contains(page, want) {
			t.Errorf("the register does not say %q", want)
		}
	}
	if page := text(t, s.get("/register?zone=server-room", cookie)); strings.Contains(page, "葛") {
		t.Error("refusals stand in the register unasked")
	}
	if page := text(t, s.get("/register?zone=server-room&dates=western", cookie)); strings.Contains(page, "令和8") || !strings.Contains(page, "2026年") {
		t.Error("dates are not Western")
	}
	var seen int
	for _, a := range s.mem.Actions() {
		if a.Kind == web.ActionViewRegister && a.Target == "server-room" {
			seen++
		}
	}
	if seen != 3 {
		t.Errorf("%d traces of three views", seen)
	}
	for _, q := range []string{"zone=nowhere", "zone=server-room&from=2026-11-24&to=2026-11-23", "zone=server-room&from=x", "zone=server-room&from=2024-01-01&to=2026-01-01"} {
		res := s.get("/register?"+q, cookie)
		if res.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", q, res.StatusCode)
		}
	}
}

// RR-3, RR-6, RA-1: reception sees who is inside, also one who was seen after their stated exit: whom the source lists is listed, and marked only
// when it says so; the system administrator sees how many and no name; the future is not known.
func TestPresentPage(t *testing.T) {
	s := newSite(t, nil)
	page := text(t, s.get("/present?zone=server-room", s.login(web.RoleReception.String())))
	if !strings.Contains(page, "𠮷田 太郎") || !strings.Contains(page, "1人") {
		t.Error("reception does not see who is inside")
	}
	if strings.Contains(page, "退室したと申し出ています(確認待ち)") {
		t.Error("somebody who was seen later is marked as unsure")
	}
	cookie := s.login(web.RoleSystemAdmin.String())
	for _, path := range []string{"/present?zone=server-room", "/register?zone=server-room&all=1"} {
		page = text(t, s.get(path, cookie))
		for _, name := range []string{"髙橋", "渡邉", "北浜", "電池", "電池交換", "基幹系"} {
			if strings.Contains(page, name) {
				t.Errorf("%s shows the system administrator %s", path, name)
			}
		}
	}
	for at, want := range map[string]int{"2099-01-01T00:00": http.StatusUnprocessableEntity, "x": http.StatusUnprocessableEntity, "2026-01-01T00:00": http.StatusOK} {
		res := s.get("/present?zone=server-room&at="+url.QueryEscape(at), cookie)
		if res.StatusCode != want {
			t.Errorf("at %s: %d", at, res.StatusCode)
		}
	}
}
