package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/firmware/calendar"
	"monban/server/datarequest"
	"monban/server/directory"
	"monban/server/visit"
)

// Who reads requests of the person concerned, and who works on them: the office that answers for the data, as with retention.
const (
	dataReaders = groupA | groupC
	dataOfficer = groupC
)

func dataRoutes() []route {
	return []route{
		{pattern: "GET /me/data", roles: all, serve: (*Handler).getOwnData},
		{pattern: "POST /me/data", roles: all, serve: (*Handler).postOwnData},
		{pattern: "POST /me/data/{id}/withdraw", roles: all, serve: (*Handler).postOwnDataWithdraw},
		{pattern: "GET /data-requests", roles: dataReaders, serve: whole((*Handler).getDataRequests)},
		{pattern: "POST /data-requests", roles: dataOfficer, stepUp: stepUpFull, serve: whole((*Handler).postDataRequest)},
		{pattern: "GET /data-requests/{id}", roles: dataReaders, serve: whole((*Handler).getDataRequest)},
		{pattern: "POST /data-requests/{id}", roles: dataOfficer, stepUp: stepUpFull, serve: whole((*Handler).postDataStep)},
	}
}

type dataRequestsView struct {
	matterPage
	desk   counter
	All    bool
	Lines  []dataLine
	New    *deskForm // nil = not for who looks, or not before a fresh check of identity
	StepUp string
}

type dataLine struct {
	ID, Href, Want, Who, Received, Owner string
	State                                Tag
	Due                                  string // "" = decided
	Late, Waits                          bool
}

func (b speaker) dataLine(x *DataRequest) dataLine {
	l := dataLine{ID: x.ID, Href: "/data-requests/" + url.PathEscape(x.ID), Want: b.T("data_want." + string(x.Want)), Who: x.Who, Received: b.calendarDay(x.Received), State: b.dataTag(&x.Record), Waits: x.Waits > 0}
	if x.State() == datarequest.StateAsked || x.State() == datarequest.StateTaken {
		l.Due, l.Late = b.calendarDay(x.Due().String()), x.Late(calendar.DateOf(b.now.In(b.zone)))
	}
	return l
}

func (h *Handler) getDataRequests(w http.ResponseWriter, rq *request) error {
	return h.showDataRequests(w, rq, nil, http.StatusOK)
}

func (h *Handler) showDataRequests(w http.ResponseWriter, rq *request, t *tried, code int) error {
	c, err := h.counter(rq, "data_request.list", "")
	if err != nil {
		return err
	}
	if err := h.viewed(rq, ActionViewDataRequest, ""); err != nil {
		return err
	}
	v := &dataRequestsView{matterPage: c.matterPage, desk: c, All: rq.URL.Query().Get("show") == "all"}
	v.Here = "/data-requests"
	list, err := h.src.DataRequests.ListDataRequests(rq.Context(), v.All)
	if err != nil {
		return fmt.Errorf("data requests: %w", err)
	}
	for i := range list {
		v.Lines = append(v.Lines, v.say.dataLine(&list[i]))
	}
	if rq.roles&dataOfficer != 0 {
		if v.StepUp = h.freshAt(rq, "POST /data-requests"); v.StepUp == "" {
			f := v.paperForm(t)
			v.New = &f
		}
	}
	return h.renderStatus(w, rq, "data_requests", v, code)
}

// paperForm takes down what came on paper.
func (v *dataRequestsView) paperForm(t *tried) deskForm {
	var kinds []string
	for _, k := range visit.Identities() {
		kinds = append(kinds, string(k))
	}
	f := newDeskForm("receive", "/data-requests", v.T("data_request.receive"), v.T("data_request.receive_do"),
		deskField{Name: "want", Kind: "radios", Label: v.T("data_request.want"), Options: v.say.wants()},
		deskField{Name: "name", Kind: "text", Label: v.T("data_request.name"), Max: 200},
		deskField{Name: "person", Kind: "text", Label: v.T("data_request.person"), Help: v.T("data_request.person_help"), Optional: true, Max: 100},
		deskField{Name: "identity", Kind: "select", Label: v.T("data_request.identity"), Help: v.T("data_request.identity_help"), Options: v.desk.choices("identity", "", kinds...)},
		deskField{Name: "agent", Kind: "text", Label: v.T("data_request.agent"), Help: v.T("data_request.agent_help"), Optional: true, Max: 200},
		deskField{Name: "contact", Kind: "text", Label: v.T("data_request.contact"), Max: 200},
		deskField{Name: "received", Kind: "date", Label: v.T("data_request.received"), Value: calendar.DateOf(v.say.now.In(v.say.zone)).String()},
		deskField{Name: "entry", Kind: "text", Label: v.T("data_request.entry"), Help: v.T("data_request.entry_help"), Optional: true, Max: 32},
		deskField{Name: "text", Kind: "text_area", Label: v.T("data_request.text"), Help: v.T("data_request.no_number"), Max: 1000}).again(t)
	f.Fold, f.Text = true, v.T("data_request.receive_text")
	return f
}

// postDataRequest receives one on paper, for somebody who has no account or does not use it.
func (h *Handler) postDataRequest(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	x := datarequest.Record{Want: datarequest.Want(rq.post("want")), Text: rq.typed("text"), Entry: strings.TrimSpace(rq.post("entry")), Received: rq.post("received"), Paper: &datarequest.Paper{
		Name: strings.TrimSpace(rq.post("name")), Contact: strings.TrimSpace(rq.post("contact")), Identity: visit.Identity(rq.post("identity")), Agent: strings.TrimSpace(rq.post("agent"))}}
	c, err := h.counter(rq, "data_request.list", "")
	if err != nil {
		return err
	}
	if strings.TrimSpace(rq.post("person")) != "" {
		if x.Person, err = c.personIn("person", func(*directory.Person) bool { return true }); err != nil {
			t, code, err := h.refusal(rq, &c, "receive", datarequest.Kind, err)
			if err != nil {
				return err
			}
			return h.showDataRequests(w, rq, t, code)
		}
	}
	id, err := h.src.DataRequests.BeginDataRequest(rq.Context(), x, rq.deskActor())
	if t, code := h.dataFault(rq, "receive", err); t != nil {
		return h.showDataRequests(w, rq, t, code)
	}
	if err != nil {
		return fmt.Errorf("receive a data request: %w", err)
	}
	return redirect(w, rq, "/data-requests/"+url.PathEscape(id))
}

type dataRequestView struct {
	matterPage
	desk     counter
	Line     dataLine
	Text     string
	How      string // how it came
	Identity string // who was recognised by what, "" = asked on a page
	Contact  string
	Entry    *dataEntryView
	Held     []heldLine
	Erased   bool // an entry was: copies of before are looked after by hand
	Turns    []dataTurn
	Forms    []deskForm
	Next     string // what comes next, in a sentence
	Pack     string // link to the form of a pack, "" = none
	Sum      string
	StepUp   string
	Own      bool
	Fault    string
}

// dataEntryView is a request beside what stands and what was appended.
type dataEntryView struct {
	At       time.Time
	Where    string
	Purpose  string
	Hidden   bool
	Appended []string
	Correct  string // link, "" = not for a correction
}

type heldLine struct {
	At    time.Time
	Door  string
	State Tag
	By    string
	Form  *deskForm // nil = nothing to settle
}

func (h *Handler) getDataRequest(w http.ResponseWriter, rq *request) error {
	return h.showDataRequest(w, rq, nil, http.StatusOK)
}

func (h *Handler) showDataRequest(w http.ResponseWriter, rq *request, t *tried, code int) error {
	d, err := h.src.DataRequests.DataRequestByID(rq.Context(), rq.PathValue("id"))
	if err != nil {
		return fmt.Errorf("data request: %w", err)
	}
	if err := h.viewed(rq, ActionViewDataRequest, d.ID); err != nil {
		return err
	}
	c, err := h.counter(rq, "data_request.title", "")
	if err != nil {
		return err
	}
	v := &dataRequestView{matterPage: c.matterPage, desk: c, Line: c.say.dataLine(&d.DataRequest), Text: d.Text, Sum: d.Pack, Own: d.Own(rq.deskActor())}
	v.Here = v.Line.Href
	v.Line.Owner = d.Names[d.Of(datarequest.Taken).Account]
	if v.How = v.T("data_request.by_page"); d.Paper != nil {
		v.How, v.Contact = v.T("data_request.by_paper"), d.Paper.Contact
		v.Identity = v.T("data_request.recognised", "kind", v.T("identity."+string(d.Paper.Identity)), "name", d.Names[d.Turns[0].Step.Account])
		if d.Paper.Agent != "" {
			v.Identity += " " + v.T("data_request.by_agent", "agent", d.Paper.Agent)
		}
	}
	v.entry(&d)
	for _, x := range d.Turns {
		v.Turns = append(v.Turns, dataTurn{v.desk.ms(x.Step.AtMS), v.T("data_done." + string(x.Done)), d.Names[x.Step.Account], x.Step.Note})
	}
	if t != nil && t.field == "" { // said once, above; what was typed stays in its form
		v.Fault, t.fault = t.fault, ""
	}
	if officer := rq.roles&dataOfficer != 0 && !v.Own; officer {
		if v.StepUp = h.freshAt(rq, "POST /data-requests/{id}"); v.StepUp == "" {
			if err := h.dataForms(rq, v, &d, t); err != nil {
				return err
			}
		}
	}
	v.held(&d, t, rq)
	return h.renderStatus(w, rq, "data_request", v, code)
}

// entry puts side by side what stands, what is asked for, and what was appended.
func (v *dataRequestView) entry(d *DataRequestDetail) {
	if d.Entry == nil {
		return
	}
	e := &dataEntryView{At: d.Entry.At, Where: d.Entry.Door + v.T("list.separator") + v.T("side."+d.Entry.Side.String()), Purpose: d.Entry.Purpose, Hidden: !d.Entry.Readable}
	r := registerView{Base: v.Base}
	for i := range d.Entry.Appended {
		x := &d.Entry.Appended[i]
		e.Appended = append(e.Appended, v.T("data_request.appended_line", "what", r.rightWords(x, ""), "name", x.By, "reason", x.Reason))
	}
	if d.Want == datarequest.Correction && d.State() == datarequest.StateDecided && d.Decision() != datarequest.Refused && d.Entry.Readable && v.desk.rq.may(signRoles, d.Entry.Zone) {
		e.Correct = withQuery(reviewHref(d.Entry.Zone, d.Entry.Day)+"/correct", url.Values{"row": {d.Entry.ID}})
	}
	v.Entry = e
}

// held lists what was suspended; another officer than who suspended it settles that.
func (v *dataRequestView) held(d *DataRequestDetail, t *tried, rq *request) {
	tones := map[string]Tag{"restricted": {Tone: ToneWarn, Icon: "clock"}, "erased": {Tone: ToneQuiet, Icon: "check"}, "lifted": {Tone: ToneQuiet, Icon: "dash"}}
	for i := range d.Held {
		x := &d.Held[i]
		l := heldLine{At: x.At, Door: x.Door, By: d.Names[x.By], State: tones[x.State]}
		l.State.Word = v.T("data_held." + x.State)
		v.Erased = v.Erased || x.State == "erased"
		state := d.State()
		if x.State == "restricted" && rq.roles&dataOfficer != 0 && !v.Own && v.StepUp == "" && x.By != rq.account.ID && state != datarequest.StateAsked && state != datarequest.StateTaken {
			how := v.desk.choices("data_settle", "", "erase", "lift")
			if d.Decision() == datarequest.Refused || state != datarequest.StateDecided {
				how = how[1:]
			}
			f := newDeskForm("settle-"+x.ID, v.Here, v.T("data_request.settle"), v.T("data_request.settle_do"), v.hidden("settle", d),
				deskField{Name: "held", Kind: "hidden", Value: x.ID}, deskField{Name: "how", Kind: "radios", Label: v.T("data_request.how"), Options: how},
				deskField{Name: "reason", Kind: "text", Label: v.T("account.reason")}).again(t)
			f.Fields = append(f.Fields, v.seen(d))
			f.Fold, f.Danger, f.Text = true, true, v.T("data_request.settle_text")
			l.Form = &f
		}
		v.Held = append(v.Held, l)
	}
}

func (v *dataRequestView) hidden(do string, _ *DataRequestDetail) deskField {
	return deskField{Name: "do", Kind: "hidden", Value: do}
}

// seen says which state of the request the page shows: a step from an older page is refused.
func (v *dataRequestView) seen(d *DataRequestDetail) deskField {
	return deskField{Name: "seen", Kind: "hidden", Value: strconv.Itoa(len(d.Turns))}
}

// dataForms are what may be done next.
func (h *Handler) dataForms(rq *request, v *dataRequestView, d *DataRequestDetail, t *tried) error {
	add := func(id, key string, danger bool, fields ...deskField) {
		f := newDeskForm(id, v.Here, v.T("data_request."+key), v.T("data_request."+key+"_do"), append([]deskField{v.hidden(id, d)}, fields...)...).again(t)
		f.Fields = append(f.Fields, v.seen(d))
		f.Fold, f.Light, f.Danger, f.Text = true, true, danger, v.T("data_request."+key+"_text")
		v.Forms = append(v.Forms, f)
	}
	words := deskField{Name: "text", Kind: "text_area", Label: v.T("data_request.told"), Help: v.T("data_request.no_number"), Max: 1000}
	state := d.State()
	v.Next = v.T("data_next." + state)
	open := state == datarequest.StateAsked || state == datarequest.StateTaken || state == datarequest.StateDecided
	if open && d.Of(datarequest.Taken).Account != rq.account.ID {
		add("take", "take", false)
	}
	if state == datarequest.StateTaken {
		var how []string
		for _, x := range datarequest.Decisions() {
			how = append(how, string(x))
		}
		add("decide", "decide", false, deskField{Name: "decision", Kind: "radios", Label: v.T("data_request.decision"), Options: v.desk.choices("data_done", "", how...)}, words)
		if today := calendar.DateOf(v.say.now.In(v.say.zone)); !d.Of(datarequest.Extended).Done() && !today.After(d.Due()) {
			add("extend", "extend", false, words)
		}
	}
	if d.Want == datarequest.Stop && d.Decision() != datarequest.Refused && (state == datarequest.StateTaken || state == datarequest.StateDecided) {
		entries, err := h.entriesOf(rq, v, d)
		if err != nil {
			return err
		}
		add("suspend", "suspend", true, deskField{Name: "entry", Kind: "text", Label: v.T("data_request.entry"), Help: v.T("data_request.entry_help"), Value: d.Record.Entry, Max: 32, Suggest: entries},
			deskField{Name: "reason", Kind: "text", Label: v.T("account.reason")})
	}
	if state == datarequest.StateDecided {
		fields := []deskField{{Name: "text", Kind: "text_area", Label: v.T("data_request.carried"), Help: v.T("data_request.no_number"), Max: 1000}}
		if d.Want == datarequest.Disclosure && d.Decision() != datarequest.Refused {
			packs, err := h.packsOf(rq, d.Person)
			if err != nil {
				return err
			}
			options := []choice{{Value: "", Label: v.T("data_request.no_pack")}}
			for i := range packs {
				options = append(options, choice{Value: packs[i].Sum, Label: v.say.packLine(&packs[i]).Days + " " + v.DayTime(packs[i].Asked)})
			}
			fields = append(fields, deskField{Name: "pack", Kind: "select", Label: v.T("data_request.pack"), Help: v.T("data_request.pack_help"), Options: options, Optional: true})
			if d.Person != "" {
				v.Pack = withQuery("/verification/packs", url.Values{"kind": {PackOfPerson}, "person": {string(d.Person)}, "use": {"disclosure"}, "reason": {d.ID}})
			}
		}
		add("carry", "carry", false, fields...)
	}
	if d.Paper != nil && (state == datarequest.StateAsked || state == datarequest.StateTaken) {
		add("withdraw", "withdraw", false, deskField{Name: "text", Kind: "text_area", Label: v.T("data_request.how_withdrawn"), Max: 1000})
	}
	return nil
}

// entriesOf are the entries of the last 60 days of who asks, to choose from. That they were looked at is in the leaf of the page.
func (h *Handler) entriesOf(rq *request, v *dataRequestView, d *DataRequestDetail) (out []choice, err error) {
	if d.Person == "" {
		return nil, nil
	}
	entries, err := h.src.Visits.OwnEntries(rq.Context(), d.Person, 60)
	if err != nil {
		return nil, fmt.Errorf("entries of who asks: %w", err)
	}
	for i := range entries {
		if e := &entries[i]; e.Passed && e.Side == access.SideEnter && len(out) < 100 {
			out = append(out, choice{Value: e.Attempt, Label: v.DayTime(v.desk.ms(e.AtMS)) + " " + v.desk.doorName(e.Door)})
		}
	}
	return out, nil
}

// packsOf are the finished packs of a person that who asks has made.
func (h *Handler) packsOf(rq *request, person directory.PersonID) ([]PackJob, error) {
	jobs, err := h.ownPacks(rq)
	return slices.DeleteFunc(jobs, func(j PackJob) bool {
		return person == "" || j.Kind != PackOfPerson || j.Person != string(person) || j.State != PackDone
	}), err
}

// dataSteps are the steps that one move makes, with what the log calls them.
var dataSteps = map[string]datarequest.Done{
	"take": datarequest.Taken, "extend": datarequest.Extended, "carry": datarequest.Carried, "withdraw": datarequest.Withdrawn,
}

// postDataStep moves a request. Each step names the page that it came from: after the button "back", and when two officers are at it, one is refused.
func (h *Handler) postDataStep(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	id, do, seen, by, form := rq.PathValue("id"), rq.post("do"), rq.number("seen"), rq.deskActor(), rq.post("do")
	text, reason := rq.typed("text"), rq.typed("reason")
	var err error
	switch do {
	case "suspend":
		err = h.src.DataRequests.SuspendEntry(rq.Context(), id, seen, strings.TrimSpace(rq.post("entry")), reason, by)
	case "settle":
		held, how := rq.post("held"), rq.post("how")
		form += "-" + held
		if how != "erase" && how != "lift" {
			err = &datarequest.Fault{Err: datarequest.ErrMissing, Field: "how"}
			break
		}
		err = h.src.DataRequests.SettleEntry(rq.Context(), id, seen, held, how == "erase", reason, by)
	default:
		done, known := dataSteps[do]
		if do == "decide" {
			done, known = datarequest.Done(rq.post("decision")), true
			if !slices.Contains(datarequest.Decisions(), done) {
				err = &datarequest.Fault{Err: datarequest.ErrMissing, Field: "decision"}
				break
			}
		}
		if !known {
			return errBadInput
		}
		packs, fault := h.packOfStep(rq, do, id)
		if err = fault; err != nil {
			break
		}
		err = h.src.DataRequests.StepDataRequest(rq.Context(), id, done, text, by, func(x *datarequest.Record, f datarequest.Facts, nowMS int64, today calendar.Date) error {
			if err := x.At(seen); err != nil {
				return err
			}
			switch do {
			case "take":
				return x.Take(by, nowMS)
			case "extend":
				return x.Extend(text, by, nowMS, today)
			case "decide":
				return x.Decide(done, text, by, nowMS)
			case "carry":
				return x.Carry(f, packs, text, by, nowMS)
			}
			if x.Paper == nil {
				return datarequest.ErrOther // on a page the person alone takes it back
			}
			return x.Withdraw(text, by, nowMS)
		})
	}
	if t, code := h.dataFault(rq, form, err); t != nil {
		return h.showDataRequest(w, rq, t, code)
	}
	if err != nil {
		return fmt.Errorf("move a data request: %w", err)
	}
	return redirect(w, rq, "/data-requests/"+url.PathEscape(id)+"?done=data_moved")
}

// packOfStep checks the pack that was given: it is this person's, finished, and made by who carries the request out.
func (h *Handler) packOfStep(rq *request, do, id string) (string, error) {
	sum := rq.post("pack")
	if do != "carry" || sum == "" {
		return "", nil
	}
	d, err := h.src.DataRequests.DataRequestByID(rq.Context(), id)
	if err != nil {
		return "", fmt.Errorf("data request: %w", err)
	}
	packs, err := h.packsOf(rq, d.Person)
	if err == nil && !slices.ContainsFunc(packs, func(j PackJob) bool { return j.Sum == sum }) {
		err = &datarequest.Fault{Err: datarequest.ErrNoPack, Field: "pack"}
	}
	return sum, err
}
