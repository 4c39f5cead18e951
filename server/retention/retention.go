// Package retention says how long what is kept: classes and years as data, counted in fiscal years from the 1 April after
// creation (EV-8), what a legal hold blocks, and what is due.
//
// It is pure. It must never call anything due early: whatever is unknown is kept.
package retention

import (
	"cmp"
	"slices"

	"monban/firmware/calendar"
	"monban/server/entrylog"
)

// Classes beside those of the log's leaves.
const (
	// ClassDirectory is people who have left the directory, with their cards, grants and accounts' ties; the year is that in which the last
	// thing of them ended.
	ClassDirectory entrylog.Class = "directory"
)

// Rule is how long a class is kept.
type Rule struct {
	Class entrylog.Class
	Years int // full fiscal years after the one of creation; Forever = never disposed of
}

// Forever is the number of years of what is never disposed of.
const Forever = 0

// MaxYears bounds the years of a rule.
const MaxYears = 100

// Defaults are the rules of a new site, in the order of pages. The city has to confirm them: no law gives numbers. What the log says about
// itself, and with it every record of a disposal, is kept for ever.
func Defaults() []Rule {
	return []Rule{{entrylog.ClassRegister, 3}, {entrylog.ClassAction, 3}, {entrylog.ClassViolation, 5}, {ClassDirectory, 3}, {entrylog.ClassSystem, Forever}}
}

// Settable reports whether a site may give a class another period.
func Settable(c entrylog.Class) bool {
	return slices.ContainsFunc(Defaults(), func(r Rule) bool { return r.Class == c && r.Years != Forever })
}

// KeptThrough is the last day on which what was created in a fiscal year is kept; ok is false when that is for ever.
func (r Rule) KeptThrough(year int) (d calendar.Date, ok bool) {
	if r.Years < 1 || r.Years > MaxYears {
		return d, false
	}
	return calendar.FiscalYear(year).End().RetainedThrough(r.Years), true
}

// DueOn is the first day on which it may be disposed of; ok as for KeptThrough.
func (r Rule) DueOn(year int) (d calendar.Date, ok bool) {
	d, ok = r.KeptThrough(year)
	if !ok {
		return d, false
	}
	return d.AddDays(1), true
}

// Due reports whether what was created in a fiscal year may be disposed of on a day of the site's zone.
func (r Rule) Due(year int, today calendar.Date) bool {
	d, ok := r.KeptThrough(year)
	return ok && d.Before(today)
}

// Hold is a legal hold (保存の停止解除まで廃棄しない): as long as it is in force nothing that it names is disposed of.
type Hold struct {
	ID     string
	Class  entrylog.Class // "" = every class
	FromFY int            // fiscal years from ≤ year ≤ to
	ToFY   int
	Until  string // YYYY-MM-DD on which somebody looks whether it is still needed; it goes on blocking after that
	Ended  bool   // two persons have released it
}

// Blocks reports whether h keeps a class and year.
func (h Hold) Blocks(c entrylog.Class, year int) bool {
	return !h.Ended && (h.Class == "" || h.Class == c) && h.FromFY <= year && year <= h.ToFY
}

// Item is one class and year that there is something of.
type Item struct {
	Class  entrylog.Class
	Year   int
	Count  int64         // leaves, or people
	Due    bool          // its time is over
	DueOn  calendar.Date // the zero Date = never
	Holds  []string      // ids of the holds that block it
	Open   int64         // findings, incidents and other matters that are still open and would go: they have to be closed first
	Unread []string      // open incidents among them that cannot be read, since their key is lost
}

// Over reports whether its time is over and no hold keeps it: what of it is still open has to be closed, and a run asked for.
func (x Item) Over() bool { return x.Due && len(x.Holds) == 0 }

// Ready reports whether a run may be asked for.
func (x Item) Ready() bool { return x.Over() && x.Open == 0 }

// Plan says of each item whether it is due on a day, and what blocks it; the oldest first.
func Plan(items []Item, rules []Rule, holds []Hold, today calendar.Date) []Item {
	out := slices.Clone(items)
	for i := range out {
		x := &out[i]
		x.Due, x.DueOn, x.Holds = false, calendar.Date{}, nil
		if j := slices.IndexFunc(rules, func(r Rule) bool { return r.Class == x.Class }); j >= 0 {
			x.Due = rules[j].Due(x.Year, today)
			x.DueOn, _ = rules[j].DueOn(x.Year)
		}
		for _, h := range holds {
			if h.Blocks(x.Class, x.Year) {
				x.Holds = append(x.Holds, h.ID)
			}
		}
	}
	slices.SortFunc(out, func(a, b Item) int {
		return cmp.Or(cmp.Compare(a.Year, b.Year), cmp.Compare(order(a.Class), order(b.Class)), cmp.Compare(a.Class, b.Class))
	})
	return out
}

func order(c entrylog.Class) int {
	i := slices.IndexFunc(Defaults(), func(r Rule) bool { return r.Class == c })
	if i < 0 {
		return len(Defaults())
	}
	return i
}
