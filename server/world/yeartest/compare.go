package yeartest

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/firmware/calendar"
	"monban/server/attempt"
	"monban/server/notify/route"
	"monban/server/review"
	"monban/server/store"
	"monban/server/world/year"
)

// eachRecord is the kind that is told of each record: one case, an outage, has as many of it as the gateway had to say meanwhile.
const eachRecord = "late_record"

// records is how many records a gateway can have made of what was done at its doors within a case's time: of a read, an opening or a closing
// three at the most, and some of its own when the link is lost and found or the power comes back.
func (p *Plant) records(c *year.Case) (n int) {
	acts := p.Year.Acts
	i, _ := slices.BinarySearchFunc(acts, c.FromMS, func(a year.Act, ms int64) int { return cmp.Compare(a.AtMS, ms) })
	for ; i < len(acts) && acts[i].AtMS <= c.ToMS; i++ {
		if a := &acts[i]; a.Gateway == c.Gateway || a.Door != "" && string(p.doors[a.Door].b.id) == c.Gateway {
			n++
		}
	}
	return 3*n + 8
}

// slackMS is how far the time that a finding tells may lie from what the sheet knows: the middle of an interval, one clock's error.
const slackMS = 2_500

// Line is one kind's line of the table.
type Line struct {
	Kind                        string
	Cases, Found                int // that a reviewer has to be shown; of them shown
	Near, Invented              int // near misses; findings that nothing in the world explains, near misses that were shown among them
	Again                       int // told twice
	Counted                     int // told by a number, and nothing in the world explains so many
	Natural                     int // cases that were not seeded
	Missed, Inventions, Repeats []string
}

// Findings reads every finding of the log, oldest first.
func (p *Plant) Findings(ctx context.Context) (out []attempt.Finding, err error) {
	err = p.Site.Store.Read(ctx, func(r *store.ReadTx) error {
		out, _, err = r.FindingsWithDuress(true, 0, 1_000_000)
		return err
	})
	slices.SortFunc(out, func(a, b attempt.Finding) int { return cmp.Compare(a.Idx, b.Idx) })
	return out, err
}

// Compare holds what was found against the sheet: kind by kind, in the order of their names.
func (p *Plant) Compare(findings []attempt.Finding) []Line {
	sheet, tell := &p.Year.Sheet, p.Tell
	lines := map[string]*Line{}
	line := func(kind string) *Line {
		if lines[kind] == nil {
			lines[kind] = &Line{Kind: kind}
		}
		return lines[kind]
	}
	found := make([]int, len(sheet.Cases))
	byKind := map[string][]int{}
	for i := range sheet.Cases {
		c := &sheet.Cases[i]
		byKind[c.Kind] = append(byKind[c.Kind], i)
		l := line(c.Kind)
		switch c.Verdict {
		case year.Must:
			if l.Cases++; !c.Seeded {
				l.Natural++
			}
		case year.MustNot:
			l.Near++
		}
	}
	for i := range findings {
		f := &findings[i]
		l := line(f.Kind)
		if n, counted := strings.CutPrefix(f.Detail[strings.LastIndexByte(f.Detail, '/')+1:], "more-"); counted { // so many more of the kind, there and in the last day, are told by a number
			more, _ := strconv.Atoi(n)
			room := 0 // of what the cases there can have more than one
			for _, n := range byKind[f.Kind] {
				c := &sheet.Cases[n]
				if c.Verdict == year.MustNot || c.FromMS > f.AtMS || f.AtMS-c.FromMS > 26*3_600_000 || !p.there(c, f) {
					continue
				}
				if found[n] == 0 && more > 0 {
					found[n], more = 1, more-1
				}
				if f.Kind == eachRecord {
					room += p.records(c)
				}
			}
			more = max(more-room, 0)
			l.Counted += more
			continue
		}
		best := -1
		for _, n := range byKind[f.Kind] {
			c := &sheet.Cases[n]
			if c.Verdict == year.MustNot || !p.fits(c, f) {
				continue
			}
			if best < 0 || rank(c, found[n]) < rank(&sheet.Cases[best], found[best]) {
				best = n
			}
		}
		if best < 0 {
			l.Invented++
			l.Inventions = append(l.Inventions, fmt.Sprintf("%s %s %s %s", tell(f.AtMS), f.Gateway, f.Door, f.Detail))
			continue
		}
		if found[best]++; sheet.Cases[best].Verdict == year.Must && found[best] > 1 {
			l.Again++
			l.Repeats = append(l.Repeats, fmt.Sprintf("%s %s %s %s", tell(f.AtMS), f.Gateway, f.Door, f.Detail))
		}
	}
	for n := range sheet.Cases {
		c := &sheet.Cases[n]
		if c.Verdict != year.Must {
			continue
		}
		l := line(c.Kind)
		if found[n] > 0 {
			l.Found++
		} else {
			l.Missed = append(l.Missed, fmt.Sprintf("%s %s %s: %s", tell(c.FromMS), c.Gateway, c.Door, c.Tells))
		}
	}
	var out []Line
	for _, l := range lines {
		out = append(out, *l)
	}
	slices.SortFunc(out, func(a, b Line) int { return cmp.Compare(a.Kind, b.Kind) })
	return out
}

// rank prefers a case that has to be shown and was not yet, then one that may be, then one that was.
func rank(c *year.Case, found int) int {
	switch {
	case c.Verdict == year.Must && found == 0:
		return 0
	case c.Verdict == year.May:
		return 1
	default:
		return 2
	}
}

// fits reports whether a finding is about a case.
func (p *Plant) fits(c *year.Case, f *attempt.Finding) bool {
	return f.AtMS >= c.FromMS-slackMS && f.AtMS <= c.ToMS+slackMS && p.there(c, f)
}

// there reports whether a finding is of a case's place.
func (p *Plant) there(c *year.Case, f *attempt.Finding) bool {
	ref := ""
	if f.Door == "" && f.Gateway == "" { // of the counter
		ref = p.desk.refs[f.Cause]
	}
	return ref == c.Ref && (c.Door == "" || c.Door == f.Door) && (c.Gateway == "" || c.Gateway == f.Gateway)
}

// Print writes the table.
func Print(w io.Writer, lines []Line) error {
	var b strings.Builder
	b.WriteString("| kind | cases | of them in the ordinary course | near misses | found | missed | told twice | invented | counted in vain |\n|---|---|---|---|---|---|---|---|---|\n")
	for i := range lines {
		l := &lines[i]
		if l.Cases+l.Near+l.Invented+l.Again+l.Counted == 0 {
			continue
		}
		fmt.Fprintf(&b, "| `%s` | %d | %d | %d | %d | %d | %d | %d | %d |\n", l.Kind, l.Cases, l.Natural, l.Near, l.Found, l.Cases-l.Found, l.Again, l.Invented, l.Counted)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Tell writes a moment as the city's clocks show it.
func (p *Plant) Tell(ms int64) string {
	return time.UnixMilli(ms).In(p.Year.Zone).Format(time.DateTime)
}

// Load is what reviewers had to look at in an ordinary stretch (AL-6).
type Load struct {
	Days      int
	PerDay    float64
	Busiest   int
	Month     float64        // items a day in the busiest month
	Months    []string       // of each, oldest first
	Night     []string       // what rang off hours
	Kinds     map[string]int // findings by kind
	WorstWeek int            // rings of the worst seven days in a row
}

// Reviewed counts findings by the day and rings by the hour: off hours is outside 8:30–17:15 of open days.
func (p *Plant) Reviewed(findings []attempt.Finding, open func(calendar.Date) bool) Load {
	out := Load{Days: p.Year.Plan.Days, Kinds: map[string]int{}}
	days, nights, months := map[string]int{}, make([]int, p.Year.Plan.Days+1), map[string]int{}
	for i := range findings {
		f := &findings[i]
		out.Kinds[f.Kind]++
		at := time.UnixMilli(f.AtMS).In(p.Year.Zone)
		day := calendar.DateOf(at)
		days[day.String()]++
		months[day.String()[:7]]++
		out.Busiest = max(out.Busiest, days[day.String()])
		minute := at.Hour()*60 + at.Minute()
		if route.Rings(review.Kind(f.Kind)) && !(open(day) && minute >= 8*60+30 && minute < 17*60+15) {
			out.Night = append(out.Night, p.Tell(f.AtMS)+" "+f.Kind+" "+f.Door)
			if n := day.Sub(p.Year.Plan.First); n >= 0 && n < len(nights) {
				nights[n]++
			}
		}
	}
	out.PerDay = float64(len(findings)) / float64(max(out.Days, 1))
	lived := map[string]int{}
	for n := range p.Year.Plan.Days {
		lived[p.Year.Plan.First.AddDays(n).String()[:7]]++
	}
	for _, month := range slices.Sorted(maps.Keys(lived)) {
		each := float64(months[month]) / float64(lived[month])
		out.Months = append(out.Months, fmt.Sprintf("%s %.1f", month, each))
		if lived[month] > 14 { // of a few days nothing is an average
			out.Month = max(out.Month, each)
		}
	}
	for n := range nights {
		week := 0
		for _, x := range nights[n:min(n+7, len(nights))] {
			week += x
		}
		out.WorstWeek = max(out.WorstWeek, week)
	}
	return out
}
