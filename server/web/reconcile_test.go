package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"monban/server/web"
)

// VR-6: lines of a paper ledger are compared with the day's register: matched, log only, paper only; what cannot be read is told by its line.
func TestReconcilePage(t *testing.T) {
	s := newSite(t, nil)
	manager := s.login(web.RoleZoneManager.String())
	at := "/review/server-room/" + ago(1) + "/reconcile"
	s.status("form", s.get(at, manager), http.StatusOK)
	page := text(t, s.post(at, manager, url.Values{"paper": {"09:05 11:38 髙橋美咲\r\n\r\n10:00 - 佐藤 花子\n09:02　02:10　渡邉　一郎"}}))
	for _, want := range []string{"一致 2", "記録だけ", "紙だけ 1", "佐藤花子", "髙橋 美咲"} {
		if !strings.Contains(page, want) {
			t.Errorf("the comparison does not say %q", want)
		}
	}
	if !strings.Contains(page, "照合の結果を記録しました") {
		t.Error("the page does not say that the result is kept")
	}
	for typed, line := range map[string]string{"09:05 x 髙橋": "1行目", "09:05 10:00 髙橋\n9時 - 佐藤": "2行目", "09:05 10:00": "1行目"} {
		res := s.post(at, manager, url.Values{"paper": {typed}})
		s.status(typed, res, http.StatusUnprocessableEntity)
		if !strings.Contains(text(t, res), line) {
			t.Errorf("%q: not told by its line", typed)
		}
	}
	list := text(t, s.get("/review/calendar?zone=server-room", s.login(web.RoleAuditor.String())))
	for _, want := range []string{"紙の管理簿との照合の結果", "一致 2", "紙だけ 1", "900"} {
		if !strings.Contains(list, want) {
			t.Errorf("the auditor's list of comparisons does not say %q", want)
		}
	}
	if got := strings.Count(list, "一致 "); got != 1 {
		t.Errorf("%d comparisons are listed: what could not be read compared nothing", got)
	}
	s.status("nothing", s.post(at, manager, url.Values{"paper": {" \n"}}), http.StatusUnprocessableEntity)
	s.status("another zone", s.get(at, s.mediaOnly("media", "1004", web.RoleReviewer)), http.StatusForbidden)
	s.status("auditor", s.post(at, s.login(web.RoleAuditor.String()), url.Values{"paper": {"09:05 - a"}}), http.StatusForbidden)
}
