package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"monban/firmware/access"
	"monban/firmware/calendar"
	"monban/server/register"
)

// registerRoles see the entry register; the system administrator without names.
const registerRoles = groupF | groupS | groupA | groupC | groupD

// presentRoles see who is inside: reception and guards too, for a muster.
const presentRoles = registerRoles | groupR

type registerView struct {
	Base
	Zones     []choice
	Zone      string
	ZoneLabel string
	From, To  string // YYYY-MM-DD
	Period    string
	All       bool // with what came to no entry
	Era       bool // dates in Japanese eras
	Fault     string
	Empty     bool
	Lines     []registerLine
	Months    []navItem // of a long period: one is shown
	Days      []navItem // of one with many lines: likewise
	Total     string
	Gaps      []string
	UpTo      time.Time
	Prev      string
	Next      string
	Export    string   // link, "" = not for these roles
	Seals     []string // who puts a seal on the printed sheet
	At        string   // of the list of who is inside
	Muster    MusterCopy
	// MusterText says how old the newest copy is.
	MusterText string
}

type registerLine struct {
	No        string
	Day       string
	In, Out   string // "" = blank
	InAt      time.Time
	OutAt     time.Time
	Door      string
	Who       Person
	Category  string
	Purpose   string
	System    string
	Approver  string
	Attendee  string
	Badge     string
	Items     []string
	Identity  string
	State     Tag
	Notes     []string
	Attempt   string
	Signed    string // who has confirmed the row, on paper
	Since     string // of the list of who is inside
	DayID     string // YYYY-MM-DD
	Uncertain bool   // of the list of who is inside: says to have left
	Fresh     bool   // came since who looks looked last
	Of        string // link to the day on which the row stands, of one that only ended on the day shown
	Confirm   string // id of a stated exit that who looks may confirm
}

// getRegister shows the entry register (入退室管理簿) of one zone, made to be printed (RR-1).
func (h *Handler) getRegister(w http.ResponseWriter, rq *request) error {
	v := registerView{Base: h.base(rq, "register.title")}
	if err := h.registerForm(rq, &v); err != nil {
		return err
	}
	if v.Zone == "" || v.Fault != "" {
		return h.renderStatus(w, rq, "register", v, v.status())
	}
	if err := h.viewed(rq, ActionViewRegister, v.Zone); err != nil {
		return err
	}
	from, to := v.months(rq)
	reg, err := h.src.Registers.Register(rq.Context(), RegisterQuery{Zone: access.ZoneID(v.Zone), From: from, To: to, Names: rq.names})
	if errors.Is(err, ErrNotFound) {
		v.Fault = v.T("register.bad_period", "days", strconv.Itoa(MaxRegisterDays))
		return h.renderStatus(w, rq, "register", v, http.StatusUnprocessableEntity)
	}
	if err != nil {
		return fmt.Errorf("register of %s: %w", v.Zone, err)
	}
	for i := range reg.Rows {
		r := &reg.Rows[i]
		if v.All || r.State != register.Denied {
			l := v.registerLine(r)
			l.No = strconv.Itoa(len(v.Lines) + 1)
			v.Lines = append(v.Lines, l)
		}
	}
	v.days(rq)
	for _, g := range reg.Gaps {
		v.Gaps = append(v.Gaps, v.T("register.gap", "what", v.say.gapLine(g).Gap))
	}
	if rq.names && rq.roles&reportRoles != 0 {
		q := rq.URL.Query()
		q.Set("report", "entry_register")
		q.Set("zone", v.Zone)
		q.Set("from", v.From)
		q.Set("to", v.To)
		v.Export = withQuery("/reports", q)
	}
	v.UpTo, v.Total, v.Empty = reg.UpTo, strconv.Itoa(len(v.Lines)), len(v.Lines) == 0
	v.Seals = []string{v.T("register.seal_clerk"), v.T("register.seal_head"), v.T("register.seal_manager")}
	return h.render(w, rq, "register", v)
}

// getPresent shows who was in a zone at a moment (在室者一覧, RR-3).
func (h *Handler) getPresent(w http.ResponseWriter, rq *request) error {
	v := registerView{Base: h.base(rq, "present.title")}
	if err := h.registerZones(rq, &v); err != nil {
		return err
	}
	at := rq.now
	if text := rq.URL.Query().Get("at"); text != "" {
		var err error
		if at, err = time.ParseInLocation(judgeTime, text, h.cfg.Zone); err != nil || at.After(rq.now) {
			v.Fault, v.At = v.T("present.bad_time"), text
			return h.renderStatus(w, rq, "present", v, http.StatusUnprocessableEntity)
		}
	}
	v.At = at.In(h.cfg.Zone).Format(judgeTime)
	if v.Zone == "" || v.Fault != "" {
		return h.renderStatus(w, rq, "present", v, v.status())
	}
	if err := h.viewed(rq, ActionViewPresent, v.Zone); err != nil {
		return err
	}
	reg, err := h.src.Registers.Present(rq.Context(), access.ZoneID(v.Zone), at, rq.names)
	if err != nil {
		return fmt.Errorf("who is in %s: %w", v.Zone, err)
	}
	for i := range reg.Rows {
		r := &reg.Rows[i]
		l := v.registerLine(r)
		l.No, l.Uncertain = strconv.Itoa(len(v.Lines)+1), !r.LeftAt.IsZero()
		if l.Uncertain { // whoever searches a building looks for them last, and looks (RR-6)
			why := "outage.uncertain"
			if r.LeftWithin {
				why = "outage.uncertain_within"
			}
			l.Notes = append(l.Notes, v.T(why, "time", v.minute(r.LeftAt, r.Day)))
		}
		since := r.EnteredAt
		if since.IsZero() {
			since = r.SeenAt
		}
		l.Since = v.say.span(at.Sub(since))
		v.Lines = append(v.Lines, l)
	}
	v.UpTo, v.Total, v.Empty = reg.UpTo, strconv.Itoa(len(v.Lines)), len(v.Lines) == 0
	if in, err := h.reach(rq); err != nil {
		return err
	} else if rq.names && in.All { // the copy holds all zones
		v.Muster = h.src.Registers.Muster(rq.Context())
		if v.MusterText = v.T("present.copy_none"); !v.Muster.Made.IsZero() {
			v.MusterText = v.T("present.copy_made", "made", v.DayTime(v.Muster.Made), "end", v.DayTime(v.Muster.End))
		}
	}
	return h.render(w, rq, "present", v)
}

func (v *registerView) status() int {
	if v.Fault != "" {
		return http.StatusUnprocessableEntity
	}
	return http.StatusOK
}

// viewed leaves a trace of names that are shown; without it no names are (RA-4).
func (h *Handler) viewed(rq *request, kind ActionKind, target string) error {
	if !rq.names {
		return nil
	}
	act := rq.action(kind, target)
	act.Filter = clip(rq.URL.RawQuery, 500)
	if err := h.src.Audit.RecordAction(rq.Context(), act); err != nil {
		return fmt.Errorf("record view: %w", err)
	}
	return nil
}

// zonesInReach lists the zones with a register that the account's roles for this page reach.
func (h *Handler) zonesInReach(rq *request) ([]ZoneName, error) {
	zones, err := h.src.Registers.RegisterZones(rq.Context())
	if err != nil {
		return nil, fmt.Errorf("zones: %w", err)
	}
	in, err := h.reach(rq)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(zones), func(z ZoneName) bool { return !in.Zone(z.ID) }), nil
}

// zoneLabel is a zone's name in a choice; of one that is gone with the day since which it is.
func (b Base) zoneLabel(z ZoneName) string {
	if z.Gone == "" {
		return z.Name
	}
	r := registerView{Base: b}
	day := z.Gone
	if t, err := time.Parse(dayLayout, z.Gone); err == nil {
		day = r.date(calendar.DateOf(t))
	}
	return b.T("register.gone_zone", "zone", z.Name, "day", day)
}

// registerZones fills in the choice of zones; a site with one needs no choice.
func (h *Handler) registerZones(rq *request, v *registerView) error {
	zones, err := h.zonesInReach(rq)
	if err != nil {
		return err
	}
	wanted := rq.URL.Query().Get("zone")
	found := wanted == ""
	if wanted == "" && len(zones) > 0 {
		wanted = string(zones[0].ID)
	}
	for _, z := range zones {
		chosen := wanted == string(z.ID)
		found = found || chosen
		v.Zones = append(v.Zones, choice{string(z.ID), v.zoneLabel(z), chosen})
		if chosen {
			v.ZoneLabel = z.Name
		}
	}
	if !found {
		v.Fault = v.T("register.no_zone")
		return nil
	}
	v.Zone = wanted
	return nil
}

// registerForm reads zone and period. Without a period it is today; with a month or fiscal year the days of it.
func (h *Handler) registerForm(rq *request, v *registerView) error {
	if err := h.registerZones(rq, v); err != nil {
		return err
	}
	in := rq.URL.Query()
	v.All = in.Get("all") != ""
	v.Era = in.Get("dates") == "era" || in.Get("dates") == "" && rq.lang == Japanese
	today := calendar.DateOf(v.say.now)
	from, to := today, today
	for name, to := range map[string]*calendar.Date{"from": &from, "to": &to} {
		text := in.Get(name)
		if text == "" {
			continue
		}
		d, err := time.Parse(dayLayout, text)
		if err != nil {
			v.Fault = v.T("register.bad_period", "days", strconv.Itoa(MaxRegisterDays))
			continue
		}
		*to = calendar.DateOf(d)
	}
	if in.Get("from") != "" && in.Get("to") == "" {
		to = from
	}
	v.From, v.To = from.String(), to.String()
	if to.Before(from) || from.AddDays(MaxRegisterDays-1).Before(to) {
		v.Fault = v.T("register.bad_period", "days", strconv.Itoa(MaxRegisterDays))
	}
	v.Period = v.date(from)
	if from != to {
		v.Period = v.T("register.period", "from", v.date(from), "to", v.date(to))
	}
	days := to.Sub(from) + 1
	at := func(n int) string {
		q := url.Values{"zone": {v.Zone}, "from": {from.AddDays(n).String()}, "to": {to.AddDays(n).String()}}
		for _, k := range []string{"all", "dates"} {
			if in.Get(k) != "" {
				q.Set(k, in.Get(k))
			}
		}
		return withQuery("/register", q)
	}
	v.Prev = at(-days)
	if to.Before(today) {
		v.Next = at(days)
	}
	return nil
}

// date writes a day as registers do: 令和8年11月24日(火), or as the screen does.
func (v *registerView) date(d calendar.Date) string {
	switch {
	case v.say.lang != Japanese:
		return d.English()
	case v.Era:
		return d.Japanese()
	}
	return d.Western()
}

// minute writes a time of day as registers do, with the day when it is another one.
func (v *registerView) minute(t time.Time, day string) string {
	if t.IsZero() {
		return ""
	}
	t = t.In(v.say.zone)
	if t.Format(dayLayout) == day {
		return t.Format("15:04")
	}
	return t.Format("1/2 15:04")
}

func (v *registerView) registerLine(r *RegisterRow) registerLine {
	l := registerLine{
		In: v.minute(r.EnteredAt, r.Day), Out: v.minute(r.ExitedAt, r.Day), InAt: r.EnteredAt, OutAt: r.ExitedAt, Door: r.Door, Purpose: r.Purpose, System: r.System,
		Approver: r.Approver, Attendee: r.Attendee, Badge: r.Badge, Items: r.Items, Attempt: r.Attempt, State: v.say.registerTag(r.State),
	}
	l.DayID = r.Day
	if d, err := time.Parse(dayLayout, r.Day); err == nil {
		l.Day = v.date(calendar.DateOf(d))
	}
	l.Who = v.say.person(r.Who)
	switch {
	case r.Who.Ref == "" && r.Who.Name != "" && !v.say.masked: // on paper, or came in on somebody else's badge
		l.Who = Person{Name: r.Who.Name, Section: r.Who.Section}
	case r.Who.Unreadable:
		l.Who = Person{Name: v.T("person.unreadable"), Token: true}
	case r.Erased:
		l.Who = Person{Name: v.T("person.erased"), Token: true}
	}
	if r.Category != "" {
		l.Category = v.say.known("register_category", r.Category)
	}
	if r.Identity != "" {
		l.Identity = v.say.known("register_identity", r.Identity)
	}
	if v.say.masked {
		l.Purpose, l.System, l.Approver, l.Attendee, l.Badge, l.Items = "", "", "", "", "", nil
	}
	l.Notes = v.registerNotes(r)
	return l
}

// registerNotes says why something is blank: a blank without a word looks like a mistake of the printer (RR-2).
func (v *registerView) registerNotes(r *RegisterRow) (notes []string) {
	say := func(key string, pairs ...string) { notes = append(notes, v.T(key, pairs...)) }
	at := func(t time.Time) string { return v.minute(t, r.Day) }
	switch r.State {
	case register.ExitNotRecorded:
		if r.Paper != "" {
			say("outage.paper_no_exit")
			break
		}
		say("register.left_unseen", "time", at(r.ElsewhereAt))
	case register.EntryNotRecorded:
		if r.SeenAt.IsZero() {
			say("register.entered_unseen")
		} else {
			say("register.seen_inside", "time", at(r.SeenAt))
		}
	case register.ExitUnattributed, register.Unexplained, register.NoEntry, register.Denied:
		say("register.other_at", "time", at(r.OtherAt))
	}
	switch {
	case r.StatedAt.IsZero():
	case r.ConfirmedBy == "":
		say("register.exit_stated", "time", at(r.StatedAt))
	case v.say.masked:
		say("register.exit_agreed", "time", at(r.StatedAt))
	default:
		say("register.exit_confirmed", "time", at(r.StatedAt), "name", r.ConfirmedBy)
	}
	if r.Conditions != 0 {
		say("register.conditions", "version", strconv.FormatUint(uint64(r.Conditions), 10))
	}
	if r.Leader != "" && !v.say.masked {
		say("register.with", "name", r.Leader)
	}
	if r.PurposeSource == "stated" {
		say("register.stated")
	}
	switch {
	case r.Paper == "":
	case r.PaperSecond == "":
		say("outage.paper_waits", "no", r.Paper, "typed", r.PaperTyped)
	default:
		say("outage.paper_note", "no", r.Paper, "typed", r.PaperTyped, "second", r.PaperSecond)
	}
	if r.Drill {
		say("register.drill")
	}
	if r.Late {
		say("register.late")
	}
	for i := range r.Corrected {
		if text := v.correctionNote(r, &r.Corrected[i]); text != "" {
			notes = append(notes, text)
		}
	}
	return notes
}

func (b speaker) registerTag(s register.State) Tag {
	tone, icon := ToneGood, "check"
	switch s {
	case register.Inside:
		tone, icon = ToneNote, "person"
	case register.ExitNotRecorded, register.EntryNotRecorded, register.ExitUnattributed, register.Unexplained:
		tone, icon = ToneWarn, "finding"
	case register.NoEntry, register.Denied:
		tone, icon = ToneNote, "dash"
	}
	return Tag{b.T("register_state." + s.String()), tone, icon}
}
