package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
)

type stepUpView struct {
	Base
	Name     string // of the account, for the browser's list of passwords
	Next     string
	Error    string
	Passkey  bool // there is one, and this browser may offer it
	Password bool // a password can be typed
	Code     bool // and a one-time code has to go with it
	Provider string
	Enrol    bool   // what the account has is not enough for everything: set up a second factor
	Desk     string // the desk reader beside this browser, where the account's card will do; "" = none
	Minutes  string
}

func (h *Handler) stepUpView(rq *request) (stepUpView, error) {
	v := stepUpView{Base: h.base(rq, "step_up.title"), Name: rq.account.Name, Next: localPath(rq.FormValue("next")), Minutes: strconv.Itoa(int(h.cfg.StepUp / time.Minute))}
	v.Here = "/step-up?next=" + v.Next
	o, err := h.ownerOf(rq, *rq.account)
	if err != nil {
		return v, err
	}
	v.Passkey = h.passkeys != nil && len(o.keys) > 0
	_, err = h.src.Factors.TOTP(rq.Context(), rq.account.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return v, fmt.Errorf("one-time codes: %w", err)
	}
	v.Code = err == nil
	v.Password = rq.account.Source != SourceProvider && (v.Code || !rq.account.SecondFactor)
	if rq.account.Source == SourceProvider && h.cfg.Provider != nil {
		v.Provider = h.cfg.Provider.Label()
	}
	if rq.account.Person != "" {
		d, err := h.deskOf(rq)
		if err != nil {
			return v, err
		}
		if d != nil {
			v.Desk = d.Name
		}
	}
	v.Enrol = !rq.account.SecondFactor && rq.account.Source == SourceHere && !h.cfg.PasswordStepUp
	return v, nil
}

// getStepUp asks again who is there (D28).
func (h *Handler) getStepUp(w http.ResponseWriter, rq *request) error {
	v, err := h.stepUpView(rq)
	if err != nil {
		return err
	}
	return h.render(w, rq, "stepup", v)
}

// postStepUp takes the password, with a one-time code where the account has them. A recovery code is not enough:
// it is for getting back in.
func (h *Handler) postStepUp(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	v, err := h.stepUpView(rq)
	if err != nil {
		return err
	}
	if !v.Password {
		return errForbidden
	}
	if wait := h.second.take(rq.account.ID, rq.now); wait > 0 {
		return throttled{wait}
	}
	how, good, err := h.checkPassword(rq, *rq.account, true, rq.post("password"))
	if errors.Is(err, errDirectory) {
		return h.refuseStepUp(w, rq, "login.directory_down")
	}
	if err != nil {
		return err
	}
	if good && v.Code {
		var add string
		add, err = h.proveCode(rq, *rq.account, rq.post("code"), false)
		if err != nil && !errors.Is(err, errNotProved) {
			return err
		}
		how, good = how+add, err == nil
	}
	if !good {
		return h.refuseStepUp(w, rq, "step_up.wrong")
	}
	h.second.forget(rq.account.ID)
	return h.stepped(w, rq, how)
}

// refuseStepUp records the failure and shows the page again.
func (h *Handler) refuseStepUp(w http.ResponseWriter, rq *request, key string) error {
	if err := h.src.Audit.RecordAction(rq.Context(), rq.action(ActionStepUpFailed, rq.account.ID)); err != nil {
		return fmt.Errorf("record failed step-up: %w", err)
	}
	v, err := h.stepUpView(rq)
	if err != nil {
		return err
	}
	v.Error = v.T(key)
	return h.renderStatus(w, rq, "stepup", v, http.StatusUnprocessableEntity)
}

// stepped records the fresh check, marks the session and goes on.
func (h *Handler) stepped(w http.ResponseWriter, rq *request, how string) error {
	act := rq.action(ActionStepUp, rq.account.ID)
	act.Filter = "method=" + how
	if err := h.src.Audit.RecordAction(rq.Context(), act); err != nil {
		return fmt.Errorf("record step-up: %w", err)
	}
	if err := h.proveAgain(rq, how); err != nil {
		return err
	}
	return redirect(w, rq, localPath(rq.post("next")))
}

// proveAgain marks the session.
func (h *Handler) proveAgain(rq *request, how string) error {
	h.prove(rq, how)
	if _, _, err := h.sessions.Commit(rq.Context()); err != nil {
		return fmt.Errorf("mark session: %w", err)
	}
	rq.proved, rq.how = rq.now, how
	return nil
}

// postStepUpOptions asks for one of the account's own passkeys.
func (h *Handler) postStepUpOptions(w http.ResponseWriter, rq *request) error {
	o, err := h.ownerOf(rq, *rq.account)
	if err != nil {
		return err
	}
	if h.passkeys == nil || len(o.keys) == 0 {
		return ErrNotFound
	}
	a, s, err := h.passkeys.BeginLogin(o, webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return fmt.Errorf("begin passkey: %w", err)
	}
	return h.options(w, rq, a, flow{kind: flowPasskey, account: rq.account.ID, session: s, stepUp: true})
}

func (h *Handler) postStepUpPasskey(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	f, ok := h.flows.take(h.flowID(rq, passkeyCookie), flowPasskey, rq.now)
	h.endFlow(w, rq, passkeyCookie)
	if h.passkeys == nil || !ok || !f.stepUp || f.account != rq.account.ID {
		return h.refuseStepUp(w, rq, "login.too_slow")
	}
	if _, err := h.provePasskey(rq, f, rq.account); errors.Is(err, errNotProved) {
		return h.refuseStepUp(w, rq, "login.passkey_wrong")
	} else if err != nil {
		return err
	}
	return h.stepped(w, rq, methodPasskey)
}

// fresh says for a page whose forms need a fresh check where to get one; "" = there is one.
func (h *Handler) freshAt(rq *request, pattern string) string {
	if rt, ok := routeOf(pattern); ok && !h.steppedUp(rq, rt.stepUp) {
		return "/step-up?next=" + strings.TrimSuffix(rq.URL.Path, "/")
	}
	return ""
}

// stepUpFrom is freshAt for a page that is come back to by an address of its own.
func (h *Handler) stepUpFrom(rq *request, pattern, here string) string {
	if h.freshAt(rq, pattern) == "" {
		return ""
	}
	return "/step-up?" + url.Values{"next": {clip(here, 900)}}.Encode()
}
