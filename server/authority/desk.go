package authority

import (
	"fmt"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/wire"
	"monban/server/desk"
	"monban/server/entrylog"
	"monban/server/policypub"
)

// Desks are the desk readers of the site.
type Desks interface {
	// Desk gives the gateway of a desk; ok is false when there is none of this name.
	Desk(id access.DoorID) (gateway access.GatewayID, ok bool)
}

// SetDesks makes questions from desk readers be judged (RA-3). least is what a card has to prove there. Call it before the
// first Answer.
func (a *Authority) SetDesks(d Desks, waits *desk.Board, least card.Assurance) {
	a.desks, a.waits, a.least = d, waits, least
}

// atDesk reports whether a question comes from a desk reader of its own gateway.
func (a *Authority) atDesk(ask *wire.Ask) bool {
	if a.desks == nil || ask.Side != access.SideEnter {
		return false
	}
	gateway, ok := a.desks.Desk(ask.Door)
	return ok && gateway == ask.Gateway
}

// deskChecks are the checks of Decide that hold at a desk: who it is, not where to. There is no door, so no grant, zone or mode.
const deskChecks = access.ReasonSet(1<<access.ReasonNoPolicy | 1<<access.ReasonUnknownCredential | 1<<access.ReasonReadError | 1<<access.ReasonCredentialLost |
	1<<access.ReasonCredentialSuspended | 1<<access.ReasonCredentialRevoked | 1<<access.ReasonCredentialExpired | 1<<access.ReasonPersonInactive |
	1<<access.ReasonContractExpired)

// answerDesk judges an entry at a desk reader: the number of a page that waits, then the PIN. Whatever comes of it, the outcome is
// never Granted, so nothing can open on it. The decision is a leaf before it counts, and a question that is asked again gets
// the answer that it had and moves nothing.
func (a *Authority) answerDesk(tx Tx, ask *wire.Ask, nowMS int64) (wire.Answer, error) {
	if old, found, err := given(tx, ask); err != nil || found {
		return old, err
	}
	now := time.UnixMilli(nowMS)
	q := question{ask: ask, policy: a.policies.Site(), nowMS: nowMS}
	q.request = access.Request{Side: access.SideEnter, WallMS: nowMS, Clock: access.ClockServer, Link: access.LinkServer}
	d := access.Decision{Failed: access.ReasonSet(0).With(access.ReasonNoPolicy)}
	var after func()
	if q.policy != nil {
		d.Failed = 0
		keys := q.policy.Keys.Gateways[ask.Gateway]
		ref, err := wire.OpenCard(keys.Ask, ask.Card)
		if err != nil {
			d.Failed = d.Failed.With(access.ReasonReadError)
		} else {
			q.request.Key, q.request.HasCard = access.Key(ref), true
			q.request.Assurance, _ = card.ParseAssurance(ask.Assurance) // unknown = proves nothing
			q.holder, _ = q.policy.Holder(ref)
			x := a.waits.Expect(ask.Door, ask.Attempt, ref, now)
			switch {
			case x.Ticket == "" || !ask.PINGiven:
				d.Failed = d.Failed.With(access.ReasonDeskNobody)
			case x.Number != "":
				if !q.keyed(keys, ref, x.Number) {
					d.Failed = d.Failed.With(access.ReasonDeskNobody)
					after = func() { a.waits.Missed(x.Ticket, now) }
					break
				}
				d.Outcome, d.Failed = access.NeedPIN, d.Failed.With(access.ReasonPINRequired)
				after = func() { a.waits.Numbered(x.Ticket, ask.Attempt, ref, now) }
			default:
				if err := a.judgeDesk(tx, &q, keys, &d); err != nil {
					return wire.Answer{}, err
				}
				person := ""
				if d.Failed == 0 && q.holder.Person != nil {
					person = string(q.holder.Person.ID)
				}
				after = func() { a.waits.Judged(x.Ticket, ask.Attempt, person, now) }
			}
		}
	}
	if d.Primary = d.Failed.Primary(); d.Failed == 0 {
		d.Primary = access.ReasonDeskSigned
	}
	return a.logDesk(tx, &q, d, after)
}

// keyed compares what was keyed in with the number of the page: both are references that only this site's keys make.
func (q *question) keyed(keys policypub.GatewayKeys, ref card.Ref, number string) bool {
	token := card.PINRefOf(q.policy.Keys.PINKey[:], ref, number).Token(keys.Token[:])
	return wire.PINProof(keys.Ask, token, q.ask.ID).Equal(q.ask.PIN)
}

// judgeDesk runs the checks. A wrong PIN counts as one at a door does, and five lock the card out at both (AD-13).
func (a *Authority) judgeDesk(tx Tx, q *question, keys policypub.GatewayKeys, d *access.Decision) error {
	q.request.PIN = q.pinState(keys)
	if err := q.count(tx); err != nil {
		return err
	}
	d.Failed = access.Decide(q.policy.Policy, q.view, q.request).Failed & deskChecks
	c, _ := q.policy.Policy.Credential(q.request.Key)
	if !q.request.Assurance.Satisfies(a.least) || !c.Assurance.Satisfies(a.least) {
		d.Failed = d.Failed.With(access.ReasonAssuranceLow)
	}
	if q.holder.Card != nil && q.holder.Card.Lent.Badge != "" {
		d.Failed = d.Failed.With(access.ReasonCredentialSuspended) // a badge that is lent proves nobody: any of them opens the same drawer
	}
	failed := q.failed
	switch {
	case q.view.PIN.Failed >= access.DefaultPINLimit:
		d.Failed = d.Failed.With(access.ReasonPINLocked) // not judged by its PIN: guessing on gains nothing
		return nil
	case q.request.PIN == access.PINOK || q.request.PIN == access.PINDuress:
		failed = 0
	default:
		d.Failed = d.Failed.With(access.ReasonPINBad)
		failed += min(1, 255-failed)
	}
	if failed == q.failed {
		return nil
	}
	return tx.SetPINFailed(card.Ref(q.request.Key), failed)
}

// logDesk writes the leaf and makes the answer.
func (a *Authority) logDesk(tx Tx, q *question, d access.Decision, after func()) (wire.Answer, error) {
	ask := q.ask
	var version uint64
	if q.policy != nil {
		version = q.policy.Policy.Version()
	}
	leaf := entrylog.Decision{
		Ask: ask.ID, Attempt: ask.Attempt, Gateway: string(ask.Gateway), Door: string(ask.Door), Side: ask.Side.String(),
		Outcome: d.Outcome.String(), Reason: d.Primary.String(), Failed: d.Failed.Names(), Policy: version, AtMS: q.nowMS, Assurance: q.assurance(),
	}
	o := q.holder.Opening()
	o.Private = ask.Card // no inputs: there is no decision on a door to replay
	idx, first, err := tx.AppendFirstDecision(leaf, &o)
	if err == nil && !first {
		idx, err = tx.AppendDecision(leaf, &o)
	}
	if err != nil {
		return wire.Answer{}, fmt.Errorf("log decision: %w", err)
	}
	if d.Failed == 0 && q.request.PIN == access.PINDuress {
		if err := a.duress(tx, q, idx); err != nil {
			return wire.Answer{}, err
		}
	}
	if after != nil {
		tx.AfterCommit(after)
	}
	return wire.Answer{
		Gateway: ask.Gateway, ID: ask.ID, Attempt: ask.Attempt, Outcome: d.Outcome, Reason: d.Primary, Failed: d.Failed,
		Rules: version, Leaf: uint64(idx), ServerMS: q.nowMS,
	}, nil
}
