package web

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"monban/firmware/calendar"
	"monban/server/report"
)

// rightsList is the inventory of rights as of a day with who asked and who agreed, made from the log, and a sample of it to be traced to
// the applications (RR-8, 棚卸).
func (h *Handler) rightsList(ctx context.Context, a *reportAsk) (*report.Document, error) {
	inv, err := h.src.Rights.RightsAsOf(ctx, a.zone.ID, a.to)
	if err != nil {
		return nil, fmt.Errorf("rights as of %s: %w", a.to, err)
	}
	v, d := a.register(), a.head()
	date := func(day string) string {
		if c, err := calendar.ParseDate(day); err == nil {
			return v.date(c)
		}
		return ""
	}
	asked := func(g *RightGiven) string {
		if g.Proposal == "" {
			return a.T("report.one_person")
		}
		return cmp.Or(g.Proposer, a.T("report.command_line"))
	}
	by := func(g *RightGiven) string {
		name := cmp.Or(g.By, a.T("report.command_line"))
		if g.Joined {
			name = a.T("report.into_group", "name", name)
		}
		return name
	}
	t := report.Table{Empty: a.T("report.no_rights"), Columns: []report.Column{
		{Head: a.T("register.no"), Weight: 3, Fixed: true}, {Head: a.T("register.name_only"), Weight: 8}, {Head: a.T("register.affiliation"), Weight: 8}, {Head: a.T("register.category"), Weight: 4},
		{Head: a.T("register.zone"), Weight: 7}, {Head: a.T("report.schedule"), Weight: 6}, {Head: a.T("register.from"), Weight: 7}, {Head: a.T("register.to"), Weight: 7},
		{Head: a.T("report.through"), Weight: 6}, {Head: a.T("report.application"), Weight: 9}, {Head: a.T("report.asked_by"), Weight: 6}, {Head: a.T("register.approver"), Weight: 6},
		{Head: a.T("report.given_on"), Weight: 8}, {Head: a.T("register.state"), Weight: 5},
	}}
	for i := range inv.Rights {
		r := &inv.Rights[i]
		t.Rows = append(t.Rows, []string{
			strconv.Itoa(i + 1), r.who(), r.Section, a.category(r.Category), r.ZoneName, r.Schedule, cmp.Or(date(r.From), a.T("report.always")), date(r.Until),
			cmp.Or(r.Group, a.T("report.own")), cmp.Or(r.Basis, a.T("report.no_application")), asked(&r.Given), by(&r.Given), a.DayTime(r.Given.At), a.T("held_state." + r.State),
		})
	}
	d.Tables, d.Dense = []report.Table{t}, true
	if a.sample > 0 && len(inv.Rights) > 0 {
		s := report.Table{Heading: a.T("report.sampled"), Columns: []report.Column{
			{Head: a.T("register.no"), Weight: 3, Fixed: true}, {Head: a.T("register.name_only"), Weight: 8}, {Head: a.T("register.zone"), Weight: 7}, {Head: a.T("report.application"), Weight: 10},
			{Head: a.T("report.asked_leaf"), Weight: 7}, {Head: a.T("report.asked_by"), Weight: 7}, {Head: a.T("report.given_leaf"), Weight: 7}, {Head: a.T("register.approver"), Weight: 7},
			{Head: a.T("report.why"), Weight: 12}, {Head: a.T("report.traced"), Weight: 6},
		}}
		for _, i := range drawn(inv.Rights, a.sample, a.seed) {
			r := &inv.Rights[i]
			leaf := a.T("report.no_proposal")
			if r.Given.Asked > 0 {
				leaf = strconv.FormatInt(r.Given.Asked, 10)
			}
			s.Rows = append(s.Rows, []string{strconv.Itoa(i + 1), r.who(), r.ZoneName, cmp.Or(r.Basis, a.T("report.no_application")), leaf, asked(&r.Given),
				strconv.FormatInt(r.Given.Leaf, 10), by(&r.Given), strings.Join(strings.Fields(r.Given.Reason), " "), ""})
		}
		d.Tables = append(d.Tables, s)
		d.Facts = append(d.Facts, report.Fact{Name: a.T("report.seed"), Text: strconv.FormatUint(a.seed, 10)})
	}
	d.Notes = append(d.Notes, a.T("report.rights_note"))
	if inv.Unread > 0 {
		d.Notes = append(d.Notes, a.T("report.rights_unread", "n", strconv.Itoa(inv.Unread)))
	}
	if len(inv.Differs) == 0 {
		d.Notes = append(d.Notes, a.T("report.rights_agree"))
	} else {
		d.Notes = append(d.Notes, a.T("report.rights_differ", "list", strings.Join(inv.Differs, " ")))
	}
	return d, nil
}

// who is the person's name with the number, which tells two of one name apart.
func (r *HeldRight) who() string {
	if r.Name == "" {
		return r.Person
	}
	return r.Name + " (" + r.Person + ")"
}

// category is the word for a category; "" of somebody who is not in the directory any more.
func (a *reportAsk) category(word string) string {
	if word == "" {
		return ""
	}
	return a.T("category." + word)
}

// drawn chooses n of the rights by a seed, in their order. The same seed draws the same, whoever draws: by the hashes of the seed with grant
// and person.
func drawn(rights []HeldRight, n int, seed uint64) []int {
	type lot struct {
		at  int
		sum [sha256.Size]byte
	}
	lots := make([]lot, len(rights))
	for i := range rights {
		lots[i] = lot{i, sha256.Sum256(fmt.Appendf(nil, "%d\n%s\n%s", seed, rights[i].Grant, rights[i].Person))}
	}
	slices.SortFunc(lots, func(x, y lot) int { return bytes.Compare(x.sum[:], y.sum[:]) })
	var out []int
	for _, l := range lots[:min(n, len(lots))] {
		out = append(out, l.at)
	}
	slices.Sort(out)
	return out
}
