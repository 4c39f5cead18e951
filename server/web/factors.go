package web

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"monban/server/factor"
	"monban/server/report"
)

type factorsView struct {
	Base
	Must      bool // nothing else is open until there is one
	Recovered bool // got in by a recovery code
	Passkeys  []passkeyLine
	CanMake   bool   // this installation has passkeys
	StepUp    string // where to get a fresh check first; "" = not needed
	TOTP      bool
	TOTPMade  time.Time
	TOTPUsed  time.Time
	CodesLeft string
	FewCodes  bool
	Name      string // name offered for a new passkey
	Fault     string
	Only      bool // there is one factor and the account needs one: it cannot be removed
	Host      string
}

type passkeyLine struct {
	ID      string
	Name    string
	Made    time.Time
	Used    time.Time
	State   Tag
	Elsewhy string // why it no longer works
}

func (h *Handler) factorsView(rq *request) (factorsView, error) {
	v := factorsView{Base: h.base(rq, "factors.title"), Must: h.mustEnrol(rq), CanMake: h.passkeys != nil, Host: h.rp,
		StepUp: h.freshAt(rq, "POST /me/factors/totp"), Recovered: rq.URL.Query().Get("why") == "recovery"}
	v.Here = "/me/factors"
	if v.StepUp != "" {
		v.StepUp = "/step-up?next=/me/factors"
	}
	ctx := rq.Context()
	list, err := h.src.Factors.Passkeys(ctx, rq.account.ID)
	if err != nil {
		return v, fmt.Errorf("passkeys: %w", err)
	}
	good := 0
	for _, p := range list {
		l := passkeyLine{ID: base64.RawURLEncoding.EncodeToString(p.Credential), Name: p.Name, Made: p.Created, Used: p.Used,
			State: Tag{v.T("factors.works"), ToneGood, "check"}}
		switch {
		case p.Stopped:
			l.State, l.Elsewhy = Tag{v.T("factors.stopped"), ToneAlarm, "alarm"}, v.T("factors.stopped_text")
		case p.RP != h.rp:
			l.State, l.Elsewhy = Tag{v.T("factors.other_name"), ToneWarn, "stop"}, v.T("factors.other_name_text", "host", p.RP)
		default:
			good++
		}
		v.Passkeys = append(v.Passkeys, l)
	}
	t, err := h.src.Factors.TOTP(ctx, rq.account.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return v, fmt.Errorf("one-time codes: %w", err)
	}
	if err == nil {
		good++
		v.TOTP, v.TOTPMade, v.TOTPUsed = true, t.Created, t.Used
	}
	left, err := h.src.Factors.RecoveryCodesLeft(ctx, rq.account.ID)
	if err != nil {
		return v, fmt.Errorf("recovery codes: %w", err)
	}
	v.CodesLeft, v.FewCodes = strconv.Itoa(left), left < 3
	v.Only = good < 2 && rq.roles&h.cfg.SecondFactor != 0
	v.Name = agentWords(rq.UserAgent())
	return v, nil
}

func (h *Handler) getFactors(w http.ResponseWriter, rq *request) error {
	v, err := h.factorsView(rq)
	if err != nil {
		return err
	}
	return h.render(w, rq, "factors", v)
}

func (h *Handler) refuseFactor(w http.ResponseWriter, rq *request, key string) error {
	v, err := h.factorsView(rq)
	if err != nil {
		return err
	}
	v.Fault = v.T(key)
	return h.renderStatus(w, rq, "factors", v, http.StatusUnprocessableEntity)
}

// factorAdded shows the first set of recovery codes when there is none yet: whoever has one phone loses it.
func (h *Handler) factorAdded(w http.ResponseWriter, rq *request, done string) error {
	left, err := h.src.Factors.RecoveryCodesLeft(rq.Context(), rq.account.ID)
	if err != nil {
		return fmt.Errorf("recovery codes: %w", err)
	}
	if left == 0 {
		return h.newCodes(w, rq, done)
	}
	return redirect(w, rq, "/me/factors?done="+done)
}

type codesView struct {
	Base
	Codes []string
	Done  string
}

// newCodes makes recovery codes and shows them once.
func (h *Handler) newCodes(w http.ResponseWriter, rq *request, done string) error {
	codes, hashes := factor.NewRecoveryCodes(rq.account.ID)
	if err := h.src.Factors.SetRecoveryCodes(rq.Context(), rq.account.ID, hashes, rq.action(ActionCodesMade, rq.account.ID)); err != nil {
		return fmt.Errorf("make recovery codes: %w", err)
	}
	rq.account.SecondFactor = true // so that the frame shows what is open now
	v := codesView{Base: h.base(rq, "factors.codes"), Codes: codes}
	if done != "" {
		v.Done = v.T("done." + done)
	}
	v.Here = "/me/factors"
	return h.render(w, rq, "codes", v)
}

func (h *Handler) postCodes(w http.ResponseWriter, rq *request) error {
	if !rq.account.SecondFactor {
		return h.refuseFactor(w, rq, "factors.codes_first")
	}
	return h.newCodes(w, rq, "")
}

type totpView struct {
	Base
	Secret string
	Code   Field
	Stamp  string // part of the picture's address, so that no old one is shown
}

// totpFlow is where a secret lies between being shown and being confirmed: bound to the session.
func totpFlow(rq *request) string { return "totp " + tokenHash(rq.token) }

// postTOTP makes a secret. It counts only after a code of it was typed.
func (h *Handler) postTOTP(w http.ResponseWriter, rq *request) error {
	if err := h.flows.set(totpFlow(rq), flow{kind: flowTOTP, account: rq.account.ID, secret: factor.NewSecret()}, rq.now); err != nil {
		return err
	}
	return redirect(w, rq, "/me/factors/totp")
}

// shownSecret is the secret that is being set up in this session.
func (h *Handler) shownSecret(rq *request) ([]byte, bool) {
	f, ok := h.flows.get(totpFlow(rq), flowTOTP, rq.now)
	return f.secret, ok && f.account == rq.account.ID
}

func (h *Handler) totpView(rq *request, secret []byte) totpView {
	v := totpView{Base: h.base(rq, "totp.title"), Secret: factor.Text(secret), Stamp: strconv.FormatInt(rq.now.UnixMilli(), 36)}
	v.Here = "/me/factors/totp"
	return v
}

func (h *Handler) getTOTP(w http.ResponseWriter, rq *request) error {
	secret, ok := h.shownSecret(rq)
	if !ok {
		return redirect(w, rq, "/me/factors")
	}
	return h.render(w, rq, "totp", h.totpView(rq, secret))
}

// getTOTPCode is the QR code as a picture: the content policy allows no data in the page itself.
func (h *Handler) getTOTPCode(w http.ResponseWriter, rq *request) error {
	secret, ok := h.shownSecret(rq)
	if !ok {
		return ErrNotFound
	}
	code, err := report.QR(factor.URI(secret, h.cfg.Site, rq.account.Name))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	_, _ = w.Write(code.SVG()) // no-store stands in the headers of every answer
	return nil
}

// postTOTPConfirm keeps the secret once a code of it was typed: the app has it.
func (h *Handler) postTOTPConfirm(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	secret, ok := h.shownSecret(rq)
	if !ok {
		return h.refuseFactor(w, rq, "login.too_slow")
	}
	if wait := h.second.take(rq.account.ID, rq.now); wait > 0 {
		return throttled{wait}
	}
	step, ok := factor.Check(secret, rq.post("code"), 0, rq.now)
	if !ok {
		v := h.totpView(rq, secret)
		v.Code.Error = v.T("totp.wrong")
		return h.renderStatus(w, rq, "totp", v, http.StatusUnprocessableEntity)
	}
	h.second.forget(rq.account.ID)
	err := h.src.Factors.SetTOTP(rq.Context(), rq.account.ID, TOTP{Secret: secret, LastStep: step, Created: rq.now}, rq.action(ActionTOTPSet, rq.account.ID))
	if err != nil {
		return fmt.Errorf("set one-time codes: %w", err)
	}
	h.flows.drop(totpFlow(rq))
	how, _, _ := strings.Cut(rq.how, "+")
	if strongMethod(rq.how) {
		how = rq.how
	} else {
		how += addTOTP // password a moment ago, and now the app
	}
	if err := h.proveAgain(rq, how); err != nil {
		return err
	}
	return h.factorAdded(w, rq, "totp_set")
}

func (h *Handler) postTOTPDelete(w http.ResponseWriter, rq *request) error {
	return h.deleteFactor(w, rq, ActionTOTPDeleted, func(act Action) error {
		return h.src.Factors.DeleteTOTP(rq.Context(), rq.account.ID, act)
	})
}

// deleteFactor removes a factor with a reason; the last one stays where a role needs one.
func (h *Handler) deleteFactor(w http.ResponseWriter, rq *request, kind ActionKind, remove func(Action) error) error {
	if err := rq.form(); err != nil {
		return err
	}
	why := strings.TrimSpace(rq.post("reason"))
	if why == "" || len(why) > 1000 || !utf8.ValidString(why) {
		return h.refuseFactor(w, rq, "account.reason_missing")
	}
	v, err := h.factorsView(rq)
	if err != nil {
		return err
	}
	if v.Only && !h.dead(v, rq.PathValue("id")) {
		return h.refuseFactor(w, rq, "factors.last")
	}
	act := rq.action(kind, rq.account.ID)
	act.Reason = why
	if err := remove(act); err != nil {
		return fmt.Errorf("remove factor: %w", err)
	}
	return redirect(w, rq, "/me/factors?done=factor_removed")
}

// dead reports whether the passkey with this id works no longer: it may go at any time.
func (h *Handler) dead(v factorsView, id string) bool {
	for _, p := range v.Passkeys {
		if p.ID == id && id != "" {
			return p.Elsewhy != ""
		}
	}
	return false
}
