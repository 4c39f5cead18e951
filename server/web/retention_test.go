package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"monban/server/web"
)

// RA-2, EV-8: what is disposed of is no zone's, so a role for one zone neither asks nor approves, and is offered nothing.
func TestRetentionOfOneZone(t *testing.T) {
	s := newSite(t, nil)
	zone := s.mediaOnly("mediaciso", "", web.RoleCISO)
	for _, path := range []string{"/retention/rules", "/retention/disposals", "/retention/disposals/x", "/retention/holds", "/retention/holds/x"} {
		s.status(path, s.post(path, zone, url.Values{"class": {"register"}, "year": {"2021"}, "years": {"1"}, "reason": {"保存期間の満了"}}), http.StatusForbidden)
	}
	if page := text(t, s.get("/retention", zone)); strings.Contains(page, "<form method=\"post\" action=\"/retention") {
		t.Error("offers what is refused")
	}
	if page := text(t, s.get("/retention", s.login("ciso"))); !strings.Contains(page, "<form method=\"post\" action=\"/retention") {
		t.Error("offers nothing to the whole site's: nothing is tested")
	}
}

// EV-8, RA-2: on the page of retention one person asks for a disposal and another approves it; what is early, held or asked for already is refused and said; a hold
// takes two to end. Each step needs a reason and is a leaf.
func TestRetentionPage(t *testing.T) {
	s := newSite(t, nil)
	first, second := s.login("ciso"), s.login("chief_security_officer")
	ask := url.Values{"class": {"register"}, "year": {"2021"}, "reason": {"保存期間の満了"}}
	with := func(form url.Values, key, value string) url.Values {
		out := url.Values{}
		for k, v := range form {
			out[k] = v
		}
		out.Set(key, value)
		return out
	}
	s.status("without a reason", s.post("/retention/disposals", first, with(ask, "reason", " ")), http.StatusUnprocessableEntity)
	s.status("early", s.post("/retention/disposals", first, with(ask, "year", "2026")), http.StatusUnprocessableEntity)
	before := len(s.mem.Actions())
	open := s.post("/retention/disposals", first, with(with(ask, "class", "violation"), "year", "2019")) // EV-8: a case that nobody has closed
	s.status("an open case", open, http.StatusUnprocessableEntity)
	if !strings.Contains(text(t, open), "インシデントまたは案件があります") {
		t.Error("does not say why a year with an open case may not go")
	}
	s.status("asked", s.post("/retention/disposals", first, ask), http.StatusSeeOther)
	s.status("asked again", s.post("/retention/disposals", second, ask), http.StatusUnprocessableEntity)
	page := text(t, s.get("/retention", first))
	if strings.Contains(page, `value="approve"`) {
		t.Error("the one who asked is offered to approve")
	}
	run := "/retention/disposals/disposal-2026-00001"
	s.status("by the one who asked", s.post(run, first, url.Values{"do": {"approve"}, "reason": {"確認"}}), http.StatusUnprocessableEntity)
	if page := text(t, s.get("/retention", second)); !strings.Contains(page, `value="approve"`) {
		t.Error("another person is not offered to approve")
	}
	s.status("approved", s.post(run, second, url.Values{"do": {"approve"}, "reason": {"確認"}}), http.StatusSeeOther)
	s.status("approved twice", s.post(run, second, url.Values{"do": {"approve"}, "reason": {"確認"}}), http.StatusUnprocessableEntity)
	if n := len(s.mem.Actions()) - before; n < 2 {
		t.Errorf("%d leaves of two steps", n)
	}
	s.status("the record", s.get("/retention/disposal-2026-00001", s.login("auditor")), http.StatusOK)
	s.status("no such record", s.get("/retention/disposal-2026-00009", second), http.StatusNotFound)
	hold := url.Values{"class": {""}, "from": {"2020"}, "to": {"2022"}, "until": {"2027-03-31"}, "reason": {"訴訟"}}
	s.status("a hold of no years", s.post("/retention/holds", first, with(hold, "to", "2019")), http.StatusUnprocessableEntity)
	s.status("held", s.post("/retention/holds", first, hold), http.StatusSeeOther)
	s.status("held", s.post("/retention/disposals", first, with(ask, "class", "action")), http.StatusUnprocessableEntity)
	s.status("release asked", s.post("/retention/holds/hold-00001", first, url.Values{"reason": {"終結"}}), http.StatusSeeOther)
	s.status("release by one", s.post("/retention/holds/hold-00001", first, url.Values{"reason": {"終結"}}), http.StatusUnprocessableEntity)
	s.status("released", s.post("/retention/holds/hold-00001", second, url.Values{"reason": {"終結"}}), http.StatusSeeOther)
	s.status("a period", s.post("/retention/rules", first, url.Values{"class": {"register"}, "years": {"5"}, "reason": {"規程の改正"}}), http.StatusSeeOther)
	s.status("of the log itself", s.post("/retention/rules", first, url.Values{"class": {"system"}, "years": {"5"}, "reason": {"x"}}), http.StatusUnprocessableEntity)
	s.status("an auditor", s.post("/retention/disposals", s.login("auditor"), ask), http.StatusForbidden)
}
