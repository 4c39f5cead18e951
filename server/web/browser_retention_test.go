package web_test

import (
	"net/http"
	"net/url"
	"testing"
)

// EV-8: the pages of retention, with a run that waits, one that is approved and a hold, in both languages and widths, by a person who may approve.
func TestBrowserRetention(t *testing.T) {
	b, s := openBrowser(t, "chief_security_officer", "/retention")
	other := s.login("ciso")
	for path, form := range map[string]url.Values{
		"/retention/holds":     {"class": {"violation"}, "from": {"2020"}, "to": {"2022"}, "until": {"2027-03-31"}, "reason": {"訴訟のため"}},
		"/retention/disposals": {"class": {"register"}, "year": {"2021"}, "reason": {"保存期間の満了"}},
	} {
		s.status(path, s.post(path, other, form), http.StatusSeeOther)
	}
	b.looks("retention", "/retention")
	b.looks("retention-run", "/retention/disposal-2026-00001")
}
