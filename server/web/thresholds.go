package web

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/server/review"
)

type thresholdsView struct {
	Base
	Fault    string
	Lines    []thresholdLine
	Waits    bool // a number of the configuration waits for somebody's word
	Restart  bool // what is agreed is not what the server runs by
	MayAgree bool
	StepUp   string // where to go for a fresh check first, "" = it is fresh
	Of       string // what would be agreed
	Reason   string
	Preview  []fieldView // other numbers, for a look
	Days     string
	Tried    string // fault of the look as a whole
	Open     bool   // the form of a look is unfolded
}

type thresholdLine struct {
	Name, Key, Now, Asked string
	State                 Tag // Word "" = as asked
}

// getThresholds shows what the rules over time count by, so that whoever works a finding knows why it is one (VR-1).
func (h *Handler) getThresholds(w http.ResponseWriter, rq *request) error {
	return h.renderThresholds(w, rq, "", "", http.StatusOK)
}

func (h *Handler) renderThresholds(w http.ResponseWriter, rq *request, fault, reason string, status int) error {
	v, err := h.thresholds(rq, fault, reason)
	if err != nil {
		return err
	}
	return h.renderStatus(w, rq, "thresholds", v, status)
}

func (h *Handler) thresholds(rq *request, fault, reason string) (*thresholdsView, error) {
	s, err := h.src.Thresholds.Thresholds(rq.Context())
	if err != nil {
		return nil, fmt.Errorf("thresholds: %w", err)
	}
	v := &thresholdsView{Base: h.base(rq, "threshold.title"), Fault: fault, Reason: reason, Of: settingsHash(&s.Asked)}
	_, waits := review.Settle(s.Agreed, s.Asked)
	for _, n := range review.Numbers() {
		l := thresholdLine{Key: n.Name, Name: v.T("threshold." + n.Name), Now: v.say.threshold(&n, n.Of(&s.Running)), Asked: v.say.threshold(&n, n.Of(&s.Asked))}
		l.State = v.say.thresholdTag(slices.Contains(waits, n.Name), n.Of(&s.Running) == n.Of(&s.Asked))
		v.Lines = append(v.Lines, l)
	}
	walks := thresholdLine{Key: "walk", Name: v.T("threshold.walk"), Now: v.say.walks(s.Running.Walks), Asked: v.say.walks(s.Asked.Walks)}
	walks.State = v.say.thresholdTag(slices.Contains(waits, "walk"), slices.Equal(s.Running.Walks, s.Asked.Walks))
	v.Lines = append(v.Lines, walks)
	v.Waits, v.Restart = len(waits) > 0, !s.Running.Same(&s.Agreed)
	if v.MayAgree = v.Waits && mayAgreeThresholds(rq); v.MayAgree {
		v.StepUp = h.freshAt(rq, "POST /thresholds/agree")
	}
	v.Preview, v.Days = v.say.previewFields(&s.Asked, nil), strconv.Itoa(PreviewDays)
	return v, nil
}

// mayAgreeThresholds: the numbers are those of the whole site, and whoever may have written the configuration gives no word on it (D27).
func mayAgreeThresholds(rq *request) bool {
	return rq.may(ruleChangers, "") && rq.roles&groupD == 0
}

func (b speaker) thresholdTag(waits, same bool) Tag {
	switch {
	case waits:
		return Tag{b.T("threshold.waits"), ToneWarn, "clock"}
	case !same:
		return Tag{b.T("threshold.restart"), ToneNote, "clock"}
	}
	return Tag{}
}

func (b speaker) threshold(n *review.Number, v int64) string {
	switch {
	case n.Clock:
		return fmt.Sprintf("%d:%02d", v/60, v%60)
	case n.Span && v == 0:
		return b.T("threshold.off")
	case n.Span:
		return b.span(time.Duration(v) * time.Millisecond)
	}
	return strconv.FormatInt(v, 10)
}

func (b speaker) walks(list []review.Walk) string {
	var out []string
	for _, w := range list {
		out = append(out, w.From+"–"+w.To+" "+b.span(time.Duration(w.LeastMS)*time.Millisecond))
	}
	if len(out) == 0 {
		return b.T("threshold.off")
	}
	return strings.Join(out, ", ")
}

// settingsHash names settings: a word is given on what was on the page, and on nothing else.
func settingsHash(s *review.Settings) string {
	text, err := json.Marshal(s)
	if err != nil {
		return "" // plain numbers and words: it does not happen, and "" agrees to nothing
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// postThresholdsAgree is the CISO office's word on numbers that find less.
func (h *Handler) postThresholdsAgree(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	if !mayAgreeThresholds(rq) {
		return errForbidden
	}
	act := rq.action(ActionThresholds, "")
	if act.Reason = clip(strings.TrimSpace(rq.post("reason")), 1000); act.Reason == "" || !written(act.Reason) {
		return h.renderThresholds(w, rq, h.words[rq.lang].say("threshold.no_reason"), act.Reason, http.StatusUnprocessableEntity)
	}
	s, err := h.src.Thresholds.Thresholds(rq.Context())
	if err != nil {
		return fmt.Errorf("thresholds: %w", err)
	}
	err = ErrState
	if of := rq.post("of"); of != "" && of == settingsHash(&s.Asked) {
		err = h.src.Thresholds.AgreeThresholds(rq.Context(), s.Asked, act)
	}
	if errors.Is(err, ErrState) {
		return h.renderThresholds(w, rq, h.words[rq.lang].say("threshold.moved"), act.Reason, http.StatusConflict)
	}
	if err != nil {
		return fmt.Errorf("agree to thresholds: %w", err)
	}
	return redirect(w, rq, "/thresholds?done=thresholds_agreed")
}
