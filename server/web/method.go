package web

import (
	"strings"
	"time"
)

// DefaultStepUp is how long a fresh check of identity holds: one review session (D28), and not longer than the idle
// limit, so that a desk that was left does not keep it.
const DefaultStepUp = 15 * time.Minute

// How somebody proved who they are: the first word and what was added to it, "password+totp". The words stand in the
// session and in the opening of the login's leaf.
const (
	methodPassword  = "password"
	methodDirectory = "directory"
	methodProvider  = "provider"
	methodPasskey   = "passkey"
	methodCard      = "card" // staff card and PIN at a desk reader
	addTOTP         = "+totp"
	addRecovery     = "+recovery"
	addProvider     = "+strong" // the provider asked for a second factor itself
	addFresh        = "+fresh"  // the provider checked again, just now
)

// strongMethod reports whether how is two factors of D28's list. A recovery code is none: it lets in, and further
// to a new factor, no more.
func strongMethod(how string) bool {
	return how == methodPasskey || how == methodCard || strings.HasSuffix(how, addTOTP) || strings.HasSuffix(how, addProvider) || strings.HasSuffix(how, addFresh)
}

// stepUpLevel says what fresh proof a route needs. The zero value needs none.
type stepUpLevel uint8

const (
	stepUpNone stepUpLevel = iota
	// stepUpOwn is for changing one's own factors: whatever the account has, and a recovery code.
	stepUpOwn
	// stepUpFull is for acts that a desk left open must not do (D28).
	stepUpFull
)

// steppedUp reports whether the session holds a proof that is fresh and enough.
func (h *Handler) steppedUp(rq *request, level stepUpLevel) bool {
	if level == stepUpNone {
		return true
	}
	if rq.account == nil || rq.proved.IsZero() || rq.now.Sub(rq.proved) >= h.cfg.StepUp || rq.now.Before(rq.proved.Add(-time.Minute)) {
		return false
	}
	if level == stepUpOwn {
		return strongMethod(rq.how) || !rq.account.SecondFactor || strings.HasSuffix(rq.how, addRecovery)
	}
	return enough(rq.account, rq.how, h.cfg.PasswordStepUp)
}

// enough reports whether how is enough for acts that a desk left open must not do.
func enough(a *Account, how string, password bool) bool {
	return strongMethod(how) || !a.SecondFactor && (how == methodDirectory || password && how == methodPassword)
}

// mustEnrol reports whether the account has a role that takes a second factor and has none yet (RA-3).
func (h *Handler) mustEnrol(rq *request) bool {
	return rq.account != nil && !rq.account.SecondFactor && rq.roles&h.cfg.SecondFactor != 0 && rq.how != methodCard && !strings.HasSuffix(rq.how, addProvider)
}

// methodWords says how somebody signed in.
func (b speaker) methodWords(how string) string {
	if how == "" {
		return ""
	}
	first, rest, _ := strings.Cut(how, "+")
	words := b.T("method." + first)
	if rest != "" {
		words = b.T("method.both", "first", words, "second", b.T("method."+rest))
	}
	return words
}
