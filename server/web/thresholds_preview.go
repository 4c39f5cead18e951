package web

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/server/review"
)

type thresholdPreviewView struct {
	Base
	Running  bool
	Progress string
	Fault    string
	Period   string
	Other    []thresholdLine // the numbers that differ
	Kinds    []previewedLine
	Same     bool // every kind found the same
}

type previewedLine struct {
	Name, Now, Others string
	Change            Tag
	Items             []previewedPlace
}

type previewedPlace struct {
	At   time.Time
	Door string
	Tag  Tag
}

// previewFields are the fields of a look; typed is what was typed and does not do, by name.
func (b speaker) previewFields(s *review.Settings, typed map[string]Field) (out []fieldView) {
	for _, n := range review.Numbers() {
		if n.Name == "offline_after" {
			continue // of silence there is no record
		}
		x := fieldView{Name: n.Name, Label: b.T("threshold." + n.Name), Value: thresholdText(&n, n.Of(s)), Required: true, Most: 12, Must: b.T("field.must")}
		if t, bad := typed[n.Name]; bad {
			x.Value, x.Error = t.Value, t.Error
		}
		out = append(out, x)
	}
	return out
}

// spanUnits are the units of a span as it is typed and as the configuration has it, from the longest.
var spanUnits = []struct {
	word string
	ms   int64
}{{"d", 24 * 3_600_000}, {"h", 3_600_000}, {"m", 60_000}, {"s", 1000}}

// thresholdText is a number as it is typed.
func thresholdText(n *review.Number, v int64) string {
	switch {
	case n.Clock:
		return fmt.Sprintf("%d:%02d", v/60, v%60)
	case n.Span:
		for _, u := range spanUnits {
			if v != 0 && v%u.ms == 0 {
				return strconv.FormatInt(v/u.ms, 10) + u.word
			}
		}
	}
	return strconv.FormatInt(v, 10)
}

// thresholdOf reads it.
func thresholdOf(n *review.Number, text string) (v int64, ok bool) {
	text = strings.ToLower(strings.TrimSpace(text))
	if len(text) > 12 {
		return 0, false
	}
	unit := int64(1)
	switch {
	case n.Clock:
		hours, minutes, found := strings.Cut(text, ":")
		h, err := strconv.ParseUint(hours, 10, 8)
		m, errM := strconv.ParseUint(minutes, 10, 8)
		return int64(h*60 + m), found && err == nil && errM == nil && h <= 24 && m < 60 && h*60+m <= 1440
	case n.Span && text != "0":
		found := false
		for _, u := range spanUnits {
			if rest, is := strings.CutSuffix(text, u.word); is {
				text, unit, found = rest, u.ms, true
				break
			}
		}
		if !found {
			return 0, false
		}
	}
	x, err := strconv.ParseUint(text, 10, 31)
	return int64(x) * unit, err == nil
}

// postThresholdPreview begins a look: what would other numbers have found? It changes nothing and leaves no trace.
func (h *Handler) postThresholdPreview(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	s, err := h.src.Thresholds.Thresholds(rq.Context())
	if err != nil {
		return fmt.Errorf("thresholds: %w", err)
	}
	others, typed := s.Asked, map[string]Field{}
	words := h.words[rq.lang]
	for _, n := range review.Numbers() {
		text := rq.post(n.Name)
		if text == "" {
			continue // as the configuration asks
		}
		v, ok := thresholdOf(&n, text)
		if ok {
			one := s.Asked
			if n.Put(&one, v); !n.Clock && one.Validate() != nil {
				ok = false
			}
		}
		if !ok {
			typed[n.Name] = Field{Value: clip(strings.ToValidUTF8(text, "\ufffd"), 12), Error: words.say("threshold.bad")}
			continue
		}
		n.Put(&others, v)
	}
	fault := ""
	if len(typed) == 0 && others.Validate() != nil {
		fault = words.say("threshold.bad_hours")
	}
	if len(typed) == 0 && fault == "" {
		id, err := h.src.Thresholds.PreviewThresholds(rq.Context(), others)
		switch {
		case err == nil:
			return redirect(w, rq, "/thresholds/preview/"+id)
		case errors.Is(err, ErrTooMany):
			fault = words.say("threshold.busy")
		default:
			return fmt.Errorf("preview of thresholds: %w", err)
		}
	}
	v, err := h.thresholds(rq, "", "")
	if err != nil {
		return err
	}
	v.Preview, v.Open, v.Tried = v.say.previewFields(&others, typed), true, fault
	return h.renderStatus(w, rq, "thresholds", v, http.StatusUnprocessableEntity)
}

// getThresholdPreview shows how far a look is, and what came of it. It names nobody.
func (h *Handler) getThresholdPreview(w http.ResponseWriter, rq *request) error {
	p, err := h.src.Thresholds.ThresholdPreview(rq.Context(), rq.PathValue("look"))
	if err != nil {
		return fmt.Errorf("preview of thresholds: %w", err)
	}
	s, err := h.src.Thresholds.Thresholds(rq.Context())
	if err != nil {
		return fmt.Errorf("thresholds: %w", err)
	}
	v := &thresholdPreviewView{Base: h.base(rq, "threshold.preview"), Running: !p.Over}
	v.Here = "/thresholds/preview/" + rq.PathValue("look")
	v.Period = v.T("register.period", "from", v.DayTime(p.From), "to", v.DayTime(p.Until))
	v.Progress = v.T("threshold.looking", "n", strconv.FormatInt(p.Done, 10), "all", strconv.FormatInt(p.Of, 10))
	for _, n := range review.Numbers() {
		if a, b := n.Of(&s.Running), n.Of(&p.Others); a != b {
			v.Other = append(v.Other, thresholdLine{Key: n.Name, Name: v.T("threshold." + n.Name), Now: v.say.threshold(&n, a), Asked: v.say.threshold(&n, b)})
		}
	}
	if p.Failed {
		v.Fault = v.T("threshold.failed")
	}
	if !p.Over || p.Failed {
		return h.render(w, rq, "threshold_preview", v)
	}
	in, err := h.reach(rq)
	if err != nil {
		return err
	}
	list, err := h.src.Log.DoorNames(rq.Context())
	if err != nil {
		return fmt.Errorf("doors: %w", err)
	}
	doors := map[access.DoorID]string{}
	for _, d := range list {
		doors[d.Door] = d.Name
	}
	v.Same = true
	for i := range p.Kinds {
		v.previewed(&p.Kinds[i], in, doors)
	}
	return h.render(w, rq, "threshold_preview", v)
}

// previewed adds the line of a kind. Places are those that the role sees.
func (v *thresholdPreviewView) previewed(k *PreviewedKind, in Reach, doors map[access.DoorID]string) {
	l := previewedLine{Name: v.T("finding." + k.Kind), Now: strconv.Itoa(k.Now), Others: strconv.Itoa(k.Others)}
	switch d := k.Others - k.Now; {
	case d > 0:
		l.Change = Tag{v.T("threshold.more", "n", strconv.Itoa(d)), ToneNote, "finding"}
	case d < 0:
		l.Change = Tag{v.T("threshold.fewer", "n", strconv.Itoa(-d)), ToneWarn, "finding"}
	default:
		l.Change = Tag{v.T("threshold.same"), ToneQuiet, "dash"}
	}
	v.Same = v.Same && len(k.Gone)+len(k.Further) == 0
	for _, list := range []struct {
		items []PreviewedItem
		tag   Tag
	}{{k.Gone, Tag{v.T("threshold.gone"), ToneWarn, "stop"}}, {k.Further, Tag{v.T("threshold.further"), ToneNote, "finding"}}} {
		for _, x := range list.items {
			door := access.DoorID(x.Door)
			if !in.Door(door) {
				continue
			}
			name := doors[door]
			if name == "" {
				name = x.Gateway
			}
			l.Items = append(l.Items, previewedPlace{At: x.At, Door: name, Tag: list.tag})
		}
	}
	v.Kinds = append(v.Kinds, l)
}
