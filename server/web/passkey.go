package web

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
)

// maxPasskeys bounds how many an account may have: a phone, a key, a PC, and spares.
const maxPasskeys = 10

// newPasskeys prepares for one public name; nil without one. Passkeys are bound to the host name: under another one
// they are dead (the page says so).
func newPasskeys(cfg Config) (*webauthn.WebAuthn, string, error) {
	if cfg.PublicURL == "" {
		return nil, "", nil
	}
	u, err := url.Parse(cfg.PublicURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || u.Hostname() != "localhost") {
		return nil, "", fmt.Errorf("public address %q: want https://name or http://localhost", cfg.PublicURL)
	}
	required := true
	w, err := webauthn.New(&webauthn.Config{
		RPID: u.Hostname(), RPDisplayName: cfg.Site, RPOrigins: []string{u.Scheme + "://" + u.Host},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			RequireResidentKey: &required, ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired,
		},
	})
	if err != nil {
		return nil, "", fmt.Errorf("passkeys: %w", err)
	}
	return w, u.Hostname(), nil
}

// owner is an account as the library wants it.
type owner struct {
	a    Account
	keys []webauthn.Credential
}

func (o owner) WebAuthnID() []byte                         { return []byte(o.a.ID) }
func (o owner) WebAuthnName() string                       { return o.a.Name }
func (o owner) WebAuthnDisplayName() string                { return o.a.FullName }
func (o owner) WebAuthnCredentials() []webauthn.Credential { return o.keys }

// ownerOf reads an account's passkeys that are good under this host name.
func (h *Handler) ownerOf(rq *request, a Account) (owner, error) {
	o := owner{a: a}
	list, err := h.src.Factors.Passkeys(rq.Context(), a.ID)
	if err != nil {
		return o, fmt.Errorf("passkeys: %w", err)
	}
	for _, p := range list {
		if p.Stopped || p.RP != h.rp {
			continue
		}
		var c webauthn.Credential
		if err := json.Unmarshal(p.Data, &c); err != nil {
			return o, fmt.Errorf("passkey of account %s: %w", a.ID, err)
		}
		c.Authenticator.SignCount = p.SignCount
		o.keys = append(o.keys, c)
	}
	return o, nil
}

// options answers the page's script: what to ask of the authenticator. The challenge stays here.
func (h *Handler) options(w http.ResponseWriter, rq *request, v any, f flow) error {
	if err := h.setFlow(w, rq, passkeyCookie, f); err != nil {
		return err
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("passkey options: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b) // the peer went away: nothing to tell it
	return nil
}

// postLoginOptions begins a login by passkey: whose it is comes out only with the answer.
func (h *Handler) postLoginOptions(w http.ResponseWriter, rq *request) error {
	if h.passkeys == nil {
		return ErrNotFound
	}
	if wait := h.address.take(rq.address, rq.now); wait > 0 {
		return throttled{wait}
	}
	o, s, err := h.passkeys.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return fmt.Errorf("begin passkey: %w", err)
	}
	return h.options(w, rq, o, flow{kind: flowPasskey, session: s})
}

// postLoginPasskey finishes it. A passkey with user verification is two factors by itself.
func (h *Handler) postLoginPasskey(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	f, ok := h.flows.take(h.flowID(rq, passkeyCookie), flowPasskey, rq.now)
	h.endFlow(w, rq, passkeyCookie)
	if h.passkeys == nil || !ok || f.stepUp || f.account != "" {
		return h.loginAgain(w, rq, "login.too_slow")
	}
	a, err := h.provePasskey(rq, f, nil)
	if errors.Is(err, errNotProved) {
		act := rq.action(ActionLoginFailed, a.ID)
		act.Actor, act.Filter = "", "method="+methodPasskey
		if err := h.src.Audit.RecordAction(rq.Context(), act); err != nil {
			return fmt.Errorf("record failed login: %w", err)
		}
		return h.loginAgain(w, rq, "login.passkey_wrong")
	}
	if err != nil {
		return err
	}
	return h.signIn(w, rq, a, methodPasskey, localPath(rq.post("next")))
}

// errNotProved: the answer of an authenticator proves nothing. Why stands in the machine's log at most.
var errNotProved = errors.New("not proved")

// provePasskey checks an authenticator's answer against the challenge of f, and that its counter has grown. With an
// account it must be this one's. The account comes back also with errNotProved, when it is known.
func (h *Handler) provePasskey(rq *request, f flow, want *Account) (Account, error) {
	ctx := rq.Context()
	refuse := func(a Account, why error) (Account, error) {
		h.log.LogAttrs(ctx, slog.LevelInfo, "passkey refused", slog.String("account", a.ID), attrErr(why))
		return a, errNotProved
	}
	answer, err := protocol.ParseCredentialRequestResponseBytes([]byte(rq.post("credential")))
	if err != nil {
		return refuse(Account{}, err)
	}
	p, err := h.src.Factors.PasskeyByCredential(ctx, answer.RawID)
	if errors.Is(err, ErrNotFound) {
		return refuse(Account{}, err)
	}
	if err != nil {
		return Account{}, fmt.Errorf("passkey: %w", err)
	}
	a, err := h.src.Accounts.AccountByID(ctx, p.Account)
	if err != nil {
		return Account{}, fmt.Errorf("account of passkey: %w", err)
	}
	if a.Suspended || p.Stopped || p.RP != h.rp || want != nil && want.ID != a.ID {
		return refuse(a, errors.New("suspended, stopped, made for another name, or another account's"))
	}
	o, err := h.ownerOf(rq, a)
	if err != nil {
		return a, err
	}
	var c *webauthn.Credential
	if want != nil {
		c, err = h.passkeys.ValidateLogin(o, *f.session, answer)
	} else {
		_, c, err = h.passkeys.ValidatePasskeyLogin(func(_, handle []byte) (webauthn.User, error) {
			if string(handle) != a.ID {
				return nil, errors.New("the passkey names another account")
			}
			return o, nil
		}, *f.session, answer)
	}
	if err != nil {
		return refuse(a, err)
	}
	if c.Authenticator.CloneWarning {
		// A counter that went back: two authenticators hold this key. The lock on it stays until its owner makes a new
		// one; the other factors are still there.
		if err := h.stopPasskey(rq, a, p); err != nil {
			return a, err
		}
		return refuse(a, ErrUsed)
	}
	data, err := json.Marshal(c)
	if err != nil {
		return a, fmt.Errorf("passkey: %w", err)
	}
	err = h.src.Factors.UsePasskey(ctx, p.Credential, data, c.Authenticator.SignCount, rq.now)
	if errors.Is(err, ErrUsed) { // the same answer came twice at the same time
		return refuse(a, err)
	}
	if err != nil {
		return a, fmt.Errorf("use passkey: %w", err)
	}
	return a, nil
}

func (h *Handler) stopPasskey(rq *request, a Account, p Passkey) error {
	act := rq.action(ActionPasskeyStopped, a.ID)
	act.Reason = p.Name
	if err := h.src.Factors.StopPasskey(rq.Context(), p.Credential, act); err != nil {
		return fmt.Errorf("stop passkey: %w", err)
	}
	return nil
}

// postPasskeyOptions begins a registration.
func (h *Handler) postPasskeyOptions(w http.ResponseWriter, rq *request) error {
	if h.passkeys == nil {
		return ErrNotFound
	}
	o, err := h.ownerOf(rq, *rq.account)
	if err != nil {
		return err
	}
	c, s, err := h.passkeys.BeginRegistration(o, webauthn.WithExclusions(webauthn.Credentials(o.keys).CredentialDescriptors()))
	if err != nil {
		return fmt.Errorf("begin passkey: %w", err)
	}
	return h.options(w, rq, c, flow{kind: flowPasskey, account: rq.account.ID, session: s})
}

// passkeyNameFault: 1–60 characters without control characters.
func passkeyNameFault(name string) string {
	if name == "" {
		return "field.required"
	}
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > 60 || strings.ContainsFunc(name, unicode.IsControl) {
		return "factors.name_form"
	}
	return ""
}

// postPasskey finishes a registration.
func (h *Handler) postPasskey(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	f, ok := h.flows.take(h.flowID(rq, passkeyCookie), flowPasskey, rq.now)
	h.endFlow(w, rq, passkeyCookie)
	if h.passkeys == nil || !ok || f.stepUp || f.account != rq.account.ID {
		return h.refuseFactor(w, rq, "login.too_slow")
	}
	name := strings.TrimSpace(rq.post("name"))
	if key := passkeyNameFault(name); key != "" {
		return h.refuseFactor(w, rq, key)
	}
	o, err := h.ownerOf(rq, *rq.account)
	if err != nil {
		return err
	}
	if len(o.keys) >= maxPasskeys {
		return h.refuseFactor(w, rq, "factors.too_many")
	}
	answer, err := protocol.ParseCredentialCreationResponseBytes([]byte(rq.post("credential")))
	var c *webauthn.Credential
	if err == nil {
		c, err = h.passkeys.CreateCredential(o, *f.session, answer)
	}
	if err != nil {
		h.log.LogAttrs(rq.Context(), slog.LevelInfo, "passkey refused", slog.String("account", rq.account.ID), attrErr(err))
		return h.refuseFactor(w, rq, "factors.passkey_failed")
	}
	data, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("passkey: %w", err)
	}
	act := rq.action(ActionPasskeyAdded, rq.account.ID)
	act.Reason = name
	err = h.src.Factors.AddPasskey(rq.Context(), Passkey{
		Credential: c.ID, Account: rq.account.ID, Name: name, RP: h.rp, Data: data, SignCount: c.Authenticator.SignCount, Created: rq.now,
	}, act)
	if errors.Is(err, ErrExists) {
		return h.refuseFactor(w, rq, "factors.passkey_failed")
	}
	if err != nil {
		return fmt.Errorf("add passkey: %w", err)
	}
	if err := h.proveAgain(rq, methodPasskey); err != nil {
		return err
	}
	return h.factorAdded(w, rq, "passkey_added")
}

// postPasskeyDelete removes one of the own passkeys; the last second factor stays where one is required.
func (h *Handler) postPasskeyDelete(w http.ResponseWriter, rq *request) error {
	id, err := base64.RawURLEncoding.DecodeString(rq.PathValue("id"))
	if err != nil || len(id) == 0 {
		return ErrNotFound
	}
	return h.deleteFactor(w, rq, ActionPasskeyDeleted, func(act Action) error {
		return h.src.Factors.DeletePasskey(rq.Context(), rq.account.ID, id, act)
	})
}
