package web_test

import (
	"net/http"
	"net/url"
	"testing"

	"monban/server/web/webtest"
)

// PR-3: one's own data and the desk of requests in both languages, wide and narrow: axe finds nothing and nothing is cut off.
func TestBrowserData(t *testing.T) {
	b, s := openBrowser(t, "ciso", "/me/data")
	other := s.login("chief_security_officer")
	const stop = "/data-requests/data_request-2026-00003"
	for i, form := range []url.Values{
		{"do": {"take"}}, {"do": {"suspend"}, "entry": {webtest.DataEntryID}, "reason": {"本人の請求"}},
		{"do": {"decide"}, "decision": {"in_part"}, "text": {"点検の記録は残す"}},
	} {
		s.status(form.Get("do"), s.post(stop, other, with(form, "seen", string(rune('1'+i)))), http.StatusSeeOther)
	}
	s.status("asked", s.post("/me/data", s.login("ciso"), url.Values{"want": {"correction"}, "text": {"退室の時刻が違う"}}), http.StatusSeeOther)
	b.looks("own-data", "/me/data")
	b.looks("own-data-period", "/me/data?from=2020-01-01&to=2020-01-02")
	b.looks("data-requests", "/data-requests?show=all")
	b.looks("data-request", "/data-requests/data_request-2026-00001")
	b.looks("data-request-stop", "/data-requests/data_request-2026-00003")
}
