package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"monban/server/web"
)

// PR-1: the CISO's office registers a purpose of use with its basis and a reason, and takes it away; each is a leaf.
// Without a reason or a basis nothing happens; the purpose that the doors run by stays.
func TestPurposesOfUse(t *testing.T) {
	s := newSite(t, nil)
	chief := s.login("ciso")
	good := url.Values{"use": {"attendance"}, "name": {"勤怠の確認のため"}, "basis": {"令和8年4月1日 市長決裁"}, "reason": {"条例の改正"}}
	for _, missing := range []string{"use", "name", "basis", "reason"} {
		form := url.Values{}
		for k, v := range good {
			if k != missing {
				form[k] = v
			}
		}
		s.status("without "+missing, s.post("/privacy", chief, form), http.StatusUnprocessableEntity)
	}
	before := len(s.mem.Actions())
	s.status("registered", s.post("/privacy", chief, good), http.StatusSeeOther)
	page := text(t, s.get("/privacy", chief))
	if !strings.Contains(page, "勤怠の確認のため") || !strings.Contains(page, "令和8年4月1日 市長決裁") {
		t.Error("the page does not show the purpose")
	}
	s.status("ended without a reason", s.post("/privacy/attendance/end", chief, nil), http.StatusUnprocessableEntity)
	s.status("the doors' own", s.post("/privacy/entry_control/end", chief, url.Values{"reason": {"x"}}), http.StatusUnprocessableEntity)
	s.status("unknown", s.post("/privacy/nothing/end", chief, url.Values{"reason": {"x"}}), http.StatusNotFound)
	s.status("ended", s.post("/privacy/attendance/end", chief, url.Values{"reason": {"条例の廃止"}}), http.StatusSeeOther)
	var kinds []web.ActionKind
	for _, k := range s.kinds(before) {
		if !strings.HasPrefix(string(k), "view_") {
			kinds = append(kinds, k)
		}
	}
	if len(kinds) != 2 || kinds[0] != web.ActionPurposeRegistered || kinds[1] != web.ActionPurposeEnded {
		t.Errorf("leaves %v", kinds)
	}
	s.status("an auditor", s.post("/privacy", s.login("auditor"), good), http.StatusForbidden)
}
