package app

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"monban/server/review"
	"monban/server/store"
)

// The end of a certificate that only a person can renew is a finding 90, 60 and 30 days before, each once; nothing while it renews itself.
func TestCertificateEndsIsFound(t *testing.T) {
	cfg := testSite(t)
	withSite(t, cfg, func(s *Site) {
		a := &App{site: s, log: quiet}
		found := func() (details []string) {
			t.Helper()
			err := s.Store.Read(t.Context(), func(r *store.ReadTx) error {
				list, _, err := r.Findings(false, 0, 100)
				for i := range list {
					if list[i].Kind == string(review.CertificateEnds) {
						details = append(details, list[i].Detail)
					}
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(details)
			return details
		}
		_, issuing, _, _ := s.CA.Ends()
		left := func(days int) time.Time { return issuing.AddDate(0, 0, -days).Add(-time.Hour) }
		a.sayEnd(t.Context(), time.Now())
		if got := found(); len(got) != 0 {
			t.Errorf("renewed by itself: %v", got)
		}
		if err := os.Remove(filepath.Join(cfg.CA.Dir, "root.key")); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			days int
			want []string
		}{{91, nil}, {90, []string{"days-90"}}, {88, []string{"days-90"}}, {60, []string{"days-60", "days-90"}}, {31, []string{"days-60", "days-90"}}, {3, []string{"days-30", "days-60", "days-90"}}} {
			for range 2 { // another day, and after a restart
				a.sayEnd(t.Context(), left(c.days))
				if got := found(); !slices.Equal(got, c.want) {
					t.Errorf("%d days left: %v, want %v", c.days, got, c.want)
				}
				a.endSaid = 0
			}
		}
	})
}
