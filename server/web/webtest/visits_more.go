package webtest

import (
	"context"
	"errors"
	"slices"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/visit"
	"monban/server/web"
)

// status sets the state of a card.
func (d *Desk) status(id directory.CardID, to access.CredentialStatus) {
	site, dir := *d.Site, *d.Site.Dir
	dir.Credentials = slices.Clone(dir.Credentials)
	for i := range dir.Credentials {
		if dir.Credentials[i].ID == id {
			dir.Credentials[i].Status = to
		}
	}
	site.Dir = &dir
	d.Site = &site
}

// Suspensions implements web.Visits.
func (d *Desk) Suspensions(context.Context) ([]visit.Suspension, error) {
	return listed[visit.Suspension](d)
}

// SuspendCard implements web.Visits.
func (d *Desk) SuspendCard(_ context.Context, id directory.CardID, lost bool, lastSure time.Time, reason string, by visit.Actor) (visit.Suspension, error) {
	return begin(d, visit.KindSuspension, "card_stopped", by, func(matter string) (visit.Suspension, error) {
		var sure int64
		if !lastSure.IsZero() {
			sure = lastSure.UnixMilli()
		}
		x, err := visit.Suspend(id, lost, sure, reason, by, d.now(), d.Site)
		if err != nil {
			return x, err
		}
		x.ID = matter
		var uses []visit.DoubtfulEntry
		for _, e := range d.Own[x.Person] {
			if e.AtMS > x.LastSureMS && e.Granted {
				uses = append(uses, visit.DoubtfulEntry{Attempt: e.Attempt, AtMS: e.AtMS, Door: e.Door})
			}
		}
		x.Doubt(uses)
		to := access.CredentialSuspended
		if lost {
			to = access.CredentialLost
		}
		d.status(id, to)
		return x, nil
	})
}

// AnswerEntry implements web.Visits.
func (d *Desk) AnswerEntry(_ context.Context, id string, entry int, mine bool, note string, by visit.Actor) (visit.Suspension, error) {
	return change(d, id, "card_entry_answered", by, func(x *visit.Suspension) error { return x.Answer(entry, mine, by, d.now(), note) })
}

// AskResume implements web.Visits.
func (d *Desk) AskResume(_ context.Context, id, reason string, by visit.Actor) (visit.Suspension, error) {
	return change(d, id, "card_resume_asked", by, func(x *visit.Suspension) error { return x.AskResume(by, d.now(), reason) })
}

// ResumeCard implements web.Visits.
func (d *Desk) ResumeCard(_ context.Context, id, note string, by visit.Actor) (visit.Suspension, error) {
	return change(d, id, "card_resumed", by, func(x *visit.Suspension) error {
		err := x.Resume(by, d.now(), note)
		if err == nil {
			d.status(x.Card, access.CredentialActive)
		}
		return err
	})
}

// GiveUpCard implements web.Visits.
func (d *Desk) GiveUpCard(_ context.Context, id, reason string, by visit.Actor) (visit.Suspension, error) {
	return change(d, id, "card_given_up", by, func(x *visit.Suspension) error {
		err := x.GiveUp(by, d.now(), reason)
		if err == nil {
			d.status(x.Card, access.CredentialRevoked)
		}
		return err
	})
}

// Emergencies implements web.Visits.
func (d *Desk) Emergencies(context.Context) ([]visit.Emergency, error) {
	return listed[visit.Emergency](d)
}

// DeclareEmergency implements web.Visits.
func (d *Desk) DeclareEmergency(_ context.Context, zones []access.ZoneID, persons []directory.PersonID, last time.Duration, reason string, breakGlass bool, by visit.Actor) (visit.Emergency, error) {
	verb := "emergency_asked"
	if breakGlass {
		verb = "emergency_break_glass"
	}
	return begin(d, visit.KindEmergency, verb, by, func(id string) (visit.Emergency, error) {
		x, err := visit.Declare(zones, persons, last.Milliseconds(), reason, breakGlass, by, d.now(), d.Site)
		x.ID = id
		return x, err
	})
}

// AgreeEmergency implements web.Visits.
func (d *Desk) AgreeEmergency(_ context.Context, id string, by visit.Actor) (visit.Emergency, error) {
	return change(d, id, "emergency_agreed", by, func(x *visit.Emergency) error { return x.Agree(by, d.now(), d.Site) })
}

// EndEmergency implements web.Visits.
func (d *Desk) EndEmergency(_ context.Context, id, note string, by visit.Actor) (visit.Emergency, error) {
	return change(d, id, "emergency_ended", by, func(x *visit.Emergency) error { return x.End(by, d.now(), note) })
}

// ReportEmergency implements web.Visits.
func (d *Desk) ReportEmergency(_ context.Context, id, report string, by visit.Actor) (visit.Emergency, error) {
	return change(d, id, "emergency_reported", by, func(x *visit.Emergency) error { return x.Tell(report, by, d.now()) })
}

// Carries implements web.Visits.
func (d *Desk) Carries(context.Context) ([]visit.Carry, error) { return listed[visit.Carry](d) }

// OpenCarry implements web.Visits.
func (d *Desk) OpenCarry(_ context.Context, c visit.Carry, by visit.Actor) (out visit.Carry, warnings []string, err error) {
	out, err = begin(d, visit.KindCarry, "carry_opened", by, func(id string) (x visit.Carry, err error) {
		if _, ok := d.matters[c.Visit]; !ok && c.Visit != "" {
			return x, visit.ErrUnknown
		}
		x, warnings, err = visit.OpenCarry(c, open[visit.Carry](d, true), by, d.now(), d.Site)
		x.ID = id
		return x, err
	})
	return out, warnings, err
}

// SetCarryItems implements web.Visits.
func (d *Desk) SetCarryItems(_ context.Context, id string, items []visit.Item, by visit.Actor) (out visit.Carry, warnings []string, err error) {
	out, err = change(d, id, "carry_items_set", by, func(x *visit.Carry) (err error) {
		past := slices.DeleteFunc(open[visit.Carry](d, true), func(c visit.Carry) bool { return c.ID == id })
		warnings, err = x.SetItems(items, past, by, d.now(), d.Site)
		return err
	})
	return out, warnings, err
}

// ShutCarry implements web.Visits.
func (d *Desk) ShutCarry(_ context.Context, id string, by visit.Actor) (visit.Carry, error) {
	return change(d, id, "carry_shut", by, func(x *visit.Carry) error { return x.Shut(by, d.now()) })
}

// SettleCarry implements web.Visits.
func (d *Desk) SettleCarry(_ context.Context, id, note string, by visit.Actor) (visit.Carry, error) {
	return change(d, id, "carry_settled", by, func(x *visit.Carry) error { return x.Settle(by, d.now(), note) })
}

// KeyLoans implements web.Visits.
func (d *Desk) KeyLoans(context.Context) ([]visit.KeyLoan, error) { return listed[visit.KeyLoan](d) }

// LendKey implements web.Visits.
func (d *Desk) LendKey(_ context.Context, k visit.KeyLoan, by visit.Actor) (visit.KeyLoan, error) {
	return begin(d, visit.KindKeyLoan, "key_lent", by, func(id string) (visit.KeyLoan, error) {
		out := func(key string) bool {
			return slices.ContainsFunc(open[visit.KeyLoan](d, false), func(x visit.KeyLoan) bool { return x.Key == key })
		}
		x, err := visit.LendKey(k, out, by, d.now(), d.Site)
		x.ID = id
		return x, err
	})
}

// ReturnKey implements web.Visits.
func (d *Desk) ReturnKey(_ context.Context, id string, lost bool, note string, by visit.Actor) (visit.KeyLoan, error) {
	return change(d, id, "key_returned", by, func(x *visit.KeyLoan) error { return x.Return(lost, by, d.now(), note) })
}

// ListDues implements web.Visits.
func (d *Desk) ListDues(context.Context) ([]visit.Due, error) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	var all []visit.Matter
	for _, m := range d.matters {
		if m.Head().Open {
			all = append(all, m)
		}
	}
	return visit.Dues(all, d.Passages, d.now(), d.Site), nil
}

// OwnEntries implements web.Visits.
func (d *Desk) OwnEntries(_ context.Context, person directory.PersonID, _ int) (out []visit.OwnEntry, err error) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	stated := open[visit.Purpose](d, true)
	for _, e := range d.Own[person] {
		for _, p := range stated {
			if p.Attempt == e.Attempt {
				e.Purpose, e.From, e.Asks = p.Text, visit.FromPerson, false
			}
		}
		for _, x := range open[visit.ExitStated](d, true) {
			if x.Attempt == e.Attempt {
				e.NoExit, e.LeftMS, e.Confirmed = false, x.LeftMS, x.Confirmed.Done()
			}
		}
		out = append(out, e)
	}
	return out, nil
}

// StatePurpose implements web.Visits.
func (d *Desk) StatePurpose(_ context.Context, attempt, text string, by visit.Actor) (visit.Purpose, error) {
	return begin(d, visit.KindPurpose, "purpose_stated", by, func(id string) (visit.Purpose, error) {
		for _, p := range open[visit.Purpose](d, true) {
			if p.Attempt == attempt {
				return visit.Purpose{}, visit.ErrState
			}
		}
		for person, list := range d.Own {
			for _, e := range list {
				if e.Attempt == attempt {
					x, err := visit.StatePurpose(visit.Passage{Attempt: attempt, AtMS: e.AtMS, Door: e.Door, Zone: e.Zone, In: true, Person: person}, text, by, d.now())
					x.ID = id
					return x, err
				}
			}
		}
		return visit.Purpose{}, errNotFound
	})
}

// StateExit implements web.Visits.
func (d *Desk) StateExit(_ context.Context, attempt string, left time.Time, by visit.Actor) (visit.ExitStated, error) {
	return begin(d, visit.KindExit, "exit_stated", by, func(id string) (visit.ExitStated, error) {
		for _, e := range d.Own[by.Person] {
			if e.Attempt != attempt || by.Person == "" {
				continue
			}
			if !e.NoExit {
				return visit.ExitStated{}, visit.ErrState
			}
			x, err := visit.StateExit(visit.Passage{Attempt: attempt, AtMS: e.AtMS, Door: e.Door, Zone: e.Zone, In: true, Person: by.Person}, left.UnixMilli(), e.NextMS, by, d.now())
			x.ID = id
			return x, err
		}
		return visit.ExitStated{}, visit.ErrNotHolder
	})
}

// ConfirmExit implements web.Visits.
func (d *Desk) ConfirmExit(_ context.Context, id string, by visit.Actor) (visit.ExitStated, error) {
	return change(d, id, "exit_confirmed", by, func(x *visit.ExitStated) error { return x.Confirm(by, d.now()) })
}

// ExitStatements implements web.Visits.
func (d *Desk) ExitStatements(context.Context) ([]visit.ExitStated, error) {
	return listed[visit.ExitStated](d)
}

// AddBadge implements web.Visits.
func (d *Desk) AddBadge(_ context.Context, f visit.BadgeForm, reason string, by visit.Actor) (visit.Badge, error) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	b := visit.Badge{ID: f.ID, Label: f.Label, Kind: f.Kind, Look: f.Look, Status: visit.BadgeActive}
	if f.Format != "" {
		b.Format, b.Assurance, b.KeyVersion, b.Masked = f.Format, f.Assurance, 1, "****0000"
		b.Ref[0], b.Ref[1] = byte(len(d.Badges)), 200
	}
	if err := errors.Join(visit.CheckReason(reason), b.Check()); err != nil {
		return visit.Badge{}, err
	}
	if d.badge(b.ID) != nil || d.badge(b.Label) != nil {
		return visit.Badge{}, visit.ErrBadgeLent
	}
	d.Badges = append(d.Badges, b)
	return b, d.m.record(web.Action{At: time.UnixMilli(d.now()), Kind: "badge_added", Actor: by.Account, Target: b.ID, Reason: reason})
}

// SetBadgeStatus implements web.Visits.
func (d *Desk) SetBadgeStatus(_ context.Context, id string, status visit.BadgeStatus, reason string, by visit.Actor) error {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	if err := visit.CheckReason(reason); err != nil {
		return err
	}
	for i := range d.Badges {
		switch {
		case d.Badges[i].ID != id:
			continue
		case d.lent(id) != "":
			return visit.ErrBadgeLent
		}
		d.Badges[i].Status = status
		return d.m.record(web.Action{At: time.UnixMilli(d.now()), Kind: "badge_changed", Actor: by.Account, Target: id, Reason: reason})
	}
	return errNotFound
}
