package web

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// tokenPrefix marks a token of the API, so that a scanner for leaked secrets can find one.
const tokenPrefix = "mbn_"

// tokenLength is the prefix and 32 random bytes in base64url without padding.
const tokenLength = len(tokenPrefix) + 43

// apiGate opens one route of the API to those who may use it. It never touches a session.
func (h *Handler) apiGate(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rq := &request{Request: r, now: time.Now(), address: remoteAddress(r), lang: acceptedLanguage(r)}
		rq.Request = r.WithContext(WithLanguage(r.Context(), rq.lang))
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				h.problem(w, rq, rt, fmt.Errorf("panic: %v", p))
			}
		}()
		err := h.apiIdentify(rq, rt)
		if err == nil {
			err = h.apiAdmit(rq, rt)
		}
		if err == nil {
			err = h.noteUse(rq)
		}
		if err == nil && !rt.public {
			err = rq.strictQuery(rt.query)
		}
		if err == nil {
			err = rt.serve(h, w, rq)
		}
		if err != nil && !errors.Is(err, errAnswered) {
			h.problem(w, rq, rt, err)
		}
	})
}

// apiIdentify finds the token, its account and the roles in force: those that both have, now.
func (h *Handler) apiIdentify(rq *request, rt route) error {
	if rt.public {
		return nil
	}
	if q := rq.URL.RawQuery; strings.Contains(q, tokenPrefix) || rq.URL.Query().Has("access_token") {
		// It stands in logs of proxies and in histories now: it must not work, so that somebody notices.
		return h.refuse(rq, "")
	}
	head := rq.Header.Values("Authorization")
	if len(head) == 0 {
		return errToken // nothing was tried: no leaf, no throttle
	}
	scheme, token, _ := strings.Cut(head[0], " ")
	if len(head) > 1 || !strings.EqualFold(scheme, "Bearer") || len(token) != tokenLength || !strings.HasPrefix(token, tokenPrefix) {
		return h.refuse(rq, "")
	}
	t, err := h.src.Tokens.TokenByHash(rq.Context(), sha256.Sum256([]byte(token)))
	if errors.Is(err, ErrNotFound) {
		return h.refuse(rq, "")
	}
	if err != nil {
		return fmt.Errorf("find token: %w", err)
	}
	if !t.Revoked.IsZero() || !rq.now.Before(t.Expires) {
		return h.refuse(rq, t.ID)
	}
	a, err := h.src.Accounts.AccountByID(rq.Context(), t.Account)
	if errors.Is(err, ErrNotFound) || err == nil && a.Suspended {
		return h.refuse(rq, t.ID) // dead with the account
	}
	if err != nil {
		return fmt.Errorf("account of token: %w", err)
	}
	var both []Assignment
	for _, as := range a.Roles {
		if t.Roles.Has(as.Role) {
			both = append(both, as)
		}
	}
	a.Roles = both
	rq.account, rq.apiToken, rq.roles = &a, &t, a.rolesAt(rq.now)
	rq.names, rq.entry = seesNames(rt.roles, rq.roles), rt.roles
	return nil
}

// refuse notes a token that does not work. After some from one address they are answered without a leaf, so that
// nobody can fill the log; a token that works is never held up by others' failures.
func (h *Handler) refuse(rq *request, id string) error {
	if wait := h.refused.take(rq.address, rq.now); wait > 0 {
		return throttled{wait}
	}
	if err := h.src.Audit.RecordAction(rq.Context(), rq.action(ActionTokenRefused, id)); err != nil {
		return fmt.Errorf("record refusal: %w", err)
	}
	return errToken
}

// apiAdmit compares roles with the route's.
func (h *Handler) apiAdmit(rq *request, rt route) error {
	if rt.public {
		return nil
	}
	// Somebody else knows the password, or a second factor that the role takes is missing: first the person puts that
	// right on the pages, then programs go on (RA-3).
	if rq.account.MustChange || !rq.account.SecondFactor && rq.roles&h.cfg.SecondFactor != 0 && rq.account.Source != SourceProvider {
		return errPending
	}
	if !rt.account && rq.roles&rt.roles == 0 {
		return errForbidden
	}
	return nil
}

// noteUse writes the first use of each day into the log, before anything is shown or done.
func (h *Handler) noteUse(rq *request) error {
	if rq.apiToken == nil {
		return nil
	}
	day := rq.now.In(h.cfg.Zone).Format(dayLayout)
	if rq.apiToken.UsedDay == day {
		return nil
	}
	if err := h.src.Tokens.UseToken(rq.Context(), rq.apiToken.ID, day, rq.action(ActionTokenUsed, rq.apiToken.ID)); err != nil {
		return fmt.Errorf("note use of token: %w", err)
	}
	return nil
}
