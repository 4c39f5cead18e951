package web

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/firmware/calendar"
	"monban/server/datarequest"
	"monban/server/directory"
)

// mostOwnDays is how far back a person's own records can be looked at here; what is older comes with a request for disclosure.
const mostOwnDays = 366

// mostOwnEntries bounds the lines of one page.
const mostOwnEntries = 500

type ownDataView struct {
	matterPage
	desk     counter
	Nobody   bool // no person of the directory stands behind the account
	Kinds    []HeldData
	Purposes []string
	From, To string
	Fault    string // of the period
	Entries  []ownEntry
	More     bool // more than the page holds
	Ask      deskForm
	Requests []ownDataRequest
}

// HeldData is a kind of data that is held about people: what it says, and how long it is kept.
type HeldData struct{ Name, Text, Kept string }

type ownDataRequest struct {
	ID, Want, Text string
	State          Tag
	Received       string
	Due            string // "" = decided
	Late           bool
	Told           []dataTurn // what the person is told
	Withdraw       *deskForm  // nil = too late
}

// dataTurn is one thing that was done, with its words.
type dataTurn struct {
	At       time.Time
	What, By string
	Text     string
}

// dataKinds are the kinds of data that are held about people, each with the class it is kept by. docs/personal-data.md has the tables.
var dataKinds = []struct{ kind, class string }{
	{"person", "directory"}, {"entry", "register"}, {"act", "action"}, {"finding", "violation"}, {"account", "directory"},
}

func (b speaker) keptWords(years int) string {
	if years == 0 {
		return b.T("own_data.for_ever")
	}
	return b.T("own_data.years", "n", strconv.Itoa(years))
}

// held lists the kinds with the years that their classes are kept.
func (b speaker) held(kept map[string]int) (out []HeldData) {
	for _, k := range dataKinds {
		out = append(out, HeldData{b.T("own_data_kind." + k.kind), b.T("own_data_text." + k.kind), b.keptWords(kept[k.class])})
	}
	return out
}

func (h *Handler) getOwnData(w http.ResponseWriter, rq *request) error {
	return h.showOwnData(w, rq, nil, http.StatusOK)
}

// showOwnData shows what is held about who asks, and their requests. It is nobody else's business: there is no way to name a person here.
func (h *Handler) showOwnData(w http.ResponseWriter, rq *request, t *tried, code int) error {
	c, err := h.counter(rq, "own_data.title", "")
	if err != nil {
		return err
	}
	if err := h.src.Audit.RecordAction(rq.Context(), rq.action(ActionViewOwnData, "")); err != nil {
		return fmt.Errorf("record view: %w", err)
	}
	v := &ownDataView{matterPage: c.matterPage, desk: c, Nobody: c.people[directory.PersonID(rq.account.Person)] == nil}
	v.Here = "/me/data"
	kept, err := h.src.DataRequests.KeptYears(rq.Context())
	if err != nil {
		return fmt.Errorf("retention: %w", err)
	}
	v.Kinds = v.say.held(kept)
	if v.Purposes, err = h.purposeNames(rq); err != nil {
		return err
	}
	options, err := h.ownPeriod(rq, v)
	if err != nil {
		return err
	}
	v.Ask = newDeskForm("ask", "/me/data", v.T("own_data.ask"), v.T("own_data.ask_do"),
		deskField{Name: "want", Kind: "radios", Label: v.T("data_request.want"), Options: v.say.wants()},
		deskField{Name: "entry", Kind: "select", Label: v.T("data_request.entry"), Help: v.T("own_data.entry_help"), Options: options, Optional: true},
		deskField{Name: "text", Kind: "text_area", Label: v.T("data_request.text"), Help: v.T("data_request.no_number"), Max: 1000}).again(t)
	v.Ask.Text = v.T("own_data.ask_text")
	list, err := h.src.DataRequests.OwnDataRequests(rq.Context(), rq.deskActor())
	if err != nil {
		return fmt.Errorf("own requests: %w", err)
	}
	for i := range list {
		v.Requests = append(v.Requests, v.ownRequest(&list[i], rq))
	}
	return h.renderStatus(w, rq, "own_data", v, code)
}

// ownPeriod fills in the lines of a period, the last 30 days unless another is asked for, and gives the entries to choose from.
func (h *Handler) ownPeriod(rq *request, v *ownDataView) ([]choice, error) {
	options := []choice{{Value: "", Label: v.T("own_data.no_entry")}}
	today := calendar.DateOf(v.say.now.In(v.say.zone))
	in := rq.URL.Query()
	v.From, v.To = cmp.Or(clip(in.Get("from"), 10), today.AddDays(-ownDays).String()), cmp.Or(clip(in.Get("to"), 10), today.String())
	from, bad := calendar.ParseDate(v.From)
	to, worse := calendar.ParseDate(v.To)
	if errors.Join(bad, worse) != nil || to.Before(from) || from.AddDays(mostOwnDays).Before(today) {
		v.Fault = v.T("own_data.bad_period", "days", strconv.Itoa(mostOwnDays))
		return options, nil
	}
	me := directory.PersonID(rq.account.Person)
	if v.Nobody || from.After(today) {
		return options, nil
	}
	entries, err := h.src.Visits.OwnEntries(rq.Context(), me, today.Sub(from))
	if err != nil {
		return nil, fmt.Errorf("own entries: %w", err)
	}
	for i := range entries {
		e := &entries[i]
		if calendar.DateOf(v.desk.ms(e.AtMS).In(v.say.zone)).After(to) {
			continue
		}
		if v.More = len(v.Entries) >= mostOwnEntries; v.More {
			break
		}
		var one ownView
		v.desk.ownLine(&one, e, nil)
		v.Entries = append(v.Entries, one.Entries...)
		if e.Passed && e.Side == access.SideEnter && len(options) <= 100 {
			options = append(options, choice{Value: e.Attempt, Label: v.DayTime(v.desk.ms(e.AtMS)) + " " + v.desk.doorName(e.Door)})
		}
	}
	return options, nil
}

func (b speaker) wants() (out []choice) {
	for _, w := range datarequest.Wants() {
		out = append(out, choice{Value: string(w), Label: b.T("data_want." + string(w))})
	}
	return out
}

// dataTag is the state of a request.
func (b speaker) dataTag(x *datarequest.Record) Tag {
	state := x.State()
	tag := map[string]Tag{
		datarequest.StateAsked: {Tone: ToneNote, Icon: "clock"}, datarequest.StateTaken: {Tone: ToneNote, Icon: "person"}, datarequest.StateDecided: {Tone: ToneNote, Icon: "check"},
		datarequest.StateDone: {Tone: ToneGood, Icon: "check"}, datarequest.StateWithdrawn: {Tone: ToneQuiet, Icon: "dash"},
	}[state]
	tag.Word = b.T("data_state." + state)
	if d := x.Decision(); d != "" {
		tag.Word = b.T("data_done."+string(d)) + b.T("list.separator") + tag.Word
	}
	return tag
}

func (b speaker) calendarDay(text string) string {
	d, err := calendar.ParseDate(text)
	if err != nil {
		return text
	}
	v := registerView{Base: Base{say: b}}
	return v.date(d)
}

func (v *ownDataView) ownRequest(x *DataRequest, rq *request) ownDataRequest {
	l := ownDataRequest{ID: x.ID, Want: v.T("data_want." + string(x.Want)), Text: x.Text, State: v.say.dataTag(&x.Record), Received: v.say.calendarDay(x.Received)}
	if x.State() == datarequest.StateAsked || x.State() == datarequest.StateTaken {
		l.Due, l.Late = v.say.calendarDay(x.Due().String()), x.Late(calendar.DateOf(v.say.now.In(v.say.zone)))
		if x.Account == rq.account.ID {
			f := newDeskForm("withdraw-"+x.ID, "/me/data/"+url.PathEscape(x.ID)+"/withdraw", v.T("own_data.withdraw"), v.T("own_data.withdraw_do"),
				deskField{Name: "seen", Kind: "hidden", Value: strconv.Itoa(len(x.Turns))})
			f.Fold, f.Light, f.Text = true, true, v.T("own_data.withdraw_text")
			l.Withdraw = &f
		}
	}
	for _, t := range x.Turns {
		if t.Told() {
			l.Told = append(l.Told, dataTurn{At: v.desk.ms(t.Step.AtMS), What: v.T("data_done." + string(t.Done)), Text: t.Step.Note})
		}
	}
	return l
}

// dataFaults are the refusals of package datarequest: the word of the sentence, and the answer's code.
var dataFaults = []struct {
	err  error
	word string
	code int
}{
	{datarequest.ErrMissing, "missing", http.StatusUnprocessableEntity}, {datarequest.ErrText, "text", http.StatusUnprocessableEntity},
	{datarequest.ErrMyNumber, "my_number", http.StatusUnprocessableEntity}, {datarequest.ErrDay, "day", http.StatusUnprocessableEntity},
	{datarequest.ErrEntry, "entry", http.StatusUnprocessableEntity}, {datarequest.ErrSuspended, "suspended", http.StatusUnprocessableEntity},
	{datarequest.ErrNoPack, "no_pack", http.StatusUnprocessableEntity}, {datarequest.ErrOwn, "own", http.StatusForbidden}, {datarequest.ErrOther, "other", http.StatusForbidden},
	{ErrSamePerson, "second", http.StatusForbidden}, {datarequest.ErrState, "state", http.StatusConflict}, {ErrTooLate, "state", http.StatusConflict},
	{datarequest.ErrLate, "late", http.StatusConflict}, {datarequest.ErrHeld, "held", http.StatusConflict}, {datarequest.ErrNothing, "nothing", http.StatusConflict},
	{datarequest.ErrNotYet, "not_yet", http.StatusConflict}, {ErrHeld, "legal_hold", http.StatusConflict},
}

// dataFault makes of a refusal what the form shows; t is nil for another error.
func (h *Handler) dataFault(rq *request, form string, err error) (t *tried, code int) {
	var at *datarequest.Fault
	field := ""
	if errors.As(err, &at) {
		field = at.Field
	}
	for _, f := range dataFaults {
		if errors.Is(err, f.err) {
			return &tried{form: form, values: rq.PostForm, field: field, fault: h.words[rq.lang].say("data_fault." + f.word)}, f.code
		}
	}
	return nil, 0
}

// typed reads a text of several lines.
func (rq *request) typed(name string) string {
	return strings.TrimSpace(strings.ReplaceAll(rq.post(name), "\r\n", "\n"))
}

// postOwnData asks for disclosure, correction or stop of use of the own data. The source refuses an entry of somebody else.
func (h *Handler) postOwnData(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	x := datarequest.Record{Want: datarequest.Want(rq.post("want")), Entry: clip(rq.post("entry"), 64), Text: rq.typed("text")}
	_, err := h.src.DataRequests.BeginDataRequest(rq.Context(), x, rq.deskActor())
	if t, code := h.dataFault(rq, "ask", err); t != nil {
		return h.showOwnData(w, rq, t, code)
	}
	if err != nil {
		return fmt.Errorf("ask about own data: %w", err)
	}
	return redirect(w, rq, "/me/data?done=data_asked")
}

// postOwnDataWithdraw takes an own request back that is not decided.
func (h *Handler) postOwnDataWithdraw(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	by := rq.deskActor()
	seen := rq.number("seen")
	err := h.src.DataRequests.StepDataRequest(rq.Context(), rq.PathValue("id"), datarequest.Withdrawn, "", by, func(x *datarequest.Record, _ datarequest.Facts, nowMS int64, _ calendar.Date) error {
		if x.Account != by.Account {
			return ErrNotFound // whether there is such a request is nobody else's business
		}
		if err := x.At(seen); err != nil {
			return err
		}
		return x.Withdraw("", by, nowMS)
	})
	if t, code := h.dataFault(rq, "withdraw", err); t != nil {
		c, err := h.counter(rq, "own_data.title", "")
		if err != nil {
			return err
		}
		return h.saidNo(w, rq, c, t, code)
	}
	if err != nil {
		return fmt.Errorf("withdraw a request: %w", err)
	}
	return redirect(w, rq, "/me/data?done=data_withdrawn")
}
