package web

import (
	"context"
	"errors"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/server/casework"
)

// Errors that sources return and pages tell apart; anything else is "something went wrong" with a
// reference number in the machine's log.
var (
	ErrNotFound  = errors.New("not found")
	ErrExists    = errors.New("exists already")
	ErrSetupCode = errors.New("set-up code is wrong, used or too old")
	ErrBusy      = errors.New("busy, try again")
	// ErrNoPlace says that files cannot be made: their folder cannot be used, or its disk is full. The administrator has to do something.
	ErrNoPlace = errors.New("no place for files")

	ErrRevoked = errors.New("revoked for good")
	// ErrNoPerson says that the directory has no such person.
	ErrNoPerson     = errors.New("no such person")
	ErrSecondPerson = errors.New("takes a second person")
	ErrState        = errors.New("not in a state for that")
)

// Sources is everything the pages read and change. All fields are required. Every method may be
// called from many goroutines at once. server/app implements them over the store.
type Sources struct {
	Rules            Rules
	Imports          Imports
	Rehearsals       Rehearsals
	Recertifications Recertifications
	Setup            Setup
	Accounts         Accounts
	Sessions         Sessions
	Audit            Audit
	Overviews        Overviews
	Log              Log
	Findings         Findings
	Machines         Machines
	Live             Live
	Commands         Commands
	Factors          Factors
	Requests         Requests
	Judge            Judge
	Privacy          Privacy
	Retention        Retention
	Tokens           Tokens
	Registry         Registry
	Registers        Registers
	Reports          Reports
	People           People
	Reviews          Reviews
	Corrections      Corrections
	Incidents        Incidents
	DataRequests     DataRequests
	Outages          Outages
	Cases            Cases
	Rights           Rights
	Visits           Visits
	Alerts           Alerts
	Startup          Startup
	Verification     Verification
	Packs            Packs
	Rollouts         Rollouts
	Desks            Desks
	Thresholds       Thresholds
	Threats          Threats
}

func (s Sources) validate() error {
	var errs []error
	for name, missing := range map[string]bool{
		"setup": s.Setup == nil, "accounts": s.Accounts == nil, "sessions": s.Sessions == nil,
		"audit": s.Audit == nil, "overviews": s.Overviews == nil, "log": s.Log == nil,
		"findings": s.Findings == nil, "machines": s.Machines == nil, "live": s.Live == nil,
		"commands": s.Commands == nil, "factors": s.Factors == nil, "requests": s.Requests == nil, "judge": s.Judge == nil, "privacy": s.Privacy == nil, "retention": s.Retention == nil,
		"tokens": s.Tokens == nil, "registry": s.Registry == nil, "registers": s.Registers == nil, "reports": s.Reports == nil, "reviews": s.Reviews == nil, "cases": s.Cases == nil, "corrections": s.Corrections == nil, "incidents": s.Incidents == nil, "data requests": s.DataRequests == nil, "outages": s.Outages == nil,
		"people":  s.People == nil,
		"rights":  s.Rights == nil,
		"visits":  s.Visits == nil,
		"alerts":  s.Alerts == nil,
		"startup": s.Startup == nil, "verification": s.Verification == nil, "packs": s.Packs == nil, "rollouts": s.Rollouts == nil,
		"rules": s.Rules == nil, "imports": s.Imports == nil, "rehearsals": s.Rehearsals == nil, "recertifications": s.Recertifications == nil,
		"desks": s.Desks == nil, "threats": s.Threats == nil,
	} {
		if missing {
			errs = append(errs, errors.New("source missing: "+name))
		}
	}
	return errors.Join(errs...)
}

// Setup is the first run: nobody can sign in yet.
type Setup interface {
	// SetupNeeded is true while there is no account at all.
	SetupNeeded(ctx context.Context) (bool, error)
	// RedeemSetupCode does all of this in one transaction or nothing: there is no account yet, an
	// unused code with this hash exists and is not older than SetupCodeLife at now, the code is
	// used up, first is stored, act becomes a leaf. ErrSetupCode otherwise.
	RedeemSetupCode(ctx context.Context, code [32]byte, now time.Time, first Account, act Action) error
}

// Account is one operator's login. It is not the person of the directory, to whom it may point.
type Account struct {
	ID           string // opaque, made here: 26 characters of base 32
	Name         string // what is typed at login; 1–64 characters, unique without regard to case
	FullName     string // as typed, any Unicode, never normalised
	Person       string // directory person id, "" = none
	PasswordHash string // PHC string; never shown
	MustChange   bool   // the password was given out by somebody else
	Language     Lang   // "" = as the browser asks
	Roles        []Assignment
	Suspended    bool
	SuspendedWhy string
	Created      time.Time
	LastLogin    time.Time // zero = never
	Source       string    // where the password is checked: SourceHere, SourceDirectory, SourceProvider
	SecondFactor bool      // there is a passkey or a secret of one-time codes; read only
}

// Assignment is one role of an account (D26). Zone "" means the whole site.
type Assignment struct {
	Role  Role
	Zone  access.ZoneID
	From  time.Time // zero = always
	Until time.Time // exclusive; zero = no end
}

// AccountChange names the fields to change; nil leaves one as it is.
type AccountChange struct {
	PasswordHash *string
	MustChange   *bool
	Language     *Lang
	Suspended    *bool
	SuspendedWhy *string
	LastLogin    *time.Time
	Source       *string // the link to a provider is forgotten with it
	Person       *string // directory person id; only for taking it away: giving one takes two (RequestPerson)
}

// Accounts keeps operators' accounts. An account is never deleted.
type Accounts interface {
	// AccountByName ignores case. ErrNotFound.
	AccountByName(ctx context.Context, name string) (Account, error)
	// AccountByID: ErrNotFound.
	AccountByID(ctx context.Context, id string) (Account, error)
	// ListAccounts gives all accounts, suspended ones too, by name.
	ListAccounts(ctx context.Context) ([]Account, error)
	// CreateAccount stores a and the leaf of act together. ErrExists when the name is taken.
	CreateAccount(ctx context.Context, a Account, act Action) error
	// ChangeAccount applies c and writes the leaf of act together. ErrNotFound.
	ChangeAccount(ctx context.Context, id string, c AccountChange, act Action) error
}

// Session is one login. The cookie's token is nowhere: only its hash.
type Session struct {
	TokenHash string // base64url(SHA-256(token)), 43 characters
	Account   string
	Data      []byte // opaque, < 4 KiB
	Created   time.Time
	Seen      time.Time
	Expires   time.Time
	Address   string // as the server saw it
	Agent     string // what the browser calls itself, ≤ 200 bytes
}

// Sessions keeps login sessions.
type Sessions interface {
	// FindSession: ErrNotFound when there is none, or it expired before now.
	FindSession(ctx context.Context, tokenHash string) (Session, error)
	// SaveSession inserts or replaces.
	SaveSession(ctx context.Context, s Session) error
	// DeleteSession of one that does not exist is no error.
	DeleteSession(ctx context.Context, tokenHash string) error
	// AccountSessions lists the unexpired sessions of one account, newest first.
	AccountSessions(ctx context.Context, account string) ([]Session, error)
	// DeleteAccountSessions ends all sessions of an account but the one named; "" spares none.
	DeleteAccountSessions(ctx context.Context, account, except string) error
}

// ActionKind says what a person did; stable snake_case, the kind of the action leaf.
type ActionKind string

// Kinds of actions on these pages (RA-4).
const (
	ActionSetup             ActionKind = "setup"              // the first account was made
	ActionLogin             ActionKind = "login"              //
	ActionLoginFailed       ActionKind = "login_failed"       // Target = account, "" when there is no such account
	ActionLoginThrottled    ActionKind = "login_throttled"    // refused unread: too many tries
	ActionLogout            ActionKind = "logout"             //
	ActionPasswordChanged   ActionKind = "password_changed"   //
	ActionPasswordStored    ActionKind = "password_stored"    // the same one, under a higher price
	ActionSessionRevoked    ActionKind = "session_revoked"    //
	ActionStepUp            ActionKind = "step_up"            // identity was checked again (D28)
	ActionStepUpFailed      ActionKind = "step_up_failed"     //
	ActionSecondFailed      ActionKind = "second_failed"      // first factor right, second wrong or used before
	ActionPasskeyAdded      ActionKind = "passkey_added"      //
	ActionPasskeyDeleted    ActionKind = "passkey_deleted"    //
	ActionPasskeyStopped    ActionKind = "passkey_stopped"    // its counter went back: perhaps a copy
	ActionTOTPSet           ActionKind = "totp_set"           //
	ActionTOTPDeleted       ActionKind = "totp_deleted"       //
	ActionCodesMade         ActionKind = "codes_made"         // recovery codes; the old ones are gone
	ActionCodeUsed          ActionKind = "code_used"          // a recovery code let somebody in
	ActionIdentityLinked    ActionKind = "identity_linked"    // first sign-in by a provider
	ActionSourceChanged     ActionKind = "source_changed"     // where the password is checked
	ActionRoleAsked         ActionKind = "role_asked"         // Target = account, as in all below
	ActionRoleGranted       ActionKind = "role_granted"       // by the second person
	ActionRoleGrantedAlone  ActionKind = "role_granted_alone" // nobody exists who could be the second person
	ActionRoleRemoved       ActionKind = "role_removed"       //
	ActionFactorsAsked      ActionKind = "factors_reset_asked"
	ActionFactorsReset      ActionKind = "factors_reset"
	ActionFactorsAlone      ActionKind = "factors_reset_alone"
	ActionPersonAsked       ActionKind = "account_person_asked"     // whose card the account is signed in to with; who stands in the opening
	ActionPersonLinked      ActionKind = "account_person_linked"    // by the second person
	ActionPersonAlone       ActionKind = "account_person_alone"     // nobody exists who could be the second person
	ActionPersonUnlinked    ActionKind = "account_person_unlinked"  //
	ActionDeskAdded         ActionKind = "desk_added"               // Target = the desk reader, as in all below
	ActionDeskRemoved       ActionKind = "desk_removed"             //
	ActionDeskBound         ActionKind = "desk_browser_bound"       // a browser beside it may begin sign-ins there
	ActionDeskUnbound       ActionKind = "desk_browser_unbound"     //
	ActionRequestWithdrawn  ActionKind = "request_withdrawn"        //
	ActionLanguageChanged   ActionKind = "language_changed"         //
	ActionAccountCreated    ActionKind = "account_created"          //
	ActionAccountSuspended  ActionKind = "account_suspended"        //
	ActionAccountResumed    ActionKind = "account_resumed"          //
	ActionPasswordReset     ActionKind = "password_reset"           // somebody else gave out a new one
	ActionViewLive          ActionKind = "view_live"                // names were shown on the live page
	ActionViewLog           ActionKind = "view_log"                 // Target = the day
	ActionViewAttempt       ActionKind = "view_attempt"             // Target = the attempt
	ActionViewFindings      ActionKind = "view_findings"            //
	ActionJudge             ActionKind = "view_judgement"           // Target = the door; who was asked about stands in the opening
	ActionPurposeRegistered ActionKind = "purpose_registered"       // Target = the purpose
	ActionPurposeEnded      ActionKind = "purpose_ended"            // likewise
	ActionViewCommands      ActionKind = "view_commands"            //
	ActionUnlockAsked       ActionKind = "unlock_asked"             // Target = door/command, as in all below
	ActionRearmAsked        ActionKind = "rearm_asked"              //
	ActionSelfTestAsked     ActionKind = "self_test_asked"          //
	ActionCommandOrdered    ActionKind = "command_ordered"          // committed before the command is signed
	ActionCommandWithdrawn  ActionKind = "command_withdrawn"        //
	ActionCommandConfirmed  ActionKind = "command_confirmed"        // by the second person, afterwards
	ActionCommandNotSent    ActionKind = "command_not_sent"         // no gateway to send it to
	ActionTokenMade         ActionKind = "token_made"               // Target = token, as in all below
	ActionTokenRevoked      ActionKind = "token_revoked"            //
	ActionTokenUsed         ActionKind = "token_used"               // the first time on a day
	ActionTokenRefused      ActionKind = "token_refused"            // Target = "" when there is no such token
	ActionViewPeople        ActionKind = "view_people"              // Reason = the purpose (PR-4); who was looked for stands in the opening
	ActionViewGrants        ActionKind = "view_grants"              //
	ActionViewVisits        ActionKind = "view_visits"              // Target = the day
	ActionPersonSaved       ActionKind = "person_saved"             // never a leaf of its own, like the next two: the directory writes it
	ActionCardAdded         ActionKind = "card_added"               //
	ActionPINSet            ActionKind = "pin_set"                  //
	ActionForgiven          ActionKind = "passback_forgiven"        // never a leaf of its own, like the next one: the store writes it
	ActionPINLifted         ActionKind = "pin_reset"                //
	ActionViewDenial        ActionKind = "view_denial"              // Target = the door
	ActionGrantSaved        ActionKind = "grant_saved"              // likewise
	ActionProposalDecided   ActionKind = "proposal_decided"         // likewise
	ActionViewProposals     ActionKind = "view_proposals"           //
	ActionViewRegister      ActionKind = "view_register"            // Target = the zone
	ActionSignoffRule       ActionKind = "signoff_settings_changed" // never a leaf of its own; Target = the zone
	ActionThresholds        ActionKind = "thresholds_agreed"        // never a leaf of its own
	ActionViewIncident      ActionKind = "view_incident"            // Target = the incident
	ActionIncidentBundle    ActionKind = "incident_bundled"         // never a leaf of its own
	ActionViewCase          ActionKind = "view_case"                // Target = the finding
	ActionViewReview        ActionKind = "view_review"              // likewise
	ActionReconcile         ActionKind = "paper_compared"           // never a leaf of its own
	ActionViewPresent       ActionKind = "view_present"             // likewise
	ActionViewImport        ActionKind = "view_import"              // a dry run, which names people
	ActionRehearsed         ActionKind = "rehearsed"                // Target = what was tried; the days stand in the opening
	ActionViewRehearsal     ActionKind = "view_rehearsal"           // who would have been decided otherwise was shown
	ActionRuleChanged       ActionKind = "rule_changed"             // likewise never a leaf of its own
	ActionViewVisit         ActionKind = "view_visit"               // Target = the matter, as in all below
	ActionViewMatters       ActionKind = "view_matters"             // Target = the kind of matters
	ActionVisitRefused      ActionKind = "matter_refused"           // a step that a rule refused; Target = the matter or its kind
	ActionCardChanged       ActionKind = "card_changed"             // never a leaf of its own: the directory writes it
)

// Action becomes one action leaf. Actor and Target are opaque identifiers, never names. Address,
// Reason and Filter may concern a person: they belong in the encrypted opening, not in the leaf
// (PR-2). What was typed as a login name is never in it: people type passwords there.
type Action struct {
	At      time.Time
	Kind    ActionKind
	Actor   string // account id, "" = nobody is signed in
	Target  string
	Address string
	Reason  string
	Filter  string // the URL query of a view
	Token   string // of the API, by which the request came; "" = from a page
}

// Audit writes action leaves that stand alone.
type Audit interface {
	// RecordAction returns after COMMIT.
	RecordAction(ctx context.Context, act Action) error
}

// Who is a person on a page. With masked pages sources leave Name and Section empty, and the page
// removes them again.
type Who struct {
	Ref        string // opaque person reference; "" = nobody known
	Name       string // display name as typed; "" with a Ref = 消去済 or masked
	Section    string // 所属
	Unreadable bool   // the name is there and cannot be read, its key is missing or another: not 消去済, nobody decided it
}

// Event is one thing that happened at a door or gateway, as a line of the live page or of an
// attempt's detail.
type Event struct {
	Leaf     uint64 // index in the log
	At       time.Time
	Event    door.Event
	Who      Who
	Door     access.DoorID
	DoorName string
	Gateway  access.GatewayID
	Side     access.Side
	Reason   access.Reason // meaningful for granted and denied
	By       access.DecidedBy
	Offline  bool
	Attempt  string // 32 hex digits, "" = none
	Detail   string // machine word, ≤ 64 bytes
}

// DoorState is a door as last told by its gateway.
type DoorState struct {
	Door     access.DoorID
	Name     string
	Zone     access.ZoneID // one comes into it at the enter side; "" = none
	ZoneName string
	Gateway  access.GatewayID
	Kind     door.Kind
	Known    bool // false: never told
	State    door.StateName
	Contact  string // "open", "closed", "unknown"
	Reader   string // "ok", "lost", ""
	Mode     access.DoorMode
	Linked   bool      // its gateway holds a lease now
	Since    time.Time // when this state was told
}

// Gateway is the health of one gateway.
type Gateway struct {
	ID       access.GatewayID
	Name     string
	Linked   bool
	LastSeen time.Time // server time of the last heartbeat; zero = never
	Pending  uint64    // records waiting for an ack
	Software string
	Boot     time.Time
	Held     Versions // policy versions it holds
	InForce  Versions // policy versions in force
	Clock    access.ClockQuality
	OffsetMS int64  // server time − gateway time
	Mains    string // "yes", "no", "none" (not sensed), "unknown"; "" = it never said (OP-1)
	Battery  string // "ok", "low", "none" (not sensed), "unknown"; "" = it never said
	// CertificateEnds is when the newest certificate issued to it ends; zero = it has none.
	CertificateEnds time.Time
	CertificateDue  bool // it should have been renewed long ago: less than a third of its life is left
	Doors           []DoorState
}

// Versions are the versions of the three parts of a policy.
type Versions struct{ Rules, Modes, State uint64 }

// Overview is the live page's data, of one moment.
type Overview struct {
	UpTo     time.Time // everything the server committed before this is included
	Size     uint64    // number of leaves included, as of Live.LogSize
	Doors    []DoorState
	Rooms    []PlanRoom // zones, as they lie in each other
	Gateways []Gateway
	Recent   []Event   // newest first, ≤ 20
	Open     []Finding // newest first, ≤ 10
	OpenAll  int       // how many are open in all
	InDoubt  bool      // the database is not what was last signed (EV-3)
}

// PlanRoom is a zone of the floor plan.
type PlanRoom struct {
	ID     access.ZoneID
	Name   string
	Parent access.ZoneID // the zone it lies in; "" = none
	People int           // who are in it now by the log, not in zones in it; 0 for those who may not see the zone
	Since  time.Time     // when the one who has been there longest came in
}

// Overviews makes the live page's data. names=false: no names, no sections.
type Overviews interface {
	// Recent and Open hold what lies in the reach.
	Overview(ctx context.Context, in Reach, names bool) (Overview, error)
}

// Result is what came of an attempt.
type Result uint8

// Results of an attempt; the zero value knows nothing.
const (
	ResultUnknown Result = iota
	ResultEntered        // granted, door opened from outside
	ResultExited         // granted, left through the exit reader
	ResultNoEntry        // granted, door not opened: 未入室
	ResultDenied
	ResultGranted // granted, and nothing more known yet
	ResultDone    // a command that lets nobody in was carried out: re-arm, self-test
	resultCount
)

var resultNames = [resultCount]string{"unknown", "entered", "exited", "no_entry", "denied", "granted", "done"}

// String gives the stable name, which is also the word in the URL.
func (r Result) String() string {
	if r < resultCount {
		return resultNames[r]
	}
	return resultNames[ResultUnknown]
}

// ParseResult finds a result by name; ResultUnknown and false for any other string.
func ParseResult(name string) (Result, bool) {
	for r := ResultEntered; r < resultCount; r++ {
		if resultNames[r] == name {
			return r, true
		}
	}
	return ResultUnknown, false
}

// Attempt is one line of the log: everything about one read (D15).
type Attempt struct {
	ID       string    // 32 hex digits
	At       time.Time // middle of the occurred interval
	Spread   time.Duration
	Midnight bool // the interval crosses midnight (D21)
	Who      Who
	Door     access.DoorID
	DoorName string
	Side     access.Side
	Result   Result
	Reason   access.Reason
	Failed   access.ReasonSet
	By       access.DecidedBy
	Policy   uint64 // rules version decided on
	Leaf     uint64 // index of the leaf that decided
	Offline  bool   // decided without the server
	Late     bool   // reached the server after an outage
	Mismatch bool   // the server would have decided otherwise
}

// Gap is a stretch in which records may be missing or were late.
type Gap struct {
	Gateway access.GatewayID
	From    time.Time
	To      time.Time // zero = still going on
}

// LogQuery selects lines of one day.
type LogQuery struct {
	Day    string // YYYY-MM-DD in the site's zone
	Door   access.DoorID
	Result Result // ResultUnknown = all
	// Text is looked for in name, section and door name; always "" when Names is false, since a
	// search would tell what the mask hides.
	Text  string
	In    Reach
	Names bool
	Skip  int
	Limit int
}

// DayLog is the answer: newest first.
type DayLog struct {
	UpTo     time.Time
	Attempts []Attempt
	Total    int
	Gaps     []Gap
}

// AttemptDetail is one attempt with its events in order.
type AttemptDetail struct {
	Attempt
	Gateway   access.GatewayID
	PolicyAge time.Duration // of a local decision
	Clock     access.ClockQuality
	Assurance string
	Events    []Event
}

// DoorName is a door for a list of choices.
type DoorName struct {
	Door access.DoorID
	Name string
}

// Log reads attempts.
type Log interface {
	DayLog(ctx context.Context, q LogQuery) (DayLog, error)
	// Attempt: ErrNotFound.
	Attempt(ctx context.Context, id string, names bool) (AttemptDetail, error)
	// DoorNames lists the doors in order.
	DoorNames(ctx context.Context) ([]DoorName, error)
}

// Severity orders findings. The zero value is low.
type Severity uint8

// Severities.
const (
	SeverityLow Severity = iota
	SeverityMedium
	SeverityHigh
)

// Finding is an open or closed item: 要確認.
type Finding struct {
	ID        string
	Kind      string // stable snake_case
	Severity  Severity
	At        time.Time
	Last      time.Time // of a group; zero = one only
	Count     int       // ≥ 1; more than one: so many further ones were counted
	Door      access.DoorID
	DoorName  string
	Gateway   access.GatewayID
	Who       Who // whose entry it was, else whom the matter is about
	Attempt   string
	Leaf      uint64
	Open      bool
	Detail    string        // machine word
	Zone      access.ZoneID // that the detail names, else of the matter
	ZoneName  string
	OtherName string         // of the other door that the detail names
	Matter    string         // id of the visit, card, key or other matter that it is about
	About     string         // what was lent: the label of a badge, card or key; only with names
	Drill     bool           // the door was in a drill then (OP-6): it is a finding all the same
	Owner     string         // full name of the account that works on it, "" = nobody; of lists and cases
	Due       time.Time      // until when somebody has to have looked; zero = not known
	Level     casework.Level // how far it has gone up while nobody closed it (VR-3); of lists and cases
}

// FindingQuery selects findings.
type FindingQuery struct {
	All    bool // closed ones too
	Names  bool
	Duress bool // with the silent alerts, which only the security officer is shown (AD-13)
	In     Reach
	Risen  Reach // and, beside these, what has gone up to the CISO office in here (VR-3)
	Skip   int
	Limit  int
}

// Findings reads findings.
type Findings interface {
	// ListFindings gives open and severe ones first, then the newest.
	ListFindings(ctx context.Context, q FindingQuery) (list []Finding, total int, err error)
	// FindingPage gives one page of those that wait or of those that are closed (VR-1).
	FindingPage(ctx context.Context, q FindingPageQuery) (FindingPage, error)
}

// Machines reads the health of gateways and doors.
type Machines interface {
	ListGateways(ctx context.Context) ([]Gateway, error)
	// SelfTest is the newest daily self-test and what regular work has run; ok is false when none has run yet (OP-2).
	SelfTest(ctx context.Context) (t SelfTest, ok bool, err error)
}

// LiveEvent says that the log grew. It names no person.
type LiveEvent struct {
	Index uint64
	Kind  string // leaf kind: record, decision, action, system
}

// Live reads the log's newest part for live pages.
type Live interface {
	// LogSize is the number of leaves; the newest one has the index LogSize−1.
	LogSize(ctx context.Context) (uint64, error)
	// LiveFrom lists the leaves from index from on, in order and without gaps, at most limit.
	LiveFrom(ctx context.Context, from uint64, limit int) ([]LiveEvent, error)
}
