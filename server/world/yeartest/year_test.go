package yeartest

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"monban/firmware/calendar"
	"monban/server/world/year"
)

// number is a setting of `make year`, or what a short run takes.
func number(t *testing.T, name string, short int) int {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return short
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// paper gathers what one test writes into the report that `make year` keeps: two run at the same time.
type paper struct {
	t    *testing.T
	mu   sync.Mutex
	text strings.Builder // mu
}

// keeping is held while a paper is written to the report.
var keeping sync.Mutex

// newPaper opens a section of the report.
func newPaper(t *testing.T, title string) *paper {
	p := &paper{t: t}
	p.text.WriteString("## " + title + "\n\n")
	t.Cleanup(func() {
		path := os.Getenv("MONBAN_YEAR_REPORT")
		if path == "" {
			return
		}
		keeping.Lock()
		defer keeping.Unlock()
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := f.WriteString(p.text.String()); err != nil {
			t.Error(err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// line logs, and writes into the report.
func (p *paper) line(format string, args ...any) {
	p.t.Helper()
	text := fmt.Sprintf(format, args...)
	p.t.Log(text)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text.WriteString(text + "\n\n")
}

// lived makes a stretch of a city hall's life and lets it happen.
func lived(t *testing.T, plan year.Plan, out *paper) *Plant {
	t.Helper()
	y, cards, err := year.Make(plan)
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(t.Context(), t.TempDir(), y, cards)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Site.Close(); err != nil {
			t.Error(err)
		}
	})
	began := time.Now()
	if err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	out.line("Seed %d, %d days: %d acts, %d entries, %d records, %d leaves in %v", plan.Seed, plan.Days, len(y.Acts), y.Sheet.Entries(), p.sent, p.Site.Store.Size(),
		time.Since(began).Round(time.Millisecond))
	for _, s := range p.Stuck {
		t.Errorf("kept out who may enter: %s", s)
	}
	for _, s := range p.Wrong {
		t.Errorf("let in who must stay out: %s", s)
	}
	return p
}

// VR-1, VR-7: of a stretch of a city hall's life with seeded cases, everything that a reviewer has to be shown is found, and nothing else.
func TestCases(t *testing.T) {
	t.Parallel()
	out := newPaper(t, "Cases")
	plan := year.Plan{
		Seed: uint64(number(t, "MONBAN_YEAR_SEED", 1)), First: calendar.Date{Year: 2025, Month: 4, Day: 1},
		Days: number(t, "MONBAN_YEAR_DAYS", 21), Staff: number(t, "MONBAN_YEAR_STAFF", 10),
		Cases: number(t, "MONBAN_YEAR_CASES", 2), Near: number(t, "MONBAN_YEAR_NEAR", 1),
	}
	p := lived(t, plan, out)
	findings, err := p.Findings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	held(t, p, out)
	lines := p.Compare(findings)
	var b strings.Builder
	if err := Print(&b, lines); err != nil {
		t.Fatal(err)
	}
	out.line("%s", b.String())
	judge(t, lines)
}

// judge fails for what was missed, told twice, invented, or told by a number that is too large.
func judge(t *testing.T, lines []Line) {
	t.Helper()
	for i := range lines {
		l := &lines[i]
		for what, list := range map[string][]string{"missed": l.Missed, "told twice": l.Repeats, "invented": l.Inventions} {
			for _, s := range list {
				t.Errorf("%s %s: %s", l.Kind, what, s)
			}
		}
		if l.Counted > 0 {
			t.Errorf("%s told by a number that nothing in the world explains: %d too many", l.Kind, l.Counted)
		}
	}
}

// held holds the registers against the bodies (RR-1 to RR-3, DS-3): every passage that a sensor saw stands in exactly one row of its zone,
// pairs are pairs, and who is inside is right wherever a sensor could know it.
func held(t *testing.T, p *Plant, out *paper) {
	t.Helper()
	books, err := p.Registers(t.Context(), number(t, "MONBAN_YEAR_ASKS", 12))
	if err != nil {
		t.Fatal(err)
	}
	for i := range books {
		b := &books[i]
		out.line("Register of %s: %d passages, %d rows, %d complete, %d without exit, %d without entry; asked %d times who is inside: %d unknown for want of a sensor, %d wrong",
			b.Zone, b.Passages, b.Rows, b.Complete, b.NoExit, b.NoEntry, b.Lookups, b.Uncertain, b.Mistaken)
		for what, list := range map[string][]string{"in no row": b.Missing, "in several rows": b.Double, "wrong row": b.Wrong, "wrong list": b.Mistakes} {
			for n, s := range list {
				if n < 20 {
					t.Errorf("%s: %s: %s", b.Zone, what, s)
				}
			}
		}
		if b.Passages == 0 {
			t.Errorf("%s: nobody passed", b.Zone)
		}
	}
}

// AL-6: on ordinary days a reviewer gets at most five items a day, and the night rings at most once a week. Nobody attacks here, but cables
// fail, people forget and trolleys hold doors.
func TestOrdinaryDays(t *testing.T) {
	t.Parallel()
	out := newPaper(t, "Ordinary days, nobody attacks")
	plan := year.Plan{
		Seed: uint64(number(t, "MONBAN_YEAR_SEED", 1)) + 1000, First: calendar.Date{Year: 2025, Month: 4, Day: 1},
		Days: number(t, "MONBAN_YEAR_DAYS", 14), Staff: number(t, "MONBAN_YEAR_STAFF", 12),
	}
	p := lived(t, plan, out)
	findings, err := p.Findings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	table, err := calendar.BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	cal := table.Calendar(plan.First, plan.First.AddDays(plan.Days))
	load := p.Reviewed(findings, cal.IsBusinessDay)
	lines := p.Compare(findings)
	judge(t, lines)
	var b strings.Builder
	if err := Print(&b, lines); err != nil {
		t.Fatal(err)
	}
	out.line("%s", b.String())
	out.line("%.1f items a day, %.1f in the busiest month, the busiest day %d, %d rings off hours, %d in the worst week. Visitors: %d. By month: %s. Kinds: %v",
		load.PerDay, load.Month, load.Busiest, len(load.Night), load.WorstWeek, len(p.Year.Guests), strings.Join(load.Months, ", "), load.Kinds)
	if load.PerDay > 5 || load.Month > 5 {
		t.Errorf("%.1f items a day, %.1f in the busiest month; the goal is 5", load.PerDay, load.Month)
	}
	if load.WorstWeek > 1 {
		t.Errorf("the night rang %d times in a week: %q", load.WorstWeek, load.Night)
	}
}
