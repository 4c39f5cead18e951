package app

import (
	"context"
	"errors"
	"slices"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/policypub"
	"monban/server/review"
	"monban/server/store"
	"monban/server/visit"
)

// ApplyVisit takes an application in (VE-1). warnings name fields that look like an Individual Number where any number may
// stand (VE-5).
func (v *Visits) ApplyVisit(ctx context.Context, app visit.Application, by visit.Actor) (out visit.Visit, warnings []string, err error) {
	out, err = begin(ctx, v, visit.KindVisit, false, deed{by, "visit_applied", app.Purpose}, func(t *visitTx, id string) (x visit.Visit, err error) {
		x, warnings, err = visit.Apply(app, by, t.nowMS, t.site)
		x.ID = id
		return x, err
	}, nil)
	return out, warnings, err
}

// UrgentVisit takes in a visit that approver has approved by phone (口頭承認, VE-12). It can be received at once and has to be
// confirmed until the closing time of the next open day: ConfirmOral.
func (v *Visits) UrgentVisit(ctx context.Context, app visit.Application, approver directory.PersonID, by visit.Actor) (out visit.Visit, warnings []string, err error) {
	out, err = begin(ctx, v, visit.KindVisit, false, deed{by, "visit_urgent", app.Purpose}, func(t *visitTx, id string) (x visit.Visit, err error) {
		x, warnings, err = visit.Urgent(app, approver, by, t.nowMS, t.site)
		x.ID = id
		return x, err
	}, nil)
	return out, warnings, err
}

// DecideVisit approves or refuses an application; the applicant is refused with visit.ErrSamePerson.
func (v *Visits) DecideVisit(ctx context.Context, id string, approve bool, note string, by visit.Actor) (visit.Visit, error) {
	verb := "visit_refused"
	if approve {
		verb = "visit_approved"
	}
	return step(ctx, v, visit.KindVisit, id, false, deed{by, verb, note}, func(t *visitTx, m *visit.Visit) error {
		if err := t.twoAccounts(m.Asked, by); approve && err != nil {
			return err
		}
		if approve {
			return m.Approve(by, t.nowMS, note)
		}
		return m.Refuse(by, t.nowMS, note)
	})
}

// twoAccounts refuses two accounts of one person of the directory, also when the account did not point to the person yet at
// the first step (RA-2).
func (t *visitTx) twoAccounts(first visit.Step, by visit.Actor) error {
	if first.Account == "" || first.Account == by.Account {
		return nil // decided by the matter itself
	}
	a, err := t.AccountByID(first.Account)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if a.Person != "" && directory.PersonID(a.Person) == by.Person {
		return visit.ErrSamePerson
	}
	return nil
}

// WithdrawVisit ends a visit for which nobody was received.
func (v *Visits) WithdrawVisit(ctx context.Context, id, reason string, by visit.Actor) (visit.Visit, error) {
	return step(ctx, v, visit.KindVisit, id, false, deed{by, "visit_withdrawn", reason}, func(t *visitTx, m *visit.Visit) error {
		return m.Withdraw(by, t.nowMS, reason)
	})
}

// ExtendVisit moves the end of a visit's window; badges that are out open until then (VE-9).
func (v *Visits) ExtendVisit(ctx context.Context, id string, until time.Time, reason string, by visit.Actor) (visit.Visit, error) {
	return step(ctx, v, visit.KindVisit, id, true, deed{by, "visit_extended", reason}, func(t *visitTx, m *visit.Visit) error {
		if err := t.twoAccounts(m.Asked, by); err != nil {
			return err
		}
		return m.Extend(until.UnixMilli(), by, t.nowMS, reason, t.site)
	})
}

// ChangeWorker replaces a guest by a substitute on the day, by the owning section (VE-12).
func (v *Visits) ChangeWorker(ctx context.Context, id string, guest int, with visit.Guest, reason string, by visit.Actor) (visit.Visit, error) {
	return step(ctx, v, visit.KindVisit, id, false, deed{by, "visit_worker_changed", reason}, func(t *visitTx, m *visit.Visit) error {
		return m.ChangeWorker(guest, with, by, t.nowMS, reason, t.site)
	})
}

// ConfirmOral confirms an approval by phone afterwards, or says that it was never given; then nobody of the visit comes in any
// more and a finding tells of it.
func (v *Visits) ConfirmOral(ctx context.Context, id string, given bool, note string, by visit.Actor) (visit.Visit, error) {
	verb := "visit_oral_denied"
	if given {
		verb = "visit_oral_confirmed"
	}
	return step(ctx, v, visit.KindVisit, id, !given, deed{by, verb, note}, func(t *visitTx, m *visit.Visit) error {
		if err := t.twoAccounts(m.Asked, by); err != nil {
			return err
		}
		if err := m.ConfirmOral(!given, by, t.nowMS, note); err != nil || given {
			return err
		}
		row, err := t.Matter(id)
		if err != nil {
			return err
		}
		return t.find(review.OralDenied, row.First, "")
	})
}

// ReceptionForm is what reception fills in for one guest.
type ReceptionForm = visit.ReceptionForm

// ReceiveGuest receives one guest of an approved visit and lends the badge (VE-3, VE-5, VE-6). When it returns, the badge opens the
// visit's doors until the window ends.
func (v *Visits) ReceiveGuest(ctx context.Context, id string, f ReceptionForm, by visit.Actor) (visit.Visit, error) {
	return step(ctx, v, visit.KindVisit, id, true, deed{by, "visit_received", ""}, func(t *visitTx, m *visit.Visit) error {
		b, err := badgeOf(t.Reader, f.Badge)
		if err != nil {
			return err
		}
		lent, err := t.lent()
		if err != nil {
			return err
		}
		r := visit.Reception{Guest: f.Guest, Identity: f.Identity, Conditions: f.Conditions, Declared: f.Declared, Badge: b, Carrier: f.Carrier}
		if err := m.Receive(r, t.site.ConditionsOf(m.Zones), lent, by, t.nowMS, t.site); err != nil {
			return err
		}
		if slices.ContainsFunc(m.Guests[f.Guest].Declared, func(d visit.Declared) bool { return d.Flagged }) {
			row, err := t.Matter(id)
			if err != nil {
				return err
			}
			if err := t.find(review.BringInFlagged, row.First, number(f.Guest+1)); err != nil { // the visit may be over before a job looks
				return err
			}
		}
		return t.setPIN(*b, f.PIN)
	})
}

// VisitConditions is the version of the entry conditions that a visit's guests have to accept now, 0 = none.
func (v *Visits) VisitConditions(ctx context.Context, zones []access.ZoneID) (version uint32, err error) {
	err = v.read(ctx, func(r store.Reader, s *visit.Site) error { version = s.ConditionsOf(zones); return nil })
	return version, err
}

// HandOverParty makes another member of staff the one on whose badge the party without cards goes (VE-10, VE-11).
func (v *Visits) HandOverParty(ctx context.Context, id string, carrier directory.PersonID, by visit.Actor) (visit.Visit, error) {
	return step(ctx, v, visit.KindVisit, id, true, deed{by, "visit_party_handed_over", ""}, func(t *visitTx, m *visit.Visit) error {
		return m.CarryBy(carrier, t.nowMS, t.site)
	})
}

// CountHeads counts the heads of a tour on its way in, or out again.
func (v *Visits) CountHeads(ctx context.Context, id string, out bool, heads int, by visit.Actor) (visit.Visit, error) {
	return step(ctx, v, visit.KindVisit, id, true, deed{by, "visit_heads_counted", ""}, func(t *visitTx, m *visit.Visit) error {
		return m.Count(out, heads, by, t.nowMS)
	})
}

// ReturnBadge takes a badge back, by its inventory number or label; it stops opening doors at once. With lost it is written off. The visit
// closes with the last badge, unless somebody is inside by the log (VE-8).
func (v *Visits) ReturnBadge(ctx context.Context, badge string, lost bool, note string, by visit.Actor) (visit.Visit, error) {
	verb := "visit_badge_returned"
	if lost {
		verb = "visit_badge_lost"
	}
	var out visit.Visit
	err := v.run(ctx, true, func(t *visitTx) error {
		b, err := badgeOf(t.Reader, badge)
		if err != nil {
			return err
		}
		if b == nil {
			return visit.ErrBadge
		}
		lent, err := t.lent()
		if err != nil {
			return err
		}
		m, row, err := load[visit.Visit](t.Reader, visit.KindVisit, lent(b.ID))
		if errors.Is(err, store.ErrNotFound) {
			return visit.ErrState // it is not lent with a visit
		}
		if err != nil {
			return err
		}
		past, err := passagesOf(t.Reader, t.site, []visit.Visit{*m}, t.nowMS)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(m.Guests, func(g visit.Guest) bool { return g.Badge == b.ID && g.Here() })
		if err := m.ReturnBadge(i, lost, m.Insider(past), by, t.nowMS, note); err != nil {
			return err
		}
		if _, err := t.put(row, m, deed{by, verb, note}); err != nil {
			return err
		}
		out = *m
		if !lost {
			return t.setPIN(*b, "")
		}
		return t.loseBadge(*b, row.First, by)
	})
	return out, err
}

// loseBadge writes a badge off, and tells of it.
func (t *visitTx) loseBadge(b visit.Badge, cause int64, by visit.Actor) error {
	b.Status = visit.BadgeLost
	if err := t.putBadge(b, "badge_lost", "", by); err != nil {
		return err
	}
	return t.find(review.BadgeLost, cause, b.ID)
}

// GuestLeft records what a person says of a guest's exit that the log does not show (退室未記録, VE-8).
func (v *Visits) GuestLeft(ctx context.Context, id string, guest int, note string, by visit.Actor) (visit.Visit, error) {
	return step(ctx, v, visit.KindVisit, id, false, deed{by, "visit_exit_stated", note}, func(t *visitTx, m *visit.Visit) error {
		return m.Left(guest, by, t.nowMS, note)
	})
}

// CloseVisit closes a visit whose badges are back. With somebody inside by the log it takes a note (VE-8).
func (v *Visits) CloseVisit(ctx context.Context, id, note string, by visit.Actor) (visit.Visit, error) {
	return step(ctx, v, visit.KindVisit, id, true, deed{by, "visit_closed", note}, func(t *visitTx, m *visit.Visit) error {
		past, err := passagesOf(t.Reader, t.site, []visit.Visit{*m}, t.nowMS)
		if err != nil {
			return err
		}
		return m.Close(m.Insider(past), by, t.nowMS, note)
	})
}

// VisitView is a visit with what the log says of its guests.
type VisitView = visit.View

// VisitByID gives one visit; store.ErrNotFound.
func (v *Visits) VisitByID(ctx context.Context, id string) (out VisitView, err error) {
	err = v.read(ctx, func(r store.Reader, s *visit.Site) error {
		m, _, err := load[visit.Visit](r, visit.KindVisit, id)
		if err != nil {
			return err
		}
		list, err := v.views(r, s, []visit.Visit{*m})
		if err == nil {
			out = list[0]
		}
		return err
	})
	return out, err
}

// VisitsOfDay lists the visits whose window touches a day (YYYY-MM-DD), and those of before that are still running: reception's
// list.
func (v *Visits) VisitsOfDay(ctx context.Context, day string) (out []VisitView, err error) {
	d, err := directory.ParseDate(day)
	if err != nil {
		return nil, err
	}
	err = v.read(ctx, func(r store.Reader, s *visit.Site) error {
		list, err := visitsOf(r, s, d)
		if err != nil {
			return err
		}
		out, err = v.views(r, s, list)
		return err
	})
	return out, err
}

// OpenVisits lists the visits of which something is still to come: undecided, expected, running, or approved by phone only.
func (v *Visits) OpenVisits(ctx context.Context) (out []VisitView, err error) {
	err = v.read(ctx, func(r store.Reader, s *visit.Site) error {
		visits, err := list[visit.Visit](openOf(r, visit.KindVisit))
		if err != nil {
			return err
		}
		out, err = v.views(r, s, visits)
		return err
	})
	return out, err
}

// visitsOf reads the visits that touch a day. No window is longer than two weeks.
func visitsOf(r store.Reader, s *visit.Site, d directory.Date) ([]visit.Visit, error) {
	from, to := d.StartMS(s.Zone), d.EndMS(s.Zone)
	rows, err := r.MattersBetween(visit.KindVisit, d.AddDays(-14).StartMS(s.Zone), to)
	rows = slices.DeleteFunc(rows, func(m store.Matter) bool {
		return m.UntilMS <= from && m.State != string(visit.Running)
	})
	return list[visit.Visit](r, rows, err)
}

func (v *Visits) views(r store.Reader, s *visit.Site, visits []visit.Visit) ([]VisitView, error) {
	now := v.nowMS()
	past, err := passagesOf(r, s, visits, now)
	if err != nil {
		return nil, err
	}
	carries, err := list[visit.Carry](openOf(r, visit.KindCarry))
	if err != nil {
		return nil, err
	}
	out := make([]VisitView, 0, len(visits))
	for i := range visits {
		matters := []visit.Matter{&visits[i]}
		for j := range carries {
			if carries[j].Visit == visits[i].ID {
				matters = append(matters, &carries[j])
			}
		}
		out = append(out, VisitView{Visit: visits[i], Presence: visits[i].Match(past), Owed: visit.Dues(matters, past, now, s)})
	}
	return out, nil
}

// read runs f over one view of the database.
func (v *Visits) read(ctx context.Context, f func(r store.Reader, s *visit.Site) error) error {
	return missing(v.store.Read(ctx, func(r *store.ReadTx) error {
		dir, err := v.directory(r.Reader)
		if err != nil {
			return err
		}
		site, err := policypub.VisitSite(r.Reader, dir, v.store.Zone())
		if err != nil {
			return err
		}
		return f(r.Reader, site)
	}))
}

// ApplyPermit asks for a standing permit (VE-12).
func (v *Visits) ApplyPermit(ctx context.Context, p visit.Permit, by visit.Actor) (out visit.Permit, warnings []string, err error) {
	out, err = begin(ctx, v, visit.KindPermit, false, deed{by, "permit_applied", p.Purpose}, func(t *visitTx, id string) (x visit.Permit, err error) {
		x, warnings, err = visit.ApplyPermit(p, by, t.nowMS, t.site)
		x.ID = id
		return x, err
	}, nil)
	return out, warnings, err
}

// DecidePermit grants or refuses a standing permit; never by the applicant.
func (v *Visits) DecidePermit(ctx context.Context, id string, grant bool, note string, by visit.Actor) (visit.Permit, error) {
	verb := "permit_refused"
	if grant {
		verb = "permit_granted"
	}
	return step(ctx, v, visit.KindPermit, id, false, deed{by, verb, note}, func(t *visitTx, m *visit.Permit) error {
		if err := t.twoAccounts(m.Asked, by); err != nil {
			return err
		}
		return m.Decide(grant, by, t.nowMS, note)
	})
}

// EndPermit ends a standing permit.
func (v *Visits) EndPermit(ctx context.Context, id, reason string, by visit.Actor) (visit.Permit, error) {
	return step(ctx, v, visit.KindPermit, id, false, deed{by, "permit_ended", reason}, func(t *visitTx, m *visit.Permit) error {
		return m.End(by, t.nowMS, reason)
	})
}

// Permits lists the standing permits that are not over.
func (v *Visits) Permits(ctx context.Context) (out []visit.Permit, err error) {
	err = v.read(ctx, func(r store.Reader, s *visit.Site) error {
		out, err = list[visit.Permit](openOf(r, visit.KindPermit))
		return err
	})
	return out, err
}

// VisitFromPermit makes the visit for which the people of a permit stand at the counter; ReceiveGuest follows.
func (v *Visits) VisitFromPermit(ctx context.Context, permit string, by visit.Actor) (visit.Visit, error) {
	return begin(ctx, v, visit.KindVisit, false, deed{by, "visit_by_permit", ""}, func(t *visitTx, id string) (x visit.Visit, err error) {
		p, _, err := load[visit.Permit](t.Reader, visit.KindPermit, permit)
		if err != nil {
			return x, err
		}
		x, err = p.VisitNow(by, t.nowMS, t.site)
		x.ID = id
		return x, err
	}, nil)
}
