package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"monban/firmware/access"
	"monban/firmware/calendar"
	"monban/server/signoff"
)

// reviewRoles read the daily review; signRoles, in force for the zone, sign it.
const (
	reviewRoles = groupF | groupA | groupC
	signRoles   = groupF
)

// reviewBack is how many days back the list of days to sign looks. What is older stands in the calendar of its fiscal year.
const reviewBack = 62

type reviewsView struct {
	registerView
	Days      []reviewLine // that wait for somebody, oldest first
	Quiet     []string     // days that can be signed in one act
	QuietFrom string
	QuietTo   string
	QuietYear string // how many those of a fiscal year are; "" = none
	MaySign   bool
	StepUp    string
	Months    []reviewMonth // of the calendar
	Year      string
	Calendar  string // link
	List      string // link
	Key       []Tag
	Two       bool            // the zone's days take two persons
	Alone     bool            // one person alone may sign: nobody countersigns their own rows
	Rule      *reviewRule     // nil = who looks may not set it
	Asked     []correctionRow // corrections that wait for an answer
	Answer    string          // where they are answered; "" = not by who looks
	Paper     []comparedLine  // comparisons with the paper ledger, of the calendar's year
}

// comparedLine is how a day compared with the paper ledger (VR-6).
type comparedLine struct {
	Day, Href string
	Counts    []Tag
	At        time.Time
	By        string
	Leaf      string
}

// reviewRule is the form that asks for one signature or two.
type reviewRule struct {
	Two    bool
	StepUp string
}

type reviewLine struct {
	Day      string
	Href     string
	State    Tag
	Overdue  bool
	Rows     string
	Findings string
	Due      time.Time
	Unheard  bool
	Quiet    bool
}

// getReviews lists the days of a zone that wait for a signature.
func (h *Handler) getReviews(w http.ResponseWriter, rq *request) error {
	v, err := h.reviewsView(rq, "")
	if err != nil {
		return err
	}
	return h.renderStatus(w, rq, "reviews", v, v.status())
}

func (h *Handler) reviewsView(rq *request, fault string) (*reviewsView, error) {
	return h.reviewsViewOf(rq, "", fault)
}

// reviewsViewOf is the list of a zone; "" = the one that the address or the form names.
func (h *Handler) reviewsViewOf(rq *request, zone, fault string) (*reviewsView, error) {
	v := &reviewsView{registerView: registerView{Base: h.base(rq, "review.title")}}
	if zone == "" && rq.Method == http.MethodPost {
		zone = rq.post("zone")
	}
	if zone != "" { // a form's answer shows the zone that the form was about
		u := *rq.URL
		u.RawQuery = url.Values{"zone": {zone}}.Encode()
		was := rq.URL
		rq.URL = &u
		defer func() { rq.URL = was }()
	}
	if err := h.registerZones(rq, &v.registerView); err != nil {
		return nil, err
	}
	if v.Fault == "" {
		v.Fault = fault
	}
	if v.Zone == "" {
		return v, nil
	}
	return v, h.listDays(rq, v, access.ZoneID(v.Zone))
}

// listDays fills in what waits in a zone.
func (h *Handler) listDays(rq *request, v *reviewsView, zone access.ZoneID) error {
	today := calendar.DateOf(v.say.now)
	days, err := h.src.Reviews.ReviewDays(rq.Context(), zone, today.AddDays(-reviewBack).String(), today.String())
	if err != nil {
		return fmt.Errorf("days to review: %w", err)
	}
	v.MaySign, v.StepUp = rq.may(signRoles, zone), h.freshAt(rq, "POST /review")
	for i := range days {
		d := &days[i]
		switch d.Sheet.Status {
		case signoff.Done, signoff.NotOver:
			continue
		}
		v.quiet(rq, d)
		v.Days = append(v.Days, v.reviewLine(zone, d))
	}
	v.UpTo, v.Total = rq.now, strconv.Itoa(len(v.Days))
	v.Calendar = withQuery("/review/calendar", url.Values{"zone": {v.Zone}})
	if v.Asked, err = h.corrections(rq, &v.registerView, zone); err != nil {
		return err
	}
	if v.MaySign {
		v.Answer = "/corrections/" + url.PathEscape(string(zone)) + "/"
	}
	return h.signingRule(rq, v, zone)
}

// quiet takes a day, oldest first, among those that who looks may sign in one act.
func (v *reviewsView) quiet(rq *request, d *ReviewDay) {
	if _, ok := d.Sheet.QuietAct(signoff.Actor{Account: rq.actor(), Person: rq.person()}); !ok {
		return
	}
	if v.QuietFrom == "" {
		v.QuietFrom = d.Day
	}
	v.QuietTo = d.Day
	v.Quiet = append(v.Quiet, v.reviewLine("", d).Day)
}

// person is the directory's person of the account that asks, "" = none.
func (rq *request) person() string {
	if rq.account == nil {
		return ""
	}
	return rq.account.Person
}

func (v *reviewsView) reviewLine(zone access.ZoneID, d *ReviewDay) reviewLine {
	l := reviewLine{Href: reviewHref(zone, d.Day), State: v.say.reviewTag(&d.Sheet), Overdue: d.Sheet.Overdue, Rows: strconv.Itoa(d.Rows),
		Findings: strconv.Itoa(d.Findings), Due: time.UnixMilli(d.DueMS), Unheard: !d.Covered, Day: d.Day}
	if t, err := time.Parse(dayLayout, d.Day); err == nil {
		l.Day = v.date(calendar.DateOf(t))
	}
	return l
}

func reviewHref(zone access.ZoneID, day string) string {
	return "/review/" + url.PathEscape(string(zone)) + "/" + day
}

func (b speaker) reviewTag(s *signoff.Sheet) Tag {
	look := map[signoff.Status]Tag{
		signoff.Open: {Tone: ToneNote, Icon: "log"}, signoff.NotOver: {Tone: ToneQuiet, Icon: "clock"}, signoff.Returned: {Tone: ToneWarn, Icon: "finding"},
		signoff.Waiting: {Tone: ToneNote, Icon: "people"}, signoff.Additional: {Tone: ToneWarn, Icon: "clock"}, signoff.Done: {Tone: ToneGood, Icon: "check"},
	}[s.Status]
	look.Word = b.T("review_status." + s.Status.String())
	if s.Quiet && s.Status == signoff.Open {
		look = Tag{b.T("review.quiet"), ToneQuiet, "dash"}
	}
	return look
}

// postQuiet signs all quiet days of a zone in one act, one leaf a day (VR-11).
func (h *Handler) postQuiet(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	zone := access.ZoneID(rq.post("zone"))
	if !rq.may(signRoles, zone) {
		return errForbidden
	}
	_, err := h.src.Reviews.SignQuiet(rq.Context(), zone, rq.post("from"), rq.post("to"), rq.action(ActionKind(signoff.Sign), ""))
	if key := reviewFault(err); key != "" {
		v, err := h.reviewsView(rq, h.words[rq.lang].say("review_fault."+key))
		if err != nil {
			return err
		}
		return h.renderStatus(w, rq, "reviews", v, http.StatusConflict)
	}
	if err != nil {
		return fmt.Errorf("sign quiet days: %w", err)
	}
	return redirect(w, rq, withQuery("/review", url.Values{"zone": {string(zone)}, "done": {"day_signed"}}))
}

// reviewFault is the word of the sentence for a refusal; "" for another error.
func reviewFault(err error) string {
	for word, e := range map[string]error{
		"not_over": signoff.ErrNotOver, "signed": signoff.ErrSigned, "not_signed": signoff.ErrNotSigned, "unseen": signoff.ErrUnseen,
		"same_person": signoff.ErrSamePerson, "no_reason": signoff.ErrNoReason, "nothing": signoff.ErrNothing, "not_quiet": signoff.ErrNotQuiet, "month": signoff.ErrMonth, "month_before": signoff.ErrBefore, "too_few": signoff.ErrTooFew,
	} {
		if errors.Is(err, e) {
			return word
		}
	}
	return ""
}
