package web

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

type accountsView struct {
	Base
	Lines  []accountLine
	Roles  []choice
	Name   Field
	Full   Field
	Role   Field
	Until  Field
	Given  string // initial password of the account just made, shown once
	GivenT string
	Fault  string // refusal of a suspension
	New    bool   // the form of a new account stands open
	StepUp string // where to get a fresh check of identity first; "" = not needed

	Requests []requestLine
	Sources  []choice // where passwords may be checked; one alone is not shown
}

type accountLine struct {
	ID, Name, FullName string
	Roles              string
	State              Tag
	Why                string
	LastLogin          time.Time
	Mine               bool
	Suspended          bool
	Factor             bool // has a second factor
	Source             string
	Person             string   // directory person id whose staff card signs in; "" = none
	Held               []choice // roles, for taking one away
}

func (h *Handler) accountsView(rq *request) (accountsView, error) {
	v := accountsView{Base: h.base(rq, "accounts.title")}
	v.Here = "/accounts"
	list, err := h.src.Accounts.ListAccounts(rq.Context())
	if err != nil {
		return v, fmt.Errorf("accounts: %w", err)
	}
	for _, a := range list {
		l := accountLine{ID: a.ID, Name: a.Name, FullName: a.FullName, LastLogin: a.LastLogin, Mine: a.ID == rq.account.ID,
			Suspended: a.Suspended, Why: a.SuspendedWhy}
		l.Factor, l.Person = a.SecondFactor, a.Person
		switch a.Source {
		case SourceDirectory:
			l.Source = v.T("account.source_ldap")
		case SourceProvider:
			l.Source = v.T("account.source_oidc")
		}
		var roles []string
		for _, as := range a.Roles {
			if !as.Until.IsZero() && !rq.now.Before(as.Until) {
				continue // it has ended, or was taken away
			}
			roles = append(roles, v.say.roleWords(as))
			l.Held = append(l.Held, choice{Value: roleKey(as), Label: v.say.roleWords(as)})
		}
		if len(roles) == 0 {
			roles = append(roles, v.T("role.none"))
		}
		l.Roles = strings.Join(roles, v.T("list.separator"))
		l.State = Tag{v.T("account.active"), ToneGood, "check"}
		if a.MustChange && a.Source == SourceHere {
			l.State = Tag{v.T("account.invited"), ToneNote, "clock"}
		}
		if a.Suspended {
			l.State = Tag{v.T("account.suspended"), ToneWarn, "stop"}
		}
		v.Lines = append(v.Lines, l)
	}
	for _, r := range Roles() {
		v.Roles = append(v.Roles, choice{Value: r.String(), Label: v.T("role." + r.String())})
	}
	if h.cfg.Directory != nil || h.cfg.Provider != nil {
		v.Sources = append(v.Sources, choice{Value: SourceHere, Label: v.T("account.source_here")})
		if h.cfg.Directory != nil {
			v.Sources = append(v.Sources, choice{Value: SourceDirectory, Label: v.T("account.source_ldap")})
		}
		if h.cfg.Provider != nil {
			v.Sources = append(v.Sources, choice{Value: SourceProvider, Label: v.T("account.source_oidc")})
		}
	}
	if h.freshAt(rq, "POST /accounts") != "" {
		v.StepUp = "/step-up?next=/accounts"
	}
	v.Requests, err = h.requestLines(rq, v.Base, list)
	return v, err
}

func (h *Handler) getAccounts(w http.ResponseWriter, rq *request) error {
	v, err := h.accountsView(rq)
	if err != nil {
		return err
	}
	return h.render(w, rq, "accounts", v)
}

// postAccount makes an account with one role. Its password is made here, shown once, and has to be
// changed at the first login.
func (h *Handler) postAccount(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	v, err := h.accountsView(rq)
	if err != nil {
		return err
	}
	v.New = true
	v.Name.Value, v.Full.Value = strings.TrimSpace(rq.post("name")), rq.post("full_name")
	v.Role.Value, v.Until.Value = rq.post("role"), rq.post("until")
	for i := range v.Roles {
		v.Roles[i].Chosen = v.Roles[i].Value == v.Role.Value
	}
	if key := nameFault(v.Name.Value); key != "" {
		v.Name.Error = v.T(key)
	}
	if key := fullNameFault(v.Full.Value); key != "" {
		v.Full.Error = v.T(key)
	}
	as, roleFault, untilFault := h.assignment(rq)
	if roleFault != "" {
		v.Role.Error = v.T(roleFault)
	}
	if untilFault != "" {
		v.Until.Error = v.T(untilFault)
	}
	if v.Name.Error+v.Full.Error+v.Role.Error+v.Until.Error != "" {
		return h.renderStatus(w, rq, "accounts", v, http.StatusUnprocessableEntity)
	}
	given := givenPassword()
	phc, err := h.hash(rq.Context(), given)
	if err != nil {
		return err
	}
	a := Account{ID: rand.Text(), Name: v.Name.Value, FullName: v.Full.Value, PasswordHash: phc, MustChange: true, Created: rq.now}
	act := rq.action(ActionAccountCreated, a.ID)
	act.Reason = as.Role.String()
	err = h.src.Accounts.CreateAccount(rq.Context(), a, act)
	if errors.Is(err, ErrExists) {
		v.Name.Error = v.T("account.exists")
		return h.renderStatus(w, rq, "accounts", v, http.StatusUnprocessableEntity)
	}
	if err != nil {
		return fmt.Errorf("create account: %w", err)
	}
	// The account is there and has no right yet; the role takes a second person (RA-2).
	if _, err := h.ask(rq, AccountRequest{Kind: RequestRole, Account: a.ID, Role: as, Why: v.T("requests.new_account")}); err != nil {
		return err
	}
	return h.showGiven(w, rq, a, given)
}

// postSuspend ends an account's sessions at once. Nobody suspends the own account: the last one
// would be gone for good. (RA-4: each of these acts is one leaf.)
func (h *Handler) postSuspend(w http.ResponseWriter, rq *request) error {
	return h.setSuspended(w, rq, true, ActionAccountSuspended, "suspended")
}

func (h *Handler) postResume(w http.ResponseWriter, rq *request) error {
	return h.setSuspended(w, rq, false, ActionAccountResumed, "resumed")
}

// postReset gives out a new password for somebody who forgot theirs: shown once, to be changed at
// the next login. It ends the account's sessions. Who did it is a leaf, and the owner notices: the
// old password no longer works.
func (h *Handler) postReset(w http.ResponseWriter, rq *request) error {
	id, why, err := h.reasonFor(w, rq)
	if err != nil {
		return err
	}
	a, err := h.src.Accounts.AccountByID(rq.Context(), id)
	if err != nil {
		return fmt.Errorf("account: %w", err)
	}
	if a.Source != SourceHere {
		return h.refuseAccount(w, rq, "account.no_password_here")
	}
	given := givenPassword()
	phc, err := h.hash(rq.Context(), given)
	if err != nil {
		return err
	}
	must, act := true, rq.action(ActionPasswordReset, id)
	act.Reason = why
	if err := h.src.Accounts.ChangeAccount(rq.Context(), id, AccountChange{PasswordHash: &phc, MustChange: &must}, act); err != nil {
		return fmt.Errorf("reset password: %w", err)
	}
	if err := h.src.Sessions.DeleteAccountSessions(rq.Context(), id, ""); err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	h.account.forget(strings.ToLower(a.Name))
	return h.showGiven(w, rq, a, given)
}

// reasonFor reads whom an act is for and why. It refuses, with the page, an act without a reason
// and one on the own account.
func (h *Handler) reasonFor(w http.ResponseWriter, rq *request) (id, why string, err error) {
	if err := rq.form(); err != nil {
		return "", "", err
	}
	id, why = rq.PathValue("id"), strings.TrimSpace(rq.post("reason"))
	key := ""
	switch {
	case id == rq.account.ID:
		key = "account.not_self"
	case why == "" || len(why) > 1000 || !utf8.ValidString(why):
		key = "account.reason_missing"
	default:
		return id, why, nil
	}
	if err := h.refuseAccount(w, rq, key); err != nil {
		return "", "", err
	}
	return "", "", errAnswered
}

func (h *Handler) setSuspended(w http.ResponseWriter, rq *request, on bool, kind ActionKind, done string) error {
	id, why, err := h.reasonFor(w, rq)
	if err != nil {
		return err
	}
	act := rq.action(kind, id)
	act.Reason = why
	if !on {
		why = ""
	}
	if err := h.src.Accounts.ChangeAccount(rq.Context(), id, AccountChange{Suspended: &on, SuspendedWhy: &why}, act); err != nil {
		return fmt.Errorf("suspend account: %w", err)
	}
	if on {
		// The account is closed already: each request looks at it. This clears the list.
		if err := h.src.Sessions.DeleteAccountSessions(rq.Context(), id, ""); err != nil {
			return fmt.Errorf("end sessions: %w", err)
		}
	}
	return redirect(w, rq, "/accounts?done="+done)
}
