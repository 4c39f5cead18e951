// Package access decides who may pass which door, and nothing else.
//
// Decide is a pure function of a compiled policy, an explicit view of the zone's state and one
// request. The gateway and the server run the same function, so that "why was X refused" and "can
// X enter Y at T" always have the answer that the door gave. Zero values deny (I9).
package access

import (
	"monban/firmware/card"
	"monban/firmware/mono"
)

// Identifiers. They name configuration, never a person's card.
type (
	// DoorID names a door, unique within the site; 1–32 characters of [a-z0-9-].
	DoorID string
	// ZoneID names a zone, unique within the site; 1–32 characters of [a-z0-9-].
	ZoneID string
	// GatewayID names a gateway, unique within the site; 1–32 characters of [a-z0-9-]; it is the
	// certificate's common name.
	GatewayID string
	// PersonNo is a person's number inside one compiled policy: an index into Policy.Persons. In a
	// gateway's snapshot it is pseudonymous and differs from gateway to gateway (D7).
	PersonNo uint32
)

// Side is the side of a door at which somebody stands. The zero Side is unknown and is refused.
type Side uint8

// The sides of a door.
const (
	SideUnknown Side = iota
	SideEnter
	SideExit
)

// Outcome is what a decision came to. The zero Outcome denies.
type Outcome uint8

// The outcomes.
const (
	Denied Outcome = iota
	NeedPIN
	NeedSecond
	NeedEscort
	Granted
)

// DecidedBy says whose decision counted.
type DecidedBy uint8

// Who decided.
const (
	ByNobody DecidedBy = iota
	ByServer
	ByGateway
)

// PINState is what is known of the PIN given with a card. Duress opens like OK and is visible only
// inside the encrypted opening (D10).
type PINState uint8

// The PIN states.
const (
	PINNone PINState = iota
	PINOK
	PINDuress
	PINBad
)

// ClockQuality says how good the wall clock of a request is. Local decisions are refused with
// ClockNone and ClockFloor (D12).
type ClockQuality uint8

// Clock qualities, worst first.
const (
	ClockNone   ClockQuality = iota // never set since boot
	ClockFloor                      // not earlier than the last good time; otherwise unknown
	ClockRTC                        // a battery clock
	ClockNTP                        // network time
	ClockServer                     // the server's signed time
)

// OfflineMode is what a door does without a lease (D8).
type OfflineMode uint8

// Offline modes; the zero value denies.
const (
	OfflineDeny      OfflineMode = iota
	OfflineCached                // the local decision counts
	OfflineCachedPIN             // the local decision counts, and only with a correct PIN
)

// DoorMode is a door's mode from the `modes` part of the policy (D13).
type DoorMode uint8

// Door modes; the zero value is the ordinary controlled one, in which every entry needs a grant.
const (
	ModeNormal   DoorMode = iota
	ModeLocked            // nobody enters (closed, out of service); leaving stays free
	ModeLockdown          // nobody enters, by a security officer's order; leaving stays free
)

// CredentialStatus is the life-cycle state of a card. The zero value is not active.
type CredentialStatus uint8

// Credential states.
const (
	CredentialUnset CredentialStatus = iota
	CredentialActive
	CredentialSuspended
	CredentialLost
	CredentialRevoked
)

// Key identifies a card inside one policy: the card_ref in the server's site policy, the gateway's
// token of it in a snapshot (D9). It is never a card number.
type Key [32]byte

// Link says on what footing the decision is made (D8).
type Link uint8

// Links; the zero value is offline.
const (
	LinkOffline Link = iota // gateway without a lease
	LinkLeased              // gateway holding a lease, no answer in time
	LinkServer              // the server itself decides
)

// Request is everything about one read that a decision may look at. Its canonical bytes are kept in
// the encrypted opening, so that the decision can be replayed (AD-12).
type Request struct {
	Door      DoorID
	Side      Side
	Key       Key  // meaningful only when HasCard
	HasCard   bool // false: the read was unreadable (parity, noise)
	Assurance card.Assurance
	PIN       PINState
	WallMS    int64 // UTC milliseconds by the decider's best clock
	Clock     ClockQuality
	Link      Link
	Behind    bool  // leased, and the snapshot is older than the lease names
	AgeMS     int64 // age of the snapshot, milliseconds ≥ 0; 0 at the server
	At        mono.Time
}

// View is what the decider knows of the moving state around this request (D6). A field whose Known
// is false makes the checks that need it report what is missing.
type View struct {
	PIN    PINView
	Person PersonView
	Zone   ZoneView
	Door   DoorView
}

// PINView is the count of wrong PINs of this card.
type PINView struct {
	Known  bool
	Failed uint8 // consecutive wrong PINs
}

// PersonView is where this person was last seen.
type PersonView struct {
	Known  bool
	Inside ZoneID // "" = outside
	LastMS int64  // UTC ms of the last passage, 0 = never
}

// ZoneView is the state of the zone behind the door, with the zones in it.
type ZoneView struct {
	Known bool
	Count uint32 // persons inside, also those whom a badge of another stands for
	// Of the persons inside: those who may escort, the contractors who may not, the visitors. Counted
	// only where the zone asks for escorts.
	Escorts, Contractors, Visitors uint32
	// Reserved are the places of those who were let in at some door and have neither passed nor given up. Counted only
	// where the zone has a cap.
	Reserved uint32
	Above    [MaxZoneDepth - 1]CountView // the zones around it, the next one first
}

// CountView is the number of persons in one zone.
type CountView struct {
	Known    bool
	Count    uint32
	Reserved uint32 // as of ZoneView
}

// MaxPresent bounds the persons at one door that a decision sees. One more takes the place of the one who has
// stood there longest.
const MaxPresent = 8

// DoorView is who has badged at this side of the door and has neither passed nor given up: they wait
// for a second person or an escort, or were granted and have not opened yet.
type DoorView struct {
	Known   bool
	Present [MaxPresent]Presence // oldest first; a slot with SinceMS 0 is empty
}

// Presence is one person at the door, without saying who.
type Presence struct {
	SinceMS   int64 // UTC ms of the badge, > 0
	Category  Category
	Self      bool  // it is the very person who asks
	MayEscort bool  // and is not counted among the escorts inside already
	Party     uint8 // as of Person
	Granted   bool  // they may open already: their place is among those reserved
}

// Knowledge is a kind of state a check may lack.
type Knowledge uint8

// The kinds of knowledge.
const (
	KnowPIN Knowledge = iota
	KnowPerson
	KnowZone
	KnowDoor // who stands at the door
	knowledgeCount
)

// KnowledgeSet is a set of Knowledge, one bit each.
type KnowledgeSet uint8

// Decision is the result of Decide. The zero Decision is a denial with reason `undecided`.
type Decision struct {
	Outcome Outcome
	Primary Reason       // the first failed check, or ReasonGranted
	Failed  ReasonSet    // every failed check; at an exit it may be non-empty although granted (a finding, D11)
	Missing KnowledgeSet // knowledge that checks lacked
	Person  PersonNo     // meaningful only when KnownPerson
	// KnownPerson says that the card belongs to a person of the policy, whatever the outcome.
	KnownPerson bool
	Until       mono.Time // NeedPIN etc.: when the wait ends; Granted: when an unused grant lapses
}
