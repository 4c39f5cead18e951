package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/firmware/calendar"
	"monban/server/register"
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
	MaySign   bool
	StepUp    string
	Months    []reviewMonth // of the calendar
	Year      string
	Calendar  string // link
	List      string // link
	Key       []Tag
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
}

type reviewMonth struct {
	seen  bool // the log reaches into it
	Name  string
	First string // column of the 1st, 1 = Sunday
	Month string // YYYY-MM
	State string // signed by whom; "" = not
	Ready bool   // each of its days is done

	Days []reviewCell
}

// monthLayout is a month in forms.
const monthLayout = "2006-01"

type reviewCell struct {
	Label string // 24
	Word  string // how it stands, for those who listen
	Mark  string // one letter
	Tone  Tone
	Href  string
}

type reviewSheetView struct {
	registerView
	Day      string
	Zone     string
	State    Tag
	Due      time.Time
	Overdue  bool
	Late     []registerLine
	First    []registerLine // unpaired, unexplained
	Rest     []registerLine
	Refused  []registerLine
	Found    []findingLine
	History  []reviewStep
	Size     string
	Acts     []reviewDeed
	StepUp   string
	SignedBy string
	SecondBy string
	Unheard  bool
	BackTo   string
}

type reviewStep struct {
	What, By, Reason, Leaf string
	At                     time.Time
}

// reviewDeed is one thing that may be done with the day.
type reviewDeed struct {
	Kind   string
	Label  string
	Help   string
	Reason bool // needs one
	Main   bool
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
	v := &reviewsView{registerView: registerView{Base: h.base(rq, "review.title")}}
	if err := h.registerZones(rq, &v.registerView); err != nil {
		return nil, err
	}
	if v.Fault == "" {
		v.Fault = fault
	}
	if v.Zone == "" {
		return v, nil
	}
	zone := access.ZoneID(v.Zone)
	today := calendar.DateOf(v.now)
	days, err := h.src.Reviews.ReviewDays(rq.Context(), zone, today.AddDays(-reviewBack).String(), today.String())
	if err != nil {
		return nil, fmt.Errorf("days to review: %w", err)
	}
	v.MaySign, v.StepUp = rq.may(signRoles, zone), h.freshAt(rq, "POST /review")
	for i := range days {
		d := &days[i]
		switch d.Sheet.Status {
		case signoff.Done, signoff.NotOver:
			continue
		}
		if d.Sheet.Quiet && d.Sheet.Status == signoff.Open {
			if v.QuietFrom == "" {
				v.QuietFrom = d.Day
			}
			v.QuietTo = d.Day
			v.Quiet = append(v.Quiet, v.reviewLine(zone, d).Day)
		}
		v.Days = append(v.Days, v.reviewLine(zone, d))
	}
	v.UpTo, v.Total = rq.now, strconv.Itoa(len(v.Days))
	v.Calendar = withQuery("/review/calendar", url.Values{"zone": {v.Zone}})
	return v, nil
}

func (v *reviewsView) reviewLine(zone access.ZoneID, d *ReviewDay) reviewLine {
	l := reviewLine{Href: reviewHref(zone, d.Day), State: v.reviewTag(&d.Sheet), Overdue: d.Sheet.Overdue, Rows: strconv.Itoa(d.Rows),
		Findings: strconv.Itoa(d.Findings), Due: time.UnixMilli(d.DueMS), Unheard: !d.Covered, Day: d.Day}
	if t, err := time.Parse(dayLayout, d.Day); err == nil {
		l.Day = v.date(calendar.DateOf(t))
	}
	return l
}

func reviewHref(zone access.ZoneID, day string) string {
	return "/review/" + url.PathEscape(string(zone)) + "/" + day
}

func (b Base) reviewTag(s *signoff.Sheet) Tag {
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

// getReviewCalendar shows the days of one fiscal year (年度カレンダー).
func (h *Handler) getReviewCalendar(w http.ResponseWriter, rq *request) error {
	v := &reviewsView{registerView: registerView{Base: h.base(rq, "review.calendar")}}
	if err := h.registerZones(rq, &v.registerView); err != nil {
		return err
	}
	year := calendar.DateOf(v.now).FiscalYear()
	if text := rq.URL.Query().Get("year"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1990 || n > 2200 {
			v.Fault = v.T("review.bad_year")
		}
		year = calendar.FiscalYear(n)
	}
	if v.Zone == "" || v.Fault != "" {
		return h.renderStatus(w, rq, "calendar", v, v.status())
	}
	zone := access.ZoneID(v.Zone)
	first := year.Start()
	days, err := h.src.Reviews.ReviewDays(rq.Context(), zone, first.String(), year.End().String())
	if err != nil {
		return fmt.Errorf("fiscal year of reviews: %w", err)
	}
	by := map[string]*ReviewDay{}
	for i := range days {
		by[days[i].Day] = &days[i]
	}
	for d := first; d.FiscalYear() == year; d = d.AddDays(1) {
		if d.Day == 1 {
			v.Months = append(v.Months, reviewMonth{Name: v.T("review.month", "year", strconv.Itoa(d.Year), "month", strconv.Itoa(int(d.Month))), First: strconv.Itoa(int(d.Weekday()) + 1), Month: d.String()[:len(monthLayout)], Ready: true})
		}
		m := &v.Months[len(v.Months)-1]
		day := by[d.String()]
		m.seen = m.seen || day != nil
		m.Ready = m.Ready && (day == nil && !m.seen || day != nil && day.Sheet.Status == signoff.Done)
		m.Days = append(m.Days, v.cell(zone, d, day))
	}
	signed, err := h.src.Reviews.ReviewMonths(rq.Context(), zone, v.Months[0].Month, v.Months[len(v.Months)-1].Month)
	if err != nil {
		return fmt.Errorf("signed months: %w", err)
	}
	v.MaySign = rq.may(signRoles, zone)
	for i := range v.Months {
		m := &v.Months[i]
		if by, ok := signed[m.Month]; ok {
			m.State = v.T("review.signed_by", "name", by)
		}
		m.Ready = m.Ready && m.seen && m.State == ""
	}
	if v.MaySign && !h.steppedUp(rq, stepUpFull) {
		v.StepUp = "/step-up?" + url.Values{"next": {clip(v.Here, 900)}}.Encode()
	}
	v.Year = strconv.Itoa(int(year))
	at := func(n int) string {
		return withQuery("/review/calendar", url.Values{"zone": {v.Zone}, "year": {strconv.Itoa(int(year) + n)}})
	}
	if v.Prev = at(-1); year < calendar.DateOf(v.now).FiscalYear() {
		v.Next = at(1)
	}
	v.List = withQuery("/review", url.Values{"zone": {v.Zone}})
	for s := signoff.Open; s <= signoff.Done; s++ {
		t := v.reviewTag(&signoff.Sheet{Status: s})
		t.Icon = v.T("review_mark." + s.String())
		v.Key = append(v.Key, t)
	}
	return h.render(w, rq, "calendar", v)
}

func (v *reviewsView) cell(zone access.ZoneID, d calendar.Date, day *ReviewDay) reviewCell {
	c := reviewCell{Label: strconv.Itoa(d.Day), Tone: ToneQuiet, Mark: v.T("review.no_mark")}
	if day == nil || day.Sheet.Status == signoff.NotOver && day.Day > v.now.Format(dayLayout) {
		c.Word = v.date(d)
		return c
	}
	t := v.reviewTag(&day.Sheet)
	c.Tone, c.Href, c.Mark = t.Tone, reviewHref(zone, day.Day), v.T("review_mark."+day.Sheet.Status.String())
	if c.Word = v.date(d) + " " + t.Word; day.Sheet.Overdue {
		c.Tone, c.Word = ToneAlarm, c.Word+" "+v.T("review.overdue")
	}
	return c
}

// getReview shows one day of one zone to be signed.
func (h *Handler) getReview(w http.ResponseWriter, rq *request) error {
	return h.showReview(w, rq, "", http.StatusOK)
}

func (h *Handler) showReview(w http.ResponseWriter, rq *request, fault string, code int) error {
	zone, day := access.ZoneID(rq.PathValue("zone")), rq.PathValue("day")
	if err := h.inReach(rq, zone); err != nil {
		return err
	}
	sheet, err := h.src.Reviews.ReviewDay(rq.Context(), zone, day, rq.names)
	if err != nil {
		return fmt.Errorf("review of a day: %w", err)
	}
	if err := h.viewed(rq, ActionViewReview, string(zone)); err != nil { // after it is found: an address is no text for a leaf
		return err
	}
	v := &reviewSheetView{registerView: registerView{Base: h.base(rq, "review.sheet")}, Zone: sheet.Register.Zone.Name, Day: day}
	v.Here, v.Fault, v.Size = reviewHref(zone, day), fault, strconv.FormatUint(sheet.Size, 10)
	if t, err := time.Parse(dayLayout, day); err == nil {
		v.Day = v.date(calendar.DateOf(t))
	}
	v.State, v.Due, v.Overdue, v.Unheard = v.reviewTag(&sheet.Sheet), time.UnixMilli(sheet.DueMS), sheet.Sheet.Overdue, !sheet.Covered
	v.SignedBy, v.SecondBy, v.UpTo = sheet.SignedBy, sheet.SecondBy, sheet.Register.UpTo
	v.sort(&sheet)
	for _, f := range sheet.Found {
		v.Found = append(v.Found, v.findingLine(f))
	}
	for _, g := range sheet.Register.Gaps {
		v.Gaps = append(v.Gaps, v.T("register.gap", "what", v.gapLine(g).Gap))
	}
	for _, x := range sheet.History {
		v.History = append(v.History, reviewStep{What: v.T("review_act." + string(x.Kind)), By: x.By, Reason: x.Reason, Leaf: strconv.FormatUint(x.Leaf, 10), At: time.UnixMilli(x.AtMS)})
	}
	v.BackTo = withQuery("/review", url.Values{"zone": {string(zone)}})
	if rq.may(signRoles, zone) {
		if !h.steppedUp(rq, stepUpFull) {
			v.StepUp = "/step-up?next=" + reviewHref(zone, day)
		}
		v.deeds(&sheet.Sheet)
	}
	return h.renderStatus(w, rq, "review", v, code)
}

// sort puts what has to be looked at first: what came after the signature, then what is not paired, then the rest.
func (v *reviewSheetView) sort(sheet *ReviewSheet) {
	for i := range sheet.Register.Rows {
		r := &sheet.Register.Rows[i]
		l := v.registerLine(r)
		l.No = strconv.Itoa(i + 1)
		switch {
		case slices.Contains(sheet.Late, r.Attempt):
			v.Late = append(v.Late, l)
		case r.State == register.Denied:
			v.Refused = append(v.Refused, l)
		case r.State == register.Complete || r.State == register.NoEntry:
			v.Rest = append(v.Rest, l)
		default:
			v.First = append(v.First, l)
		}
	}
}

// deeds lists what the day's state lets somebody do. The source decides again.
func (v *reviewSheetView) deeds(s *signoff.Sheet) {
	add := func(k signoff.Kind, main, reason bool) {
		v.Acts = append(v.Acts, reviewDeed{Kind: string(k), Label: v.T("review_do." + string(k)), Help: v.T("review_help." + string(k)), Reason: reason, Main: main})
	}
	switch s.Status {
	case signoff.Open, signoff.Returned:
		add(signoff.Sign, true, false)
	case signoff.Waiting:
		add(signoff.Countersign, true, false)
		add(signoff.Return, false, true)
		add(signoff.Reopen, false, true)
	case signoff.Additional:
		add(signoff.Add, true, false)
		add(signoff.Reopen, false, true)
	case signoff.Done:
		add(signoff.Return, false, true)
		add(signoff.Reopen, false, true)
	}
}

// postReview does one thing with a day.
func (h *Handler) postReview(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	zone, day, kind := access.ZoneID(rq.PathValue("zone")), rq.PathValue("day"), signoff.Kind(rq.post("act"))
	if !rq.may(signRoles, zone) {
		return errForbidden
	}
	seen, err := strconv.ParseUint(rq.post("seen"), 10, 63)
	if err != nil || kind == signoff.SignMonth || !slices.Contains(signoff.Kinds(), kind) {
		return errBadInput
	}
	act := rq.action(ActionKind(kind), "")
	if act.Reason = clip(strings.TrimSpace(rq.post("reason")), 1000); !written(act.Reason) {
		return errBadInput
	}
	if err := h.src.Reviews.ActOnDay(rq.Context(), zone, day, kind, seen, act); err != nil {
		if key := reviewFault(err); key != "" {
			return h.showReview(w, rq, h.words[rq.lang].say("review_fault."+key), http.StatusConflict)
		}
		return fmt.Errorf("act on day: %w", err)
	}
	if kind == signoff.Sign || kind == signoff.Countersign || kind == signoff.Add {
		return redirect(w, rq, withQuery("/review", url.Values{"zone": {string(zone)}, "done": {"day_signed"}}))
	}
	return redirect(w, rq, reviewHref(zone, day)+"?done=day_opened")
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

// postMonth signs a month of a zone (VR-4).
func (h *Handler) postMonth(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	zone, month := access.ZoneID(rq.post("zone")), rq.post("month")
	if !rq.may(signRoles, zone) {
		return errForbidden
	}
	first, err := time.Parse(monthLayout, month)
	if err != nil {
		return errBadInput
	}
	err = h.src.Reviews.SignMonth(rq.Context(), zone, month, rq.action(ActionKind(signoff.SignMonth), ""))
	if key := reviewFault(err); key != "" {
		v, err := h.reviewsView(rq, h.words[rq.lang].say("review_fault."+key))
		if err != nil {
			return err
		}
		return h.renderStatus(w, rq, "reviews", v, http.StatusConflict)
	}
	if err != nil {
		return fmt.Errorf("sign month: %w", err)
	}
	year := strconv.Itoa(int(calendar.DateOf(first).FiscalYear()))
	return redirect(w, rq, withQuery("/review/calendar", url.Values{"zone": {string(zone)}, "year": {year}, "done": {"day_signed"}}))
}

// reviewFault is the word of the sentence for a refusal; "" for another error.
func reviewFault(err error) string {
	for word, e := range map[string]error{
		"not_over": signoff.ErrNotOver, "signed": signoff.ErrSigned, "not_signed": signoff.ErrNotSigned, "unseen": signoff.ErrUnseen,
		"same_person": signoff.ErrSamePerson, "no_reason": signoff.ErrNoReason, "nothing": signoff.ErrNothing, "not_quiet": signoff.ErrNotQuiet, "month": signoff.ErrMonth,
	} {
		if errors.Is(err, e) {
			return word
		}
	}
	return ""
}

// reviewPart is one table of the sheet.
type reviewPart struct {
	V       *reviewSheetView
	Heading string
	Lines   []registerLine
}

// Part gives the table template what it needs.
func (v *reviewSheetView) Part(heading string, lines []registerLine) reviewPart {
	return reviewPart{v, heading, lines}
}
