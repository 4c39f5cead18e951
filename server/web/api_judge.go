package web

import (
	"errors"
	"fmt"
	"net/http"

	"monban/firmware/access"
)

type apiCheck struct {
	Check   string      `json:"check"`
	Text    string      `json:"text"`
	Result  string      `json:"result"`
	Reasons []apiReason `json:"reasons"`
}

type apiRight struct {
	Zone     string  `json:"zone_name"`
	Schedule string  `json:"schedule_name"`
	From     *string `json:"valid_from"`
	Until    string  `json:"valid_until"`
}

type apiJudgement struct {
	Card    *string    `json:"card"` // null: the person has none
	Masked  *string    `json:"masked"`
	Outcome string     `json:"outcome"`
	Reason  apiReason  `json:"reason"`
	Checks  []apiCheck `json:"checks"`
	Rights  []apiRight `json:"rights"`
}

// judged begins an answer to a question about a door: the question is a leaf before it is looked at (RA-4).
func (h *Handler) judged(rq *request, purpose string) (access.DoorID, error) {
	id := rq.param("door")
	if !identifier(id) {
		return "", fault{field: "door", what: "door"}
	}
	act := rq.action(ActionJudge, id)
	act.Reason, act.Filter = purpose, clip(rq.URL.RawQuery, 500)
	doors, err := h.src.Judge.JudgeDoors(rq.Context())
	if err != nil {
		return "", fmt.Errorf("doors: %w", err)
	}
	for _, d := range doors {
		if d.ID != id {
			continue
		}
		if err := h.src.Audit.RecordAction(rq.Context(), act); err != nil {
			return "", fmt.Errorf("record question: %w", err)
		}
		return access.DoorID(id), nil
	}
	return "", fault{field: "door", what: "door"} // nothing is told about anybody: no leaf
}

// apiJudge answers "can X enter Y at T?", check by check.
func (h *Handler) apiJudge(w http.ResponseWriter, rq *request) error {
	q := JudgeQuery{Person: rq.param("person")}
	if !identifier(q.Person) {
		return fault{field: "person", what: "identifier"}
	}
	side, err := rq.oneOf("side", "enter", "exit")
	if err != nil {
		return err
	}
	q.Exit = side == "exit"
	if q.At, err = rq.moment("at"); err != nil {
		return err
	}
	if !identifier(rq.param("door")) {
		return fault{field: "door", what: "door"}
	}
	purpose, err := rq.purpose() // it asks about a person (PR-4)
	if err != nil {
		return err
	}
	if q.Door, err = h.judged(rq, purpose); err != nil {
		return err
	}
	answers, err := h.src.Judge.Judge(rq.Context(), q)
	if errors.Is(err, ErrNotFound) {
		return err
	}
	if err != nil {
		return fmt.Errorf("judge: %w", err)
	}
	s := h.speaker(rq)
	out := struct {
		Person string         `json:"person"`
		Door   string         `json:"door"`
		At     *string        `json:"at"`
		Best   string         `json:"outcome"`
		Items  []apiJudgement `json:"items"`
	}{q.Person, string(q.Door), s.at(q.At), access.Denied.String(), []apiJudgement{}}
	for i, a := range answers {
		x := apiJudgement{Card: orNull(a.Card), Masked: orNull(a.Masked), Outcome: a.Outcome.String(), Reason: s.reason(a.Reason), Checks: []apiCheck{}, Rights: []apiRight{}}
		if i == 0 {
			out.Best = x.Outcome // the best one comes first
		}
		for _, c := range a.Checks {
			l := apiCheck{Check: c.Check, Text: s.T("judge_check." + c.Check), Result: c.Result, Reasons: []apiReason{}}
			for _, r := range c.Reasons {
				l.Reasons = append(l.Reasons, s.reason(r))
			}
			x.Checks = append(x.Checks, l)
		}
		for _, r := range a.Rights {
			x.Rights = append(x.Rights, apiRight{r.Zone, r.Schedule, orNull(r.From), r.Until})
		}
		out.Items = append(out.Items, x)
	}
	return h.answer(w, rq, http.StatusOK, out)
}

type apiEntrant struct {
	Person  string      `json:"person"`
	Name    string      `json:"name"`
	Section *string     `json:"section"`
	Outcome string      `json:"outcome"`
	Flags   []apiReason `json:"flags"`
}

// apiEntrants answers "who can enter Y at T?".
func (h *Handler) apiEntrants(w http.ResponseWriter, rq *request) error {
	at, err := rq.moment("at")
	if err != nil {
		return err
	}
	id, err := h.judged(rq, "")
	if err != nil {
		return err
	}
	list, err := h.src.Judge.Entrants(rq.Context(), id, at)
	if err != nil {
		return fmt.Errorf("entrants: %w", err)
	}
	s := h.speaker(rq)
	out := struct {
		Door  string       `json:"door"`
		At    *string      `json:"at"`
		Items []apiEntrant `json:"items"`
	}{string(id), s.at(at), []apiEntrant{}}
	for _, e := range list {
		out.Items = append(out.Items, apiEntrant{e.ID, e.Name, orNull(e.Section), e.Outcome.String(), s.reasons(e.Flags)})
	}
	return h.answer(w, rq, http.StatusOK, out)
}
