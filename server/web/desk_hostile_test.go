package web_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"monban/server/directory"
)

// hostileTexts are what no free text of a form may hold (VE-5).
var hostileTexts = map[string]string{
	"NUL": "a\x00b", "escape": "a\x1b[2Jb", "C1 control": "a\u009bb", "RTL mark": "a\u200fb", "RTL override": "a\u202eb", "RTL isolate": "a\u2067b", "zero width": "a\u200bb",
	"line separator": "a\u2028b", "not UTF-8": "a\xed\xa0\x80b", "10 kB": strings.Repeat("漢", 3500), "My Number": "本人 1234-5678-9018 確認",
}

// deskState is everything that the desk keeps, as text.
func (s *site) deskState() string {
	s.Helper()
	d, ctx := s.mem.Desk, s.Context()
	visits, err1 := d.OpenVisits(ctx)
	permits, err2 := d.Permits(ctx)
	cards, err3 := d.TemporaryCards(ctx)
	stopped, err4 := d.Suspensions(ctx)
	emergencies, err5 := d.Emergencies(ctx)
	carries, err6 := d.Carries(ctx)
	loans, err7 := d.KeyLoans(ctx)
	badges, err8 := d.ListBadges(ctx)
	of, err9 := d.VisitSite(ctx)
	for _, err := range []error{err1, err2, err3, err4, err5, err6, err7, err8, err9} {
		if err != nil {
			s.Fatal(err)
		}
	}
	for i := range visits {
		visits[i].Owed = nil // what is owed follows from the time
	}
	b, err := json.Marshal([]any{visits, permits, cards, stopped, emergencies, carries, loans, badges, of.Settings})
	if err != nil {
		s.Fatal(err)
	}
	return string(b)
}

// VE-5, VE-1, EQ-1, EQ-4, AD-14, AD-16, AD-17: each free text of each form of the desk × each hostile text: refused as the sender's fault, with a
// sentence on the page beside the form, and nothing is applied. The same form without it goes through.
func TestHostileForms(t *testing.T) {
	s := newHall(t)
	clerk, asker, office, manager := s.login("clerk"), s.login("asker"), s.login("office"), s.login("manager")
	for _, c := range []string{clerk, office, manager} {
		s.proved(c)
	}
	permit := url.Values{"days": {"mon", "tue"}, "from": {"22:00"}, "to": {"05:00"}, "first": {noon().Format("2006-01-02")}, "last": {directory.DateOf(noon()).FiscalYearEnd().String()}}
	for k, v := range with(audit(), "type", "cleaning", "zones", "media-store") {
		if k != "from" && k != "until" {
			permit[k] = v
		}
	}
	carry := url.Values{"direction": {"in"}, "zone": {"server-room"}, "doors": {"server-room-1"}, "purpose": {"ディスク交換"}, "attendee": {"1001"}, "impact": {"none"}, "checker": {"1002"}}
	for _, c := range []struct {
		path, cookie string
		form         url.Values
		fields       []string
	}{
		{"/applications/new", asker, audit(), []string{"purpose", "system", "section", "company", "guests", "attendee"}},
		{"/applications/permit", asker, permit, []string{"purpose", "system", "section", "company", "guests"}},
		{"/visits/urgent", clerk, with(audit(), "approver", "1001"), []string{"purpose", "system", "section", "company", "guests", "approver"}},
		{"/temporary", clerk, url.Values{"person": {"1003"}, "identity": {"driving_licence"}, "badge": {"仮-1"}, "reason": {"置き忘れ"}}, []string{"person", "badge", "reason"}},
		{"/stopped", clerk, url.Values{"card": {"C-2"}, "reason": {"本人から電話"}}, []string{"reason"}},
		{"/equipment", clerk, carry, []string{"purpose", "impact_note", "items", "attendee", "checker"}},
		{"/ledgers/keys", clerk, url.Values{"key": {"KEY-1"}, "person": {"1001"}, "purpose": {"扉の点検"}}, []string{"person", "purpose"}},
		{"/emergency", clerk, url.Values{"zones": {"server-room"}, "persons": {"1001"}, "hours": {"2"}, "reason": {"地震による漏水"}}, []string{"persons", "reason"}},
		{"/ledgers/badges", office, url.Values{"id": {"B-20"}, "label": {"120"}, "kind": {"visitor"}, "look": {"赤"}, "format": {"H10301"}, "assurance": {"uid_only"}, "facility": {"77"}, "number": {"48213"}, "reason": {"新規"}},
			[]string{"id", "label", "look", "reason"}},
		{"/ledgers/forms", office, url.Values{"keys": {"鍵受払簿"}, "reason": {"規程の改正"}}, []string{"keys", "reason"}},
		{"/ledgers/purposes/server-room", manager, url.Values{"ask": {"yes"}, "labels": {"巡回"}, "reason": {"規程の改正"}}, []string{"labels", "reason"}},
	} {
		for _, field := range c.fields {
			for name, bad := range hostileTexts {
				if field == "guests" {
					bad += "、サキタ"
				}
				what := c.path + " " + field + " " + name
				before := s.deskState()
				res := s.post(c.path, c.cookie, with(c.form, field, bad))
				doc := text(t, res)
				switch {
				case res.StatusCode != http.StatusUnprocessableEntity && res.StatusCode != http.StatusBadRequest:
					t.Errorf("%s: %s", what, res.Status)
				case res.StatusCode == http.StatusUnprocessableEntity && len(faults(doc)) == 0:
					t.Errorf("%s: refused without a word", what)
				}
				for _, f := range faults(doc) {
					if strings.Contains(f, "5678") || strings.ContainsAny(f, "\x00\x1b\u202e\u200f") {
						t.Errorf("%s: the sentence repeats it: %q", what, f)
					}
				}
				if s.deskState() != before {
					t.Fatalf("%s: refused, and something was applied", what)
				}
			}
		}
		s.goes(c.path, c.path, c.cookie, c.form)
	}
}
