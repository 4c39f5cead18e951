package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"monban/server/review"
	"monban/server/web"
)

// A10: the CISO office calls the threats what the city's rules call them, with a reason; each change is a new version, and a finding that was made
// before it keeps the name that it had.
func TestThreatsAreNamed(t *testing.T) {
	s := newSite(t, nil)
	ciso, officer := s.login("ciso"), s.login("csirt")
	form := func(first, reason string) url.Values {
		v := url.Values{"reason": {reason}}
		for i, x := range review.Threats() {
			v.Set(string(x), "自然災害・故障")
			if i == 0 {
				v.Set(string(x), first)
			}
		}
		return v
	}
	doc := text(t, s.get("/findings/threats", ciso))
	for _, want := range []string{"標準の名称", "なりすまし", "扉のこじ開け", `action="/findings/threats"`} {
		if !strings.Contains(doc, want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Contains(doc, "脅迫") {
		t.Error("the page says to everybody that a PIN under duress is found")
	}
	if doc := text(t, s.get("/findings/threats", officer)); strings.Contains(doc, `action="/findings/threats"`) {
		t.Error("who may not change it is offered the form")
	}
	before := len(s.mem.Actions())
	for name, bad := range map[string]url.Values{
		"no reason": form("内部不正", ""), "no name": form("", "規程の改正"), "too long": form(strings.Repeat("長", 61), "規程の改正"), "an Individual Number": form("123456789018", "規程の改正"),
	} {
		if s.status(name, s.post("/findings/threats", ciso, bad), http.StatusUnprocessableEntity); len(s.mem.Actions()) != before {
			t.Errorf("%s: something was kept", name)
		}
	}
	s.status("another role", s.post("/findings/threats", officer, form("内部不正", "x")), http.StatusForbidden)
	old := text(t, s.get("/findings/f-2", officer))
	at := len(s.mem.Actions())
	s.status("saved", s.post("/findings/threats", ciso, form("内部不正", "規程の改正")), http.StatusSeeOther)
	if got := s.acts(at); len(got) != 1 || got[0] != web.ActionThreats {
		t.Errorf("leaves %v", got)
	}
	doc = text(t, s.get("/findings/threats", ciso))
	if !strings.Contains(doc, "第 1 版") || !strings.Contains(doc, "内部不正") {
		t.Error("the new version is not shown")
	}
	if now := text(t, s.get("/findings/f-2", officer)); !strings.Contains(old, "脅威") || strings.Contains(now, "内部不正") || strings.Contains(now, "自然災害・故障") {
		t.Error("a finding from before has the new name")
	}
	s.status("the same again", s.post("/findings/threats", ciso, form("内部不正", "もう一度")), http.StatusSeeOther)
	if doc := text(t, s.get("/findings/threats", ciso)); strings.Contains(doc, "第 2 版") {
		t.Error("a version that says the same")
	}
}
