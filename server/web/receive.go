package web

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"monban/server/directory"
	"monban/server/visit"
)

type findView struct {
	matterPage
	desk   counter
	Text   string
	Asked  bool
	Found  []visitRow
	Begun  []begunLine
	Stand  []permitRow // standing permits whose people may come now
	Urgent bool
}

type begunLine struct{ Href, Purpose, Company string }

// getFind is step 1: the application is found by a name, kana, company or number. One that alone fits is opened at once.
func (h *Handler) getFind(w http.ResponseWriter, rq *request) error {
	c, err := h.counter(rq, "receive.title", "reception")
	if err != nil {
		return err
	}
	v := findView{matterPage: c.matterPage, desk: c, Text: clip(strings.TrimSpace(rq.URL.Query().Get("q")), 200), Urgent: rq.roles&receiveRoles != 0}
	v.Asked = v.Text != ""
	if err := h.viewed(rq, ActionViewVisits, c.say.now.Format(dayLayout)); err != nil {
		return err
	}
	list, err := h.src.Visits.OpenVisits(rq.Context())
	if err != nil {
		return fmt.Errorf("open visits: %w", err)
	}
	until := c.say.now.AddDate(0, 0, 1).UnixMilli()
	var only *visit.View
	byID := map[string]*visit.View{}
	for i := range list {
		x := &list[i]
		if !c.seesVisit(x) {
			continue
		}
		byID[x.ID] = x
		if x.State != visit.Approved && x.State != visit.Running && x.State != visit.Applied {
			continue
		}
		if x.FromMS > until && !v.Asked || !c.visitFits(x, v.Text) {
			continue
		}
		v.Found = append(v.Found, c.visitRow(x))
		only = x
	}
	permits, err := h.src.Visits.Permits(rq.Context())
	if err != nil {
		return fmt.Errorf("permits: %w", err)
	}
	for i := range permits {
		if p := &permits[i]; p.Granted && c.seesPermit(p) && c.permitFits(p, v.Text) {
			v.Stand = append(v.Stand, c.permitRow(p))
		}
	}
	if v.Asked && len(v.Found) == 1 && len(v.Stand) == 0 && v.Found[0].Receive != "" {
		return redirect(w, rq, "/visits/"+only.ID+"/receive")
	}
	for _, d := range h.drafts.of(rq.account.ID, rq.now) {
		if x := byID[d.visit]; x != nil {
			v.Begun = append(v.Begun, begunLine{"/visits/" + x.ID + "/receive", x.Purpose, x.Company})
		}
	}
	return h.render(w, rq, "find", &v)
}

// visitFits looks for a text in what somebody at the counter would say.
func (c *counter) visitFits(x *visit.View, text string) bool {
	if text == "" || fits(text, x.ID, x.Company, x.Purpose, x.Section, x.Contract) {
		return true
	}
	return c.guestsFit(x.Guests, text)
}

func (c *counter) guestsFit(guests []visit.Guest, text string) bool {
	for i := range guests {
		g := &guests[i]
		if fits(text, g.Name, g.Kana, g.Company) {
			return true
		}
		if p := c.contracted(g); p != nil && p.Matches(text) {
			return true
		}
	}
	return false
}

func (c *counter) permitFits(p *visit.Permit, text string) bool {
	return text == "" || fits(text, p.ID, p.Company, p.Purpose, p.Section, p.Contract) || c.guestsFit(p.Guests, text)
}

func fits(text string, in ...string) bool {
	folded := directory.FoldName(text)
	return slices.ContainsFunc(in, func(s string) bool { return s != "" && strings.Contains(directory.FoldName(s), folded) })
}

// postPermitReceive makes the visit of a standing permit for which somebody stands at the counter (VE-12).
func (h *Handler) postPermitReceive(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	c, err := h.counter(rq, "receive.title", "")
	if err != nil {
		return err
	}
	permits, err := h.src.Visits.Permits(rq.Context())
	if err != nil {
		return fmt.Errorf("permits: %w", err)
	}
	if i := slices.IndexFunc(permits, func(p visit.Permit) bool { return p.ID == rq.PathValue("id") }); i >= 0 && !c.seesPermit(&permits[i]) {
		return ErrNotFound // of another zone (RA-1)
	}
	x, err := h.src.Visits.VisitFromPermit(rq.Context(), rq.PathValue("id"), rq.deskActor())
	if err == nil {
		return redirect(w, rq, "/visits/"+x.ID+"/receive")
	}
	t, code, err := h.refusal(rq, &c, "permit", rq.PathValue("id"), err)
	if err != nil {
		return err
	}
	return h.saidNo(w, rq, c, t, code)
}

type receiveView struct {
	matterPage
	desk    counter
	Visit   visitRow
	Step    int
	Steps   []stepLine
	Facts   []fact
	Sheet   deskForm
	Text    string // the entry conditions
	Version string
	Party   string
	Denied  string // why nobody of this visit can be received now
}

type stepLine struct {
	N, Word string
	Current bool
	Href    string // of a step that was done: to go back to
}

type fact struct{ Name, Value string }

// receiving is one reception as far as it is.
type receiving struct {
	c *counter
	x *visit.View
	d draft
}

// expected are the guests who were not received yet.
func (r *receiving) expected() (out []int) {
	for i := range r.x.Guests {
		if g := &r.x.Guests[i]; !g.Received() && !g.Replaced.Done() {
			out = append(out, i)
		}
	}
	return out
}

// here are the guests of step 2, in order.
func (r *receiving) here() (out []int) {
	for _, i := range r.expected() {
		if r.d.identity[i] != "" {
			out = append(out, i)
		}
	}
	return out
}

// furthest is the step that comes next.
func (r *receiving) furthest() int {
	switch {
	case len(r.here()) == 0:
		return 2
	case !r.d.accepted:
		return 3
	}
	return 4
}

func (h *Handler) receiving(rq *request) (*receiving, error) {
	c, err := h.counter(rq, "receive.title", "reception")
	if err != nil {
		return nil, err
	}
	x, err := h.visitOf(&c)
	if err != nil {
		return nil, err
	}
	return &receiving{&c, &x, h.drafts.get(rq.account.ID, x.ID, rq.now)}, nil
}

// getReceive shows the step that comes next, or an earlier one that is asked for.
func (h *Handler) getReceive(w http.ResponseWriter, rq *request) error {
	r, err := h.receiving(rq)
	if err != nil {
		return err
	}
	if err := h.viewed(rq, ActionViewVisit, r.x.ID); err != nil {
		return err
	}
	step := r.furthest()
	if n, err := strconv.Atoi(rq.URL.Query().Get("step")); err == nil && n >= 2 && n < step {
		step = n
	}
	return h.showReceive(w, rq, r, step, nil, http.StatusOK)
}

func (h *Handler) showReceive(w http.ResponseWriter, rq *request, r *receiving, step int, t *tried, code int) error {
	c := r.c
	v := receiveView{matterPage: c.matterPage, desk: *c, Visit: c.visitRow(r.x), Step: step}
	v.Here = "/visits/" + r.x.ID + "/receive"
	for n := 1; n <= 4; n++ {
		l := stepLine{N: strconv.Itoa(n), Word: c.T([]string{"receive.step_find", "receive.step_identity", "receive.step_conditions", "receive.step_badge"}[n-1]), Current: n == step}
		if n < step {
			l.Href = v.Here + "?step=" + strconv.Itoa(n)
		}
		if n == 1 {
			l.Href = "/visits/receive"
		}
		v.Steps = append(v.Steps, l)
	}
	v.Facts = []fact{{c.T("visit.period"), v.Visit.Span}, {c.T("visit.company"), v.Visit.Company}, {c.T("visit.contract"), c.contract(r.x.Contract)}, {c.T("visit.attendee"), v.Visit.Attendee},
		{c.T("visit.purpose"), r.x.Purpose}, {c.T("visit.system"), r.x.System}, {c.T("visit.zones"), v.Visit.Zones}}
	v.Denied = r.denied()
	switch step {
	case 2:
		v.Sheet = r.identityForm()
	case 3:
		version := c.site.ConditionsOf(r.x.Zones)
		v.Text, v.Version = c.conditionsText(version), strconv.FormatUint(uint64(version), 10)
		v.Sheet = r.conditionsForm(version)
		v.Party = r.party()
	case 4:
		var err error
		if v.Sheet, err = h.badgeForm(rq.Context(), r); err != nil {
			return err
		}
		v.Party = r.party()
	}
	v.Sheet = v.Sheet.again(t)
	return h.renderStatus(w, rq, "receive", &v, code)
}

// denied says why nobody can be received now, before anything is typed.
func (r *receiving) denied() string {
	now := r.c.say.now.UnixMilli()
	switch {
	case r.x.State == visit.Applied:
		return r.c.T("receive.not_approved")
	case r.x.State != visit.Approved && r.x.State != visit.Running || r.x.Oral != nil && r.x.Oral.Denied.Done():
		return r.c.T("receive.over")
	case len(r.expected()) == 0:
		return r.c.T("receive.all_here")
	case now < r.x.FromMS-r.c.site.Settings.EarlyMS:
		return r.c.T("receive.early", "time", r.c.DayTime(r.c.ms(r.x.FromMS-r.c.site.Settings.EarlyMS)))
	case now >= r.x.UntilMS:
		return r.c.sentence(visit.ErrTooLate)
	}
	return ""
}

// party is who goes in together, in words.
func (r *receiving) party() string {
	var names []string
	for _, i := range r.here() {
		names = append(names, r.c.guestRow(r.x, i).Name)
	}
	return r.c.T("receive.party", "n", strconv.Itoa(len(names)), "names", strings.Join(names, r.c.T("list.separator")))
}
