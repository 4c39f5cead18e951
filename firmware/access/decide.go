package access

import (
	"slices"
	"time"

	"monban/firmware/mono"
)

const (
	// PINTime is how long a door waits for a PIN, a second person or an escort: long enough to key
	// in eight digits, short enough that the next person in the queue is not taken for this one.
	PINTime = 10 * time.Second
	// GrantTime is how long a grant may wait to be acted on. The door's own release time follows.
	GrantTime = 5 * time.Second
)

// Decide says whether the holder of the card in r may pass the door, and why not. It is a pure
// function: equal arguments give an equal Decision, on the gateway as on the server. It runs every
// check; Failed holds all that failed, Primary the first in the order of the Reason constants.
// DESIGN.md beside this file lists the checks.
//
// Anything unknown (side, enum value, door, card, nil policy) denies. At an exit reader (D11) a
// known card always gets Granted, and failed checks are findings; nothing here can keep anybody
// inside, for leaving is mechanical.
func Decide(p *Policy, v View, r Request) Decision {
	if p == nil { // fail secure: no verified rules, the strike stays locked
		d := Decision{Failed: ReasonSet(0).With(ReasonNoPolicy)}
		return d.finishDenied(r.Side, 0)
	}
	e := evaluation{p: p, v: &v, r: &r}
	e.findDoor()
	e.findCard()
	if r.Side == SideExit {
		return e.exit()
	}
	return e.enter()
}

// evaluation is one run of Decide: what was looked up and what has failed so far.
type evaluation struct {
	p    *Policy
	v    *View
	r    *Request
	door *compiledDoor // nil: unknown door or side
	zone *Zone
	card *compiledCredential // nil: unreadable or unknown
	d    Decision

	aside     ReasonSet // failed checks that do not deny
	emergency bool      // an emergency grant holds (AD-14)
	// onlyEmergency: and no ordinary one does.
	onlyEmergency bool
}

func (e *evaluation) fail(r Reason) { e.d.Failed = e.d.Failed.With(r) }

func (e *evaluation) findDoor() {
	door := e.p.door(e.r.Door)
	if door == nil || !(e.r.Side == SideEnter && door.enter || e.r.Side == SideExit && door.exit) {
		e.fail(ReasonUnknownDoor) // fail secure: a door or side we do not know never opens
		return
	}
	e.door = door
	e.zone = &e.p.zones[door.zone]
}

func (e *evaluation) findCard() {
	if !e.r.HasCard {
		e.fail(ReasonReadError) // noise is never a card
		return
	}
	e.card = e.p.find(e.r.Key)
	if e.card == nil {
		e.fail(ReasonUnknownCredential)
		return
	}
	if e.card.Person != NoPerson {
		e.d.Person, e.d.KnownPerson = e.card.Person, true
	}
}

// enter runs the checks of the enter side (and of an unknown side, which findDoor has failed).
//
// A recovery card (AD-18) sets the footing aside, and the grant: being named for the door is its
// right, and it must not end in the dark on 1 April. What the snapshot knows against card or person,
// the PIN and its lockout, the assurance and the door's mode stand as for anybody.
func (e *evaluation) enter() Decision {
	e.checkFooting()
	recovery := e.recovers()
	if recovery {
		e.aside = e.d.Failed & recoverable
	}
	timed := !recovery || e.clockTrusted() // without a time nothing is known to be out of date
	e.checkCredential(timed)
	e.checkPerson(timed)
	var with company
	if !recovery { // in the dark one goes in alone and reports: who is inside is not known then
		e.checkPrepared()
		e.checkGrant(true)
		with = e.checkZone()
	}
	e.checkAssurance()
	needPIN := e.checkPIN(recovery)
	e.checkMode()
	if with.second {
		e.flag(ReasonSecondPerson)
	}
	if with.escort {
		e.flag(ReasonEscortMissing)
	}
	failed := e.d.Failed &^ e.aside
	switch {
	case failed == 0 && needPIN:
		e.d.Outcome = NeedPIN
		e.d.Failed = e.d.Failed.With(ReasonPINRequired)
		e.d.Primary = ReasonPINRequired
		e.d.Until = e.r.At.Add(PINTime)
	case failed == 0 && with.escort: // an escort is a second person too
		e.wait(NeedEscort, ReasonEscortMissing, e.zone.EscortWithinMS)
	case failed == 0 && with.second:
		e.wait(NeedSecond, ReasonSecondPerson, e.zone.TwoPersonMS)
	case failed == 0:
		e.grant()
		if with.emergency {
			e.fail(ReasonEmergencyEntry) // flags the grant; Failed keeps what was set aside (AD-14)
		}
		if recovery {
			e.fail(ReasonRecoveryCard) // flags the grant; Failed keeps what was set aside
		}
	default:
		if needPIN {
			e.fail(ReasonPINRequired)
		}
		return e.d.finishDenied(e.r.Side, e.aside&^recoverable)
	}
	return e.d
}

func (e *evaluation) wait(o Outcome, r Reason, ms int64) {
	e.d.Outcome, e.d.Primary = o, r
	e.d.Until = e.r.At.Add(time.Duration(ms) * time.Millisecond)
}

// exit runs the rules of D11: a known card leaves, whatever else is wrong with it; what is wrong is
// a finding. Factors, modes, clock, age and link say nothing about leaving and are not looked at.
func (e *evaluation) exit() Decision {
	timed := e.clockTrusted() // with a wrong clock every time check would be a false finding
	e.checkCredential(timed)
	e.checkPerson(timed)
	e.checkGrant(timed)
	if e.door == nil || e.card == nil {
		return e.d.finishDenied(e.r.Side, 0) // no pulse; the mechanical exit is open
	}
	e.grant()
	return e.d
}

func (e *evaluation) grant() {
	e.d.Outcome = Granted
	e.d.Primary = ReasonGranted
	e.d.Until = e.r.At.Add(GrantTime)
}

// finishDenied fills in the primary reason of a denial: the first of those that deny, not of those in
// aside. At an exit it is always exit_unattributed, unless not even the door is known.
func (d Decision) finishDenied(side Side, aside ReasonSet) Decision {
	d.Outcome, d.Until = Denied, mono.Time(0)
	if side == SideExit && !d.Failed.Has(ReasonUnknownDoor) {
		d.Failed = d.Failed.With(ReasonExitUnattributed)
		d.Primary = ReasonExitUnattributed
		return d
	}
	d.Primary = (d.Failed &^ aside).Primary()
	return d
}

func (e *evaluation) checkCredential(timed bool) {
	if e.card == nil {
		return
	}
	switch e.card.Status {
	case CredentialActive:
	case CredentialLost:
		e.fail(ReasonCredentialLost)
	case CredentialRevoked:
		e.fail(ReasonCredentialRevoked)
	default: // suspended, unset or unknown: not active
		e.fail(ReasonCredentialSuspended)
	}
	if timed && !inForce(e.r.WallMS, e.card.FromMS, e.card.UntilMS) {
		e.fail(ReasonCredentialExpired)
	}
}

func (e *evaluation) checkPerson(timed bool) {
	if e.card == nil {
		return
	}
	if !e.d.KnownPerson { // a card nobody holds opens nothing
		e.fail(ReasonPersonInactive)
		return
	}
	person := &e.p.persons[e.d.Person]
	if !person.Active || timed && !inForce(e.r.WallMS, person.FromMS, person.UntilMS) {
		e.fail(ReasonPersonInactive)
	}
	if timed && !inForce(e.r.WallMS, person.ContractFromMS, person.ContractUntilMS) {
		e.fail(ReasonContractExpired)
	}
}

// checkGrant looks at all grants of the person for the zone behind the door. One that holds is
// enough; otherwise the nearest miss is reported, for that is what somebody can mend.
func (e *evaluation) checkGrant(timed bool) {
	if e.card == nil || e.door == nil {
		return
	}
	if !e.d.KnownPerson {
		e.fail(ReasonNoGrant)
		return
	}
	// An emergency grant holds like any other, and is used only where no ordinary one does, or where
	// what an ordinary one lets pass is not enough: see checkZone.
	miss, ordinary, emergency := ReasonNoGrant, false, false
	for i := e.p.first[e.d.Person]; i < e.p.first[e.d.Person+1]; i++ {
		g := &e.p.grants[i]
		if g.zone != e.door.zone {
			continue
		}
		switch {
		case !timed:
			return // at an exit: whichever it is
		case g.untilMS != 0 && e.r.WallMS >= g.untilMS:
			miss = max(miss, ReasonGrantExpired)
		case e.r.WallMS < g.fromMS:
			miss = max(miss, ReasonGrantNotYet)
		case g.schedule != Always && !e.p.window.contains(g.schedule, e.r.WallMS):
			miss = max(miss, ReasonOutsideSchedule)
		case g.emergency:
			emergency = true
		default:
			ordinary = true
		}
	}
	e.emergency = emergency
	switch {
	case ordinary:
	case emergency:
		e.onlyEmergency = true
	default:
		e.fail(miss)
	}
}

// checkPrepared: has the person acknowledged the conditions of entry, and is the training in date
// (VE-6, AD-15)?
func (e *evaluation) checkPrepared() {
	if e.zone == nil || e.card == nil || !e.d.KnownPerson {
		return
	}
	person := &e.p.persons[e.d.Person]
	if person.Conditions < e.zone.Conditions {
		e.fail(ReasonConditionsPending)
	}
	if e.zone.Training == TrainingOff || e.r.WallMS < person.TrainingUntilMS {
		return
	}
	if e.zone.Training == TrainingFlag {
		e.flag(ReasonTrainingExpired)
	} else { // deny, or a rule we do not know
		e.fail(ReasonTrainingExpired)
	}
}

// checkAssurance compares what this read proved, and what the card was enrolled to prove, with what
// the zone asks; both must do. A card that suddenly proves more than it was enrolled for proves
// nothing.
func (e *evaluation) checkAssurance() {
	if e.card == nil || e.zone == nil {
		return
	}
	if !e.r.Assurance.Satisfies(e.zone.MinAssurance) || !e.card.Assurance.Satisfies(e.zone.MinAssurance) {
		e.fail(ReasonAssuranceLow)
	}
}

// checkPIN is one check with at most one failed reason: a card that is locked out is not judged by
// its PIN at all, so that guessing on gains nothing. It reports that a PIN is still to be given.
// Duress takes exactly the path of ok (D10).
//
// A recovery card always needs its PIN, and a count that is not known is no permission to try (AD-18).
func (e *evaluation) checkPIN(recovery bool) (needPIN bool) {
	if e.card == nil || e.door == nil {
		return false
	}
	required := recovery || e.zone.RequirePIN || e.offline() && e.door.OfflineMode == OfflineCachedPIN
	if !required && e.r.PIN == PINNone {
		return false
	}
	if !e.v.PIN.Known {
		e.d.Missing = e.d.Missing.With(KnowPIN)
		if recovery || e.zone.OfflineRules != ZoneRuleGrantAndFlag {
			e.aside &^= 1 << ReasonKnowledgeMissing // no emergency sets a PIN aside
			e.fail(ReasonKnowledgeMissing)
		}
	} else if e.v.PIN.Failed >= e.door.PINLimit {
		e.fail(ReasonPINLocked)
		return false
	}
	switch e.r.PIN {
	case PINNone:
		return true
	case PINOK, PINDuress:
		return false
	default: // bad or unknown
		e.fail(ReasonPINBad)
		return false
	}
}

func (e *evaluation) checkMode() {
	if e.door == nil {
		return
	}
	switch e.door.Mode {
	case ModeNormal:
	case ModeLockdown:
		e.fail(ReasonLockdown)
	default: // locked or unknown
		e.fail(ReasonDoorLocked)
	}
}

// checkFooting asks whether the decider may decide now: clock, age and version of what it holds.
func (e *evaluation) checkFooting() {
	if !e.clockTrusted() {
		e.fail(ReasonClockUntrusted)
	}
	if e.r.Link == LinkServer {
		return
	}
	if e.r.Link == LinkLeased && e.r.Behind {
		e.fail(ReasonPolicyBehind)
	}
	if e.door == nil {
		return
	}
	if e.r.AgeMS < 0 || e.r.AgeMS > e.door.MaxAgeMS {
		e.fail(ReasonPolicyExpired)
	}
	if e.offline() && e.door.OfflineMode != OfflineCached && e.door.OfflineMode != OfflineCachedPIN {
		e.fail(ReasonOfflineDeny)
	}
}

// recoverable is what a recovery card sets aside. offline_deny is among them only because a door
// whose snapshot is too old, or whose gateway has no time, is as a rule without the server too: it is
// no case of its own (D12), see recovers.
const (
	recoveryCases = ReasonSet(1<<ReasonClockUntrusted | 1<<ReasonPolicyBehind | 1<<ReasonPolicyExpired)
	recoverable   = recoveryCases | 1<<ReasonOfflineDeny
)

// recovers reports whether this is a recovery card of the door in one of the cases of D12. The server
// needs none: it has the time and the rules.
func (e *evaluation) recovers() bool {
	return e.r.Side == SideEnter && e.r.Link != LinkServer && e.door != nil && e.card != nil &&
		e.d.Failed&recoveryCases != 0 && slices.Contains(e.door.Recovery, e.card.Key)
}

// offline: without a lease, or on a footing we do not know.
func (e *evaluation) offline() bool { return e.r.Link != LinkLeased && e.r.Link != LinkServer }

// clockTrusted: the server's clock always, a gateway's from a battery clock upwards (D12).
func (e *evaluation) clockTrusted() bool {
	if e.r.Clock > ClockServer {
		return false
	}
	return e.r.Link == LinkServer || e.r.Clock >= ClockRTC
}
