package web

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
)

// logLimit is how many lines a page of the log holds: a day of a busy room on one screen to scroll.
const logLimit = 100

type logView struct {
	Base
	Day      string // YYYY-MM-DD
	Date     time.Time
	Today    bool
	Prev     string // links
	Next     string // "" on today
	ToToday  string
	Doors    []choice
	Results  []choice
	Text     string
	Purpose  string   // of a search for a person
	Purposes []string // registered ones
	Filtered bool
	Plain    string // link without filters
	Lines    []logLine
	Total    string
	From, To string
	Newer    string // "" = none
	Older    string
	UpTo     time.Time
}

type choice struct {
	Value, Label string
	Chosen       bool
}

// logLine is an attempt, or a gap when Gap is set.
type logLine struct {
	Gap    string
	At     time.Time
	ID     string
	Who    Person
	Door   string
	Side   string
	Result Tag
	Reason string
	By     string
	Policy string
	Flags  []Tag
}

func (h *Handler) getLog(w http.ResponseWriter, rq *request) error {
	v, q, err := h.logQuery(rq)
	if err != nil {
		return err
	}
	if q.Text != "" { // looks for a person (PR-4)
		if v.Purpose, err = rq.purpose(); err != nil {
			return h.askPurpose(w, rq, http.StatusBadRequest)
		}
	}
	if rq.names && !rq.URL.Query().Has("auto") {
		act := rq.action(ActionViewLog, q.Day)
		act.Reason, act.Filter = v.Purpose, clip(rq.URL.RawQuery, 500)
		if err := h.src.Audit.RecordAction(rq.Context(), act); err != nil {
			return fmt.Errorf("record view: %w", err) // no leaf, no names (RA-4)
		}
	}
	day, err := h.src.Log.DayLog(rq.Context(), q)
	if err != nil {
		return fmt.Errorf("log of %s: %w", q.Day, err)
	}
	v.UpTo = day.UpTo
	v.Lines = v.say.merge(day)
	v.Total = strconv.Itoa(day.Total)
	v.From, v.To = strconv.Itoa(min(q.Skip+1, day.Total)), strconv.Itoa(q.Skip+len(day.Attempts))
	if q.Skip > 0 {
		v.Newer = pageLink(rq.URL, q.Skip/logLimit-1)
	}
	if q.Skip+len(day.Attempts) < day.Total {
		v.Older = pageLink(rq.URL, q.Skip/logLimit+1)
	}
	return h.render(w, rq, "log", v)
}

// logQuery reads the filters out of the URL and prepares the form that shows them.
func (h *Handler) logQuery(rq *request) (v logView, q LogQuery, err error) {
	v = logView{Base: h.base(rq, "log.title")}
	in := rq.URL.Query()
	today := v.say.now.Format(dayLayout)
	q = LogQuery{Day: today, Names: rq.names, Limit: logLimit}
	if d := in.Get("day"); d != "" {
		q.Day = d
	}
	if v.Date, err = time.ParseInLocation(dayLayout, q.Day, h.cfg.Zone); err != nil {
		return v, q, errBadInput
	}
	if p := in.Get("page"); p != "" {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 || n > 10_000 {
			return v, q, errBadInput
		}
		q.Skip = n * logLimit
	}
	if q.In, err = h.reach(rq); err != nil {
		return v, q, err
	}
	names, err := h.src.Log.DoorNames(rq.Context())
	if err != nil {
		return v, q, fmt.Errorf("names of doors: %w", err)
	}
	wanted, found := in.Get("door"), in.Get("door") == ""
	v.Doors = []choice{{"", v.T("log.all_doors"), wanted == ""}}
	for _, d := range names {
		if !q.In.Door(d.Door) {
			continue
		}
		chosen := wanted == string(d.Door)
		found = found || chosen
		v.Doors = append(v.Doors, choice{string(d.Door), d.Name, chosen})
	}
	if !found {
		return v, q, errBadInput
	}
	q.Door = access.DoorID(wanted)
	if s := in.Get("result"); s != "" {
		ok := false
		if q.Result, ok = ParseResult(s); !ok {
			return v, q, errBadInput
		}
	}
	v.Results = []choice{{"", v.T("log.all_results"), q.Result == ResultUnknown}}
	for r := ResultEntered; r < resultCount; r++ {
		v.Results = append(v.Results, choice{r.String(), v.T("result." + r.String()), q.Result == r})
	}
	if rq.names {
		q.Text = clip(strings.TrimSpace(in.Get("q")), 200)
	}
	v.Text = q.Text
	if rq.names {
		if v.Purposes, err = h.purposeNames(rq); err != nil {
			return v, q, err
		}
	}
	v.Day, v.Today = q.Day, q.Day == today
	v.Filtered = q.Door != "" || q.Result != ResultUnknown || q.Text != ""
	at := func(day string) string {
		n := url.Values{}
		for _, k := range []string{"door", "result", "q", "purpose"} {
			if in.Get(k) != "" {
				n.Set(k, in.Get(k))
			}
		}
		n.Set("day", day)
		return withQuery("/log", n)
	}
	v.Prev = at(v.Date.AddDate(0, 0, -1).Format(dayLayout))
	if q.Day < today {
		v.Next = at(v.Date.AddDate(0, 0, 1).Format(dayLayout))
	}
	v.ToToday = "/log"
	v.Plain = withQuery("/log", url.Values{"day": {q.Day}})
	return v, q, nil
}

func pageLink(u *url.URL, page int) string {
	q := u.Query()
	q.Del("done")
	q.Set("page", strconv.Itoa(page))
	if page == 0 {
		q.Del("page")
	}
	return withQuery("/log", q)
}

// merge puts gaps among the attempts, newest first.
func (b speaker) merge(day DayLog) []logLine {
	var lines []logLine
	gaps := day.Gaps
	for _, a := range day.Attempts {
		for len(gaps) > 0 && gaps[0].From.After(a.At) {
			lines = append(lines, b.gapLine(gaps[0]))
			gaps = gaps[1:]
		}
		lines = append(lines, b.logLine(a))
	}
	for _, g := range gaps {
		lines = append(lines, b.gapLine(g))
	}
	return lines
}

func (b speaker) gapLine(g Gap) logLine {
	if g.To.IsZero() {
		return logLine{At: g.From, Gap: b.T("log.gap_open", "gateway", string(g.Gateway), "from", b.Time(g.From))}
	}
	return logLine{At: g.From, Gap: b.T("log.gap", "gateway", string(g.Gateway), "from", b.Time(g.From), "to", b.Time(g.To))}
}

func (b speaker) resultTag(r Result) Tag {
	look := map[Result]Tag{
		ResultEntered: {Tone: ToneGood, Icon: "enter"}, ResultExited: {Tone: ToneGood, Icon: "exit"},
		ResultNoEntry: {Tone: ToneNote, Icon: "dash"}, ResultDenied: {Tone: ToneWarn, Icon: "stop"},
		ResultGranted: {Tone: ToneGood, Icon: "check"}, ResultDone: {Tone: ToneGood, Icon: "check"},
	}[r]
	if look.Icon == "" {
		look = Tag{Tone: ToneLost, Icon: "unknown"}
	}
	look.Word = b.T("result." + r.String())
	return look
}

func (b speaker) logLine(a Attempt) logLine {
	l := logLine{At: a.At, ID: a.ID, Who: b.person(a.Who), Door: a.DoorName, Side: b.side(a.Side),
		Result: b.resultTag(a.Result), By: b.decidedBy(a.By), Policy: b.policy(a.Policy), Flags: b.flags(a)}
	if l.Door == "" {
		l.Door = string(a.Door)
	}
	l.Reason = b.reasonOf(a)
	return l
}

// reasonOf is the sentence that goes with a result. A grant in spite of failed checks is an exit
// (D11): the first failed check is said too.
func (b speaker) reasonOf(a Attempt) string {
	if a.Result == ResultDenied {
		return b.T("reason." + a.Reason.String())
	}
	if a.Failed.Has(access.ReasonRecoveryCard) { // says more than the old snapshot it set aside (AD-18)
		return b.T("reason." + access.ReasonRecoveryCard.String())
	}
	for _, r := range access.Reasons() {
		if r != access.ReasonGranted && a.Failed.Has(r) {
			return b.T("log.although", "reason", b.T("reason."+r.String()))
		}
	}
	if a.Result == ResultNoEntry {
		return b.T("log.not_opened")
	}
	return ""
}

func (b speaker) policy(version uint64) string {
	if version == 0 {
		return "–"
	}
	return strconv.FormatUint(version, 10)
}

func (b speaker) flags(a Attempt) (tags []Tag) {
	add := func(on bool, key string, tone Tone, icon string) {
		if on {
			tags = append(tags, Tag{b.T("flag." + key), tone, icon})
		}
	}
	add(a.Mismatch, "mismatch", ToneAlarm, "alarm")
	add(a.Offline, "offline", ToneNote, "unlinked")
	add(a.Late, "late", ToneNote, "clock")
	add(a.Midnight, "midnight", ToneNote, "clock")
	return tags
}

type attemptView struct {
	Base
	logLine
	ExactTo   string // "±0.3 s", "" = exact
	Checks    []string
	Leaf      string
	Prove     string // link, "" = not for these roles
	Gateway   string
	PolicyAge string
	Clock     string
	Assurance string
	Events    []eventLine
	Back      string
}

// isAttempt: 32 lower-case hex digits.
func isAttempt(id string) bool {
	if len(id) != 32 {
		return false
	}
	return strings.Trim(id, "0123456789abcdef") == ""
}

func (h *Handler) getAttempt(w http.ResponseWriter, rq *request) error {
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
	v := attemptView{Base: h.base(rq, "attempt.title")}
	v.logLine = v.Base.say.logLine(d.Attempt)
	v.Leaf, v.Gateway, v.Assurance = strconv.FormatUint(d.Leaf, 10), string(d.Gateway), v.T("assurance.unknown")
	if d.Assurance != "" {
		v.Assurance = v.say.known("assurance", d.Assurance)
	}
	if d.Spread > 0 {
		v.ExactTo = v.T("attempt.exact_to", "seconds", strconv.FormatFloat(d.Spread.Seconds(), 'f', 1, 64))
	}
	if d.By == access.ByGateway {
		v.PolicyAge = v.say.span(d.PolicyAge)
	}
	v.Clock = v.say.clock(d.Clock)
	for _, r := range access.Reasons() {
		if d.Failed.Has(r) {
			v.Checks = append(v.Checks, v.T("reason."+r.String()))
		}
	}
	for _, e := range d.Events {
		v.Events = append(v.Events, v.say.eventLine(e))
	}
	if in, err := h.reach(rq); err == nil && in.All && rq.roles&proveRoles != 0 {
		v.Prove = withQuery("/verification", url.Values{"leaf": {v.Leaf}})
	}
	v.Back = withQuery("/log", url.Values{"day": {d.At.In(h.cfg.Zone).Format(dayLayout)}})
	return h.render(w, rq, "attempt", v)
}

func (b speaker) clock(q access.ClockQuality) string {
	names := map[access.ClockQuality]string{access.ClockNone: "none", access.ClockFloor: "floor",
		access.ClockRTC: "rtc", access.ClockNTP: "ntp", access.ClockServer: "server"}
	if n, ok := names[q]; ok {
		return b.T("clock." + n)
	}
	return b.T("clock.none")
}

// span writes a duration in the largest unit that fits.
func (b speaker) span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return b.T("span.seconds", "n", strconv.Itoa(int(d/time.Second)))
	case d < time.Hour:
		return b.T("span.minutes", "n", strconv.Itoa(int(d/time.Minute)))
	case d < 48*time.Hour:
		return b.T("span.hours", "n", strconv.Itoa(int(d/time.Hour)))
	}
	return b.T("span.days", "n", strconv.Itoa(int(d/(24*time.Hour))))
}
