package web

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"monban/firmware/calendar"
)

type tokensView struct {
	Base
	StepUp string // where to get a fresh check first; "" = not needed
	Given  string // a token that was just made; shown once
	Fault  string
	Lines  []tokenLine
	Name   Field
	Until  Field
	Last   string // latest day that can be chosen
	Roles  []choice
	Hours  string // life of a token that may order something
}

type tokenLine struct {
	ID      string
	Name    string
	Roles   string
	Orders  bool
	Made    time.Time
	Until   time.Time
	UsedDay string
	State   Tag
	Live    bool
}

// lastDay is the latest day on which a token made now is good: the end of the fiscal year, when people move.
func (h *Handler) lastDay(now time.Time) calendar.Date {
	return calendar.DateOf(now.In(h.cfg.Zone)).FiscalYear().End()
}

func (h *Handler) tokensView(rq *request) (tokensView, error) {
	v := tokensView{Base: h.base(rq, "tokens.title"), Last: h.lastDay(rq.now).String()}
	v.Here, v.Hours = "/me/tokens", v.say.span(h.cfg.Absolute)
	if h.freshAt(rq, "POST /me/tokens") != "" {
		v.StepUp = "/step-up?next=/me/tokens"
	}
	v.Until.Value = v.Last
	for _, r := range rq.roles.list() {
		v.Roles = append(v.Roles, choice{r.String(), v.T("role." + r.String()), true})
	}
	list, err := h.src.Tokens.AccountTokens(rq.Context(), rq.account.ID)
	if err != nil {
		return v, fmt.Errorf("tokens: %w", err)
	}
	for _, t := range list {
		var roles []string
		for _, r := range t.Roles.list() {
			roles = append(roles, v.T("role."+r.String()))
		}
		l := tokenLine{ID: t.ID, Name: t.Name, Roles: strings.Join(roles, v.T("list.separator")), Orders: t.Orders, Made: t.Created, Until: t.Expires, UsedDay: t.UsedDay}
		switch {
		case !t.Revoked.IsZero():
			l.State = Tag{v.T("tokens.revoked"), ToneQuiet, "stop"}
		case !rq.now.Before(t.Expires):
			l.State = Tag{v.T("tokens.expired"), ToneQuiet, "clock"}
		default:
			l.State, l.Live = Tag{v.T("tokens.live"), ToneGood, "check"}, true
		}
		v.Lines = append(v.Lines, l)
	}
	return v, nil
}

func (h *Handler) getTokens(w http.ResponseWriter, rq *request) error {
	v, err := h.tokensView(rq)
	if err != nil {
		return err
	}
	return h.render(w, rq, "tokens", v)
}

// NewToken makes a token and what is stored of it.
func NewToken() (token string, hash [32]byte) {
	b := make([]byte, 32)
	rand.Read(b) // never fails
	token = tokenPrefix + base64.RawURLEncoding.EncodeToString(b)
	return token, sha256.Sum256([]byte(token))
}

// postToken makes a token. It can do less than the account, never more, and what moves a door only for a shift.
func (h *Handler) postToken(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	v, err := h.tokensView(rq)
	if err != nil {
		return err
	}
	name, until := strings.TrimSpace(rq.post("name")), rq.post("until")
	t := APIToken{ID: rand.Text(), Account: rq.account.ID, Name: name, Created: rq.now, Orders: rq.post("orders") == "yes"}
	v.Name.Value, v.Until.Value = clip(name, 400), clip(until, 20)
	if n := utf8.RuneCountInString(name); n == 0 || n > 64 || !plainText(name) {
		v.Name.Error = v.T("tokens.name_wrong")
	}
	last := h.lastDay(rq.now)
	if t.Expires, err = time.ParseInLocation(dayLayout, until, h.cfg.Zone); err != nil || until > last.String() || t.Expires.AddDate(0, 0, 1).Before(rq.now) {
		v.Until.Error = v.T("tokens.until_wrong", "day", last.String())
	}
	t.Expires = t.Expires.AddDate(0, 0, 1) // the day itself is included
	if end := rq.now.Add(h.cfg.Absolute); t.Orders && end.Before(t.Expires) {
		t.Expires = end // D28: the fresh proof counts no longer than a session
	}
	for _, word := range rq.PostForm["role"] {
		r, ok := ParseRole(word)
		if !ok || !rq.roles.Has(r) {
			return errBadInput
		}
		t.Roles |= roleSet(r)
	}
	if t.Roles == 0 {
		v.Fault = v.T("tokens.no_role")
	}
	if v.Name.Error+v.Until.Error+v.Fault != "" {
		return h.renderStatus(w, rq, "tokens", v, http.StatusUnprocessableEntity)
	}
	token, hash := NewToken()
	t.Hash = hash
	if err := h.src.Tokens.CreateToken(rq.Context(), t, rq.action(ActionTokenMade, t.ID)); err != nil {
		return fmt.Errorf("make token: %w", err)
	}
	if v, err = h.tokensView(rq); err != nil {
		return err
	}
	v.Given = token // in the answer and nowhere else; a redirect would have to keep it
	return h.renderStatus(w, rq, "tokens", v, http.StatusCreated)
}

// postTokenRevoke ends an own token at once. That needs no fresh check: it only takes away.
func (h *Handler) postTokenRevoke(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	id := rq.PathValue("id")
	if err := h.src.Tokens.RevokeToken(rq.Context(), rq.account.ID, id, rq.action(ActionTokenRevoked, id)); err != nil {
		return fmt.Errorf("revoke token: %w", err)
	}
	return redirect(w, rq, "/me/tokens?done=token_revoked")
}
