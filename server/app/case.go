package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"monban/firmware/access"
	"monban/server/attempt"
	"monban/server/casework"
	"monban/server/directory"
	"monban/server/policypub"
	"monban/server/review"
	"monban/server/store"
	"monban/server/visit"
	"monban/server/web"
)

// caseFile is one finding with its acts and whom it concerns.
type caseFile struct {
	finding  attempt.Finding
	rows     []store.FindingAct
	acts     []casework.Act
	facts    casework.Facts
	purpose  string   // of the entry
	visits   []string // that the entry belongs to
	accounts map[string]store.Account
}

func (c *caseFile) actor(account string) casework.Actor {
	return casework.Actor{Account: account, Person: c.accounts[account].Person}
}

// openCase reads a case. A finding of duress is there only for whoever may know of it.
func (p *pages) openCase(r store.Reader, n names, id string, duress bool) (*caseFile, error) {
	idx, err := strconv.ParseInt(id, 10, 64)
	if err != nil || strconv.FormatInt(idx, 10) != id {
		return nil, web.ErrNotFound
	}
	c := &caseFile{accounts: map[string]store.Account{}}
	c.finding, err = r.Finding(idx)
	if errors.Is(err, store.ErrNotFound) || err == nil && !duress && c.finding.Kind == string(review.Duress) {
		return nil, web.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	accounts, err := r.Accounts()
	if err != nil {
		return nil, err
	}
	for _, a := range accounts {
		c.accounts[a.ID] = a
	}
	if c.rows, err = r.FindingActs(idx); err != nil {
		return nil, err
	}
	for _, a := range c.rows {
		c.acts = append(c.acts, casework.Act{Idx: a.Idx, Kind: casework.Kind(a.Kind), By: c.actor(a.Account), To: a.To, AtMS: a.AtMS})
	}
	return c, p.concerned(r, n, c)
}

// concerned finds whose entry or deed a finding is about and who approved what it belongs to (VR-2).
func (p *pages) concerned(r store.Reader, n names, c *caseFile) error {
	if c.finding.Attempt == [16]byte{} {
		return p.concernedByCause(r, c)
	}
	row, err := r.AttemptRow(c.finding.Attempt)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	day, err := directory.ParseDate(row.Day)
	if err != nil {
		return err
	}
	b, err := p.openBook(r, n, day, day)
	if err != nil {
		return err
	}
	who, err := b.who(&row)
	if err != nil || who == "" {
		c.facts.Hidden = row.PersonRef != nil
		return err
	}
	c.facts.Subjects = append(c.facts.Subjects, who)
	x := b.passage(&row)
	if x.Person = directory.PersonID(who); x.AtMS == 0 { // nobody passed: it counts when they badged
		x.AtMS = row.FromMS
	}
	if x.Keyed, err = keyed(r, &row); err != nil {
		return err
	}
	c.purpose, _ = visit.PurposeOf(x, b.visits, b.stated)
	for i := range b.visits {
		v := &b.visits[i]
		if !v.Covers(x) {
			continue
		}
		c.visits = append(c.visits, v.ID)
		if c.facts.Approvers = append(c.facts.Approvers, string(v.Decided.Person)); v.Oral != nil {
			c.facts.Approvers = append(c.facts.Approvers, string(v.Oral.Approver))
		}
	}
	return nil
}

// CaseByID implements web.Cases.
func (p *pages) CaseByID(ctx context.Context, id string, show, duress bool) (out web.CaseDetail, err error) {
	n := p.names(ctx)
	err = p.store.Read(ctx, func(r *store.ReadTx) error {
		c, err := p.openCase(r.Reader, n, id, duress)
		if err != nil {
			return err
		}
		out = web.CaseDetail{Finding: p.finding(r.Reader, c.finding, n, show), Case: casework.Read(c.acts)}
		if out.Zones, err = zonesOf(r.Reader, &c.finding, n); err != nil {
			return err
		}
		out.Risen = c.finding.Kind == string(review.ItemsOverdue) || slices.ContainsFunc(c.acts, func(a casework.Act) bool { return a.Kind == casework.ToCISOOffice })
		out.Owner, out.Visits = c.accounts[out.Case.Owner].FullName, c.visits
		if show {
			out.Purpose = c.purpose
		}
		site, err := p.office(r.Reader)
		if err != nil {
			return err
		}
		out.Finding.Due = dueOf(&c.finding, site)
		for _, a := range c.rows {
			x := web.CaseAct{Kind: casework.Kind(a.Kind), By: c.accounts[a.Account].FullName, To: c.accounts[a.To].FullName, AtMS: a.AtMS, Leaf: uint64(a.Idx)}
			if show {
				x.Text = a.Text
			}
			out.Acts = append(out.Acts, x)
		}
		return nil
	})
	return out, err
}

// zonesOf lists the zones that a finding lies in: the one that its door leads into, else those that the store derives; of a gateway none.
func zonesOf(r store.Reader, f *attempt.Finding, n names) ([]access.ZoneID, error) {
	if f.Door != "" {
		if z := n.doors[access.DoorID(f.Door)].Enter; z != "" {
			return []access.ZoneID{z}, nil
		}
		return nil, nil
	}
	list, err := r.FindingZones(f)
	out := make([]access.ZoneID, len(list))
	for i, z := range list {
		out[i] = access.ZoneID(z)
	}
	return out, err
}

// ActOnCase implements web.Cases. Who may know of duress is asked by the page, which reads the case first.
func (p *pages) ActOnCase(ctx context.Context, id string, kind casework.Kind, to string, act web.Action) error {
	return p.store.Write(ctx, func(tx *store.Tx) error {
		c, err := p.openCase(tx.Reader, p.names(ctx), id, true)
		if err != nil {
			return err
		}
		var target *casework.Actor
		if a, known := c.accounts[to]; known && !a.Suspended {
			x := c.actor(to)
			target = &x
		}
		if kind != casework.Assign {
			to = ""
		}
		state := casework.Read(c.acts)
		if err := state.May(kind, c.actor(act.Actor), target, act.Reason, c.facts); err != nil {
			return err
		}
		a := store.FindingAct{Finding: c.finding.Idx, Kind: string(kind), Account: act.Actor, AtMS: act.At.UnixMilli(), To: to, Text: act.Reason}
		if _, err = tx.AppendFindingAct(a, originOf(act), addressOf(act)); err != nil {
			return fmt.Errorf("act on finding %s: %w", id, err)
		}
		return nil
	})
}

// office is the site as due times are counted by.
func (p *pages) office(r store.Reader) (*visit.Site, error) {
	dir := p.directory()
	return policypub.VisitSite(r, &dir, p.store.Zone())
}

// dueOf is until when somebody has to have looked at a finding: the closing time of the open day that the catalogue gives its kind (VR-1).
func dueOf(f *attempt.Finding, s *visit.Site) time.Time {
	return time.UnixMilli(s.ClosingAfter(f.AtMS, max(1, review.Kind(f.Kind).Entry().DueDays)))
}

// worked fills in who works on the findings of a list and until when.
func (p *pages) worked(r store.Reader, rows []attempt.Finding, list []web.Finding) error {
	site, err := p.office(r)
	if err != nil {
		return err
	}
	for i := range list {
		list[i].Due, list[i].Level = dueOf(&rows[i], site), levelOf(&rows[i], site, p.now().UnixMilli())
		if rows[i].Status != attempt.StatusInReview {
			continue
		}
		acts, err := r.FindingActs(rows[i].Idx)
		if err != nil {
			return err
		}
		var c []casework.Act
		for _, a := range acts {
			c = append(c, casework.Act{Kind: casework.Kind(a.Kind), By: casework.Actor{Account: a.Account}, To: a.To})
		}
		if owner := casework.Read(c).Owner; owner != "" {
			list[i].Owner = accountName(r, owner)
		}
	}
	return nil
}
