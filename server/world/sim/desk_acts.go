package sim

import (
	"fmt"
	"slices"
	"strconv"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/server/directory"
	"monban/server/review"
	"monban/server/visit"
)

// What a story does at the desk: each method is one step of the pages, with the same name as in server/app. A refusal is a
// *visit.Error and changes nothing.

// ApplyVisit takes an application in; phone is who approved it by phone, "" = it waits for approval.
func (w *World) ApplyVisit(app visit.Application, phone directory.PersonID, by visit.Actor) (id string, warnings []string, err error) {
	id, err = begin(w, visit.KindVisit, "visit_applied", false, by, func(t *deskTx, id string) (v visit.Visit, err error) {
		if phone == "" {
			v, warnings, err = visit.Apply(app, by, t.now, t.site)
		} else {
			v, warnings, err = visit.Urgent(app, phone, by, t.now, t.site)
		}
		v.ID = id
		return v, err
	})
	return id, warnings, err
}

// ApproveVisit approves an application.
func (w *World) ApproveVisit(id string, by visit.Actor) error {
	return step(w, id, "visit_approved", false, by, func(t *deskTx, v *visit.Visit) error { return v.Approve(by, t.now, "") })
}

// RefuseVisit turns one down.
func (w *World) RefuseVisit(id, why string, by visit.Actor) error {
	return step(w, id, "visit_refused", false, by, func(t *deskTx, v *visit.Visit) error { return v.Refuse(by, t.now, why) })
}

// ExtendVisit moves the end of a window.
func (w *World) ExtendVisit(id string, untilMS int64, why string, by visit.Actor) error {
	return step(w, id, "visit_extended", true, by, func(t *deskTx, v *visit.Visit) error { return v.Extend(untilMS, by, t.now, why, t.site) })
}

// ConfirmOral confirms an approval by phone, or says that it was not given.
func (w *World) ConfirmOral(id string, given bool, by visit.Actor) error {
	return step(w, id, "visit_oral", !given, by, func(t *deskTx, v *visit.Visit) error {
		if err := v.ConfirmOral(!given, by, t.now, "told by phone"); err != nil || given {
			return err
		}
		return t.find(review.OralDenied, id, "")
	})
}

// ChangeWorker replaces a guest by a substitute.
func (w *World) ChangeWorker(id string, guest int, with visit.Guest, by visit.Actor) error {
	return step(w, id, "visit_worker_changed", false, by, func(t *deskTx, v *visit.Visit) error {
		return v.ChangeWorker(guest, with, by, t.now, "another comes", t.site)
	})
}

// ReceiveGuest receives a guest and lends the badge. conditions < 0 = the guest accepts those that are asked for.
func (w *World) ReceiveGuest(id string, r visit.Reception, badge string, conditions int, pin string, by visit.Actor) error {
	return step(w, id, "visit_received", true, by, func(t *deskTx, v *visit.Visit) error {
		asked := t.site.ConditionsOf(v.Zones)
		if r.Conditions = asked; conditions >= 0 {
			r.Conditions = uint32(conditions) //nolint:gosec // bounded by the story
		}
		r.Badge = t.badge(badge)
		if err := v.Receive(r, asked, t.lent, by, t.now, t.site); err != nil {
			return err
		}
		if slices.ContainsFunc(v.Guests[r.Guest].Declared, func(d visit.Declared) bool { return d.Flagged }) {
			if err := t.find(review.BringInFlagged, id, strconv.Itoa(r.Guest+1)); err != nil {
				return err
			}
		}
		return t.setPIN(*r.Badge, pin)
	})
}

// ReturnBadge takes a badge of a visit or a temporary card back, or writes it off.
func (w *World) ReturnBadge(badge string, lost bool, by visit.Actor) error {
	return w.desk(true, func(t *deskTx) error {
		b := t.badge(badge)
		if b == nil {
			return visit.ErrBadge
		}
		id := t.lent(badge)
		x := t.m.matters[id]
		if x == nil {
			return visit.ErrState // it is in the drawer
		}
		switch m := x.matter().(type) {
		case *visit.Visit:
			i := slices.IndexFunc(m.Guests, func(g visit.Guest) bool { return g.Badge == badge && g.Here() })
			if err := m.ReturnBadge(i, lost, m.Insider(t.passages()), by, t.now, "told at the counter"); err != nil {
				return err
			}
			if err := t.put(m, "visit_badge_returned", by); err != nil {
				return err
			}
		case *visit.TemporaryCard:
			if err := m.Return(lost, by, t.now, ""); err != nil {
				return err
			}
			if err := t.put(m, "temporary_card_returned", by); err != nil {
				return err
			}
		}
		if !lost {
			return t.setPIN(*b, "")
		}
		b.Status = visit.BadgeLost
		t.m.putBadge(*b)
		return t.find(review.BadgeLost, id, b.ID)
	})
}

// HandOverParty makes another member of staff the one on whose badge those without a card go.
func (w *World) HandOverParty(id string, carrier directory.PersonID, by visit.Actor) error {
	return step(w, id, "visit_party_handed_over", true, by, func(t *deskTx, v *visit.Visit) error { return v.CarryBy(carrier, t.now, t.site) })
}

// CountHeads counts the heads of a tour.
func (w *World) CountHeads(id string, out bool, heads int, by visit.Actor) error {
	return step(w, id, "visit_heads_counted", true, by, func(t *deskTx, v *visit.Visit) error { return v.Count(out, heads, by, t.now) })
}

// GuestLeft says how a guest left whose exit the log does not show.
func (w *World) GuestLeft(id string, guest int, note string, by visit.Actor) error {
	return step(w, id, "visit_exit_stated", false, by, func(t *deskTx, v *visit.Visit) error { return v.Left(guest, by, t.now, note) })
}

// CloseVisit closes a visit.
func (w *World) CloseVisit(id, note string, by visit.Actor) error {
	return step(w, id, "visit_closed", true, by, func(t *deskTx, v *visit.Visit) error {
		return v.Close(v.Insider(t.passages()), by, t.now, note)
	})
}

// ApplyPermit asks for a standing permit.
func (w *World) ApplyPermit(p visit.Permit, by visit.Actor) (id string, warnings []string, err error) {
	id, err = begin(w, visit.KindPermit, "permit_applied", false, by, func(t *deskTx, id string) (x visit.Permit, err error) {
		x, warnings, err = visit.ApplyPermit(p, by, t.now, t.site)
		x.ID = id
		return x, err
	})
	return id, warnings, err
}

// GrantPermit grants a standing permit.
func (w *World) GrantPermit(id string, by visit.Actor) error {
	return step(w, id, "permit_granted", false, by, func(t *deskTx, p *visit.Permit) error { return p.Decide(true, by, t.now, "") })
}

// VisitFromPermit makes the visit of a permit for those who stand at the counter.
func (w *World) VisitFromPermit(permit string, by visit.Actor) (string, error) {
	return begin(w, visit.KindVisit, "visit_by_permit", false, by, func(t *deskTx, id string) (v visit.Visit, err error) {
		p, err := load[visit.Permit](t, permit)
		if err != nil {
			return v, err
		}
		v, err = p.VisitNow(by, t.now, t.site)
		v.ID = id
		return v, err
	})
}

// IssueTemporary lends a temporary card.
func (w *World) IssueTemporary(r visit.TemporaryRequest, badge, pin string, by visit.Actor) (string, error) {
	return begin(w, visit.KindTemporary, "temporary_card_issued", true, by, func(t *deskTx, id string) (none visit.TemporaryCard, err error) {
		var open []visit.TemporaryCard
		month, today := 0, t.site.Zone
		for _, c := range of[*visit.TemporaryCard](t.m, always) {
			if !c.Returned.Done() {
				open = append(open, *c)
			}
			if c.Person == r.Person && dayOf(c.FromMS, today).Month == dayOf(t.now, today).Month && dayOf(c.FromMS, today).Year == dayOf(t.now, today).Year {
				month++
			}
		}
		r.Badge = t.badge(badge)
		c, err := visit.IssueTemporary(r, open, month, t.lent, by, t.now, t.site)
		if err != nil {
			return none, err
		}
		c.ID = id
		return c, t.setPIN(*r.Badge, pin)
	}, func(t *deskTx, c *visit.TemporaryCard) error {
		if !c.Frequent {
			return nil
		}
		return t.find(review.TemporaryFrequent, c.ID, "")
	})
}

// SuspendCard stops a card; lastSureMS 0 = not known.
func (w *World) SuspendCard(card string, lost bool, lastSureMS int64, why string, by visit.Actor) (string, error) {
	status := access.CredentialSuspended
	if lost {
		status = access.CredentialLost
	}
	return begin(w, visit.KindSuspension, "card_stopped", true, by, func(t *deskTx, id string) (visit.Suspension, error) {
		x, err := visit.Suspend(directory.CardID(card), lost, lastSureMS, why, by, t.now, t.site)
		if err != nil {
			return x, err
		}
		x.ID = id
		x.Doubt(t.uses(&x))
		return x, t.setCard(x.Card, status)
	})
}

// uses lists the uses of a card since it was last surely in its holder's hand.
func (t *deskTx) uses(x *visit.Suspension) (out []visit.DoubtfulEntry) {
	masked := ""
	for i := range t.dir.Credentials {
		if t.dir.Credentials[i].ID == x.Card {
			masked = t.dir.Credentials[i].Masked
		}
	}
	for _, r := range t.m.order {
		o := t.m.openings[r.Opening]
		at := r.FromMS + (r.ToMS-r.FromMS)/2
		if at > x.LastSureMS && r.Outcome == access.Granted.String() && o.Person == string(x.Person) && o.Masked == masked {
			out = append(out, visit.DoubtfulEntry{Attempt: fmt.Sprintf("%x", r.ID[:]), AtMS: at, Door: access.DoorID(r.Door)})
		}
	}
	return out
}

// AnswerEntry is what the holder says of one use of a stopped card, from 1.
func (w *World) AnswerEntry(id string, entry int, mine bool, by visit.Actor) error {
	return step(w, id, "card_entry_answered", false, by, func(t *deskTx, x *visit.Suspension) error {
		if err := x.Answer(entry-1, mine, by, t.now, ""); err != nil || mine {
			return err
		}
		return t.find(review.EntryDisowned, id, strconv.Itoa(entry))
	})
}

// AskResume asks for a stopped card to be made good again.
func (w *World) AskResume(id, why string, by visit.Actor) error {
	return step(w, id, "card_resume_asked", false, by, func(t *deskTx, x *visit.Suspension) error { return x.AskResume(by, t.now, why) })
}

// ResumeCard approves it.
func (w *World) ResumeCard(id string, by visit.Actor) error {
	return step(w, id, "card_resumed", true, by, func(t *deskTx, x *visit.Suspension) error {
		if err := x.Resume(by, t.now, ""); err != nil {
			return err
		}
		return t.setCard(x.Card, access.CredentialActive)
	})
}

// DeclareEmergency asks for an emergency entry; with glass it is in force at once.
func (w *World) DeclareEmergency(zones []access.ZoneID, persons []directory.PersonID, ms int64, glass bool, by visit.Actor) (string, error) {
	return begin(w, visit.KindEmergency, "emergency_asked", true, by, func(t *deskTx, id string) (visit.Emergency, error) {
		e, err := visit.Declare(zones, persons, ms, "water in the room", glass, by, t.now, t.site)
		e.ID = id
		return e, err
	}, func(t *deskTx, e *visit.Emergency) error {
		if e.FromMS == 0 {
			return nil
		}
		return t.find(review.EmergencyBegun, e.ID, "break_glass")
	})
}

// AgreeEmergency is the second officer's word.
func (w *World) AgreeEmergency(id string, by visit.Actor) error {
	return step(w, id, "emergency_agreed", true, by, func(t *deskTx, e *visit.Emergency) error {
		if err := e.Agree(by, t.now, t.site); err != nil {
			return err
		}
		return t.find(review.EmergencyBegun, id, "two_officers")
	})
}

// EndEmergency ends one early.
func (w *World) EndEmergency(id string, by visit.Actor) error {
	return step(w, id, "emergency_ended", true, by, func(t *deskTx, e *visit.Emergency) error { return e.End(by, t.now, "") })
}

// ReportEmergency gives the report afterwards.
func (w *World) ReportEmergency(id, text string, by visit.Actor) error {
	return step(w, id, "emergency_reported", false, by, func(t *deskTx, e *visit.Emergency) error { return e.Tell(text, by, t.now) })
}

func (t *deskTx) carries(not string) (out []visit.Carry) {
	for _, c := range of[*visit.Carry](t.m, func(x *matter) bool { return x.head.ID != not }) {
		out = append(out, *c)
	}
	return out
}

// OpenCarry begins a carry session.
func (w *World) OpenCarry(c visit.Carry, by visit.Actor) (id string, warnings []string, err error) {
	id, err = begin(w, visit.KindCarry, "carry_opened", false, by, func(t *deskTx, id string) (x visit.Carry, err error) {
		x, warnings, err = visit.OpenCarry(c, t.carries(id), by, t.now, t.site)
		x.ID = id
		return x, err
	})
	return id, warnings, err
}

// SetCarryItems writes the list of what is carried.
func (w *World) SetCarryItems(id string, items []visit.Item, by visit.Actor) (warnings []string, err error) {
	err = step(w, id, "carry_items_set", false, by, func(t *deskTx, c *visit.Carry) error {
		warnings, err = c.SetItems(items, t.carries(id), by, t.now, t.site)
		return err
	})
	return warnings, err
}

// ShutCarry ends a session at the door.
func (w *World) ShutCarry(id string, by visit.Actor) error {
	return step(w, id, "carry_shut", false, by, func(t *deskTx, c *visit.Carry) error { return c.Shut(by, t.now) })
}

// SettleCarry says what became of what did not come out again.
func (w *World) SettleCarry(id, note string, by visit.Actor) error {
	return step(w, id, "carry_settled", false, by, func(t *deskTx, c *visit.Carry) error { return c.Settle(by, t.now, note) })
}

// LendKey writes a key of the inventory out.
func (w *World) LendKey(key string, person directory.PersonID, by visit.Actor) (string, error) {
	return begin(w, visit.KindKeyLoan, "key_lent", false, by, func(t *deskTx, id string) (visit.KeyLoan, error) {
		out := func(key string) bool {
			return slices.ContainsFunc(of[*visit.KeyLoan](t.m, isOpen), func(k *visit.KeyLoan) bool { return k.Key == key })
		}
		k, err := visit.LendKey(visit.KeyLoan{Key: key, Person: person, Purpose: "story"}, out, by, t.now, t.site)
		k.ID = id
		return k, err
	})
}

// ReturnKey writes it in again, or off.
func (w *World) ReturnKey(id string, lost bool, by visit.Actor) error {
	return step(w, id, "key_returned", false, by, func(t *deskTx, k *visit.KeyLoan) error {
		if err := k.Return(lost, by, t.now, "told at the counter"); err != nil || !lost {
			return err
		}
		return t.find(review.KeyLost, id, "")
	})
}

// StatePurpose says afterwards what an entry was for.
func (w *World) StatePurpose(id door.Attempt, text string, by visit.Actor) error {
	_, err := begin(w, visit.KindPurpose, "purpose_stated", false, by, func(t *deskTx, matter string) (none visit.Purpose, err error) {
		e, err := t.entry(id)
		if err != nil {
			return none, err
		}
		p, err := visit.StatePurpose(e, text, by, t.now)
		p.ID = matter
		return p, err
	})
	return err
}
