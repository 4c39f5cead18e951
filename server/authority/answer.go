// Package authority answers gateways' questions: who may pass, decided by the policy in force.
//
// An answer is a function of a transaction, a question and the time. The decision is written as a
// leaf in that transaction, and the caller sends the answer only after the commit (I1). The same
// question asked again gets the same answer. What it is that may not be told (who, which card, that
// a PIN was given under duress) goes into the encrypted opening and nowhere else (D10, PR-2).
package authority

import (
	"crypto/subtle"
	"errors"
	"fmt"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/desk"
	"monban/server/entrylog"
	"monban/server/policypub"
	"monban/server/review"
	"monban/server/store"
)

// Tx is what an answer needs of the store's write transaction.
type Tx interface {
	AttemptRow(id [16]byte) (attempt.Row, error)
	AttemptLeaves(first int64) ([]int64, error)
	Leaf(idx int64) (entrylog.Leaf, error)
	AppendFirstDecision(d entrylog.Decision, o *entrylog.Opening) (idx int64, ok bool, err error)
	AppendDecision(d entrylog.Decision, o *entrylog.Opening) (int64, error)
	AppendFinding(f attempt.Finding, o *entrylog.Opening) (int64, error)
	PINCount(ref card.Ref) (failed uint8, reset int64, err error)
	SetPINFailed(ref card.Ref, failed uint8) error
	OpenFinding(kind, gateway, door, detail string) (bool, error)
	AfterCommit(f func())
}

// Policies gives the policy in force, nil when there is none.
type Policies interface{ Site() *policypub.Current }

// Authority decides for the server. Its methods may be called from several goroutines.
type Authority struct {
	policies Policies
	places   *Places

	desks Desks // nil = none
	waits *desk.Board
	least card.Assurance
}

// New makes an authority. policies is asked anew for every answer.
func New(policies Policies) *Authority {
	return &Authority{policies: policies, places: newPlaces(policies)}
}

// Places is who is where, by which this authority decides.
func (a *Authority) Places() *Places { return a.places }

// ErrForeignAttempt says that a gateway asks about an attempt that another gateway has begun. There is
// no answer, so the door stays locked.
var ErrForeignAttempt = errors.New("the attempt belongs to another gateway")

// Answer decides one question. ask has been verified: its gateway is who sent it. nowMS is the
// server's clock, UTC ms. With an error there is no answer: the caller rolls back, the gateway's time
// runs out and its own decision counts (D8). Answer may be run again from the start (group commit).
func (a *Authority) Answer(tx Tx, ask *wire.Ask, nowMS int64) (wire.Answer, error) {
	if a.atDesk(ask) {
		return a.answerDesk(tx, ask, nowMS)
	}
	q := question{ask: ask, policy: a.policies.Site(), nowMS: nowMS}
	q.prepare(a.places)
	if err := q.count(tx); err != nil {
		return wire.Answer{}, err // no answer: the gateway's own count and decision stand
	}
	var policy *access.Policy // nil denies no_policy
	if q.policy != nil {
		policy = q.policy.Policy
	}
	d := access.Decide(policy, q.view, q.request)
	leaf := entrylog.Decision{
		Ask: ask.ID, Attempt: ask.Attempt, Gateway: string(ask.Gateway), Door: string(ask.Door), Side: ask.Side.String(),
		Outcome: d.Outcome.String(), Reason: d.Primary.String(), Failed: d.Failed.Names(), Policy: policy.Version(),
		AtMS: nowMS, Assurance: q.assurance(),
	}
	idx, first, err := tx.AppendFirstDecision(leaf, q.opening())
	if err == nil && !first { // the attempt is known: asked before, or a PIN was asked for
		old, found, err := given(tx, ask)
		if err != nil || found {
			return old, err
		}
		if idx, err = tx.AppendDecision(leaf, q.opening()); err != nil {
			return wire.Answer{}, fmt.Errorf("log decision: %w", err)
		}
	}
	if err != nil {
		return wire.Answer{}, fmt.Errorf("log decision: %w", err)
	}
	for _, kind := range q.findings {
		if err := a.find(tx, kind, &q, idx); err != nil {
			return wire.Answer{}, err
		}
	}
	if e, ok := access.PINEvent(q.request, d); ok {
		failed := uint8(0)
		if e.Kind == access.EventPINFailed {
			failed = q.failed + uint8(min(1, 255-q.failed))
		}
		if failed != q.failed {
			if err := tx.SetPINFailed(card.Ref(e.Key), failed); err != nil {
				return wire.Answer{}, err
			}
		}
	}
	a.places.decided(policy, ask.Attempt, q.request, d)
	if review.IsDuress(q.request, d.Outcome) {
		if err := a.duress(tx, &q, idx); err != nil {
			return wire.Answer{}, err
		}
	}
	return wire.Answer{
		Gateway: ask.Gateway, ID: ask.ID, Attempt: ask.Attempt, Outcome: d.Outcome, Reason: d.Primary, Failed: d.Failed,
		Rules: policy.Version(), Leaf: uint64(idx), ServerMS: nowMS,
	}, nil
}

// given finds the answer to a question that was asked before: its decision is one of the attempt's leaves.
func given(tx Tx, ask *wire.Ask) (wire.Answer, bool, error) {
	row, err := tx.AttemptRow(ask.Attempt)
	if errors.Is(err, store.ErrNotFound) {
		return wire.Answer{}, false, nil
	}
	if err != nil {
		return wire.Answer{}, false, err
	}
	if row.Gateway != string(ask.Gateway) {
		return wire.Answer{}, false, ErrForeignAttempt
	}
	leaves, err := tx.AttemptLeaves(row.First)
	if err != nil {
		return wire.Answer{}, false, err
	}
	for _, idx := range leaves {
		leaf, err := tx.Leaf(idx)
		if err != nil {
			return wire.Answer{}, false, err
		}
		if leaf.Kind != entrylog.KindDecision {
			continue
		}
		d, err := entrylog.ParseDecision(leaf.Body)
		if err != nil {
			return wire.Answer{}, false, fmt.Errorf("leaf %d: %w", idx, err)
		}
		if d.Ask == ask.ID {
			answer, err := answerOf(&d, ask, idx)
			return answer, err == nil, err
		}
	}
	return wire.Answer{}, false, nil
}

// answerOf makes the answer of a decision that is in the log.
func answerOf(d *entrylog.Decision, ask *wire.Ask, idx int64) (wire.Answer, error) {
	a := wire.Answer{Gateway: ask.Gateway, ID: ask.ID, Attempt: d.Attempt, Rules: d.Policy, Leaf: uint64(idx), ServerMS: d.AtMS}
	var err error
	if a.Outcome, err = access.ParseOutcome(d.Outcome); err != nil {
		return wire.Answer{}, fmt.Errorf("leaf %d: %w", idx, err)
	}
	if err := a.Reason.UnmarshalText([]byte(d.Reason)); err != nil {
		return wire.Answer{}, fmt.Errorf("leaf %d: %w", idx, err)
	}
	for _, name := range d.Failed {
		r, ok := access.ParseReason(name)
		if !ok {
			return wire.Answer{}, fmt.Errorf("leaf %d: unknown reason", idx)
		}
		a.Failed = a.Failed.With(r)
	}
	return a, nil
}

// question is one ask with what was looked up for it.
type question struct {
	ask    *wire.Ask
	policy *policypub.Current
	nowMS  int64

	request  access.Request
	view     access.View
	failed   uint8 // wrong PINs in a row by the server's own count
	holder   policypub.Holder
	findings []review.Kind
}

// prepare fills in request and view. What cannot be read or is not known stays zero, which denies.
func (q *question) prepare(places *Places) {
	q.request = access.Request{
		Door: q.ask.Door, Side: q.ask.Side, WallMS: q.nowMS, Clock: access.ClockServer, Link: access.LinkServer,
	}
	if a, err := card.ParseAssurance(q.ask.Assurance); err == nil {
		q.request.Assurance = a
	}
	if q.policy == nil {
		return
	}
	places.asked(q.policy, q.ask.Gateway, q.ask.Stamp.Boot)
	if x := q.policy.Door(q.ask.Door); x == nil || x.Gateway != q.ask.Gateway {
		q.request.Door = "" // no door has this name: whatever else holds, unknown_door
		q.findings = append(q.findings, review.UnknownDoor)
	}
	keys, ok := q.policy.Keys.Gateways[q.ask.Gateway]
	if len(q.ask.Card) == 0 {
		return // an unreadable card: read_error
	}
	ref, err := wire.OpenCard(keys.Ask, q.ask.Card)
	if !ok || err != nil {
		q.findings = append(q.findings, review.PrivateUnreadable)
		return
	}
	q.request.Key, q.request.HasCard = access.Key(ref), true
	q.holder, _ = q.policy.Holder(ref) // an unknown card has the zero holder: nobody
	q.request.PIN = q.pinState(keys)
	q.view = places.view(q.policy, q.request)
}

// count fills in the wrong PINs in a row of the card: the larger of the server's own count, over all gateways, and the
// asking gateway's. One that a gateway counted before it took the newest reset is over (AD-13).
func (q *question) count(tx Tx) error {
	if !q.request.HasCard {
		return nil
	}
	failed, reset, err := tx.PINCount(card.Ref(q.request.Key))
	if err != nil {
		return err
	}
	q.failed = failed
	if q.ask.PINReset >= reset {
		failed = max(failed, q.ask.PINFailed)
	}
	q.view.PIN = access.PINView{Known: true, Failed: failed}
	return nil
}

// pinState compares the proof with those of the card's PIN and duress PIN. Both are always computed
// and compared, also for a card without either, so that no time tells which it was (D10).
func (q *question) pinState(keys policypub.GatewayKeys) access.PINState {
	c, _ := q.policy.Policy.Credential(q.request.Key) // the zero one has no PIN and matches nothing
	proof := func(k access.Key) wire.Hash {
		return wire.PINProof(keys.Ask, card.PINRef(k).Token(keys.Token[:]), q.ask.ID)
	}
	pin, duress := proof(c.PIN), proof(c.Duress)
	isPIN := subtle.ConstantTimeCompare(pin[:], q.ask.PIN[:]) & set(c.PIN)
	isDuress := subtle.ConstantTimeCompare(duress[:], q.ask.PIN[:]) & set(c.Duress)
	state := subtle.ConstantTimeSelect(isDuress, int(access.PINDuress), int(access.PINBad))
	state = subtle.ConstantTimeSelect(isPIN, int(access.PINOK), state)
	if !q.ask.PINGiven {
		return access.PINNone
	}
	return access.PINState(state)
}

// set is 1 when k is a reference and 0 when there is none.
func set(k access.Key) int {
	var zero access.Key
	return 1 - subtle.ConstantTimeCompare(k[:], zero[:])
}

// assurance is the machine word of the leaf, "" when no card was read.
func (q *question) assurance() string {
	if !q.request.HasCard {
		return ""
	}
	return q.request.Assurance.String()
}

// opening holds who it was, at this time, and what was decided on. Its length does not depend on the
// PIN: the inputs have a fixed width.
func (q *question) opening() *entrylog.Opening {
	o := q.holder.Opening()
	o.Private = q.ask.Card
	o.Inputs = access.AppendInputs(make([]byte, 0, access.InputsSize), q.view, q.request)
	return &o
}

// find writes a finding about this decision, unless an open one says the same already: a gateway with
// a wrong door name would else fill the list with every badge.
func (a *Authority) find(tx Tx, kind review.Kind, q *question, idx int64) error {
	open, err := tx.OpenFinding(string(kind), string(q.ask.Gateway), string(q.ask.Door), "")
	if err != nil || open {
		return err
	}
	f := review.New(kind, idx)
	_, err = tx.AppendFinding(attempt.Finding{
		Kind: string(f.Kind), Severity: f.Severity.String(), Gateway: string(q.ask.Gateway), Door: string(q.ask.Door),
		Attempt: door.Attempt(q.ask.Attempt), Cause: f.Cause, AtMS: q.nowMS,
	}, nil)
	if err != nil {
		return fmt.Errorf("log finding %s: %w", kind, err)
	}
	return nil
}

// duress writes the silent alert of a PIN given under duress (AD-13): a finding that names the door and the
// decision, for the security officer alone. It names no attempt, so the attempt's line shows nothing of it,
// and the answer, the door and the pages of all others are those of any right PIN (D10).
func (a *Authority) duress(tx Tx, q *question, idx int64) error {
	_, err := tx.AppendFinding(attempt.Finding{
		Kind: string(review.Duress), Severity: review.Duress.Entry().Severity.String(), Gateway: string(q.ask.Gateway), Door: string(q.ask.Door),
		Cause: idx, AtMS: q.nowMS,
	}, nil)
	if err != nil {
		return fmt.Errorf("log finding %s: %w", review.Duress, err)
	}
	return nil
}
