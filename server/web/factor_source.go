package web

import (
	"context"
	"errors"
	"time"
)

// ErrUsed says that a one-time code, a counter of a passkey or a recovery code was used before.
var ErrUsed = errors.New("used already")

// Where an account's password is checked.
const (
	SourceHere      = ""
	SourceDirectory = "ldap" // the city's directory
	SourceProvider  = "oidc" // somebody else signs the person in
)

// Passkey is a public key with which an account's owner signs in.
type Passkey struct {
	Credential []byte
	Account    string
	Name       string // as its owner calls it
	RP         string // host name it was made for
	Data       []byte // JSON of the library's credential
	SignCount  uint32
	Stopped    bool // its counter went back: perhaps a copy; never good again
	Created    time.Time
	Used       time.Time // zero = never
}

// TOTP is the secret of an account's one-time codes.
type TOTP struct {
	Secret   []byte
	LastStep int64 // no code of this step or before is good again
	Created  time.Time
	Used     time.Time
}

// Factors keeps second factors (RA-3). Whatever has an Action writes its leaf in the same transaction.
type Factors interface {
	// Passkeys lists an account's passkeys, the oldest first.
	Passkeys(ctx context.Context, account string) ([]Passkey, error)
	// PasskeyByCredential: ErrNotFound.
	PasskeyByCredential(ctx context.Context, credential []byte) (Passkey, error)
	// AddPasskey: ErrExists.
	AddPasskey(ctx context.Context, p Passkey, act Action) error
	// UsePasskey stores the counter. ErrUsed when it has not grown, unless it was and is 0, and for a stopped passkey.
	UsePasskey(ctx context.Context, credential, data []byte, count uint32, now time.Time) error
	// StopPasskey ends a passkey for good; it stays in the list.
	StopPasskey(ctx context.Context, credential []byte, act Action) error
	// DeletePasskey: ErrNotFound, also for another account's.
	DeletePasskey(ctx context.Context, account string, credential []byte, act Action) error
	// TOTP: ErrNotFound.
	TOTP(ctx context.Context, account string) (TOTP, error)
	// SetTOTP replaces the secret there was.
	SetTOTP(ctx context.Context, account string, t TOTP, act Action) error
	// UseTOTP: ErrUsed when step is not newer than the last one.
	UseTOTP(ctx context.Context, account string, step int64, now time.Time) error
	// DeleteTOTP: ErrNotFound.
	DeleteTOTP(ctx context.Context, account string, act Action) error
	RecoveryCodesLeft(ctx context.Context, account string) (int, error)
	// SetRecoveryCodes replaces all of an account's codes.
	SetRecoveryCodes(ctx context.Context, account string, hashes [][32]byte, act Action) error
	// UseRecoveryCode uses one up: ErrNotFound.
	UseRecoveryCode(ctx context.Context, account string, hash [32]byte, now time.Time, act Action) error
	// ExternalAccount finds whom a provider's subject was linked to: ErrNotFound.
	ExternalAccount(ctx context.Context, issuer, subject string) (string, error)
	// LinkExternal links for good. ErrExists when the subject or the account has another link at this issuer.
	LinkExternal(ctx context.Context, issuer, subject, account string, act Action) error
}

// Directory is the city's directory (LDAP, Active Directory).
type Directory interface {
	// Verify reports whether the directory takes this password for this login name. An error means that it could not
	// be asked; it lets nobody in.
	Verify(ctx context.Context, name, password string) (bool, error)
}

// Provider signs people in somewhere else (OpenID Connect).
type Provider interface {
	// Label names it on the button.
	Label() string
	// Start gives the address to send the browser to. fresh asks it to check the person again now.
	Start(ctx context.Context, o ProviderAttempt, fresh bool) (string, error)
	// Finish turns the code that came back into who it is. An error lets nobody in.
	Finish(ctx context.Context, code string, o ProviderAttempt) (Identity, error)
}

// ProviderAttempt is what ties an answer of a provider to the question, all random.
type ProviderAttempt struct{ State, Nonce, Verifier string }

// Identity is somebody as a provider knows them.
type Identity struct {
	Issuer  string
	Subject string    // never changes
	Login   string    // the configured claim: login name of the account here
	Strong  bool      // the provider says that it asked for more than a password
	At      time.Time // when it did; zero = it does not say
}

// RequestKind says what a request for a second person is about.
type RequestKind string

// Kinds of requests.
const (
	RequestRole    RequestKind = "role"    // one more role
	RequestFactors RequestKind = "factors" // all second factors go, as the phone is lost
	RequestPerson  RequestKind = "person"  // whose staff card signs in to it
)

// AccountRequest is something that adds rights to an account, or lets somebody into it, and takes two persons (RA-2).
type AccountRequest struct {
	ID      string
	Kind    RequestKind
	Account string // whom it is for
	Role    Assignment
	Person  string // directory person id, of RequestPerson
	Why     string
	AskedBy string // account, "" = the directory's synchronisation
	Asked   time.Time
}

// Requests keeps what waits for a second person.
type Requests interface {
	OpenRequests(ctx context.Context) ([]AccountRequest, error)
	// AskRequest stores q with the leaf of act. Where nobody exists who could be the second person (SecondExists) it
	// is done at once, with the leaf of alone instead; then done is true. ErrNotFound for an unknown account.
	AskRequest(ctx context.Context, q AccountRequest, act, alone Action) (done bool, err error)
	// AgreeRequest does what was asked. ErrNotFound, ErrTooLate; ErrSamePerson when act's actor asked or is the one
	// it is for.
	AgreeRequest(ctx context.Context, id string, act Action) (AccountRequest, error)
	// WithdrawRequest ends one. ErrNotFound, ErrTooLate.
	WithdrawRequest(ctx context.Context, id string, act Action) error
	// RemoveRole takes a role away at once (D27): one person is enough. ErrNotFound.
	RemoveRole(ctx context.Context, account string, r Assignment, act Action) error
}

// grantRoles may ask for rights and agree to them.
const grantRoles = groupC | groupD

// SecondExists reports whether there is, or ever was, anybody but the asking account and the one it is for who may
// agree. Accounts are never deleted, and suspended ones and roles that ended count: nobody becomes the only one by
// shutting out the others.
func SecondExists(accounts []Account, asker, target string) bool {
	for _, a := range accounts {
		if a.ID == asker || a.ID == target {
			continue
		}
		for _, r := range a.Roles {
			if grantRoles.Has(r.Role) {
				return true
			}
		}
	}
	return false
}

// Agreed completes the second person's leaf after what was asked.
func Agreed(q AccountRequest, act Action) Action {
	act.Kind, act.Target, act.Reason = ActionRoleGranted, q.Account, q.Why
	act.Filter = "role=" + q.Role.Role.String() + "&zone=" + string(q.Role.Zone)
	switch q.Kind {
	case RequestFactors:
		act.Kind, act.Filter = ActionFactorsReset, ""
	case RequestPerson:
		act.Kind, act.Filter = ActionPersonLinked, "person="+q.Person
	default:
	}
	return act
}
