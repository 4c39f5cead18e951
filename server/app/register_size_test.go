package app

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/store"
	"monban/server/web"
)

// RR-1, VR-11: a register and a calendar of a whole year. MONBAN_REGISTER_LINES is how many lines the year has; the time is printed, not
// judged. Without it the test is left out: it is for measuring.
func TestRegisterOfAYear(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("MONBAN_REGISTER_LINES"))
	if n < 1 {
		t.Skip("MONBAN_REGISTER_LINES is not set")
	}
	c := newCounter(t)
	h, ok := c.pub.Site().Holder(c.site.Ref(4568))
	if !ok {
		t.Fatal("unknown card")
	}
	gw := string(c.pub.Site().Door(store1).Gateway)
	begin := time.Date(2026, 4, 1, 0, 0, 0, 0, c.site.Zone)
	const batch = 2000
	for i := 0; i < n; i += batch {
		c.must(c.site.Store.Write(t.Context(), func(tx *store.Tx) error {
			for j := i; j < min(i+batch, n); j++ {
				o := h.Opening()
				at := begin.Add(time.Duration(j) * (364 * 24 * time.Hour / time.Duration(n))).UnixMilli()
				d := entrylog.Decision{Gateway: gw, Door: string(store1), Side: access.SideEnter.String(), Outcome: "denied", Reason: "outside_schedule", Policy: 1, AtMS: at, Assurance: "uid_only"}
				copy(d.Attempt[:], fmt.Sprintf("%016d", j))
				copy(d.Ask[:], fmt.Sprintf("%016d", j))
				if _, _, err := tx.AppendFirstDecision(d, &o); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	c.at = time.Date(2027, 3, 31, 12, 0, 0, 0, c.site.Zone)
	p := c.registers()
	end := directory.Date{Year: 2027, Month: 3, Day: 31}
	for range 2 {
		at := time.Now()
		reg, err := p.Register(t.Context(), web.RegisterQuery{Zone: archive, From: "2026-04-01", To: end.String(), Names: true})
		c.must(err)
		t.Logf("register: %d rows in %d ms", len(reg.Rows), time.Since(at).Milliseconds())
		at = time.Now()
		days, err := p.ReviewDays(t.Context(), archive, "2026-04-01", end.String())
		c.must(err)
		t.Logf("calendar: %d days in %d ms", len(days), time.Since(at).Milliseconds())
		at = time.Now()
		_, err = p.ReviewDays(t.Context(), archive, end.AddDays(-62).String(), end.String())
		c.must(err)
		t.Logf("62 days: %d ms", time.Since(at).Milliseconds())
	}
}
