package web

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
)

// mostRehearsed is how many days a rehearsal looks back at most.
const mostRehearsed = 92

type rehearseView struct {
	Base
	Fault       string
	Choices     []rehearseChoice
	From, Until formField
	MayStart    bool
}

type rehearseChoice struct {
	ID, Label, Text string
	Chosen          bool
}

type rehearsedView struct {
	Base
	Running  bool
	Progress string
	Fault    string
	Period   string
	Summary  string
	Notes    []string
	Entries  []rehearsedEntry
	More     string
	Rights   []rehearsedRight
}

type rehearsedEntry struct {
	At          time.Time
	Href        string
	Person      string
	Number      string
	Door        string
	Was, Is     Tag
	WasWhy, Why string
}

type rehearsedRight struct {
	Person, Number, Zone string
	Effect               Tag
	Before, After        []string
}

func (h *Handler) rehearseView(rq *request, what, from, until string) (rehearseView, error) {
	v := rehearseView{Base: h.base(rq, "rehearse.title")}
	v.Here = "/rehearse"
	list, err := h.src.Rehearsals.Rehearsable(rq.Context(), rq.account.ID)
	if err != nil {
		return v, fmt.Errorf("rehearsable: %w", err)
	}
	for i, c := range list {
		x := rehearseChoice{ID: c.ID, Label: v.T("rehearse.proposal", "reason", c.Reason), Text: v.T("rehearse.of", "time", v.Brief(c.At), "n", strconv.Itoa(c.Rows)), Chosen: c.ID == what || what == "" && i == 0}
		if c.Files != "" {
			x.Label = v.T("rehearse.import", "files", c.Files)
		}
		v.Choices = append(v.Choices, x)
	}
	v.From = formField{Name: "from", Label: v.T("rehearse.from"), Kind: "date", Value: from, Required: true}
	v.Until = formField{Name: "until", Label: v.T("rehearse.until"), Kind: "date", Value: until, Required: true, Help: v.T("rehearse.until_help", "days", strconv.Itoa(mostRehearsed))}
	return v, nil
}

func (h *Handler) getRehearse(w http.ResponseWriter, rq *request) error {
	today := rq.now.In(h.cfg.Zone)
	v, err := h.rehearseView(rq, rq.URL.Query().Get("what"), today.AddDate(0, 0, -30).Format(dayLayout), today.Format(dayLayout))
	if err != nil {
		return err
	}
	if err := h.looked(rq, ActionViewProposals, ""); err != nil { // why each was made is shown
		return err
	}
	return h.render(w, rq, "rehearse", v)
}

func (h *Handler) postRehearse(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	q := RehearsalQuery{What: rq.post("what"), From: rq.post("from"), Until: rq.post("until")}
	v, err := h.rehearseView(rq, q.What, q.From, q.Until)
	if err != nil {
		return err
	}
	from, until := dateIn(q.From, h.cfg.Zone), dateIn(q.Until, h.cfg.Zone)
	switch {
	case from.IsZero():
		v.From.Fault = v.T("rehearse.no_day")
	case until.IsZero():
		v.Until.Fault = v.T("rehearse.no_day")
	case until.Before(from):
		v.Until.Fault = v.T("rehearse.backwards")
	case !until.Before(from.AddDate(0, 0, mostRehearsed)):
		v.Until.Fault = v.T("rehearse.too_long", "days", strconv.Itoa(mostRehearsed))
	case q.What == "":
		v.Fault = v.T("rehearse.nothing")
	default:
		act := rq.action(ActionRehearsed, q.What)
		act.Filter = "from=" + q.From + "&until=" + q.Until
		id, err := h.src.Rehearsals.StartRehearsal(rq.Context(), q, act)
		switch {
		case err == nil:
			return redirect(w, rq, "/rehearse/"+id)
		case errors.Is(err, ErrNotFound):
			v.Fault = v.T("rehearse.gone")
		case errors.Is(err, ErrStale):
			v.Fault = v.T("rehearse.stale")
		case errors.Is(err, ErrTooMany):
			v.Fault = v.T("rehearse.busy")
		default:
			return fmt.Errorf("rehearse: %w", err)
		}
	}
	if err := h.looked(rq, ActionViewProposals, ""); err != nil {
		return err
	}
	return h.renderStatus(w, rq, "rehearse", v, http.StatusUnprocessableEntity)
}

func (h *Handler) getRehearsal(w http.ResponseWriter, rq *request) error {
	r, err := h.src.Rehearsals.RehearsalByID(rq.Context(), rq.account.ID, rq.PathValue("rehearsal"))
	if err != nil {
		return fmt.Errorf("rehearsal: %w", err)
	}
	v := rehearsedView{Base: h.base(rq, "rehearse.result"), Running: !r.Done}
	v.Here = "/rehearse/" + rq.PathValue("rehearsal")
	v.Period = v.say.between(r.Query.From, r.Query.Until)
	v.Progress = v.T("rehearse.progress", "n", strconv.Itoa(r.Days), "all", strconv.Itoa(r.Of))
	if !r.Done {
		return h.render(w, rq, "rehearsal", v)
	}
	if r.Fault != "" {
		v.Fault = v.T("rehearse.broken")
		if v.say.words.has("rehearse." + r.Fault) {
			v.Fault = v.T("rehearse." + r.Fault)
		}
		return h.renderStatus(w, rq, "rehearsal", v, http.StatusUnprocessableEntity)
	}
	if err := h.looked(rq, ActionViewRehearsal, ""); err != nil { // who would have been refused stands in it
		return err
	}
	v.Summary = v.T("rehearse.summary", "n", strconv.Itoa(len(r.Entries)+r.More), "all", strconv.Itoa(r.Compared))
	for _, x := range []struct {
		key string
		n   int
	}{{"rehearse.already", r.AlreadyOtherwise}, {"rehearse.unreadable", r.Unreadable}} {
		if x.n > 0 {
			v.Notes = append(v.Notes, v.T(x.key, "n", strconv.Itoa(x.n)))
		}
	}
	for _, e := range r.Entries {
		x := rehearsedEntry{At: e.At, Href: "/log/" + e.Attempt, Person: e.Name, Number: e.Person, Door: e.Door, Was: v.say.outcomeTag(e.Was), Is: v.say.outcomeTag(e.Is), WasWhy: v.T("reason." + e.WasWhy.String()), Why: v.T("reason." + e.Why.String())}
		if x.Person == "" {
			x.Person = v.T("person.unknown")
		}
		if e.Was != access.Denied {
			x.WasWhy = ""
		}
		if e.Is != access.Denied {
			x.Why = ""
		}
		if rq.roles&rolesOf("GET /log/{attempt}") == 0 {
			x.Href = ""
		}
		v.Entries = append(v.Entries, x)
	}
	if r.More > 0 {
		v.More = v.T("import.more", "n", strconv.Itoa(r.More))
	}
	for _, x := range r.Rights {
		l := rehearsedRight{Person: x.Name, Number: x.Person, Zone: x.Zone, Before: v.say.termWords(x.Before), After: v.say.termWords(x.After)}
		switch x.Effect {
		case "gains":
			l.Effect = Tag{v.T("rehearse.gains"), ToneWarn, "enter"}
		case "loses":
			l.Effect = Tag{v.T("rehearse.loses"), ToneAlarm, "stop"}
		default:
			l.Effect = Tag{v.T("rehearse.changes"), ToneNote, "dot"}
		}
		v.Rights = append(v.Rights, l)
	}
	return h.render(w, rq, "rehearsal", v)
}

// termWords says the hours and days of rights, which come in the words of the import's files.
func (b speaker) termWords(list []string) (out []string) {
	for _, term := range list {
		var words, days []string
		for _, w := range append(strings.Fields(term), "") {
			plain, comma := strings.CutSuffix(w, ",")
			if slices.Contains(weekdays, plain) {
				days = append(days, plain)
				continue
			}
			if len(days) > 0 {
				words, days = append(words, b.weekdayWords(days)), nil
			}
			if comma {
				plain += b.T("list.separator")
			}
			words = append(words, plain)
		}
		out = append(out, strings.TrimSpace(strings.Join(words, " ")))
	}
	return out
}
