package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"monban/server/factor"
)

// maxSecondTries is how many wrong second factors one right password is good for.
const maxSecondTries = 5

// passed is called when the first factor was right. It lets in when that is enough, and asks for the second factor
// when the account has one. No session exists before both were right.
func (h *Handler) passed(w http.ResponseWriter, rq *request, a Account, how, next string) error {
	if !a.SecondFactor || strongMethod(how) {
		return h.signIn(w, rq, a, how, next)
	}
	if err := h.setFlow(w, rq, secondCookie, flow{kind: flowSecond, account: a.ID, method: how, next: next}); err != nil {
		return err
	}
	return redirect(w, rq, "/login/second")
}

// signIn records the login, then begins the session.
func (h *Handler) signIn(w http.ResponseWriter, rq *request, a Account, how, next string) error {
	rq.account = &a
	act := rq.action(ActionLogin, a.ID)
	act.Filter = "method=" + how
	if err := h.src.Accounts.ChangeAccount(rq.Context(), a.ID, AccountChange{LastLogin: &rq.now}, act); err != nil {
		return fmt.Errorf("record login: %w", err)
	}
	if err := h.begin(w, rq, a, how); err != nil {
		return err
	}
	h.log.LogAttrs(rq.Context(), slog.LevelInfo, "login", slog.String("account", a.ID), slog.String("method", how))
	return redirect(w, rq, next)
}

// loginAgain shows the login page with what went wrong.
func (h *Handler) loginAgain(w http.ResponseWriter, rq *request, key string) error {
	v := h.loginView(rq)
	v.Error = v.T(key)
	return h.renderStatus(w, rq, "login", v, http.StatusUnprocessableEntity)
}

type secondView struct {
	Base
	Next    string
	Code    Field
	Passkey bool // this browser may offer one
	TOTP    bool // one-time codes are set up; otherwise only a recovery code can be typed
}

// half is the half-way state of this browser with its account; errFlowOver when it is gone.
func (h *Handler) half(rq *request) (flow, Account, error) {
	f, ok := h.flows.get(h.flowID(rq, secondCookie), flowSecond, rq.now)
	if !ok {
		return f, Account{}, errFlowOver
	}
	a, err := h.src.Accounts.AccountByID(rq.Context(), f.account)
	if err != nil {
		return f, a, fmt.Errorf("account: %w", err)
	}
	if a.Suspended {
		return f, a, errFlowOver
	}
	return f, a, nil
}

func (h *Handler) secondView(rq *request, f flow, a Account) (secondView, error) {
	v := secondView{Base: h.base(rq, "second.title"), Next: f.next}
	v.Here = "/login/second"
	o, err := h.ownerOf(rq, a)
	if err != nil {
		return v, err
	}
	v.Passkey = h.passkeys != nil && len(o.keys) > 0
	_, err = h.src.Factors.TOTP(rq.Context(), a.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return v, fmt.Errorf("one-time codes: %w", err)
	}
	v.TOTP = err == nil
	return v, nil
}

func (h *Handler) getSecond(w http.ResponseWriter, rq *request) error {
	if rq.account != nil {
		return redirect(w, rq, "/")
	}
	f, a, err := h.half(rq)
	if errors.Is(err, errFlowOver) {
		return redirect(w, rq, "/login?why=too_slow")
	}
	if err != nil {
		return err
	}
	v, err := h.secondView(rq, f, a)
	if err != nil {
		return err
	}
	return h.render(w, rq, "second", v)
}

// postSecond takes a one-time code or a recovery code.
func (h *Handler) postSecond(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	f, a, err := h.half(rq)
	if errors.Is(err, errFlowOver) {
		h.endFlow(w, rq, secondCookie)
		return h.loginAgain(w, rq, "login.too_slow")
	}
	if err != nil {
		return err
	}
	wait := h.address.take(rq.address, rq.now)
	if wait == 0 {
		wait = h.second.take(a.ID, rq.now)
	}
	if wait > 0 {
		act := rq.action(ActionLoginThrottled, a.ID)
		if err := h.src.Audit.RecordAction(rq.Context(), act); err != nil {
			return fmt.Errorf("record throttled login: %w", err)
		}
		return throttled{wait}
	}
	add, err := h.proveCode(rq, a, rq.post("code"), true)
	if errors.Is(err, errNotProved) {
		act := rq.action(ActionSecondFailed, a.ID)
		act.Actor = ""
		if err := h.src.Audit.RecordAction(rq.Context(), act); err != nil {
			return fmt.Errorf("record failed second factor: %w", err)
		}
		id := h.flowID(rq, secondCookie)
		if f.tries++; f.tries >= maxSecondTries {
			h.endFlow(w, rq, secondCookie)
			return h.loginAgain(w, rq, "login.too_many_codes")
		}
		if err := h.flows.count(id, f.tries); err != nil {
			return err
		}
		v, err := h.secondView(rq, f, a)
		if err != nil {
			return err
		}
		v.Code.Error = v.T("second.wrong")
		return h.renderStatus(w, rq, "second", v, http.StatusUnprocessableEntity)
	}
	if err != nil {
		return err
	}
	h.second.forget(a.ID)
	h.endFlow(w, rq, secondCookie)
	next := f.next
	if add == addRecovery {
		next = "/me/factors?" + "why=recovery"
	}
	return h.signIn(w, rq, a, f.method+add, next)
}

// proveCode checks a one-time code, or a recovery code where that is allowed, and uses it up. errNotProved for
// whatever is wrong, a code that was used before too.
func (h *Handler) proveCode(rq *request, a Account, code string, recovery bool) (add string, err error) {
	ctx := rq.Context()
	if factor.LooksLikeRecoveryCode(code) {
		if !recovery {
			return "", errNotProved
		}
		err := h.src.Factors.UseRecoveryCode(ctx, a.ID, factor.HashRecoveryCode(a.ID, code), rq.now, rq.action(ActionCodeUsed, a.ID))
		if errors.Is(err, ErrNotFound) {
			return "", errNotProved
		}
		if err != nil {
			return "", fmt.Errorf("use recovery code: %w", err)
		}
		return addRecovery, nil
	}
	return proveTOTP(ctx, h.src.Factors, a.ID, code, rq.now)
}

// count notes a wrong second factor without giving the state more time.
func (s *flows) count(id string, tries int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.by[id]
	if !ok {
		return errFlowOver
	}
	f.tries = max(f.tries, tries)
	s.by[id] = f
	return nil
}

// checkPassword checks a first factor that is typed: here, or at the directory. It takes as long for an account that
// does not exist, as far as it can.
func (h *Handler) checkPassword(rq *request, a Account, known bool, password string) (how string, good bool, err error) {
	phc := h.decoy
	if known && a.Source == SourceHere {
		phc = a.PasswordHash
	}
	good, err = h.verify(rq.Context(), phc, clip(password, 4*maxPassword))
	if err != nil || !known {
		return "", false, err
	}
	switch a.Source {
	case SourceHere:
		return methodPassword, good && len(password) <= maxPassword, nil
	case SourceDirectory:
		// An empty password is an anonymous bind, which a directory answers with yes.
		if h.cfg.Directory == nil || password == "" || len(password) > maxPassword {
			return "", false, nil
		}
		good, err = h.cfg.Directory.Verify(rq.Context(), a.Name, password)
		if err != nil {
			h.log.LogAttrs(rq.Context(), slog.LevelWarn, "directory", attrErr(err))
			return "", false, errDirectory
		}
		return methodDirectory, good, nil
	default:
		return "", false, nil // a provider's accounts have no password here
	}
}

// errDirectory: the directory could not be asked; nobody gets in.
var errDirectory = errors.New("the directory could not be asked")
