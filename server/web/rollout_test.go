package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"monban/server/web"
)

// OP-4: the page says in words how a roll-out stands; who runs the machines stops it and goes on, each with a reason and a leaf.
func TestRolloutPage(t *testing.T) {
	s := newSite(t, nil)
	admin, officer := s.login("system_administrator"), s.login("csirt")
	shows := func(lang string, words ...string) {
		t.Helper()
		res := s.get("/updates?lang="+lang, admin)
		doc := text(t, res)
		for _, w := range words {
			if !strings.Contains(doc, w) {
				t.Errorf("%s: no %q", lang, w)
			}
		}
	}
	shows("ja", "停止中", "gw-2 は新しい版で正常に動かず", "ここで停止", "4 台中 2 台", "受け取りませんでした", `action="/updates/resume"`)
	if doc := text(t, s.get("/updates", officer)); strings.Contains(doc, "<form method=\"post\" action=\"/updates") {
		t.Error("who only looks has a form")
	}
	s.status("who only looks goes on", s.post("/updates/resume", officer, url.Values{"reason": {"x"}}), http.StatusForbidden)

	before := len(s.mem.Actions())
	s.status("without a reason", s.post("/updates/resume", admin, url.Values{"reason": {" "}}), http.StatusUnprocessableEntity)
	s.status("nobody of that name", s.post("/updates/resume", admin, url.Values{"reason": {"電源を直した"}, "without": {"gw-9"}}), http.StatusNotFound)
	if got := s.acts(before); len(got) != 0 {
		t.Fatalf("leaves %v", got)
	}
	s.status("resume", s.post("/updates/resume", admin, url.Values{"reason": {"電源を直した"}, "without": {"gw-2"}}), http.StatusSeeOther)
	s.status("resume again", s.post("/updates/resume", admin, url.Values{"reason": {"x"}}), http.StatusSeeOther)
	shows("ja", "配布中", "4 台中 3 台", `action="/updates/stop"`)
	s.status("stop", s.post("/updates/stop", admin, url.Values{"reason": {"様子を見る"}}), http.StatusSeeOther)
	if got := s.acts(before); !slices.Equal(got, []web.ActionKind{web.ActionRolloutResumed, web.ActionRolloutStopped}) {
		t.Errorf("leaves %v", got)
	}
	s.mem.Rollouts.Now = web.Rollout{}
	shows("ja", "まだありません")
}
