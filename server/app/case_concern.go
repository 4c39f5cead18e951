package app

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"monban/server/casework"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/review"
	"monban/server/store"
	"monban/server/visit"
	"monban/server/web"
)

// concernedByCause finds whom a finding without an attempt concerns: of a day, who could have signed it, or whose purposes are missing; else
// the persons of the matter that its cause began, or who did what its cause says.
func (p *pages) concernedByCause(r store.Reader, c *caseFile) error {
	switch review.Kind(c.finding.Kind) {
	case review.UnsignedDay:
		zones, err := r.FindingZones(&c.finding)
		for _, z := range zones {
			c.owing(z, p.now())
		}
		return err
	case review.PurposeBlank:
		return p.blankOf(r, c)
	}
	if c.finding.Cause < 0 {
		return nil
	}
	m, err := r.MatterBegunBy(c.finding.Cause)
	if errors.Is(err, store.ErrNotFound) {
		return c.didCause(r)
	}
	if err != nil {
		return err
	}
	who, err := concernOf(r, &m)
	if err != nil {
		if !errors.Is(err, store.ErrErased) && !errors.Is(err, store.ErrNotFound) { // the case is shown all the same; the finding for it is verify's work
			p.log.LogAttrs(context.Background(), slog.LevelError, "whom a case concerns cannot be read", slog.Int64("leaf", m.Idx), slog.Any("err", err))
		}
		c.facts.Hidden = true
		return nil
	}
	for _, id := range who.About {
		c.facts.Subjects = append(c.facts.Subjects, string(id))
	}
	for _, id := range who.Approved {
		c.facts.Approvers = append(c.facts.Approvers, string(id))
	}
	c.facts.Accounts = append(c.facts.Accounts, who.Accounts...)
	return nil
}

// concernOf reads whom a matter concerns as it stands. One of another package has in its opening whom it is about.
func concernOf(r store.Reader, m *store.Matter) (who visit.Concern, err error) {
	o, err := r.Opening(m.Idx)
	if err != nil {
		return who, err
	}
	if !visit.Knows(m.Kind) {
		if o.Subject != "" {
			who.About = []directory.PersonID{directory.PersonID(o.Subject)}
		}
		return who, nil
	}
	text, err := r.MatterText(m.Idx)
	if err != nil {
		return who, err
	}
	x, err := visit.Decode(m.Kind, text.Doc)
	if err != nil {
		return who, err
	}
	return visit.ConcernOf(x), nil
}

// didCause finds who did what the leaf of the cause tells of, when somebody did.
func (c *caseFile) didCause(r store.Reader) error {
	l, err := r.Leaf(c.finding.Cause)
	if errors.Is(err, store.ErrNotFound) || err == nil && l.Kind != entrylog.KindAction {
		return nil
	}
	if err != nil {
		return err
	}
	act, err := entrylog.ParseAction(l.Body)
	if err != nil || act.Account == "" {
		return err
	}
	c.facts.Accounts = append(c.facts.Accounts, act.Account)
	if who := c.accounts[act.Account].Person; who != "" {
		c.facts.Subjects = append(c.facts.Subjects, who)
	}
	return nil
}

// owing adds the accounts that sign a zone's days, or did when it was found.
func (c *caseFile) owing(zone string, now time.Time) {
	for _, a := range c.accounts {
		for _, as := range a.Roles {
			holds := func(ms int64) bool { return as.FromMS <= ms && (as.UntilMS == 0 || ms < as.UntilMS) }
			if web.SignsDays(as.Role) && (as.Zone == "" || as.Zone == zone) && (holds(c.finding.AtMS) || holds(now.UnixMilli())) {
				c.facts.Owing = append(c.facts.Owing, casework.Actor{Account: a.ID, Person: a.Person})
				break
			}
		}
	}
}

// blankOf finds whose entries on the finding's day and in its zone still have no purpose.
func (p *pages) blankOf(r store.Reader, c *caseFile) error {
	zone, text, _ := strings.Cut(c.finding.Detail, "/")
	day, err := directory.ParseDate(text)
	if err != nil {
		return nil // not of a job's making
	}
	s, err := p.office(r)
	if err != nil {
		return err
	}
	visits, err := visitsOf(r, s, day)
	if err != nil {
		return err
	}
	entries, err := entriesOf(r, s, day)
	if err != nil {
		return err
	}
	list, err := blanks(r, s, day, visits, entries)
	for i := range list {
		if string(list[i].Zone) == zone && list[i].Person != "" {
			c.facts.Subjects = append(c.facts.Subjects, string(list[i].Person))
		}
	}
	return err
}
