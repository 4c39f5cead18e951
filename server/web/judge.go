package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"monban/firmware/access"
)

const (
	judgeLimit = 20                 // people to choose from
	judgeTime  = "2006-01-02T15:04" // of input type datetime-local
)

type judgeView struct {
	Base
	Doors   []choice
	Person  string
	Purpose string
	Known   []string // registered purposes
	At      string
	Exit    bool
	Fault   string
	Asked   bool // an answer or a list stands below
	Heading string
	Found   []judgeFound // several people fit
	More    bool
	Answers []judgeAnswer
	Who     []judgeWho
	Total   string
}

type judgeFound struct{ Name, Section, ID, Href string }

type judgeAnswer struct {
	Card     string
	Result   Tag
	Sentence string
	Checks   []judgeLine
	Rights   []judgeRight
}

type judgeLine struct {
	Name   string
	Result Tag
	Why    []string
}

type judgeRight struct{ Zone, Schedule, Hours, Days string }

type judgeWho struct {
	Name, Section, ID, Href string
	Result                  Tag
	Why                     []string
}

// getJudge answers a question that stands in the URL, so that it can be sent to somebody.
func (h *Handler) getJudge(w http.ResponseWriter, rq *request) error {
	v := judgeView{Base: h.base(rq, "judge.title")}
	in := rq.URL.Query()
	doors, err := h.src.Judge.JudgeDoors(rq.Context())
	if err != nil {
		return fmt.Errorf("doors: %w", err)
	}
	for _, d := range doors {
		v.Doors = append(v.Doors, choice{Value: d.ID, Label: d.Name, Chosen: d.ID == in.Get("door")})
	}
	v.Person, v.Exit = in.Get("person"), in.Get("side") == "exit"
	if v.Known, err = h.purposeNames(rq); err != nil {
		return err
	}
	at := rq.now
	if text := in.Get("at"); text != "" {
		if at, err = time.ParseInLocation(judgeTime, text, h.cfg.Zone); err != nil {
			v.Fault, v.At = v.T("judge.bad_time"), text
			return h.renderStatus(w, rq, "judge", v, http.StatusBadRequest)
		}
	}
	v.At = at.In(h.cfg.Zone).Format(judgeTime)
	if in.Get("door") == "" {
		return h.render(w, rq, "judge", v)
	}
	if v.Person != "" { // asks about a person (PR-4)
		if v.Purpose, err = rq.purpose(); err != nil {
			return h.askPurpose(w, rq, http.StatusBadRequest)
		}
	}
	// What is asked about whom is told to nobody without a trace (RA-4).
	act := rq.action(ActionJudge, in.Get("door"))
	act.Reason, act.Filter = v.Purpose, clip(rq.URL.RawQuery, 500)
	if err := h.src.Audit.RecordAction(rq.Context(), act); err != nil {
		return fmt.Errorf("record question: %w", err)
	}
	q := JudgeQuery{Door: access.DoorID(in.Get("door")), Exit: v.Exit, At: at}
	code := http.StatusOK
	switch err := h.judge(rq, &v, q); {
	case errors.Is(err, ErrNotFound):
		v.Fault, code = v.T("judge.not_found"), http.StatusNotFound
	case err != nil:
		return err
	}
	return h.renderStatus(w, rq, "judge", v, code)
}

func (h *Handler) judge(rq *request, v *judgeView, q JudgeQuery) error {
	ctx := rq.Context()
	here := func(person string) string {
		to := url.Values{"door": {string(q.Door)}, "person": {person}, "at": {v.At}}
		if v.Purpose != "" {
			to.Set("purpose", v.Purpose)
		}
		return withQuery("/judge", to)
	}
	if v.Person == "" {
		list, err := h.src.Judge.Entrants(ctx, q.Door, q.At)
		if err != nil {
			return err
		}
		v.Asked, v.Heading = true, v.T("judge.who", "n", strconv.Itoa(len(list)))
		for _, e := range list {
			x := judgeWho{Name: e.Name, Section: e.Section, ID: e.ID, Href: here(e.ID), Result: v.say.outcomeTag(e.Outcome)}
			x.Why = v.say.sentences(e.Flags)
			v.Who = append(v.Who, x)
		}
		return nil
	}
	people, more, err := h.src.Judge.JudgePeople(ctx, v.Person, judgeLimit)
	if err != nil {
		return err
	}
	if len(people) == 0 {
		v.Fault = v.T("judge.nobody")
		return nil
	}
	if len(people) > 1 {
		v.Asked, v.Heading, v.More = true, v.T("judge.which"), more
		for _, p := range people {
			v.Found = append(v.Found, judgeFound{p.Name, p.Section, p.ID, here(p.ID)})
		}
		return nil
	}
	q.Person = people[0].ID
	answers, err := h.src.Judge.Judge(ctx, q)
	if err != nil {
		return err
	}
	v.Asked, v.Heading, v.Person = true, people[0].Name, people[0].ID
	for _, a := range answers {
		v.Answers = append(v.Answers, v.say.judgeAnswer(a))
	}
	return nil
}

func (b speaker) judgeAnswer(a Judgement) judgeAnswer {
	x := judgeAnswer{Card: b.T("judge.no_card"), Result: b.outcomeTag(a.Outcome), Sentence: b.T("reason." + a.Reason.String())}
	if a.Card != "" {
		x.Card = b.T("judge.card", "id", a.Card, "masked", a.Masked)
	}
	for _, c := range a.Checks {
		l := judgeLine{Name: b.T("judge_check." + c.Check)}
		for _, r := range c.Reasons {
			l.Why = append(l.Why, b.T("reason."+r.String()))
		}
		word := b.T("judge_result." + c.Result)
		switch c.Result {
		case "passed":
			l.Result = Tag{word, ToneGood, "check"}
		case "asked":
			l.Result = Tag{word, ToneNote, "clock"}
		case "flagged":
			l.Result = Tag{word, ToneWarn, "finding"}
		case "failed":
			l.Result = Tag{word, ToneAlarm, "stop"}
		default:
			l.Result = Tag{word, ToneQuiet, "dash"}
		}
		x.Checks = append(x.Checks, l)
	}
	for _, r := range a.Rights {
		x.Rights = append(x.Rights, judgeRight{r.Zone, r.Schedule, b.hoursWords(r.Hours), b.daysWords(r.From, r.Until)})
	}
	return x
}

func (b speaker) sentences(set access.ReasonSet) (list []string) {
	for _, name := range set.Names() {
		list = append(list, b.T("reason."+name))
	}
	return list
}

func (b speaker) outcomeTag(o access.Outcome) Tag {
	word := b.T("judge_outcome." + o.String())
	switch o {
	case access.Granted:
		return Tag{word, ToneGood, "check"}
	case access.NeedPIN, access.NeedSecond, access.NeedEscort:
		return Tag{word, ToneNote, "clock"}
	case access.Denied:
	}
	return Tag{word, ToneAlarm, "stop"}
}
