package directory

import (
	"slices"
	"testing"

	"monban/firmware/access"
)

// VR-5: months, days and what becomes of rights that nobody confirms are the site's.
func TestTermsOfRecertification(t *testing.T) {
	opened := day(2026, 5, 10)
	for _, c := range []struct {
		terms     Terms
		due       Date // of a round opened without one
		again     Date // first day on which the next is due
		suspended int
	}{
		{Terms{}, day(2026, 6, 9), day(2026, 11, 10), 7},
		{Terms{RoundMonths: 3, RoundDays: 14}, day(2026, 5, 24), day(2026, 8, 10), 7},
		{Terms{RoundMonths: 24, RoundDays: 60, RoundKeeps: true}, day(2026, 7, 9), day(2027, 4, 1), 0}, // 1 April comes first
	} {
		site := sampleSite(t)
		site.Terms = c.terms
		id, err := site.OpenRound("media-store", opened, Date{})
		if err != nil {
			t.Fatal(err)
		}
		if got := site.Rounds[0].Due; got != c.due {
			t.Errorf("%+v: due %v, want %v", c.terms, got, c.due)
		}
		late := site.clone()
		late.Terms = c.terms
		if n := late.CloseRounds(c.due.AddDays(1)); n != c.suspended {
			t.Errorf("%+v: %d suspended, want %d", c.terms, n, c.suspended)
		}
		open := slices.ContainsFunc(late.RoundsDue(c.due.AddDays(1)), func(r RoundDue) bool { return r.Open == id })
		if open != c.terms.RoundKeeps {
			t.Errorf("%+v: still open and overdue: %t", c.terms, open)
		}
		for _, a := range slices.Clone(site.Rounds[0].Answers) {
			if err := site.AnswerRound(id, a.Person, true, opened); err != nil {
				t.Fatal(err)
			}
		}
		due := func(d Date) bool {
			return slices.ContainsFunc(site.RoundsDue(d), func(r RoundDue) bool { return r.Zone == access.ZoneID("media-store") })
		}
		if due(c.again.AddDays(-1)) || !due(c.again) {
			t.Errorf("%+v: the next is not due on %v", c.terms, c.again)
		}
	}
}
