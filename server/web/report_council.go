package web

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"monban/server/register"
	"monban/server/report"
)

// fewest is the smallest count that is told in public (†): a smaller one could be a person (RR-4).
const fewest = 3

// few writes a count for the public. None tells of nobody.
func (a *reportAsk) few(n int) string {
	if n > 0 && n < fewest {
		return a.T("report.few", "n", strconv.Itoa(fewest))
	}
	return strconv.Itoa(n)
}

// council is what may be told in public: counts by month and zone and by kind of finding, no name, no section, no door, no time of day
// (RR-4), and of a zone its level alone: what the rooms are called and where they are is nobody's business outside (PR-6). It reads the registers without names.
func (h *Handler) council(ctx context.Context, a *reportAsk) (*report.Document, error) {
	d := a.head()
	d.Seals = nil
	zones, err := h.src.Registers.RegisterZones(ctx)
	if err != nil {
		return nil, fmt.Errorf("zones: %w", err)
	}
	column := func(key string, weight int) report.Column { return report.Column{Head: a.T(key), Weight: weight} }
	number := func(key string) report.Column { return report.Column{Head: a.T(key), Weight: 4, Number: true} }
	passages := report.Table{Heading: a.T("report.passages"), Empty: a.T("register.empty"), Columns: []report.Column{
		column("report.month", 5), column("register.zone", 7), number("report.staff"), number("report.contractors"), number("report.visitors"), number("report.unpaired"), number("report.refused"),
	}}
	labels := a.levelsOf(zones)
	for i, z := range zones {
		reg, err := h.src.Registers.Register(ctx, RegisterQuery{Zone: z.ID, From: a.from.String(), To: a.to.String()})
		if err != nil {
			return nil, fmt.Errorf("register of %s: %w", z.ID, err)
		}
		type month struct{ staff, contractor, visitor, unpaired, refused int }
		by := map[string]*month{}
		for i := range reg.Rows {
			r := &reg.Rows[i]
			m := by[r.Day[:len(monthLayout)]]
			if m == nil {
				m = new(month)
				by[r.Day[:len(monthLayout)]] = m
			}
			switch r.State {
			case register.Denied:
				m.refused++
				continue
			case register.ExitNotRecorded, register.EntryNotRecorded, register.ExitUnattributed, register.Unexplained:
				m.unpaired++
			}
			if r.EnteredAt.IsZero() {
				continue
			}
			switch r.Category {
			case "staff":
				m.staff++
			case "contractor":
				m.contractor++
			default:
				m.visitor++
			}
		}
		for _, name := range slices.Sorted(maps.Keys(by)) {
			m, label := by[name], name
			if t, err := time.Parse(monthLayout, name); err == nil {
				label = a.T("review.month", "year", strconv.Itoa(t.Year()), "month", strconv.Itoa(int(t.Month())))
			}
			passages.Rows = append(passages.Rows, []string{label, labels[i], a.few(m.staff), a.few(m.contractor), a.few(m.visitor), a.few(m.unpaired), a.few(m.refused)})
		}
	}
	found, err := h.councilFindings(ctx, a)
	if err != nil {
		return nil, err
	}
	d.Tables, d.Notes = []report.Table{passages, found}, []string{a.T("report.few_note", "n", strconv.Itoa(fewest))}
	return d, nil
}

// levelsOf names each zone by its level, with a number where several have it.
func (a *reportAsk) levelsOf(zones []ZoneName) []string {
	all, nth := map[int]int{}, map[int]int{}
	for _, z := range zones {
		all[z.Level]++
	}
	out := make([]string, len(zones))
	for i, z := range zones {
		nth[z.Level]++
		if out[i] = a.T("report.level_zone", "level", strconv.Itoa(z.Level)); all[z.Level] > 1 {
			out[i] = a.T("report.level_zone_n", "level", strconv.Itoa(z.Level), "n", strconv.Itoa(nth[z.Level]))
		}
	}
	return out
}

// councilFindings counts findings by kind; kinds that are too few to be told stand in one row.
func (h *Handler) councilFindings(ctx context.Context, a *reportAsk) (t report.Table, err error) {
	t = report.Table{Heading: a.T("report.findings"), Empty: a.T("report.no_findings"), Columns: []report.Column{
		{Head: a.T("report.what"), Weight: 6}, {Head: a.T("report.count"), Weight: 2, Number: true}, {Head: a.T("report.open_now"), Weight: 2, Number: true},
	}}
	type count struct {
		kind      string
		all, open int
	}
	by := map[string]*count{}
	start, end := a.from.Start(a.zoneTime()), a.to.AddDays(1).Start(a.zoneTime())
	const page = 500
	for skip := 0; ; skip += page {
		list, total, err := h.src.Findings.ListFindings(ctx, FindingQuery{All: true, In: Reach{All: true}, Skip: skip, Limit: page})
		if err != nil {
			return t, fmt.Errorf("findings: %w", err)
		}
		for i := range list {
			f := &list[i]
			if f.At.Before(start) || !f.At.Before(end) {
				continue
			}
			c := by[f.Kind]
			if c == nil {
				c = &count{kind: f.Kind}
				by[f.Kind] = c
			}
			c.all += max(f.Count, 1)
			if f.Open {
				c.open += max(f.Count, 1)
			}
		}
		if skip+page >= total || len(list) == 0 {
			break
		}
	}
	rest := count{}
	for _, c := range slices.SortedFunc(maps.Values(by), func(x, y *count) int { return cmp.Or(cmp.Compare(y.all, x.all), cmp.Compare(x.kind, y.kind)) }) {
		if c.all < fewest {
			rest.all, rest.open = rest.all+c.all, rest.open+c.open
			continue
		}
		t.Rows = append(t.Rows, []string{a.say.known("finding", c.kind), a.few(c.all), a.few(c.open)})
	}
	if rest.all > 0 {
		t.Rows = append(t.Rows, []string{a.T("report.other_kinds", "n", strconv.Itoa(fewest)), a.few(rest.all), a.few(rest.open)})
	}
	return t, nil
}

// zoneTime is the site's time zone.
func (a *reportAsk) zoneTime() *time.Location { return a.Base.say.zone }
