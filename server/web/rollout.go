package web

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
)

// rolloutRoles see how a roll-out stands; who runs the machines stops it and goes on.
const rolloutRoles = groupS | groupA | groupC | groupD

func rolloutRoutes() []route {
	return []route{
		{pattern: "GET /updates", roles: rolloutRoles, serve: whole((*Handler).getRollout)},
		{pattern: "POST /updates/stop", roles: groupD, serve: sitewide(groupD, (*Handler).postRolloutStop)},
		{pattern: "POST /updates/resume", roles: groupD, stepUp: stepUpFull, serve: sitewide(groupD, (*Handler).postRolloutResume)},
	}
}

type rolloutView struct {
	Base
	formView
	Version  string
	State    Tag
	Cause    string
	Progress string
	Began    time.Time
	Lines    []rolloutLine
	MayStop  bool
	MayGo    bool
	StepUp   string
	Gateways []choice // that can be left out
}

type rolloutLine struct {
	ID, Says string
	Stage    Tag
	Heard    time.Time
}

// Text is a field of the page's form.
func (v *rolloutView) Text(name, label string, required bool, most int, help string) fieldView {
	return fieldOf(v.Base, v.formView, name, label, required, most, help)
}

func (h *Handler) getRollout(w http.ResponseWriter, rq *request) error {
	return h.showRollout(w, rq, "", "", http.StatusOK)
}

// showRollout shows the page; fault is what is wrong with a reason that was typed, "" = nothing.
func (h *Handler) showRollout(w http.ResponseWriter, rq *request, reason, fault string, code int) error {
	r, err := h.src.Rollouts.Rollout(rq.Context())
	if err != nil {
		return fmt.Errorf("how the roll-out stands: %w", err)
	}
	v := &rolloutView{Base: h.base(rq, "updates.title"), formView: formView{Fields: map[string]Field{"reason": {Value: clip(reason, 300)}}}, Version: r.Version, Began: r.Began}
	v.Here = "/updates"
	if fault != "" {
		v.Fields["reason"] = Field{Value: clip(reason, 300), Error: v.T(fault)}
	}
	if r.Version == "" {
		return h.renderStatus(w, rq, "updates", v, code)
	}
	v.State = map[string]Tag{
		"running": {Tone: ToneNote, Icon: "clock"}, "stopped": {Tone: ToneAlarm, Icon: "alarm"}, "done": {Tone: ToneGood, Icon: "check"},
	}[r.State]
	v.State.Word = v.T("updates_state." + r.State)
	if r.Cause != "" {
		v.Cause = v.T("updates_cause."+r.Cause, "gateway", string(r.Where))
	}
	over := 0
	for _, g := range r.Gateways {
		if r.State == "stopped" && g.ID == r.Where && (g.Stage == "waiting" || g.Stage == "turn") {
			g.Stage = "stopped" // it is what the roll-out waits for, and has another turn unless it is left out
		}
		l := rolloutLine{ID: string(g.ID), Heard: g.Heard, Stage: map[string]Tag{
			"waiting": {Tone: ToneQuiet, Icon: "dash"}, "turn": {Tone: ToneNote, Icon: "clock"}, "done": {Tone: ToneGood, Icon: "check"},
			"skipped": {Tone: ToneGood, Icon: "check"}, "left_out": {Tone: ToneWarn, Icon: "fault"}, "stopped": {Tone: ToneAlarm, Icon: "alarm"},
		}[g.Stage]}
		l.Stage.Word = v.T("updates_stage." + g.Stage)
		if l.Says = v.T("updates_word.none"); g.Word != "" {
			l.Says = v.T("updates_word." + g.Word)
		}
		if g.Stage == "done" || g.Stage == "skipped" || g.Stage == "left_out" {
			over++
		}
		v.Lines = append(v.Lines, l)
		v.Gateways = append(v.Gateways, choice{Value: string(g.ID), Label: string(g.ID)})
	}
	v.Progress = v.T("updates.progress", "n", strconv.Itoa(over), "all", strconv.Itoa(len(r.Gateways)))
	v.MayStop = rq.may(groupD, "") && r.State == "running"
	if v.MayGo = rq.may(groupD, "") && r.State == "stopped"; v.MayGo && h.freshAt(rq, "POST /updates/resume") != "" {
		v.StepUp = "/step-up?next=/updates"
	}
	return h.renderStatus(w, rq, "updates", v, code)
}

// rolloutReason reads the form's reason; ok is false when the page was shown again.
func (h *Handler) rolloutReason(w http.ResponseWriter, rq *request) (reason string, ok bool, err error) {
	if err := rq.form(); err != nil {
		return "", false, err
	}
	if reason = strings.TrimSpace(rq.post("reason")); reason != "" && len(reason) <= 1200 && plainText(reason) {
		return reason, true, nil
	}
	return "", false, h.showRollout(w, rq, reason, "account.reason_missing", http.StatusUnprocessableEntity)
}

// postRolloutStop gives nobody a turn any more. It asks for no fresh check: it must not wait.
func (h *Handler) postRolloutStop(w http.ResponseWriter, rq *request) error {
	reason, ok, err := h.rolloutReason(w, rq)
	if err != nil || !ok {
		return err
	}
	act := rq.action(ActionRolloutStopped, "")
	act.Reason = reason
	return h.rolloutDone(w, rq, h.src.Rollouts.StopRollout(rq.Context(), act), "rollout_stopped")
}

// postRolloutResume goes on, without the gateway that is named.
func (h *Handler) postRolloutResume(w http.ResponseWriter, rq *request) error {
	reason, ok, err := h.rolloutReason(w, rq)
	if err != nil || !ok {
		return err
	}
	act := rq.action(ActionRolloutResumed, "")
	act.Reason = reason
	return h.rolloutDone(w, rq, h.src.Rollouts.ResumeRollout(rq.Context(), access.GatewayID(rq.post("without")), act), "rollout_resumed")
}

func (h *Handler) rolloutDone(w http.ResponseWriter, rq *request, err error, done string) error {
	if errors.Is(err, ErrRolloutOver) {
		return redirect(w, rq, "/updates?done=rollout_over")
	}
	if err != nil {
		return fmt.Errorf("roll-out: %w", err)
	}
	return redirect(w, rq, "/updates?done="+done)
}
