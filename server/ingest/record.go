package ingest

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/firmware/link"
	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/policypub"
	"monban/server/review"
	"monban/server/store"
	"monban/server/visit"
)

// add logs one record and what follows from it.
func (b *batch) add(r *parsed) error {
	secret := b.unseal(r)
	in := store.RecordIn{Body: &r.body, Leaf: entrylog.Record{AtMS: b.nowMS, Body: r.wired.Body}}
	last := b.records[len(b.records)-1].body.Stamp
	in.Leaf.FromMS, in.Leaf.ToMS = occurred(r.body.Stamp, last, b.nowMS)
	in.Leaf.Late = b.nowMS-in.Leaf.ToMS > lateAfter
	if err := b.purpose(r, &secret); err != nil {
		return err
	}
	fact := b.fact(r, in.Leaf.FromMS, in.Leaf.ToMS)
	lent, err := b.lent(&secret, fact.AtMS)
	if err != nil {
		return err
	}
	if fact.Outcome == access.Granted && r.body.By == access.ByGateway {
		fact.Rejudged, fact.Judged = true, b.judge(r, &secret, fact.AtMS)
		fact.HeldRules, fact.NowRules, fact.DelayMS = r.body.Policy, b.site.Versions.Rules, b.nowMS-in.Leaf.ToMS
		if fact.Then, fact.KnowsThen, err = b.judgeThen(r, &secret); err != nil {
			return err
		}
		if lent && fact.KnowsThen {
			fact.Judged = fact.Then // the badge was lent then; that it is back by now takes nothing from the entry
		}
		fact.Judged, fact.Then = joined(r.body.Failed, fact.Judged), joined(r.body.Failed, fact.Then)
		in.Leaf.Judged = fact.Judged.Primary.String()
		in.Leaf.Mismatch = fact.Judged.Outcome != access.Granted || fact.KnowsThen && fact.Then.Outcome != access.Granted
	}
	idx, hash, err := b.tx.AppendRecord(in, secret.opening)
	if err != nil {
		return err
	}
	if wire.Hash(hash) != r.hash {
		return errors.New("BUG: the record's place in the chain moved")
	}
	fact.Leaf, fact.Late = idx, in.Leaf.Late
	if err := b.around(r, &secret, &fact); err != nil {
		return err
	}
	if err := b.judgeFact(fact); err != nil {
		return err
	}
	if err := b.duress(r, &secret, fact); err != nil {
		return err
	}
	if b.p.follower != nil && fact.Attempt != (door.Attempt{}) {
		epoch, seq := b.key.epoch, r.body.Seq
		person, err := b.whose(fact, &secret)
		if err != nil {
			return err
		}
		b.tx.AfterCommit(func() { b.p.follower.Follow(fact, person, epoch, seq) })
	}
	return b.oddities(r, &secret, idx)
}

// whose is the person whom a record concerns, "" for nobody. A passage names none: it is of the attempt, and whose that
// is says its decision. The follower forgets that with its process and after many thousand attempts, and a backlog may come
// days after the decision; then the attempt's line says it.
func (b *batch) whose(f review.Fact, s *secret) (string, error) {
	if s.opening != nil && s.opening.Person != "" {
		b.named[f.Attempt] = s.opening.Person
		return s.opening.Person, nil
	}
	if f.Event != door.EventEntry && f.Event != door.EventExit {
		return "", nil
	}
	if person := b.named[f.Attempt]; person != "" || b.p.follower.Holds(f.Attempt) {
		return person, nil
	}
	row, err := b.tx.AttemptRow(f.Attempt)
	if isNotFound(err) || err == nil && (row.Opening == attempt.NoIndex || row.Gateway != b.gw) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	o, err := b.tx.Opening(row.Opening)
	if isNotFound(err) || errors.Is(err, store.ErrErased) {
		return "", nil // nobody's any more
	}
	return o.Person, err
}

// secret is what a record's private part says, and the opening made of it.
type secret struct {
	opening *entrylog.Opening // nil: the record concerns nobody
	private wire.Private
	key     access.Key // card_ref
	hasCard bool
	faulty  bool // there is a private part and it does not open
}

// unseal opens the private part and looks up whose card it was. What does not open is kept as it
// came: it may be readable with a key that is found later, and verify needs it for gcommit.
func (b *batch) unseal(r *parsed) secret {
	if len(r.wired.Private) == 0 {
		return secret{faulty: r.body.GCommit != wire.Hash{}}
	}
	if !r.wired.Committed(r.body.GCommit) {
		return secret{faulty: true} // not what the chain commits to: worth nothing as evidence
	}
	s := secret{opening: &entrylog.Opening{}, faulty: true}
	defer func() { s.opening.Private, s.opening.PrivateSalt = r.wired.Private, r.wired.Salt }()
	keys, ok := b.site.Keys.Gateways[b.key.gateway]
	if !ok {
		return s
	}
	var err error
	if s.private, err = wire.OpenPrivate(keys.Ask, r.wired.Private); err != nil {
		return s
	}
	if len(s.private.Card) > 0 {
		ref, err := wire.OpenCard(keys.Ask, s.private.Card)
		if err != nil {
			return s
		}
		s.key, s.hasCard = access.Key(ref), true
		holder, _ := b.site.Holder(ref) // an unknown card has the zero holder: nobody
		*s.opening = holder.Opening()
	}
	s.opening.Inputs = s.private.Inputs
	s.faulty = false
	return s
}

// lent finds whose a lent badge was when the record happened (VE-3): by the time a late record is here the badge may be back in the
// drawer, or somebody else's. inForce says that it opened doors then, and that the policy of now does not know it any more.
func (b *batch) lent(s *secret, atMS int64) (inForce bool, err error) {
	if !s.hasCard || s.opening == nil {
		return false, nil
	}
	holder, known := b.site.Holder(card.Ref(s.key))
	if known && (holder.Card.Lent == directory.Lent{} || holder.Card.Exact.FromMS <= atMS) {
		return false, nil // somebody's own card, or lent to this person already
	}
	l, found, err := b.tx.LoanAt(card.Ref(s.key), atMS)
	if err != nil {
		return false, err
	}
	o := entrylog.Opening{}
	if found {
		o = entrylog.Opening{
			Person: string(l.Person), Name: l.Name, Section: l.Company, Category: string(l.Category), Masked: l.Masked,
			Badge: l.Lent.Badge, Purpose: l.Lent.Purpose, Escort: string(l.Lent.Attendee),
		}
	}
	o.Private, o.PrivateSalt, o.Inputs = s.opening.Private, s.opening.PrivateSalt, s.opening.Inputs
	*s.opening = o // a badge that was nobody's then is not the present holder's
	return found && l.InForce, nil
}

// judge decides again, with the rules of now, what a gateway decided alone: at the time it happened,
// with the card and PIN it had, as the server would have decided had it been asked (D8).
func (b *batch) judge(r *parsed, s *secret, atMS int64) access.Decision {
	view, request, err := access.ParseInputs(s.private.Inputs)
	if err != nil { // without inputs: what the record itself says
		view = access.View{PIN: access.PINView{Known: true}}
		request = access.Request{PIN: s.private.PIN}
		if a, err := card.ParseAssurance(r.body.Assurance); err == nil {
			request.Assurance = a
		}
	}
	request.Door, request.Side = b.ownDoor(r.body.Door), r.body.Side
	request.Key, request.HasCard = s.key, s.hasCard
	request.WallMS, request.Clock, request.Link, request.Behind, request.AgeMS = atMS, access.ClockServer, access.LinkServer, false, 0
	if r.body.Failed.Has(access.ReasonRecoveryCard) {
		// A recovery card asks for no grant and is judged as one (AD-18): is it still the door's, was it good?
		request.Link, request.AgeMS = access.LinkOffline, math.MaxInt64
	}
	return access.Decide(b.site.Policy, view, request)
}

// judgeThen decides once more what a gateway decided alone, with the rules that it held and the inputs
// that it had: anything but a grant means that the gateway is at fault or the record is not its own.
// The door's mode of then is not known here and is taken for normal. known is false when inputs or
// rules are not at hand; after a restore the gateway may know of rules that the server has lost.
func (b *batch) judgeThen(r *parsed, s *secret) (d access.Decision, known bool, err error) {
	view, request, err := access.ParseInputs(s.private.Inputs)
	if err != nil || !s.hasCard {
		return access.Decision{}, false, nil
	}
	rules, err := b.rulesOf(r.body.Policy)
	if err != nil || rules == nil {
		return access.Decision{}, false, err
	}
	request.Door, request.Key = b.ownDoor(request.Door), s.key
	return access.Decide(rules, view, request), true, nil
}

// joined takes a wait for a second person or an escort for a grant where the record says that they came:
// a granted record that still names what was waited for (AD-8, VE-2). Everything else about the one who
// waited was in order, or the decision would not be a wait.
func joined(failed access.ReasonSet, d access.Decision) access.Decision {
	switch {
	case d.Outcome == access.NeedSecond && failed.Has(access.ReasonSecondPerson),
		d.Outcome == access.NeedEscort && failed.Has(access.ReasonEscortMissing):
		d.Outcome, d.Primary = access.Granted, access.ReasonGranted
	}
	return d
}

// duress is the silent alert of a PIN that was given under duress where the gateway decided alone; the
// server's own decisions have theirs (AD-13). It names no attempt: the line shows nothing of it (D10).
func (b *batch) duress(r *parsed, s *secret, f review.Fact) error {
	if f.By != access.ByGateway || s.private.PIN != access.PINDuress || f.Event != door.EventGranted {
		return nil
	}
	found := review.New(review.Duress, f.Leaf)
	found.AtMS, found.Gateway, found.Door = f.AtMS, f.Gateway, r.body.Door
	return appendFinding(b.tx, found)
}

// rulesOf gives the site's rules of a version, nil when they are not kept. The last version asked for
// is remembered: a gateway that was away sends hours of records of one version.
func (b *batch) rulesOf(version uint64) (*access.Policy, error) {
	if version == b.site.Versions.Rules {
		return b.site.Policy.WithModes(access.Modes{}), nil
	}
	b.p.mu.Lock()
	old := b.p.old
	b.p.mu.Unlock()
	if old != nil && old.Version() == version {
		return old, nil
	}
	kept, err := b.tx.Policy("", wire.PartRules, version)
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rules, err := access.DecodeRules(kept.Bytes)
	if err != nil {
		return nil, fmt.Errorf("rules %d: %w", version, err)
	}
	if old, err = access.Compile(*rules, b.p.zone); err != nil {
		return nil, fmt.Errorf("rules %d: %w", version, err)
	}
	b.p.mu.Lock()
	b.p.old = old
	b.p.mu.Unlock()
	return old, nil
}

// ownDoor gives the name of a door of this gateway, "" (which no policy knows) for any other.
func (b *batch) ownDoor(id access.DoorID) access.DoorID {
	if x := b.site.Door(id); x != nil && x.Gateway == b.key.gateway {
		return id
	}
	return ""
}

// fact is the record as rules see it.
func (b *batch) fact(r *parsed, from, to int64) review.Fact {
	f := review.Fact{
		AtMS: from + (to-from)/2, Gateway: b.key.gateway, Door: r.body.Door, Side: r.body.Side, Event: r.body.Event,
		Attempt: r.body.Attempt, By: r.body.By, Reason: r.body.Reason, Failed: r.body.Failed, Detail: r.body.Detail,
		ReceivedMS: b.nowMS, WidthMS: to - from,
	}
	if r.body.Event == door.EventGranted {
		f.Outcome = access.Granted
	}
	if x := b.site.Door(r.body.Door); x != nil {
		f.Observed = x.Kind == door.KindObserve
	}
	return f
}

// judgeFact runs the rules and logs what they find.
func (b *batch) judgeFact(f review.Fact) (err error) {
	switch f.Event {
	case door.EventForcedOpen:
		f.KeyOut, err = b.tx.MatterAtDoor(visit.KindKeyLoan, string(f.Door), f.AtMS)
	case door.EventHeldOpen:
		f.Carrying, err = b.tx.MatterAtDoor(visit.KindCarry, string(f.Door), f.AtMS)
	default: // nothing that is lent or carried changes what it means
	}
	if err != nil {
		return err
	}
	over, err := b.p.step(b.tx, f)
	if err != nil {
		return err
	}
	found := append(review.Judge(f), over...)
	for i := range found {
		if err := b.p.tell(b.tx, found[i], b.nowMS); err != nil {
			return err
		}
	}
	return nil
}

// oddities finds what a record shows beside its event: a door that is not the gateway's, a private
// part that does not open, the first record of a new outbox.
func (b *batch) oddities(r *parsed, s *secret, idx int64) error {
	if r.body.Door != "" && b.ownDoor(r.body.Door) == "" && !b.ownDesk(r.body.Door) {
		if err := b.odd(review.UnknownDoor, r.body.Door, idx); err != nil {
			return err
		}
	}
	if s.faulty {
		if err := b.odd(review.PrivateUnreadable, r.body.Door, idx); err != nil {
			return err
		}
	}
	if r.body.Seq != 1 {
		return nil
	}
	other, err := b.tx.OtherEpoch(b.gw, b.key.epoch)
	if err != nil || !other {
		return err
	}
	return b.find(newEpoch(&r.body), idx, 1)
}

// newEpoch is what the first record of another epoch has to tell a person. A gateway whose disk was put
// back and that wrote on past our watermark before it came back shows nothing odd in its hello: only
// itself it can say that its chain and ours have parted, and why it begins anew (I3).
func newEpoch(r *wire.Record) review.Kind {
	why, _, _ := strings.Cut(r.Detail, ".")
	if r.Event == door.EventEpoch && (why == string(link.FindingRollback) || why == string(link.FindingFork)) {
		return review.GatewayRolledBack
	}
	return review.EpochChanged
}

func (b *batch) odd(kind review.Kind, d access.DoorID, idx int64) error {
	f := review.New(kind, idx)
	f.Door = d
	return findOnce(b.tx, f, b.key.gateway, "", b.nowMS)
}

var _ Policies = (*policypub.Publisher)(nil)
