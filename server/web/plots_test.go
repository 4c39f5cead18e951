package web_test

import (
	"net/http"
	"strings"
	"testing"

	"monban/server/web"
)

func init() {
	pagePaths = append(pagePaths, "/plots", "/plots?zone=server-room&from=x", "/plots?zone=server-room&from=2026-11-01&to=2026-11-30")
	probes = append(probes, probe{"GET /plots", "/plots?zone=server-room", nil})
}

// RR-4, RA-4: each picture has its sentence and its table; names that were shown leave a trace; a day's stays are those of the register.
func TestPlots(t *testing.T) {
	s := newSite(t, nil)
	cookie := s.login(web.RoleAuditor.String())
	page := text(t, s.get("/plots?zone=server-room&from="+ago(0)+"&to="+ago(0), cookie))
	for _, want := range []string{"在室の帯", "入室の時間帯", "扉ごとの拒否", "ゲートウェイとの通信", "年度の確認状況", "着手と確認", "髙橋 美咲", "渡邉 一郎", "日・祝", "1件", "stroke-dasharray", "時計 0.0秒"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if n := strings.Count(page, `role="img" aria-label="`); n < 5 || n > strings.Count(page, "<figure")+strings.Count(page, "class=\"sheet figure\"") {
		t.Errorf("%d pictures with a sentence", n)
	}
	if n := len(s.mem.Actions()); s.mem.Actions()[n-1].Kind != web.ActionViewRegister {
		t.Errorf("no trace of the names: %v", s.mem.Actions()[n-1])
	}
	for _, q := range []string{"from=x", "from=2026-11-24&to=2026-11-23", "from=2026-01-01&to=2026-11-30", "zone=nowhere"} {
		s.status(q, s.get("/plots?"+q, cookie), http.StatusUnprocessableEntity)
	}
	s.status("the system administrator", s.get("/plots", s.login(web.RoleSystemAdmin.String())), http.StatusForbidden)
}
