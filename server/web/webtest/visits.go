package webtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"monban/server/directory"
	"monban/server/visit"
	"monban/server/web"
)

// Desk implements web.Visits in memory, with the same pure functions as the real one. Each method that changes something
// writes one leaf.
type Desk struct {
	Site     *visit.Site
	Badges   []visit.Badge
	Passages []visit.Passage // of the log, in order of time
	Own      map[directory.PersonID][]visit.OwnEntry
	Clock    func() time.Time // nil = time.Now

	m       *Memory
	matters map[string]visit.Matter
	serial  int
}

func (d *Desk) now() int64 {
	if d.Clock != nil {
		return d.Clock().UnixMilli()
	}
	return time.Now().UnixMilli()
}

// put keeps a matter and writes its leaf.
func (d *Desk) put(id string, m visit.Matter, verb string, by visit.Actor) error {
	if err := d.m.record(web.Action{At: time.UnixMilli(d.now()), Kind: web.ActionKind(verb), Actor: by.Account, Target: id, Address: by.Address}); err != nil {
		return err
	}
	if d.matters == nil {
		d.matters = map[string]visit.Matter{}
	}
	d.matters[id] = m
	return nil
}

func (d *Desk) number(kind string) string {
	d.serial++
	return fmt.Sprintf("%s-2026-%05d", kind, d.serial)
}

type matter[T any] interface {
	*T
	visit.Matter
}

// change moves a copy of a matter.
func change[T any, P matter[T]](d *Desk, id, verb string, by visit.Actor, move func(P) error) (T, error) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	old, ok := d.matters[id].(P)
	if !ok {
		var none T
		return none, web.ErrNotFound
	}
	x := *old
	if err := move(&x); err != nil {
		return *old, err
	}
	return x, d.put(id, P(&x), verb, by)
}

// begin keeps a new matter.
func begin[T any, P matter[T]](d *Desk, kind, verb string, by visit.Actor, make func(id string) (T, error)) (T, error) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	id := d.number(kind)
	x, err := make(id)
	if err != nil {
		return x, err
	}
	return x, d.put(id, P(&x), verb, by)
}

// open lists the matters of a kind that are open, by number.
func open[T any, P matter[T]](d *Desk, all bool) (out []T) {
	for _, id := range slices.Sorted(maps.Keys(d.matters)) {
		if x, ok := d.matters[id].(P); ok && (all || x.Head().Open) {
			out = append(out, *x)
		}
	}
	return out
}

func listed[T any, P matter[T]](d *Desk) ([]T, error) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	return open[T, P](d, false), nil
}

func (d *Desk) lent(badge string) string {
	for _, v := range open[visit.Visit](d, false) {
		if slices.Contains(v.Out(), badge) {
			return v.ID
		}
	}
	for _, t := range open[visit.TemporaryCard](d, false) {
		if t.Badge == badge {
			return t.ID
		}
	}
	return ""
}

func (d *Desk) badge(name string) *visit.Badge {
	for i := range d.Badges {
		if b := &d.Badges[i]; name != "" && (b.ID == name || b.Label == name) {
			return b
		}
	}
	return nil
}

// VisitSite implements web.Visits.
func (d *Desk) VisitSite(context.Context) (*visit.Site, error) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	if d.Site == nil {
		return &visit.Site{Dir: &directory.Snapshot{}, Settings: visit.DefaultSettings(), Zone: time.UTC}, nil
	}
	s := *d.Site
	return &s, nil
}

// SetVisitSettings implements web.Visits.
func (d *Desk) SetVisitSettings(_ context.Context, s visit.Settings, reason string, by visit.Actor) error {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	if err := errors.Join(visit.CheckReason(reason), s.Validate()); err != nil {
		return err
	}
	site := *d.Site
	site.Settings = s
	d.Site = &site
	return d.m.record(web.Action{At: time.UnixMilli(d.now()), Kind: "visit_settings_changed", Actor: by.Account})
}

func (d *Desk) view(v visit.Visit) visit.View {
	matters := []visit.Matter{&v}
	for _, c := range open[visit.Carry](d, false) {
		if c.Visit == v.ID {
			matters = append(matters, &c)
		}
	}
	return visit.View{Visit: v, Presence: v.Match(d.Passages), Owed: visit.Dues(matters, d.Passages, d.now(), d.Site)}
}

// VisitsOfDay implements web.Visits.
func (d *Desk) VisitsOfDay(_ context.Context, day string) (out []visit.View, err error) {
	date, err := directory.ParseDate(day)
	if err != nil {
		return nil, err
	}
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	from, to := date.StartMS(d.Site.Zone), date.EndMS(d.Site.Zone)
	for _, v := range open[visit.Visit](d, true) {
		if v.FromMS < to && (v.UntilMS > from || v.State == visit.Running) {
			out = append(out, d.view(v))
		}
	}
	return out, nil
}

// OpenVisits implements web.Visits.
func (d *Desk) OpenVisits(context.Context) (out []visit.View, err error) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	for _, v := range open[visit.Visit](d, false) {
		out = append(out, d.view(v))
	}
	return out, nil
}

// VisitByID implements web.Visits.
func (d *Desk) VisitByID(_ context.Context, id string) (visit.View, error) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	v, ok := d.matters[id].(*visit.Visit)
	if !ok {
		return visit.View{}, web.ErrNotFound
	}
	return d.view(*v), nil
}

// ApplyVisit implements web.Visits.
func (d *Desk) ApplyVisit(_ context.Context, app visit.Application, by visit.Actor) (out visit.Visit, warnings []string, err error) {
	out, err = begin(d, visit.KindVisit, "visit_applied", by, func(id string) (x visit.Visit, err error) {
		x, warnings, err = visit.Apply(app, by, d.now(), d.Site)
		x.ID = id
		return x, err
	})
	return out, warnings, err
}

// UrgentVisit implements web.Visits.
func (d *Desk) UrgentVisit(_ context.Context, app visit.Application, approver directory.PersonID, by visit.Actor) (out visit.Visit, warnings []string, err error) {
	out, err = begin(d, visit.KindVisit, "visit_urgent", by, func(id string) (x visit.Visit, err error) {
		x, warnings, err = visit.Urgent(app, approver, by, d.now(), d.Site)
		x.ID = id
		return x, err
	})
	return out, warnings, err
}

// DecideVisit implements web.Visits.
func (d *Desk) DecideVisit(_ context.Context, id string, approve bool, note string, by visit.Actor) (visit.Visit, error) {
	return change(d, id, "visit_decided", by, func(x *visit.Visit) error {
		if approve {
			return x.Approve(by, d.now(), note)
		}
		return x.Refuse(by, d.now(), note)
	})
}

// WithdrawVisit implements web.Visits.
func (d *Desk) WithdrawVisit(_ context.Context, id, reason string, by visit.Actor) (visit.Visit, error) {
	return change(d, id, "visit_withdrawn", by, func(x *visit.Visit) error { return x.Withdraw(by, d.now(), reason) })
}

// ExtendVisit implements web.Visits.
func (d *Desk) ExtendVisit(_ context.Context, id string, until time.Time, reason string, by visit.Actor) (visit.Visit, error) {
	return change(d, id, "visit_extended", by, func(x *visit.Visit) error { return x.Extend(until.UnixMilli(), by, d.now(), reason, d.Site) })
}

// ChangeWorker implements web.Visits.
func (d *Desk) ChangeWorker(_ context.Context, id string, guest int, with visit.Guest, reason string, by visit.Actor) (visit.Visit, error) {
	return change(d, id, "visit_worker_changed", by, func(x *visit.Visit) error { return x.ChangeWorker(guest, with, by, d.now(), reason, d.Site) })
}

// ConfirmOral implements web.Visits.
func (d *Desk) ConfirmOral(_ context.Context, id string, given bool, note string, by visit.Actor) (visit.Visit, error) {
	return change(d, id, "visit_oral_confirmed", by, func(x *visit.Visit) error { return x.ConfirmOral(!given, by, d.now(), note) })
}

// ReceiveGuest implements web.Visits.
func (d *Desk) ReceiveGuest(_ context.Context, id string, f visit.ReceptionForm, by visit.Actor) (visit.Visit, error) {
	return change(d, id, "visit_received", by, func(x *visit.Visit) error {
		r := visit.Reception{Guest: f.Guest, Identity: f.Identity, Conditions: f.Conditions, Declared: f.Declared, Badge: d.badge(f.Badge), Carrier: f.Carrier}
		if f.PIN != "" && (len(f.PIN) < 4 || len(f.PIN) > 8) {
			return visit.ErrPIN
		}
		return x.Receive(r, d.Site.ConditionsOf(x.Zones), d.lent, by, d.now(), d.Site)
	})
}

// HandOverParty implements web.Visits.
func (d *Desk) HandOverParty(_ context.Context, id string, carrier directory.PersonID, by visit.Actor) (visit.Visit, error) {
	return change(d, id, "visit_party_handed_over", by, func(x *visit.Visit) error { return x.CarryBy(carrier, d.now(), d.Site) })
}

// CountHeads implements web.Visits.
func (d *Desk) CountHeads(_ context.Context, id string, out bool, heads int, by visit.Actor) (visit.Visit, error) {
	return change(d, id, "visit_heads_counted", by, func(x *visit.Visit) error { return x.Count(out, heads, by, d.now()) })
}

// ReturnBadge implements web.Visits.
func (d *Desk) ReturnBadge(_ context.Context, badge string, lost bool, note string, by visit.Actor) (visit.Visit, error) {
	d.m.mu.Lock()
	b := d.badge(badge)
	id := ""
	if b != nil {
		id = d.lent(b.ID)
	}
	d.m.mu.Unlock()
	if b == nil {
		return visit.Visit{}, visit.ErrBadge
	}
	x, err := change(d, id, "visit_badge_returned", by, func(x *visit.Visit) error {
		i := slices.IndexFunc(x.Guests, func(g visit.Guest) bool { return g.Badge == b.ID && g.Here() })
		return x.ReturnBadge(i, lost, x.Insider(d.Passages), by, d.now(), note)
	})
	if err == web.ErrNotFound {
		err = visit.ErrState
	}
	return x, err
}

// GuestLeft implements web.Visits.
func (d *Desk) GuestLeft(_ context.Context, id string, guest int, note string, by visit.Actor) (visit.Visit, error) {
	return change(d, id, "visit_exit_stated", by, func(x *visit.Visit) error { return x.Left(guest, by, d.now(), note) })
}

// CloseVisit implements web.Visits.
func (d *Desk) CloseVisit(_ context.Context, id, note string, by visit.Actor) (visit.Visit, error) {
	return change(d, id, "visit_closed", by, func(x *visit.Visit) error { return x.Close(x.Insider(d.Passages), by, d.now(), note) })
}

// Permits implements web.Visits.
func (d *Desk) Permits(context.Context) ([]visit.Permit, error) { return listed[visit.Permit](d) }

// ApplyPermit implements web.Visits.
func (d *Desk) ApplyPermit(_ context.Context, p visit.Permit, by visit.Actor) (out visit.Permit, warnings []string, err error) {
	out, err = begin(d, visit.KindPermit, "permit_applied", by, func(id string) (x visit.Permit, err error) {
		x, warnings, err = visit.ApplyPermit(p, by, d.now(), d.Site)
		x.ID = id
		return x, err
	})
	return out, warnings, err
}

// DecidePermit implements web.Visits.
func (d *Desk) DecidePermit(_ context.Context, id string, grant bool, note string, by visit.Actor) (visit.Permit, error) {
	return change(d, id, "permit_decided", by, func(x *visit.Permit) error { return x.Decide(grant, by, d.now(), note) })
}

// EndPermit implements web.Visits.
func (d *Desk) EndPermit(_ context.Context, id, reason string, by visit.Actor) (visit.Permit, error) {
	return change(d, id, "permit_ended", by, func(x *visit.Permit) error { return x.End(by, d.now(), reason) })
}

// VisitFromPermit implements web.Visits.
func (d *Desk) VisitFromPermit(_ context.Context, permit string, by visit.Actor) (visit.Visit, error) {
	return begin(d, visit.KindVisit, "visit_by_permit", by, func(id string) (x visit.Visit, err error) {
		p, ok := d.matters[permit].(*visit.Permit)
		if !ok {
			return x, web.ErrNotFound
		}
		x, err = p.VisitNow(by, d.now(), d.Site)
		x.ID = id
		return x, err
	})
}

// ListBadges implements web.Visits.
func (d *Desk) ListBadges(context.Context) (out []visit.BadgeView, err error) {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	for _, b := range d.Badges {
		out = append(out, visit.BadgeView{Badge: b, Matter: d.lent(b.ID)})
	}
	return out, nil
}

// TemporaryCards implements web.Visits.
func (d *Desk) TemporaryCards(context.Context) ([]visit.TemporaryCard, error) {
	return listed[visit.TemporaryCard](d)
}

// IssueTemporary implements web.Visits.
func (d *Desk) IssueTemporary(_ context.Context, f visit.TemporaryForm, by visit.Actor) (visit.TemporaryCard, error) {
	return begin(d, visit.KindTemporary, "temporary_card_issued", by, func(id string) (visit.TemporaryCard, error) {
		if f.PIN != "" && (len(f.PIN) < 4 || len(f.PIN) > 8) {
			return visit.TemporaryCard{}, visit.ErrPIN
		}
		month := 0
		for _, t := range open[visit.TemporaryCard](d, true) {
			if t.Person == f.Person {
				month++
			}
		}
		r := visit.TemporaryRequest{Person: f.Person, Identity: f.Identity, Badge: d.badge(f.Badge), Reason: f.Reason}
		if !f.Until.IsZero() {
			r.UntilMS = f.Until.UnixMilli()
		}
		x, err := visit.IssueTemporary(r, open[visit.TemporaryCard](d, false), month, d.lent, by, d.now(), d.Site)
		x.ID = id
		return x, err
	})
}

// ReturnTemporary implements web.Visits.
func (d *Desk) ReturnTemporary(_ context.Context, badge string, lost bool, note string, by visit.Actor) (visit.TemporaryCard, error) {
	d.m.mu.Lock()
	b := d.badge(badge)
	id := ""
	if b != nil {
		id = d.lent(b.ID)
	}
	d.m.mu.Unlock()
	if b == nil {
		return visit.TemporaryCard{}, visit.ErrBadge
	}
	x, err := change(d, id, "temporary_card_returned", by, func(x *visit.TemporaryCard) error { return x.Return(lost, by, d.now(), note) })
	if err == web.ErrNotFound {
		err = visit.ErrState
	}
	return x, err
}
