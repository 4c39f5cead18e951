package web

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// verifyRoles see how the log stands; the page names no person.
const verifyRoles = groupS | groupA | groupC | groupD

// proveRoles may take the proof of a record with them: with names only who sees them.
const proveRoles = groupS | groupA | groupC

func verificationRoutes() []route {
	return []route{
		{pattern: "GET /verification", roles: verifyRoles, serve: whole((*Handler).getVerification)},
		{pattern: "POST /verification/check", roles: verifyRoles, serve: whole((*Handler).postLogCheck)},
		{pattern: "GET /verification/checkpoint", roles: verifyRoles, serve: whole((*Handler).getCheckpoint)},
		{pattern: "POST /verification/proof", roles: proveRoles, stepUp: stepUpFull, serve: whole((*Handler).postProof)},
	}
}

type verificationView struct {
	Base
	formView
	State      Tag
	Refused    bool
	Size       string
	Signed     string
	Behind     string // leaves that no checkpoint covers yet, "" = none
	Note       string
	Witnesses  []witnessLine
	Stamps     []stampLine
	Check      Tag
	CheckText  string
	CheckTimes string
	Running    bool
	Proven     []string
	NotProven  []string
	First      string
	MayProve   bool
	StepUp     string
	Names      bool
}

// Text is a field of the page's form.
func (v *verificationView) Text(name, label string, required bool, most int, help string) fieldView {
	return fieldOf(v.Base, v.formView, name, label, required, most, help)
}

type witnessLine struct {
	Name, Whose, Size string
	At                time.Time
	Age               Tag
}

type stampLine struct {
	Size, Authority string
	At, Received    time.Time
}

// witnessOld is how old the newest cosignature of a witness may be (EV-4).
const witnessOld = 24 * time.Hour

// getVerification shows page 18.
func (h *Handler) getVerification(w http.ResponseWriter, rq *request) error {
	form := formView{Fields: map[string]Field{"leaf": {Value: clip(rq.URL.Query().Get("leaf"), 20)}, "reason": {}}}
	return h.showVerification(w, rq, form, http.StatusOK)
}

func (h *Handler) showVerification(w http.ResponseWriter, rq *request, form formView, code int) error {
	s, err := h.src.Verification.Standing(rq.Context())
	if err != nil {
		return fmt.Errorf("how the log stands: %w", err)
	}
	v := &verificationView{Base: h.base(rq, "verification.title"), formView: form, Note: s.Checkpoint}
	v.Here, v.Refused = "/verification", s.Refused
	v.Size, v.Signed = strconv.FormatInt(s.Size, 10), strconv.FormatInt(s.Signed, 10)
	if s.Size > s.Signed {
		v.Behind = v.T("verification.behind", "n", strconv.FormatInt(s.Size-s.Signed, 10))
	}
	switch {
	case s.Refused:
		v.State = Tag{v.T("verification.refused"), ToneAlarm, "alarm"}
	case s.Checkpoint == "":
		v.State = Tag{v.T("verification.unsigned"), ToneWarn, "dash"}
	default:
		v.State = Tag{v.T("verification.signs"), ToneGood, "check"}
	}
	for _, x := range s.Witnesses {
		l := witnessLine{Name: x.Name, Whose: v.T("verification.other"), Size: strconv.FormatInt(x.Size, 10), At: x.At, Age: Tag{v.T("verification.fresh"), ToneGood, "check"}}
		if x.Own {
			l.Whose = v.T("verification.own")
		}
		if v.say.now.Sub(x.At) > witnessOld {
			l.Age = Tag{v.T("verification.old"), ToneWarn, "clock"}
		}
		v.Witnesses = append(v.Witnesses, l)
	}
	for _, x := range s.Stamps {
		v.Stamps = append(v.Stamps, stampLine{strconv.FormatInt(x.Size, 10), x.Authority, x.At, x.Received})
	}
	v.checked(&s.Check)
	if v.MayProve = rq.roles&proveRoles != 0; v.MayProve && h.freshAt(rq, "POST /verification/proof") != "" {
		v.StepUp = "/step-up?next=/verification"
	}
	v.Names = rq.names
	return h.renderStatus(w, rq, "verification", v, code)
}

// checked says in words what the newest check has shown and what not.
func (v *verificationView) checked(c *LogCheck) {
	num := func(n int64) string { return strconv.FormatInt(n, 10) }
	tone := map[CheckState]Tag{
		CheckNone: {Tone: ToneQuiet, Icon: "dash"}, CheckRunning: {Tone: ToneNote, Icon: "clock"}, CheckClean: {Tone: ToneGood, Icon: "check"},
		CheckFound: {Tone: ToneAlarm, Icon: "alarm"}, CheckFailed: {Tone: ToneWarn, Icon: "fault"},
	}[c.State]
	word := c.State
	if word == CheckNone {
		word = "none"
	}
	tone.Word = v.T("verification_state." + string(word))
	v.Check, v.Running = tone, c.State == CheckRunning
	if !c.Began.IsZero() {
		v.CheckTimes = v.T("verification.began", "time", v.DayTime(c.Began))
	}
	if !c.Ended.IsZero() {
		v.CheckTimes += " " + v.T("verification.ended", "time", v.DayTime(c.Ended))
	}
	switch c.State {
	case CheckRunning:
		v.CheckText = v.T("verification.progress", "n", num(c.Done), "all", num(c.Of))
	case CheckClean:
		v.CheckText = v.T("verification.clean", "leaves", num(c.Leaves), "checkpoints", num(c.Checkpoints), "openings", num(c.Openings), "erased", num(c.Erased))
		v.Proven = []string{v.T("verification.proven_log"), v.T("verification.proven_rows"), v.T("verification.proven_chains")}
	case CheckFound:
		v.CheckText, v.First = v.T("verification.found", "n", strconv.Itoa(c.Findings)), c.First
	case CheckFailed:
		v.First = c.First
	}
	if c.State == CheckClean || c.State == CheckFound {
		// Cosignatures among the rows too: who has database and log key can put others there, with keys to check them (ADR 0074).
		v.NotProven = append(v.NotProven, v.T("verification.not_held"), v.T("verification.not_self"), v.T("verification.not_sensor"), v.T("verification.not_dead"))
	}
}

// postLogCheck starts a check. Whoever looks sees how far it is.
func (h *Handler) postLogCheck(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	err := h.src.Verification.StartCheck(rq.Context(), rq.action(ActionLogChecked, ""))
	if err != nil && !errors.Is(err, ErrBusy) { // one that runs is shown all the same
		return fmt.Errorf("check of the log: %w", err)
	}
	return redirect(w, rq, "/verification")
}

// getCheckpoint gives the newest checkpoint, for somebody else to keep.
func (h *Handler) getCheckpoint(w http.ResponseWriter, rq *request) error {
	s, err := h.src.Verification.Standing(rq.Context())
	if err != nil {
		return fmt.Errorf("how the log stands: %w", err)
	}
	if s.Checkpoint == "" {
		return ErrNotFound
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="checkpoint-`+strconv.FormatInt(s.Signed, 10)+`.txt"`)
	_, _ = w.Write([]byte(s.Checkpoint)) // the peer went away: nothing to tell it
	return nil
}

// postProof gives the proof of one record.
func (h *Handler) postProof(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	var form formView
	form.typed(rq, "leaf", "reason")
	b := h.base(rq, "verification.title")
	text := strings.TrimSpace(form.Fields["leaf"].Value)
	leaf, err := strconv.ParseInt(text, 10, 64)
	if err != nil || leaf < 0 || strconv.FormatInt(leaf, 10) != text {
		form.blame(b, "leaf", "leaf")
	}
	form.blame(b, "reason", textWord(form.Fields["reason"].Value, 1, 300))
	var data []byte
	if !form.faulty() {
		act := rq.action(ActionProofMade, text)
		act.Reason = form.Fields["reason"].Value
		data, err = h.src.Verification.ProveLeaf(rq.Context(), leaf, rq.names && rq.post("names") != "", act)
		var bad FormFault
		switch {
		case errors.As(err, &bad):
			for _, x := range bad {
				form.blame(b, x.Field, x.Word)
			}
		case errors.Is(err, ErrNotFound):
			form.blame(b, "leaf", "leaf")
		case err != nil:
			return fmt.Errorf("proof: %w", err)
		}
	}
	if form.faulty() {
		return h.showVerification(w, rq, form, http.StatusUnprocessableEntity)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="leaf-`+text+`.tlog-proof"`)
	_, _ = w.Write(data) // the peer went away: nothing to tell it
	return nil
}
