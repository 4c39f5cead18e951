package app

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/review"
	"monban/server/store"
	"monban/server/visit"
)

// TemporaryForm is what reception fills in for somebody who has forgotten their card.
type TemporaryForm = visit.TemporaryForm

// IssueTemporary lends a temporary card. The person's own cards stay shut until it is back; the register shows the person. From
// the third in a calendar month on a finding notes it.
func (v *Visits) IssueTemporary(ctx context.Context, f TemporaryForm, by visit.Actor) (visit.TemporaryCard, error) {
	return begin(ctx, v, visit.KindTemporary, true, deed{by, "temporary_card_issued", f.Reason}, func(t *visitTx, id string) (none visit.TemporaryCard, err error) {
		b, err := badgeOf(t.Reader, f.Badge)
		if err != nil {
			return none, err
		}
		lent, err := t.lent()
		if err != nil {
			return none, err
		}
		open, err := list[visit.TemporaryCard](openOf(t.Reader, visit.KindTemporary))
		if err != nil {
			return none, err
		}
		month, err := t.monthOf(f.Person)
		if err != nil {
			return none, err
		}
		r := visit.TemporaryRequest{Person: f.Person, Identity: f.Identity, Badge: b, Reason: f.Reason}
		if !f.Until.IsZero() {
			r.UntilMS = f.Until.UnixMilli()
		}
		x, err := visit.IssueTemporary(r, open, month, lent, by, t.nowMS, t.site)
		if err != nil {
			return none, err
		}
		x.ID = id
		return x, t.setPIN(*b, f.PIN)
	}, func(t *visitTx, row store.Matter, m *visit.TemporaryCard) error {
		if !m.Frequent {
			return nil
		}
		return t.find(review.TemporaryFrequent, row.First, "")
	})
}

// monthOf counts the temporary cards that a person had in the calendar month of now.
func (t *visitTx) monthOf(p directory.PersonID) (int, error) {
	day := directory.DateOf(time.UnixMilli(t.nowMS).In(t.site.Zone))
	first := directory.Date{Year: day.Year, Month: day.Month, Day: 1}
	rows, err := t.MattersBetween(visit.KindTemporary, first.StartMS(t.site.Zone), t.nowMS+1)
	cards, err := list[visit.TemporaryCard](t.Reader, rows, err)
	n := 0
	for i := range cards {
		if cards[i].Person == p {
			n++
		}
	}
	return n, err
}

// setPIN gives a badge a PIN for as long as it is lent; "" takes it away.
func (t *visitTx) setPIN(b visit.Badge, digits string) error {
	pin := card.PINRef{}
	if digits != "" && b.HasCard() {
		var err error
		if pin, err = t.v.pub.Site().Keys.PIN(b.Ref, digits); err != nil {
			return visit.ErrPIN
		}
	}
	if b.PIN == pin {
		return nil
	}
	b.PIN = pin
	return t.PutBadge(b)
}

// ReturnTemporary takes a temporary card back, by its inventory number or label; the person's own cards open again. With lost it is
// written off and a finding tells of it.
func (v *Visits) ReturnTemporary(ctx context.Context, badge string, lost bool, note string, by visit.Actor) (visit.TemporaryCard, error) {
	verb := "temporary_card_returned"
	if lost {
		verb = "temporary_card_lost"
	}
	var out visit.TemporaryCard
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
		m, row, err := load[visit.TemporaryCard](t.Reader, visit.KindTemporary, lent(b.ID))
		if errors.Is(err, store.ErrNotFound) {
			return visit.ErrState // it is not out
		}
		if err != nil {
			return err
		}
		if err := m.Return(lost, by, t.nowMS, note); err != nil {
			return err
		}
		if _, err := t.put(row, m, deed{by, verb, note}); err != nil {
			return err
		}
		out = *m
		if lost {
			return t.loseBadge(*b, row.First, by)
		}
		return t.setPIN(*b, "")
	})
	return out, err
}

// TemporaryCards lists the temporary cards that are out.
func (v *Visits) TemporaryCards(ctx context.Context) (out []visit.TemporaryCard, err error) {
	err = v.read(ctx, func(r store.Reader, s *visit.Site) error {
		out, err = list[visit.TemporaryCard](openOf(r, visit.KindTemporary))
		return err
	})
	return out, err
}

// SuspendCard stops a card at once (AD-17): by a guard or the holder, at any hour, with a reason; lost reports it lost. lastSure is
// when it was last surely in the holder's hand, zero = not known. The uses of the card since then go to the holder.
func (v *Visits) SuspendCard(ctx context.Context, id directory.CardID, lost bool, lastSure time.Time, reason string, by visit.Actor) (visit.Suspension, error) {
	status := access.CredentialSuspended
	if lost {
		status = access.CredentialLost
	}
	var sure int64
	if !lastSure.IsZero() {
		sure = lastSure.UnixMilli()
	}
	return begin(ctx, v, visit.KindSuspension, true, deed{by, "card_stopped", reason}, func(t *visitTx, matter string) (x visit.Suspension, err error) {
		if x, err = visit.Suspend(id, lost, sure, reason, by, t.nowMS, t.site); err != nil {
			return x, err
		}
		x.ID = matter
		uses, err := t.uses(&x)
		if err != nil {
			return x, err
		}
		x.Doubt(uses)
		_, err = directory.SetCardStatus(t.Tx, directory.Actor{Account: by.Account, From: origin(by)}, reason, t.nowMS, id, status)
		return x, err
	}, nil)
}

func origin(by visit.Actor) string {
	if by.From == "" {
		return "lan"
	}
	return by.From
}

// uses lists the uses of a card since it was last surely in its holder's hand. The log tells cards of one person apart by
// their last digits only: where two have the same, more is asked than need be.
func (t *visitTx) uses(x *visit.Suspension) (out []visit.DoubtfulEntry, err error) {
	i := slices.IndexFunc(t.site.Dir.Credentials, func(c directory.Credential) bool { return c.ID == x.Card })
	if i < 0 {
		return nil, visit.ErrUnknown
	}
	rows, err := t.OfPerson(string(x.Person), entrylog.Day(x.LastSureMS, t.site.Zone), entrylog.Day(t.nowMS, t.site.Zone))
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		at := middle(&row)
		if at <= x.LastSureMS || row.Outcome != access.Granted.String() || row.Opening < 0 {
			continue
		}
		o, err := usable(t.Reader, row.Opening)
		if err != nil || o.Masked != t.site.Dir.Credentials[i].Masked {
			continue // another card, or a line that nobody can read any more or now
		}
		out = append(out, visit.DoubtfulEntry{Attempt: hex.EncodeToString(row.ID[:]), AtMS: at, Door: access.DoorID(row.Door)})
	}
	return out, nil
}

func middle(row *attempt.Row) int64 { return row.FromMS + (row.ToMS-row.FromMS)/2 }

// AnswerEntry is what the holder says about one use of a stopped card; one that was somebody else's is a finding at once.
func (v *Visits) AnswerEntry(ctx context.Context, id string, entry int, mine bool, note string, by visit.Actor) (visit.Suspension, error) {
	return step(ctx, v, visit.KindSuspension, id, false, deed{by, "card_entry_answered", note}, func(t *visitTx, m *visit.Suspension) error {
		if err := m.Answer(entry, mine, by, t.nowMS, note); err != nil || mine {
			return err
		}
		row, err := t.Matter(id)
		if err != nil {
			return err
		}
		return t.find(review.EntryDisowned, row.First, number(entry+1))
	})
}

// AskResume asks for a stopped card to be made good again; ResumeCard is another person's word.
func (v *Visits) AskResume(ctx context.Context, id, reason string, by visit.Actor) (visit.Suspension, error) {
	return step(ctx, v, visit.KindSuspension, id, false, deed{by, "card_resume_asked", reason}, func(t *visitTx, m *visit.Suspension) error {
		return m.AskResume(by, t.nowMS, reason)
	})
}

// ResumeCard approves it (AD-17): the card opens doors again. Never who asked, never the holder, and not before the holder has
// confirmed every use since the last sure one.
func (v *Visits) ResumeCard(ctx context.Context, id, note string, by visit.Actor) (visit.Suspension, error) {
	return step(ctx, v, visit.KindSuspension, id, true, deed{by, "card_resumed", note}, func(t *visitTx, m *visit.Suspension) error {
		if err := t.twoAccounts(m.Asked, by); err != nil {
			return err
		}
		if err := m.Resume(by, t.nowMS, note); err != nil {
			return err
		}
		_, err := directory.SetCardStatus(t.Tx, directory.Actor{Account: by.Account, From: origin(by)}, m.Asked.Note, t.nowMS, m.Card, access.CredentialActive)
		if errors.Is(err, directory.ErrRevoked) {
			return visit.ErrRevoked
		}
		return err
	})
}

// GiveUpCard revokes a stopped card for good.
func (v *Visits) GiveUpCard(ctx context.Context, id, reason string, by visit.Actor) (visit.Suspension, error) {
	return step(ctx, v, visit.KindSuspension, id, true, deed{by, "card_given_up", reason}, func(t *visitTx, m *visit.Suspension) error {
		if err := m.GiveUp(by, t.nowMS, reason); err != nil {
			return err
		}
		_, err := directory.SetCardStatus(t.Tx, directory.Actor{Account: by.Account, From: origin(by)}, reason, t.nowMS, m.Card, access.CredentialRevoked)
		return err
	})
}

// Suspensions lists the stopped cards that are not settled.
func (v *Visits) Suspensions(ctx context.Context) (out []visit.Suspension, err error) {
	err = v.read(ctx, func(r store.Reader, s *visit.Site) error {
		out, err = list[visit.Suspension](openOf(r, visit.KindSuspension))
		return err
	})
	return out, err
}

// BadgeForm is a badge for the inventory.
type BadgeForm = visit.BadgeForm

// AddBadge puts a badge into the inventory.
func (v *Visits) AddBadge(ctx context.Context, f BadgeForm, reason string, by visit.Actor) (out visit.Badge, err error) {
	if err := visit.CheckReason(reason); err != nil {
		return out, err
	}
	err = v.run(ctx, false, func(t *visitTx) error {
		b := visit.Badge{ID: f.ID, Label: f.Label, Kind: f.Kind, Look: f.Look, Status: visit.BadgeActive}
		if f.Format != "" {
			keys := v.pub.Site().Keys
			var err error
			if b.Ref, b.Masked, err = keys.Card(f.Format, f.Facility, f.Number); err != nil {
				return visit.ErrBadge
			}
			b.Format, b.Assurance, b.KeyVersion = f.Format, f.Assurance, keys.Version()
		}
		if err := b.Check(); err != nil {
			return err
		}
		if _, err := t.Badge(b.ID); !errors.Is(err, store.ErrNotFound) {
			return errors.Join(err, visit.ErrBadgeLent)
		}
		for i := range t.site.Dir.Credentials {
			if c := &t.site.Dir.Credentials[i]; b.HasCard() && c.Ref == b.Ref || string(c.ID) == b.ID {
				return visit.ErrBadge // the card is somebody's own
			}
		}
		out = b
		return t.putBadge(b, "badge_added", reason, by)
	})
	if errors.Is(err, store.ErrExists) {
		err = visit.ErrBadgeLent // label or card are another badge's
	}
	return out, err
}

// putBadge writes a badge and its leaf.
func (t *visitTx) putBadge(b visit.Badge, verb, reason string, by visit.Actor) error {
	if err := t.PutBadge(b); err != nil {
		return err
	}
	leaf := entrylog.Action{
		Account: by.Account, Verb: verb, Target: "badge", ID: b.ID, From: origin(by), Result: "ok", Reason: reason != "", AtMS: t.nowMS,
	}
	_, err := t.AppendAction(leaf, &entrylog.Opening{Address: by.Address, Text: reason})
	return err
}

// SetBadgeStatus writes a badge off, or takes it back into use. One that is out has to come back first: ReturnBadge.
func (v *Visits) SetBadgeStatus(ctx context.Context, id string, status visit.BadgeStatus, reason string, by visit.Actor) error {
	if err := visit.CheckReason(reason); err != nil {
		return err
	}
	return v.run(ctx, true, func(t *visitTx) error {
		b, err := t.Badge(id)
		if err != nil {
			return err
		}
		lent, err := t.lent()
		if err != nil {
			return err
		}
		if lent(b.ID) != "" {
			return visit.ErrBadgeLent
		}
		b.Status = status
		if err := b.Check(); err != nil {
			return err
		}
		return t.putBadge(b, "badge_"+string(status), reason, by)
	})
}

// BadgeView is a badge and what it is lent with.
type BadgeView = visit.BadgeView

// ListBadges lists the inventory of badges by number: the badge register (名札貸出簿) of now.
func (v *Visits) ListBadges(ctx context.Context) (out []BadgeView, err error) {
	err = v.read(ctx, func(r store.Reader, s *visit.Site) error {
		badges, err := r.Badges()
		if err != nil {
			return err
		}
		held := map[string]string{}
		visits, err := list[visit.Visit](openOf(r, visit.KindVisit))
		if err != nil {
			return err
		}
		for i := range visits {
			for _, b := range visits[i].Out() {
				held[b] = visits[i].ID
			}
		}
		cards, err := list[visit.TemporaryCard](openOf(r, visit.KindTemporary))
		for i := range cards {
			held[cards[i].Badge] = cards[i].ID
		}
		for _, b := range badges {
			out = append(out, BadgeView{Badge: b, Matter: held[b.ID]})
		}
		return err
	})
	return out, err
}
