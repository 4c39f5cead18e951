package web

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"

	"monban/firmware/access"
)

type apiAttemptLine struct {
	ID       string      `json:"id"`
	At       *string     `json:"at"`
	SpreadMS int64       `json:"spread_ms"`
	Who      *apiWho     `json:"person"`
	Door     *apiPlace   `json:"door"`
	Side     string      `json:"side"`
	Result   string      `json:"result"`
	Reason   apiReason   `json:"reason"`
	Failed   []apiReason `json:"failed"`
	By       string      `json:"decided_by"`
	Policy   uint64      `json:"policy"`
	Leaf     uint64      `json:"leaf"`
	Offline  bool        `json:"offline"`
	Late     bool        `json:"late"`
	Mismatch bool        `json:"mismatch"`
	Midnight bool        `json:"crosses_midnight"`
}

func (s speaker) attempt(a Attempt) apiAttemptLine {
	return apiAttemptLine{ID: a.ID, At: s.at(a.At), SpreadMS: a.Spread.Milliseconds(), Who: s.somebody(a.Who), Door: place(string(a.Door), a.DoorName),
		Side: a.Side.String(), Result: a.Result.String(), Reason: s.reason(a.Reason), Failed: s.reasons(a.Failed), By: a.By.String(), Policy: a.Policy,
		Leaf: a.Leaf, Offline: a.Offline, Late: a.Late, Mismatch: a.Mismatch, Midnight: a.Midnight}
}

type apiGap struct {
	Gateway string  `json:"gateway"`
	From    *string `json:"from"`
	To      *string `json:"to"` // null: still going on
}

// apiLog is the log of one day, newest first.
func (h *Handler) apiLog(w http.ResponseWriter, rq *request) error {
	limit, after, err := rq.list()
	if err != nil {
		return err
	}
	q := LogQuery{Names: rq.names, Door: access.DoorID(rq.param("door"))}
	if q.Day, err = rq.day("day"); err != nil {
		return err
	}
	if q.Day == "" {
		q.Day = rq.now.In(h.cfg.Zone).Format(dayLayout)
	}
	results := make([]string, 0, resultCount)
	for r := ResultEntered; r < resultCount; r++ {
		results = append(results, r.String())
	}
	word, err := rq.oneOf("result", results...)
	if err != nil {
		return err
	}
	q.Result, _ = ParseResult(word)
	if q.In, err = h.reach(rq); err != nil {
		return err
	}
	if err := h.knownDoor(rq, q.Door); err != nil {
		return err
	}
	purpose := ""
	if rq.URL.Query().Has("q") { // looks for a person (PR-4)
		if !rq.names {
			return errForbidden // a search would tell what the mask hides
		}
		if purpose, err = rq.purpose(); err != nil {
			return err
		}
		if q.Text = strings.TrimSpace(rq.param("q")); q.Text == "" || len(q.Text) > 200 {
			return fault{field: "q", what: "too_long"}
		}
	}
	if rq.names {
		act := rq.action(ActionViewLog, q.Day)
		act.Reason, act.Filter = purpose, clip(rq.URL.RawQuery, 500)
		if err := h.src.Audit.RecordAction(rq.Context(), act); err != nil {
			return fmt.Errorf("record view: %w", err) // no leaf, no names (RA-4)
		}
	}
	var day DayLog
	page, next, err := apiFlow(limit, after, func(a Attempt) string { return a.ID }, func(skip, n int) ([]Attempt, error) {
		q.Skip, q.Limit = skip, n
		var err error
		if day, err = h.src.Log.DayLog(rq.Context(), q); err != nil {
			return nil, fmt.Errorf("log of %s: %w", q.Day, err)
		}
		return day.Attempts, nil
	})
	if err != nil {
		return err
	}
	s := h.speaker(rq)
	out := struct {
		Day   string  `json:"day"`
		UpTo  *string `json:"up_to"`
		Total int     `json:"total"`
		apiList[apiAttemptLine]
		Gaps []apiGap `json:"gaps"`
	}{q.Day, s.at(day.UpTo), day.Total, listOf(page, next, s.attempt), []apiGap{}}
	for _, g := range day.Gaps {
		out.Gaps = append(out.Gaps, apiGap{string(g.Gateway), s.at(g.From), s.at(g.To)})
	}
	return h.answer(w, rq, http.StatusOK, out)
}

// knownDoor refuses a filter by a door that is not there.
func (h *Handler) knownDoor(rq *request, id access.DoorID) error {
	if !rq.URL.Query().Has("door") {
		return nil
	}
	doors, err := h.src.Log.DoorNames(rq.Context())
	if err != nil {
		return fmt.Errorf("names of doors: %w", err)
	}
	in, err := h.reach(rq)
	if err != nil {
		return err
	}
	for _, d := range doors {
		if d.Door == id && in.Door(id) {
			return nil
		}
	}
	return fault{field: "door", what: "door"}
}

type apiEvent struct {
	Leaf    uint64     `json:"leaf"`
	At      *string    `json:"at"`
	Event   string     `json:"event"`
	Text    string     `json:"text"`
	Door    *apiPlace  `json:"door"`
	Gateway *string    `json:"gateway"`
	Reason  *apiReason `json:"reason"`
}

// apiAttempt is one attempt with every failed check and its events.
func (h *Handler) apiAttempt(w http.ResponseWriter, rq *request) error {
	id := rq.PathValue("attempt")
	if !isAttempt(id) {
		return ErrNotFound
	}
	d, err := h.src.Log.Attempt(rq.Context(), id, rq.names)
	if err != nil {
		return fmt.Errorf("attempt: %w", err)
	}
	if in, err := h.reach(rq); err != nil || !in.Door(d.Door) {
		return cmp.Or(err, errForbidden)
	}
	if rq.names {
		if err := h.src.Audit.RecordAction(rq.Context(), rq.action(ActionViewAttempt, id)); err != nil {
			return fmt.Errorf("record view: %w", err)
		}
	}
	s := h.speaker(rq)
	out := struct {
		apiAttemptLine
		Gateway     string     `json:"gateway"`
		PolicyAgeMS int64      `json:"policy_age_ms"`
		Clock       string     `json:"clock"`
		Assurance   *string    `json:"assurance"`
		Events      []apiEvent `json:"events"`
	}{s.attempt(d.Attempt), string(d.Gateway), int64(d.PolicyAge / time.Millisecond), d.Clock.String(), orNull(d.Assurance), []apiEvent{}}
	for _, e := range d.Events {
		x := apiEvent{Leaf: e.Leaf, At: s.at(e.At), Event: string(e.Event), Text: s.known("event", string(e.Event)), Door: place(string(e.Door), e.DoorName), Gateway: orNull(string(e.Gateway))}
		if e.Reason != access.ReasonUndecided {
			r := s.reason(e.Reason)
			x.Reason = &r
		}
		out.Events = append(out.Events, x)
	}
	return h.answer(w, rq, http.StatusOK, out)
}

type apiFinding struct {
	ID       string    `json:"id"`
	Kind     string    `json:"kind"`
	Text     string    `json:"text"`
	Severity string    `json:"severity"`
	Open     bool      `json:"open"`
	At       *string   `json:"at"`
	Last     *string   `json:"last"`
	Count    int       `json:"count"`
	Door     *apiPlace `json:"door"`
	Gateway  *string   `json:"gateway"`
	Who      *apiWho   `json:"person"`
	Attempt  *string   `json:"attempt"`
	Leaf     uint64    `json:"leaf"`
}

// apiFindings lists what has to be looked at, open and severe ones first.
func (h *Handler) apiFindings(w http.ResponseWriter, rq *request) error {
	limit, after, err := rq.list()
	if err != nil {
		return err
	}
	show, err := rq.oneOf("show", "open", "all")
	if err != nil {
		return err
	}
	if rq.names {
		if err := h.src.Audit.RecordAction(rq.Context(), rq.action(ActionViewFindings, "")); err != nil {
			return fmt.Errorf("record view: %w", err)
		}
	}
	in, err := h.reach(rq)
	if err != nil {
		return err
	}
	total := 0
	page, next, err := apiFlow(limit, after, func(f Finding) string { return f.ID }, func(skip, n int) (list []Finding, err error) {
		q := FindingQuery{All: show == "all", Names: rq.names, Duress: rq.roles&duressRoles != 0, In: in, Skip: skip, Limit: n}
		if list, total, err = h.src.Findings.ListFindings(rq.Context(), q); err != nil {
			return nil, fmt.Errorf("findings: %w", err)
		}
		return list, nil
	})
	if err != nil {
		return err
	}
	s := h.speaker(rq)
	severity := map[Severity]string{SeverityLow: "low", SeverityMedium: "medium", SeverityHigh: "high"}
	out := struct {
		Total int `json:"total"`
		apiList[apiFinding]
	}{total, listOf(page, next, func(f Finding) apiFinding {
		l := s.findingLine(f)
		return apiFinding{ID: f.ID, Kind: f.Kind, Text: strings.TrimSpace(strings.TrimSpace(l.Kind+" "+l.Text) + " " + l.Detail), Severity: severity[f.Severity], Open: f.Open, At: s.at(f.At), Last: s.at(f.Last),
			Count: max(1, f.Count), Door: place(string(f.Door), f.DoorName), Gateway: orNull(string(f.Gateway)), Who: s.somebody(f.Who), Attempt: orNull(f.Attempt), Leaf: f.Leaf}
	})}
	return h.answer(w, rq, http.StatusOK, out)
}
