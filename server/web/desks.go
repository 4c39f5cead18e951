package web

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"monban/firmware/access"
)

// desksView is the page on which desk readers are set up: which there are, and which browsers stand beside them.
type desksView struct {
	Base
	formView
	Lines    []deskLine
	Gateways []choice
	StepUp   string // where to get a fresh check first; "" = not needed
	Beside   string // name of the desk beside which this browser stands; "" = none
}

type deskLine struct {
	ID, Gateway, Name string
	Browsers          []deskBrowserLine
}

type deskBrowserLine struct {
	Hash, Name, By string
	Since          time.Time
	Mine           bool
}

// Text is a field of the page's form.
func (v desksView) Text(name, label string, required bool, most int, help string) fieldView {
	return fieldOf(v.Base, v.formView, name, label, required, most, help)
}

// wrong marks a field.
func (v *desksView) wrong(name, sentence string) {
	x := v.Fields[name]
	x.Error = sentence
	v.Fields[name] = x
}

func (h *Handler) desksView(rq *request) (desksView, error) {
	v := desksView{Base: h.base(rq, "desks.title")}
	v.Here = "/desks"
	if h.freshAt(rq, "POST /desks") != "" {
		v.StepUp = "/step-up?next=/desks"
	}
	list, err := h.src.Desks.ListDesks(rq.Context())
	if err != nil {
		return v, fmt.Errorf("desk readers: %w", err)
	}
	accounts, err := h.src.Accounts.ListAccounts(rq.Context())
	if err != nil {
		return v, fmt.Errorf("accounts: %w", err)
	}
	names := map[string]string{}
	for _, a := range accounts {
		names[a.ID] = a.FullName
	}
	var mine [32]byte
	if c, err := rq.Cookie(h.flowCookieName(deskBrowserCookie)); err == nil {
		mine = sha256.Sum256([]byte(c.Value))
	}
	for _, d := range list {
		l := deskLine{ID: string(d.ID), Gateway: string(d.Gateway), Name: d.Name}
		for _, b := range d.Browsers {
			x := deskBrowserLine{Hash: hex.EncodeToString(b.Hash[:]), Name: b.Name, By: names[b.BoundBy], Since: b.Created, Mine: b.Hash == mine}
			if x.Mine {
				v.Beside = d.Name
			}
			l.Browsers = append(l.Browsers, x)
		}
		v.Lines = append(v.Lines, l)
	}
	gateways, err := h.src.Machines.ListGateways(rq.Context())
	if err != nil {
		return v, fmt.Errorf("gateways: %w", err)
	}
	for _, g := range gateways {
		v.Gateways = append(v.Gateways, choice{Value: string(g.ID), Label: string(g.ID)})
	}
	return v, nil
}

func (h *Handler) getDesks(w http.ResponseWriter, rq *request) error {
	v, err := h.desksView(rq)
	if err != nil {
		return err
	}
	return h.render(w, rq, "desks", v)
}

// postDeskNew adds a desk reader. It opens nothing and no page: browsers have to be bound to it first.
func (h *Handler) postDeskNew(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	v, err := h.desksView(rq)
	if err != nil {
		return err
	}
	d := Desk{ID: access.DoorID(strings.TrimSpace(rq.post("id"))), Gateway: access.GatewayID(rq.post("gateway")), Name: strings.TrimSpace(rq.post("name")), Created: rq.now}
	v.typed(rq, "id", "name")
	if d.ID == "" || len(d.ID) > 32 || strings.Trim(string(d.ID), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		v.wrong("id", v.T("desks.id_form"))
	}
	if d.Name == "" || utf8.RuneCountInString(d.Name) > 60 || !plainText(d.Name) {
		v.wrong("name", v.T("desks.name_form"))
	}
	for i, g := range v.Gateways {
		v.Gateways[i].Chosen = g.Value == string(d.Gateway)
	}
	if !slices.ContainsFunc(v.Gateways, func(c choice) bool { return c.Chosen }) {
		v.Fault = v.T("desks.gateway_missing")
	}
	if v.faulty() || v.Fault != "" {
		return h.renderStatus(w, rq, "desks", v, http.StatusUnprocessableEntity)
	}
	act := rq.action(ActionDeskAdded, string(d.ID))
	act.Reason = d.Name
	err = h.src.Desks.AddDesk(rq.Context(), d, act)
	if errors.Is(err, ErrExists) {
		v.wrong("id", v.T("desks.exists"))
		return h.renderStatus(w, rq, "desks", v, http.StatusUnprocessableEntity)
	}
	if err != nil {
		return fmt.Errorf("add desk: %w", err)
	}
	return redirect(w, rq, "/desks?done=desk_added")
}

// postDeskRemove: nobody signs in there any more; sessions go on.
func (h *Handler) postDeskRemove(w http.ResponseWriter, rq *request) error {
	id := rq.PathValue("desk")
	if err := h.src.Desks.RemoveDesk(rq.Context(), access.DoorID(id), rq.action(ActionDeskRemoved, id)); err != nil {
		return fmt.Errorf("remove desk: %w", err)
	}
	return redirect(w, rq, "/desks?done=desk_removed")
}

// deskBrowserLife is how long a browser stays bound: most cap it at 400 days.
const deskBrowserLife = 400 * 24 * time.Hour

// postDeskBind binds this browser to the desk beside which it stands. Who does it has to be at that PC: the token goes into its
// cookie and nowhere else.
func (h *Handler) postDeskBind(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	id, name := rq.PathValue("desk"), strings.TrimSpace(rq.post("name"))
	if name == "" || utf8.RuneCountInString(name) > 60 || !plainText(name) {
		v, err := h.desksView(rq)
		if err != nil {
			return err
		}
		v.Fault = v.T("desks.name_form")
		return h.renderStatus(w, rq, "desks", v, http.StatusUnprocessableEntity)
	}
	secret := make([]byte, 32)
	rand.Read(secret) // never fails
	token := base64.RawURLEncoding.EncodeToString(secret)
	act := rq.action(ActionDeskBound, id)
	act.Reason = name
	b := DeskBrowser{Hash: sha256.Sum256([]byte(token)), Name: name, BoundBy: rq.account.ID, Created: rq.now}
	if err := h.src.Desks.BindBrowser(rq.Context(), access.DoorID(id), b, act); err != nil {
		return fmt.Errorf("bind browser: %w", err)
	}
	http.SetCookie(w, &http.Cookie{Name: h.flowCookieName(deskBrowserCookie), Value: token, Path: "/", MaxAge: int(deskBrowserLife / time.Second),
		HttpOnly: true, Secure: h.cfg.TLS, SameSite: http.SameSiteStrictMode})
	return redirect(w, rq, "/desks?done=desk_bound")
}

// postDeskUnbind takes one browser's right to begin sign-ins away, wherever it is.
func (h *Handler) postDeskUnbind(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	var hash [32]byte
	b, err := hex.DecodeString(rq.post("browser"))
	if err != nil || copy(hash[:], b) != len(hash) {
		return errBadInput
	}
	if err := h.src.Desks.UnbindBrowser(rq.Context(), hash, rq.action(ActionDeskUnbound, rq.PathValue("desk"))); err != nil {
		return fmt.Errorf("unbind browser: %w", err)
	}
	return redirect(w, rq, "/desks?done=desk_unbound")
}
