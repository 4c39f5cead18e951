package web

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/firmware/calendar"
	"monban/server/directory"
	"monban/server/report"
	"monban/server/visit"
)

// guests reads the visits of the days of a period, each once, with the words of the desk's pages.
func (h *Handler) guests(ctx context.Context, a *reportAsk) (*counter, []visit.View, error) {
	site, err := h.src.Visits.VisitSite(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("site: %w", err)
	}
	c := &counter{matterPage: matterPage{Base: a.Base}, site: site, people: map[directory.PersonID]*directory.Person{}}
	for i := range site.Dir.People {
		c.people[site.Dir.People[i].ID] = &site.Dir.People[i]
	}
	var out []visit.View
	seen := map[string]bool{}
	for d := a.from; !a.to.Before(d); d = d.AddDays(1) {
		list, err := h.src.Visits.VisitsOfDay(ctx, d.String())
		if err != nil {
			return nil, nil, fmt.Errorf("visits of %s: %w", d, err)
		}
		for _, v := range list {
			if !seen[v.ID] {
				seen[v.ID], out = true, append(out, v)
			}
		}
	}
	slices.SortStableFunc(out, func(x, y visit.View) int { return cmp.Or(cmp.Compare(x.FromMS, y.FromMS), cmp.Compare(x.ID, y.ID)) })
	return c, out, nil
}

// visitorLedger lists everybody who came, or was to come, on the days of a period (VE-1, VE-5).
func (h *Handler) visitorLedger(ctx context.Context, a *reportAsk) (*report.Document, error) {
	c, visits, err := h.guests(ctx, a)
	if err != nil {
		return nil, err
	}
	v, d := a.register(), a.head()
	t := report.Table{Empty: a.T("report.no_visits"), Columns: []report.Column{
		{Head: a.T("register.no"), Weight: 3, Fixed: true}, {Head: a.T("register.day"), Weight: 8}, {Head: a.T("register.name_only"), Weight: 8}, {Head: a.T("register.affiliation"), Weight: 9},
		{Head: a.T("register.category"), Weight: 4}, {Head: a.T("register.purpose"), Weight: 10}, {Head: a.T("register.zone"), Weight: 7}, {Head: a.T("register.approver"), Weight: 6},
		{Head: a.T("register.attendee"), Weight: 6}, {Head: a.T("register.identity"), Weight: 6}, {Head: a.T("register.badge_only"), Weight: 4}, {Head: a.T("report.received"), Weight: 6},
		{Head: a.T("register.in"), Weight: 5}, {Head: a.T("register.out"), Weight: 5}, {Head: a.T("register.state"), Weight: 6},
	}}
	for i := range visits {
		x := &visits[i]
		day := calendar.DateOf(time.UnixMilli(x.FromMS).In(a.zoneTime()))
		approver := x.Decided.Person
		if x.Oral != nil {
			approver = x.Oral.Approver
		}
		for j := range x.Guests {
			g := c.guestRow(x, j)
			t.Rows = append(t.Rows, []string{
				strconv.Itoa(len(t.Rows) + 1), v.date(day), g.Name, g.Company, g.Category, x.Purpose, c.zoneNames(x.Zones), c.nameOf(approver), c.nameOf(x.Attendee), g.Identity, g.Badge,
				v.minute(g.Checked, day.String()), v.minute(g.Entered, day.String()), v.minute(g.Left, day.String()), g.State.Word,
			})
		}
	}
	d.Tables, d.Dense = []report.Table{t}, true
	return d, nil
}

// badgeLedger lists the badges that were lent on the days of a period, with their return (名札貸出簿, VE-3).
func (h *Handler) badgeLedger(ctx context.Context, a *reportAsk) (*report.Document, error) {
	c, visits, err := h.guests(ctx, a)
	if err != nil {
		return nil, err
	}
	d := a.head()
	t := report.Table{Empty: a.T("report.no_badges"), Columns: []report.Column{
		{Head: a.T("register.no"), Weight: 3, Fixed: true}, {Head: a.T("register.badge_only"), Weight: 4}, {Head: a.T("register.name_only"), Weight: 8}, {Head: a.T("register.affiliation"), Weight: 9},
		{Head: a.T("register.purpose"), Weight: 9}, {Head: a.T("report.lent"), Weight: 9}, {Head: a.T("report.returned"), Weight: 9}, {Head: a.T("register.remarks"), Weight: 8},
	}}
	for i := range visits {
		x := &visits[i]
		for j := range x.Guests {
			g := &x.Guests[j]
			if !g.Lent.Done() {
				continue
			}
			row, back, note := c.guestRow(x, j), "", g.Returned.Note
			if g.Returned.Done() {
				back = a.DayTime(time.UnixMilli(g.Returned.AtMS))
			}
			switch {
			case g.Lost:
				note = strings.TrimSpace(a.T("badge_state.lost") + " " + note)
			case back == "":
				note = a.T("report.still_out")
			}
			t.Rows = append(t.Rows, []string{strconv.Itoa(len(t.Rows) + 1), g.Label, row.Name, row.Company, x.Purpose, a.DayTime(time.UnixMilli(g.Lent.AtMS)), back, note})
		}
	}
	d.Tables = []report.Table{t}
	return d, nil
}

// trainingDue lists the active people by the day on which their training ends, those without any first (AD-15).
func (h *Handler) trainingDue(ctx context.Context, a *reportAsk) (*report.Document, error) {
	found, err := h.src.People.FindPeople(ctx, PeopleQuery{State: "active"})
	if err != nil {
		return nil, fmt.Errorf("people: %w", err)
	}
	v, d := a.register(), a.head()
	people := slices.Clone(found.People)
	slices.SortStableFunc(people, func(x, y PersonLine) int {
		return cmp.Or(cmp.Compare(x.TrainingUntil, y.TrainingUntil), cmp.Compare(x.ID, y.ID))
	})
	t := report.Table{Empty: a.T("report.nobody"), Columns: []report.Column{
		{Head: a.T("report.person_no"), Weight: 4}, {Head: a.T("register.name_only"), Weight: 8}, {Head: a.T("register.affiliation"), Weight: 10}, {Head: a.T("register.category"), Weight: 4},
		{Head: a.T("report.trained_until"), Weight: 8}, {Head: a.T("register.state"), Weight: 6},
	}}
	for _, p := range people {
		until, state := "", a.T("report.untrained")
		if day, err := calendar.ParseDate(p.TrainingUntil); err == nil {
			until = v.date(day)
			switch left := day.Sub(a.to); {
			case left < 0:
				state = a.T("report.training_over")
			default:
				state = a.T("report.days_left", "n", strconv.Itoa(left))
			}
		}
		t.Rows = append(t.Rows, []string{p.ID, p.Name, cmp.Or(p.Company, p.Section), a.T("category." + p.Category), until, state})
	}
	d.Tables = []report.Table{t}
	return d, nil
}

// nameOf is a person's name; "" of nobody.
func (c *counter) nameOf(id directory.PersonID) string {
	if id == "" {
		return ""
	}
	return c.name(id)
}
