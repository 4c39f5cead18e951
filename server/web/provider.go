package web

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// maxFreshAge is how long ago a provider may have checked somebody who steps up.
const maxFreshAge = 5 * time.Minute

// getProvider sends the browser to the provider. What ties the answer to this browser lies here, its name in a
// cookie. With for=step-up it is the account that is signed in that has to come back.
func (h *Handler) getProvider(w http.ResponseWriter, rq *request) error {
	if h.cfg.Provider == nil {
		return ErrNotFound
	}
	if wait := h.address.take(rq.address, rq.now); wait > 0 {
		return throttled{wait}
	}
	f := flow{kind: flowProvider, next: localPath(rq.FormValue("next")), provider: ProviderAttempt{State: rand.Text(), Nonce: rand.Text(), Verifier: rand.Text() + rand.Text()}}
	if rq.FormValue("for") == "step-up" && rq.account != nil {
		f.stepUp, f.account = true, rq.account.ID
	}
	to, err := h.cfg.Provider.Start(rq.Context(), f.provider, f.stepUp)
	if err != nil { // it is away: other ways in are still there
		h.log.LogAttrs(rq.Context(), slog.LevelWarn, "sign-in by provider", attrErr(err))
		return h.loginAgain(w, rq, "login.provider_down")
	}
	if err := h.setFlow(w, rq, providerCookie, f); err != nil {
		return err
	}
	return redirect(w, rq, to)
}

type providerView struct {
	Base
	Code, State string
	Refused     bool // the provider came back without a code
}

// getProviderBack is where the provider sends the browser. The session's cookie does not come along from another
// site, and a GET changes nothing: the page posts what came, from here.
func (h *Handler) getProviderBack(w http.ResponseWriter, rq *request) error {
	if h.cfg.Provider == nil {
		return ErrNotFound
	}
	q := rq.URL.Query()
	v := providerView{Base: h.base(rq, "provider.title"), Code: q.Get("code"), State: q.Get("state")}
	v.Refused = v.Code == "" || v.State == ""
	v.Here = "/login"
	return h.render(w, rq, "provider", v)
}

// postProvider checks the answer and lets in whoever it names, if it is an account that signs in this way. It never
// makes an account nor gives a right.
func (h *Handler) postProvider(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	if h.cfg.Provider == nil {
		return ErrNotFound
	}
	f, ok := h.flows.take(h.flowID(rq, providerCookie), flowProvider, rq.now)
	h.endFlow(w, rq, providerCookie)
	if !ok || subtle.ConstantTimeCompare([]byte(f.provider.State), []byte(rq.post("state"))) != 1 {
		return h.loginAgain(w, rq, "login.too_slow")
	}
	who, err := h.cfg.Provider.Finish(rq.Context(), rq.post("code"), f.provider)
	var a Account
	if err == nil {
		a, err = h.accountOf(rq, who)
	}
	if err == nil && f.stepUp {
		switch {
		case rq.account == nil || rq.account.ID != f.account || a.ID != f.account:
			err = fmt.Errorf("%w: another account", errNotProved)
		case who.At.IsZero() || rq.now.Sub(who.At) > maxFreshAge:
			err = fmt.Errorf("%w: the provider did not ask again", errNotProved)
		}
	}
	if err != nil {
		h.log.LogAttrs(rq.Context(), slog.LevelWarn, "sign-in by provider refused", attrErr(err))
		if f.stepUp && rq.account != nil {
			return h.refuseStepUp(w, rq, "login.provider_wrong")
		}
		act := rq.action(ActionLoginFailed, a.ID)
		act.Actor, act.Filter = "", "method="+methodProvider
		if err := h.src.Audit.RecordAction(rq.Context(), act); err != nil {
			return fmt.Errorf("record failed login: %w", err)
		}
		return h.loginAgain(w, rq, "login.provider_wrong")
	}
	if f.stepUp {
		rq.PostForm.Set("next", f.next)
		return h.stepped(w, rq, methodProvider+addFresh)
	}
	how := methodProvider
	if who.Strong {
		how += addProvider
	}
	return h.passed(w, rq, a, how, f.next)
}

// accountOf finds the account: by the subject it was linked to, or, the first time, by the configured claim. A name
// that is given to another person at the provider later does not get the account: the subject differs.
func (h *Handler) accountOf(rq *request, who Identity) (Account, error) {
	ctx := rq.Context()
	if who.Issuer == "" || who.Subject == "" {
		return Account{}, fmt.Errorf("%w: nobody", errNotProved)
	}
	id, err := h.src.Factors.ExternalAccount(ctx, who.Issuer, who.Subject)
	if err == nil {
		a, err := h.src.Accounts.AccountByID(ctx, id)
		if err != nil {
			return a, fmt.Errorf("account of identity: %w", err)
		}
		if a.Suspended || a.Source != SourceProvider {
			return a, fmt.Errorf("%w: suspended, or signs in another way", errNotProved)
		}
		return a, nil
	}
	if !errors.Is(err, ErrNotFound) {
		return Account{}, fmt.Errorf("identity: %w", err)
	}
	name := strings.TrimSpace(who.Login)
	if nameFault(name) != "" {
		return Account{}, fmt.Errorf("%w: the claim holds no account name", errNotProved)
	}
	a, err := h.src.Accounts.AccountByName(ctx, name)
	if errors.Is(err, ErrNotFound) {
		return Account{}, fmt.Errorf("%w: no such account", errNotProved)
	}
	if err != nil {
		return Account{}, fmt.Errorf("account of identity: %w", err)
	}
	if a.Suspended || a.Source != SourceProvider {
		return a, fmt.Errorf("%w: suspended, or signs in another way", errNotProved)
	}
	act := rq.action(ActionIdentityLinked, a.ID)
	act.Actor = a.ID
	err = h.src.Factors.LinkExternal(ctx, who.Issuer, who.Subject, a.ID, act)
	if errors.Is(err, ErrExists) {
		return a, fmt.Errorf("%w: the account belongs to another subject", errNotProved)
	}
	if err != nil {
		return a, fmt.Errorf("link identity: %w", err)
	}
	return a, nil
}
