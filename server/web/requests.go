package web

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"monban/firmware/access"
)

type requestLine struct {
	ID       string
	What     string
	For      string
	Why      string
	By       string
	Asked    time.Time
	MayAgree bool
}

// requestLines lists what waits for a second person.
func (h *Handler) requestLines(rq *request, b Base, accounts []Account) ([]requestLine, error) {
	list, err := h.src.Requests.OpenRequests(rq.Context())
	if err != nil {
		return nil, fmt.Errorf("requests: %w", err)
	}
	name := map[string]string{"": b.T("requests.by_directory")}
	for _, a := range accounts {
		name[a.ID] = a.FullName
	}
	var out []requestLine
	for _, q := range list {
		what := b.T("requests.factors")
		switch q.Kind {
		case RequestRole:
			what = b.say.roleWords(q.Role)
		case RequestPerson:
			what = b.T("requests.person", "person", q.Person)
		default:
		}
		out = append(out, requestLine{ID: q.ID, What: what, For: name[q.Account], Why: q.Why, By: name[q.AskedBy], Asked: q.Asked,
			MayAgree: q.AskedBy != rq.account.ID && q.Account != rq.account.ID})
	}
	return out, nil
}

// roleWords says a role with its zone and end.
func (b speaker) roleWords(as Assignment) string {
	s := b.T("role." + as.Role.String())
	if as.Zone != "" {
		s = b.T("account.role_zone", "role", s, "zone", string(as.Zone))
	}
	if !as.Until.IsZero() {
		s = b.T("account.role_until", "role", s, "day", b.Long(as.Until.Add(-time.Second)))
	}
	return s
}

// ask files a request, or has it done at once where nobody exists who could be the second person.
func (h *Handler) ask(rq *request, q AccountRequest) (done bool, err error) {
	q.ID, q.AskedBy, q.Asked = rand.Text(), rq.account.ID, rq.now
	kind, alone := ActionRoleAsked, ActionRoleGrantedAlone
	switch q.Kind {
	case RequestFactors:
		kind, alone = ActionFactorsAsked, ActionFactorsAlone
	case RequestPerson:
		kind, alone = ActionPersonAsked, ActionPersonAlone
	default:
	}
	act := rq.action(kind, q.Account)
	act.Reason = q.Why
	if q.Kind == RequestPerson {
		act.Filter = "person=" + q.Person
	}
	if q.Kind == RequestRole {
		act.Filter = "role=" + q.Role.Role.String() + "&zone=" + string(q.Role.Zone)
	}
	once := act
	once.Kind = alone
	done, err = h.src.Requests.AskRequest(rq.Context(), q, act, once)
	if err != nil {
		return false, fmt.Errorf("ask for a second person: %w", err)
	}
	if done {
		if err := h.src.Sessions.DeleteAccountSessions(rq.Context(), q.Account, ""); err != nil {
			return done, fmt.Errorf("end sessions: %w", err)
		}
	}
	return done, nil
}

// assignment reads role, zone and last day of a form; faults are keys of the catalogue.
func (h *Handler) assignment(rq *request) (as Assignment, roleFault, untilFault string) {
	role, ok := ParseRole(rq.post("role"))
	if !ok {
		roleFault = "account.role_missing"
	}
	as = Assignment{Role: role, From: rq.now, Zone: access.ZoneID(strings.TrimSpace(rq.post("zone")))}
	if len(as.Zone) > 64 || strings.Trim(string(as.Zone), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		roleFault = "account.zone_form"
	}
	if day := rq.post("until"); day != "" {
		last, err := time.ParseInLocation(dayLayout, day, h.cfg.Zone)
		if as.Until = last.AddDate(0, 0, 1); err != nil || !as.Until.After(rq.now) {
			untilFault = "account.until_form"
		}
	}
	return as, roleFault, untilFault
}

// postRoleAsked asks for one more role (RA-2). Nobody gives a role to themselves, nor agrees to it.
func (h *Handler) postRoleAsked(w http.ResponseWriter, rq *request) error {
	id, why, err := h.reasonFor(w, rq)
	if err != nil {
		return err
	}
	as, roleFault, untilFault := h.assignment(rq)
	if key := roleFault + untilFault; key != "" {
		if roleFault != "" {
			key = roleFault
		}
		return h.refuseAccount(w, rq, key)
	}
	done, err := h.ask(rq, AccountRequest{Kind: RequestRole, Account: id, Role: as, Why: why})
	if err != nil {
		return err
	}
	if done {
		return redirect(w, rq, "/accounts?done=role_granted")
	}
	return redirect(w, rq, "/accounts?done=role_asked")
}

// postFactorsAsked asks that all second factors of somebody go, whose phone is lost. It lets whoever knows the
// password in to set up new ones, so it takes two.
func (h *Handler) postFactorsAsked(w http.ResponseWriter, rq *request) error {
	id, why, err := h.reasonFor(w, rq)
	if err != nil {
		return err
	}
	done, err := h.ask(rq, AccountRequest{Kind: RequestFactors, Account: id, Why: why})
	if err != nil {
		return err
	}
	if done {
		return redirect(w, rq, "/accounts?done=factors_reset")
	}
	return redirect(w, rq, "/accounts?done=role_asked")
}

// postRequestAgreed is the second person.
func (h *Handler) postRequestAgreed(w http.ResponseWriter, rq *request) error {
	act := rq.action(ActionRoleGranted, "") // the source names kind and target after what was asked
	q, err := h.src.Requests.AgreeRequest(rq.Context(), rq.PathValue("id"), act)
	switch {
	case errors.Is(err, ErrSamePerson):
		return h.refuseAccount(w, rq, "requests.same_person")
	case errors.Is(err, ErrTooLate):
		return h.refuseAccount(w, rq, "requests.too_late")
	case err != nil:
		return fmt.Errorf("agree: %w", err)
	}
	// Whoever got a role, another card or no factors signs in again: what is open was proved for less.
	if err := h.src.Sessions.DeleteAccountSessions(rq.Context(), q.Account, ""); err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	if q.Kind == RequestFactors {
		return redirect(w, rq, "/accounts?done=factors_reset")
	}
	if q.Kind == RequestPerson {
		return redirect(w, rq, "/accounts?done=person_linked")
	}
	return redirect(w, rq, "/accounts?done=role_granted")
}

// postPersonAsked asks that an account be the one of a person of the directory, whose staff card then signs in to it at a desk
// reader: it takes two, like a role. Without a person the link is taken away, at once and by one (D27).
func (h *Handler) postPersonAsked(w http.ResponseWriter, rq *request) error {
	id, why, err := h.reasonFor(w, rq)
	if err != nil {
		return err
	}
	person := strings.TrimSpace(rq.post("person"))
	if person == "" {
		act := rq.action(ActionPersonUnlinked, id)
		act.Reason = why
		if err := h.src.Accounts.ChangeAccount(rq.Context(), id, AccountChange{Person: &person}, act); err != nil {
			return fmt.Errorf("unlink person: %w", err)
		}
		if err := h.src.Sessions.DeleteAccountSessions(rq.Context(), id, ""); err != nil {
			return fmt.Errorf("end sessions: %w", err)
		}
		return redirect(w, rq, "/accounts?done=person_unlinked")
	}
	if len(person) > 64 || !plainText(person) {
		return h.refuseAccount(w, rq, "account.person_unknown")
	}
	done, err := h.ask(rq, AccountRequest{Kind: RequestPerson, Account: id, Person: person, Why: why})
	if errors.Is(err, ErrNoPerson) {
		return h.refuseAccount(w, rq, "account.person_unknown")
	}
	if err != nil {
		return err
	}
	if done {
		return redirect(w, rq, "/accounts?done=person_linked")
	}
	return redirect(w, rq, "/accounts?done=role_asked")
}

func (h *Handler) postRequestWithdrawn(w http.ResponseWriter, rq *request) error {
	err := h.src.Requests.WithdrawRequest(rq.Context(), rq.PathValue("id"), rq.action(ActionRequestWithdrawn, ""))
	if errors.Is(err, ErrTooLate) {
		return h.refuseAccount(w, rq, "requests.too_late")
	}
	if err != nil {
		return fmt.Errorf("withdraw: %w", err)
	}
	return redirect(w, rq, "/accounts?done=request_withdrawn")
}

// postRoleRemoved takes a role away at once: one person is enough for taking rights (D27).
func (h *Handler) postRoleRemoved(w http.ResponseWriter, rq *request) error {
	id, why, err := h.reasonFor(w, rq)
	if err != nil {
		return err
	}
	a, err := h.src.Accounts.AccountByID(rq.Context(), id)
	if err != nil {
		return fmt.Errorf("account: %w", err)
	}
	for _, as := range a.Roles {
		if roleKey(as) != rq.post("role") {
			continue
		}
		act := rq.action(ActionRoleRemoved, id)
		act.Reason, act.Filter = why, "role="+as.Role.String()+"&zone="+string(as.Zone)
		if err := h.src.Requests.RemoveRole(rq.Context(), id, as, act); err != nil {
			return fmt.Errorf("remove role: %w", err)
		}
		// The role is gone already: each request looks at the account. What is open on a screen goes too.
		if err := h.src.Sessions.DeleteAccountSessions(rq.Context(), id, ""); err != nil {
			return fmt.Errorf("end sessions: %w", err)
		}
		return redirect(w, rq, "/accounts?done=role_removed")
	}
	return ErrNotFound
}

// roleKey names one role of an account in a form.
func roleKey(as Assignment) string {
	return fmt.Sprintf("%s %s %d", as.Role, as.Zone, as.From.UnixMilli())
}

// postSource says where an account's password is checked. Coming back here it gets a new one, shown once.
func (h *Handler) postSource(w http.ResponseWriter, rq *request) error {
	id, why, err := h.reasonFor(w, rq)
	if err != nil {
		return err
	}
	to := rq.post("source")
	if to != SourceHere && (to != SourceDirectory || h.cfg.Directory == nil) && (to != SourceProvider || h.cfg.Provider == nil) {
		return errBadInput
	}
	act := rq.action(ActionSourceChanged, id)
	act.Reason, act.Filter = why, "source="+to
	change := AccountChange{Source: &to}
	given, phc, must := "", "", false
	if to == SourceHere {
		given = givenPassword()
		if phc, err = h.hash(rq.Context(), given); err != nil {
			return err
		}
		must = true
	}
	change.PasswordHash, change.MustChange = &phc, &must
	if err := h.src.Accounts.ChangeAccount(rq.Context(), id, change, act); err != nil {
		return fmt.Errorf("change source: %w", err)
	}
	if err := h.src.Sessions.DeleteAccountSessions(rq.Context(), id, ""); err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	if given == "" {
		return redirect(w, rq, "/accounts?done=source")
	}
	a, err := h.src.Accounts.AccountByID(rq.Context(), id)
	if err != nil {
		return fmt.Errorf("account: %w", err)
	}
	return h.showGiven(w, rq, a, given)
}

// showGiven shows a password once.
func (h *Handler) showGiven(w http.ResponseWriter, rq *request, a Account, given string) error {
	v, err := h.accountsView(rq)
	if err != nil {
		return err
	}
	v.Given, v.GivenT = given, v.T("account.given", "name", a.Name)
	return h.render(w, rq, "accounts", v)
}

func (h *Handler) refuseAccount(w http.ResponseWriter, rq *request, key string) error {
	v, err := h.accountsView(rq)
	if err != nil {
		return err
	}
	v.Fault = v.T(key)
	return h.renderStatus(w, rq, "accounts", v, http.StatusUnprocessableEntity)
}
