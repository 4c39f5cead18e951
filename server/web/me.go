package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

type meView struct {
	Base
	Name, FullName       string
	Must                 bool // the password has to be changed first
	Current, New, Repeat Field
	MinPassword          string
	Sessions             []sessionLine
	Others               bool // there are other sessions
	Idle, Absolute       string
}

type sessionLine struct {
	ID      string
	Began   time.Time
	Seen    time.Time
	Expires time.Time
	Address string
	Agent   string
	Mine    bool
	How     string // how it was proved
	Proved  string // until when a fresh check of identity holds; "" = not
}

func (h *Handler) meView(rq *request) (meView, error) {
	v := meView{Base: h.base(rq, "me.title"), Name: rq.account.Name, FullName: rq.account.FullName, Must: rq.account.MustChange,
		MinPassword: strconv.Itoa(minPassword)}
	v.Here = "/me"
	v.Idle, v.Absolute = v.say.span(h.cfg.Idle), v.say.span(h.cfg.Absolute)
	lines, err := h.sessionLines(rq, v.Base, rq.account.ID, tokenHash(rq.token))
	if err != nil {
		return v, err
	}
	for _, l := range lines {
		v.Others = v.Others || !l.Mine
	}
	v.Sessions = lines
	return v, nil
}

// proofWords says how a session was proved, and until when a fresh check of identity holds in it (D28).
func (h *Handler) proofWords(b Base, s Session) (how, fresh string) {
	var d sessionData
	if err := json.Unmarshal(s.Data, &d); err != nil {
		return "", "" // a session of another version: nothing is known
	}
	how = b.say.methodWords(d.Values[keyHow])
	at, err := time.Parse(time.RFC3339Nano, d.Values[keyProved])
	if until := at.Add(h.cfg.StepUp); err == nil && b.say.now.Before(until) && strongMethod(d.Values[keyStepHow]) {
		fresh = b.T("me.proved", "time", b.Time(until))
	}
	return how, fresh
}

func (h *Handler) getMe(w http.ResponseWriter, rq *request) error {
	v, err := h.meView(rq)
	if err != nil {
		return err
	}
	return h.render(w, rq, "me", v)
}

// postPassword needs the current password: a desk left open must not change it. Other sessions end.
func (h *Handler) postPassword(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	if rq.account.Source != SourceHere {
		return errForbidden // it is changed where it is checked
	}
	key := strings.ToLower(rq.account.Name)
	if wait := h.account.take(key, rq.now); wait > 0 {
		return throttled{wait}
	}
	v, err := h.meView(rq)
	if err != nil {
		return err
	}
	current, password := rq.post("current"), rq.post("password")
	good, err := h.verify(rq.Context(), rq.account.PasswordHash, clip(current, 4*maxPassword))
	if err != nil {
		return err
	}
	fault := passwordFault(password, rq.post("repeat"), rq.account.Name)
	switch {
	case !good:
		v.Current.Error = v.T("password.current_wrong")
	case fault == "password.differs":
		v.Repeat.Error = v.T(fault)
	case fault != "":
		v.New.Error = v.T(fault, "min", strconv.Itoa(minPassword))
	case password == current:
		v.New.Error = v.T("password.same")
	}
	if v.Current.Error+v.New.Error+v.Repeat.Error != "" {
		return h.renderStatus(w, rq, "me", v, http.StatusUnprocessableEntity)
	}
	h.account.forget(key)
	phc, err := h.hash(rq.Context(), password)
	if err != nil {
		return err
	}
	off := false
	err = h.src.Accounts.ChangeAccount(rq.Context(), rq.account.ID, AccountChange{PasswordHash: &phc, MustChange: &off},
		rq.action(ActionPasswordChanged, rq.account.ID))
	if err != nil {
		return fmt.Errorf("change password: %w", err)
	}
	if err := h.src.Sessions.DeleteAccountSessions(rq.Context(), rq.account.ID, tokenHash(rq.token)); err != nil {
		return fmt.Errorf("end other sessions: %w", err)
	}
	return redirect(w, rq, "/me?done=password")
}

// postRevoke ends one of the own sessions, or all others ("others").
func (h *Handler) postRevoke(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	ctx, which, mine := rq.Context(), rq.post("session"), tokenHash(rq.token)
	list, err := h.src.Sessions.AccountSessions(ctx, rq.account.ID)
	if err != nil {
		return fmt.Errorf("sessions: %w", err)
	}
	found := which == "others"
	for _, s := range list {
		found = found || s.TokenHash == which // only the own ones can be named
	}
	if !found {
		return ErrNotFound
	}
	if err := h.src.Audit.RecordAction(ctx, rq.action(ActionSessionRevoked, rq.account.ID)); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	switch which {
	case "others":
		err = h.src.Sessions.DeleteAccountSessions(ctx, rq.account.ID, mine)
	case mine:
		if err := h.endSession(w, rq); err != nil {
			return err
		}
		return redirect(w, rq, "/login?done=logout")
	default:
		err = h.src.Sessions.DeleteSession(ctx, which)
	}
	if err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return redirect(w, rq, "/me?done=revoked")
}

// agentWords shortens what a browser calls itself to product and system, as far as that is plain.
func agentWords(agent string) string {
	system := ""
	for _, s := range []string{"Windows", "Macintosh", "Android", "iPhone", "iPad", "Linux"} {
		if strings.Contains(agent, s) {
			system = s
			break
		}
	}
	for _, b := range []struct{ sign, name string }{{"Edg/", "Edge"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}} {
		if strings.Contains(agent, b.sign) {
			if system != "" {
				return b.name + " / " + system
			}
			return b.name
		}
	}
	return clip(agent, 60)
}
