package retention

import (
	"math/rand/v2"
	"testing"
	"time"

	"monban/firmware/calendar"
	"monban/server/entrylog"
)

// EV-8: 2026-11-23 and 1 year is kept through 2028-03-31 and due on 2028-04-01.
func TestDueEV8(t *testing.T) {
	year := int(calendar.Date{Year: 2026, Month: time.November, Day: 23}.FiscalYear())
	r := Rule{entrylog.ClassRegister, 1}
	kept, ok := r.KeptThrough(year)
	due, ok2 := r.DueOn(year)
	if !ok || !ok2 || kept.String() != "2028-03-31" || due.String() != "2028-04-01" {
		t.Errorf("kept through %s, due on %s", kept, due)
	}
	if r.Due(year, kept) || !r.Due(year, due) {
		t.Error("due on the last day of keeping, or not due the day after")
	}
}

// EV-8, as a property: of whatever day and years, nothing is due before full years after the 1 April that follows creation, it is due then,
// and what is due stays so; for ever is never.
func TestNeverEarly(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		created := calendar.Date{Year: 1990 + r.IntN(60), Month: time.Month(1 + r.IntN(12)), Day: 1 + r.IntN(28)}
		years := 1 + r.IntN(12)
		start := calendar.Date{Year: created.Year, Month: time.April, Day: 1}
		if !created.Before(start) {
			start.Year++
		}
		due := calendar.Date{Year: start.Year + years, Month: time.April, Day: 1}
		rule := Rule{entrylog.ClassAction, years}
		fy := int(created.FiscalYear())
		got, ok := rule.DueOn(fy)
		if !ok || got != due {
			t.Fatalf("created %s, %d years: due on %s, want %s", created, years, got, due)
		}
		day := due.AddDays(r.IntN(4000) - 2000)
		if want := !day.Before(due); rule.Due(fy, day) != want {
			t.Fatalf("created %s, %d years: due on %s is %v", created, years, day, !want)
		}
		for _, y := range []int{Forever, -1, MaxYears + 1} {
			if (Rule{entrylog.ClassAction, y}).Due(fy, day.AddDays(200*366)) {
				t.Fatalf("%d years: due", y)
			}
		}
	}
}

// EV-8: a hold blocks its class and years until two persons have released it, also after the day on which somebody should look; what has no
// rule is kept.
func TestPlan(t *testing.T) {
	today := calendar.Date{Year: 2030, Month: time.April, Day: 1}
	items := []Item{{Class: entrylog.ClassRegister, Year: 2027, Count: 9}, {Class: entrylog.ClassRegister, Year: 2026, Count: 10},
		{Class: entrylog.ClassAction, Year: 2026}, {Class: entrylog.ClassSystem, Year: 1990}, {Class: "strange", Year: 1990}, {Class: ClassDirectory, Year: 2026}}
	hold := Hold{ID: "h1", Class: entrylog.ClassRegister, FromFY: 2025, ToFY: 2026, Until: "2029-01-01"}
	find := func(list []Item, c entrylog.Class, y int) Item {
		for _, x := range list {
			if x.Class == c && x.Year == y {
				return x
			}
		}
		t.Fatalf("%s %d is not in the plan", c, y)
		return Item{}
	}
	got := Plan(items, Defaults(), []Hold{hold}, today)
	if x := find(got, entrylog.ClassRegister, 2026); !x.Due || x.Ready() || len(x.Holds) != 1 {
		t.Errorf("held: %+v", x)
	}
	if x := find(got, entrylog.ClassAction, 2026); !x.Ready() {
		t.Errorf("another class is blocked: %+v", x)
	}
	if x := find(got, entrylog.ClassRegister, 2027); x.Due {
		t.Errorf("early: %+v", x)
	}
	for _, c := range []entrylog.Class{entrylog.ClassSystem, "strange"} {
		if x := find(got, c, 1990); x.Due || x.Ready() || x.DueOn != (calendar.Date{}) {
			t.Errorf("%s is due: %+v", c, x)
		}
	}
	hold.Ended = true
	if x := find(Plan(items, Defaults(), []Hold{hold}, today), entrylog.ClassRegister, 2026); !x.Ready() {
		t.Errorf("released: %+v", x)
	}
	hold = Hold{FromFY: 2026, ToFY: 2026}
	if x := find(Plan(items, Defaults(), []Hold{hold}, today), ClassDirectory, 2026); x.Ready() {
		t.Error("a hold of every class lets one go")
	}
}
