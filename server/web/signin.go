package web

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Field is one form field as it was typed, with what is wrong with it. Passwords come back empty.
type Field struct {
	Value string
	Error string // a sentence, "" = fine
}

// form parses the body; a body that is too large or broken is an error with its own status.
func (rq *request) form() error {
	if err := rq.ParseForm(); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return err
		}
		return fmt.Errorf("%w: %w", errBadInput, err)
	}
	return nil
}

// post gives a form field of the body; a parameter of the URL does not count.
func (rq *request) post(name string) string { return rq.PostForm.Get(name) }

// cleanName refuses login names nobody could type or tell apart: "" = fine, else a catalogue key.
func nameFault(name string) string {
	switch {
	case name == "":
		return "field.required"
	case !utf8.ValidString(name) || utf8.RuneCountInString(name) > 64:
		return "account.name_form"
	}
	for _, r := range name {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._@-", r)) {
			return "account.name_form"
		}
	}
	return ""
}

// fullNameFault: any Unicode but control characters; at most 200 bytes.
func fullNameFault(name string) string {
	if strings.TrimSpace(name) == "" {
		return "field.required"
	}
	if len(name) > 200 || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return "account.full_name_form"
	}
	return ""
}

type setupView struct {
	Base
	Code, Name, FullName, Password, Repeat Field
	MinPassword                            string
	Life                                   string
}

func (h *Handler) setupView(rq *request) setupView {
	return setupView{Base: h.base(rq, "setup.title"), MinPassword: strconv.Itoa(minPassword),
		Life: strconv.Itoa(int(SetupCodeLife / time.Minute))}
}

func (h *Handler) getSetup(w http.ResponseWriter, rq *request) error {
	needed, err := h.setupNeeded(rq.Context())
	if err != nil {
		return err
	}
	if !needed {
		return redirect(w, rq, "/login")
	}
	return h.render(w, rq, "setup", h.setupView(rq))
}

// postSetup makes the first account: a system administrator, who can then make the others and sees
// no names.
func (h *Handler) postSetup(w http.ResponseWriter, rq *request) error {
	needed, err := h.setupNeeded(rq.Context())
	if err != nil {
		return err
	}
	if !needed {
		return errForbidden
	}
	if err := rq.form(); err != nil {
		return err
	}
	if wait := h.address.take(rq.address, rq.now); wait > 0 {
		return throttled{wait}
	}
	v := h.setupView(rq)
	v.Name.Value, v.FullName.Value = strings.TrimSpace(rq.post("name")), rq.post("full_name")
	fault := func(f *Field, key string) {
		if key != "" {
			f.Error = v.T(key, "min", strconv.Itoa(minPassword))
		}
	}
	if strings.TrimSpace(rq.post("code")) == "" {
		fault(&v.Code, "field.required")
	}
	fault(&v.Name, nameFault(v.Name.Value))
	fault(&v.FullName, fullNameFault(v.FullName.Value))
	password := rq.post("password")
	key := passwordFault(password, rq.post("repeat"), v.Name.Value)
	if key == "password.differs" {
		fault(&v.Repeat, key)
	} else {
		fault(&v.Password, key)
	}
	if v.Code.Error+v.Name.Error+v.FullName.Error+v.Password.Error+v.Repeat.Error != "" {
		return h.renderStatus(w, rq, "setup", v, http.StatusUnprocessableEntity)
	}
	phc, err := h.hash(rq.Context(), password)
	if err != nil {
		return err
	}
	first := Account{ID: rand.Text(), Name: v.Name.Value, FullName: v.FullName.Value, PasswordHash: phc,
		Language: rq.lang, Roles: []Assignment{{Role: RoleSystemAdmin}}, Created: rq.now}
	act := rq.action(ActionSetup, first.ID)
	act.Actor = first.ID
	err = h.src.Setup.RedeemSetupCode(rq.Context(), HashSetupCode(rq.post("code")), rq.now, first, act)
	if errors.Is(err, ErrSetupCode) {
		fault(&v.Code, "setup.code_wrong")
		return h.renderStatus(w, rq, "setup", v, http.StatusUnprocessableEntity)
	}
	if err != nil {
		return fmt.Errorf("redeem set-up code: %w", err)
	}
	return redirect(w, rq, "/login?done=setup")
}

type loginView struct {
	Base
	Next     string
	Name     Field
	Error    string
	Reason   string // why the login page came up
	Passkey  bool   // this installation has passkeys
	Provider string // label of the button, "" = none
	Desk     string // the desk reader beside this browser, "" = none
}

func (h *Handler) loginView(rq *request) loginView {
	v := loginView{Base: h.base(rq, "login.title"), Next: localPath(rq.FormValue("next"))}
	v.Here, v.Passkey = "/login", h.passkeys != nil
	if h.cfg.Provider != nil {
		v.Provider = h.cfg.Provider.Label()
	}
	if d, err := h.deskOf(rq); err != nil { // the other ways in are there all the same
		h.log.LogAttrs(rq.Context(), slog.LevelError, "desk readers", attrErr(err))
	} else if d != nil {
		v.Desk = d.Name
	}
	switch rq.URL.Query().Get("why") {
	case "expired":
		v.Reason = v.T("login.expired", "minutes", strconv.Itoa(int(h.cfg.Idle/time.Minute)))
	case "too_slow":
		v.Reason = v.T("login.too_slow")
	}
	return v
}

func (h *Handler) getLogin(w http.ResponseWriter, rq *request) error {
	needed, err := h.setupNeeded(rq.Context())
	if err != nil {
		return err
	}
	if needed {
		return redirect(w, rq, "/setup")
	}
	if rq.account != nil {
		return redirect(w, rq, "/")
	}
	return h.render(w, rq, "login", h.loginView(rq))
}

// postLogin checks a name and a password. Whatever is wrong, the answer and the time it takes are
// the same; every outcome is a leaf, written before the answer.
func (h *Handler) postLogin(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	ctx := rq.Context()
	v := h.loginView(rq)
	v.Name.Value = clip(strings.TrimSpace(rq.post("name")), 64)
	password := rq.post("password")
	key := strings.ToLower(v.Name.Value)

	wait := h.address.take(rq.address, rq.now)
	if wait == 0 {
		wait = h.account.take(key, rq.now)
	}
	if wait > 0 {
		act := rq.action(ActionLoginThrottled, "")
		act.Actor = ""
		if err := h.src.Audit.RecordAction(ctx, act); err != nil {
			return fmt.Errorf("record throttled login: %w", err)
		}
		w.Header().Set("Retry-After", strconv.Itoa(seconds(wait)))
		v.Error = v.T("login.throttled", "seconds", strconv.Itoa(seconds(wait)))
		return h.renderStatus(w, rq, "login", v, http.StatusTooManyRequests)
	}

	a, err := h.src.Accounts.AccountByName(ctx, v.Name.Value)
	known := err == nil
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("find account: %w", err)
	}
	how, good, err := h.checkPassword(rq, a, known, password)
	if err != nil && !errors.Is(err, errDirectory) {
		return err
	}
	down := errors.Is(err, errDirectory)
	if !known || !good || a.Suspended {
		act := rq.action(ActionLoginFailed, "")
		act.Actor = ""
		if known {
			act.Target = a.ID
		}
		if err := h.src.Audit.RecordAction(ctx, act); err != nil {
			return fmt.Errorf("record failed login: %w", err)
		}
		v.Error = v.T("login.wrong")
		if down {
			v.Error = v.T("login.directory_down")
		}
		return h.renderStatus(w, rq, "login", v, http.StatusUnprocessableEntity)
	}
	h.account.forget(key)
	if how == methodPassword {
		if err := h.strengthen(rq, &a, password); err != nil {
			return err
		}
	}
	return h.passed(w, rq, a, how, v.Next)
}

// strengthen keeps a right password under today's price, when the price was raised since.
func (h *Handler) strengthen(rq *request, a *Account, password string) error {
	cost, _, _, err := parsePHC(a.PasswordHash)
	if err != nil || cost == h.cfg.Cost {
		return nil
	}
	stronger, err := h.hash(rq.Context(), password)
	if err != nil {
		return nil //nolint:nilerr // busy: next time
	}
	act := rq.action(ActionPasswordStored, a.ID)
	act.Actor = a.ID
	if err := h.src.Accounts.ChangeAccount(rq.Context(), a.ID, AccountChange{PasswordHash: &stronger}, act); err != nil {
		return fmt.Errorf("store password again: %w", err)
	}
	return nil
}

func (h *Handler) postLogout(w http.ResponseWriter, rq *request) error {
	if err := h.src.Audit.RecordAction(rq.Context(), rq.action(ActionLogout, rq.account.ID)); err != nil {
		return fmt.Errorf("record logout: %w", err)
	}
	if err := h.endSession(w, rq); err != nil {
		return err
	}
	return redirect(w, rq, "/login?done=logout")
}

// postLanguage keeps the choice in the account, or in a cookie before login.
func (h *Handler) postLanguage(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	l, ok := parseLang(rq.post("language"))
	if !ok {
		return errBadInput
	}
	http.SetCookie(w, &http.Cookie{Name: languageCookie, Value: string(l), Path: "/", MaxAge: 365 * 24 * 3600,
		HttpOnly: true, Secure: h.cfg.TLS, SameSite: http.SameSiteStrictMode})
	if rq.account != nil && rq.account.Language != l {
		err := h.src.Accounts.ChangeAccount(rq.Context(), rq.account.ID, AccountChange{Language: &l},
			rq.action(ActionLanguageChanged, rq.account.ID))
		if err != nil {
			return fmt.Errorf("keep language: %w", err)
		}
	}
	return redirect(w, rq, localPath(rq.post("back")))
}

func (h *Handler) getHome(w http.ResponseWriter, rq *request) error {
	switch { // where each begins the morning
	case rq.roles&groupR != 0:
		return redirect(w, rq, "/visits")
	case rq.roles&groupF != 0:
		return redirect(w, rq, "/review")
	case rq.roles&desk != 0:
		return redirect(w, rq, "/live")
	}
	return redirect(w, rq, "/me")
}
