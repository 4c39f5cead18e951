package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"monban/server/directory"
	"monban/server/visit"
)

// A reception is four forms. What the first ones said is kept here, in memory, until the last one makes the step in the log:
// whoever is interrupted goes on later, and nothing about a person lies in a URL, a cookie or the database before it counts.
// A restart of the server forgets it: the guest is still at the counter.
type draft struct {
	visit    string
	at       time.Time
	identity map[int]visit.Identity // by guest: who is here, and what was seen
	accepted bool                   // step 3 was filled in
	version  uint32                 // of the conditions that were accepted
	declared []visit.Declared
	whose    int // of declared: index of a guest
}

const (
	draftLife = 2 * time.Hour
	maxDrafts = 500
	// declareRows are the lines for what is brought in; more is a carry session.
	declareRows = 3
)

type drafts struct {
	mu  sync.Mutex
	all map[string]draft // mu; by account and visit
}

func draftKey(account, id string) string { return account + " " + id }

func (d *drafts) get(account, id string, now time.Time) draft {
	d.mu.Lock()
	defer d.mu.Unlock()
	x, ok := d.all[draftKey(account, id)]
	if !ok || now.Sub(x.at) > draftLife {
		return draft{visit: id}
	}
	return x
}

// of lists the receptions that an account has begun, oldest first.
func (d *drafts) of(account string, now time.Time) (out []draft) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, x := range d.all {
		if strings.HasPrefix(key, account+" ") && now.Sub(x.at) <= draftLife {
			out = append(out, x)
		}
	}
	slices.SortFunc(out, func(a, b draft) int { return a.at.Compare(b.at) })
	return out
}

func (d *drafts) put(account string, x draft) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all == nil {
		d.all = map[string]draft{}
	}
	for key, old := range d.all {
		if x.at.Sub(old.at) > draftLife {
			delete(d.all, key)
		}
	}
	if len(d.all) >= maxDrafts {
		clear(d.all) // nobody receives so many at once; they begin again
	}
	d.all[draftKey(account, x.visit)] = x
}

func (d *drafts) drop(account, id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.all, draftKey(account, id))
}

type findView struct {
	counter
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
	v := findView{counter: c, Text: clip(strings.TrimSpace(rq.URL.Query().Get("q")), 200), Urgent: rq.roles&receiveRoles != 0}
	v.Asked = v.Text != ""
	if err := h.viewed(rq, ActionViewVisits, c.now.Format(dayLayout)); err != nil {
		return err
	}
	list, err := h.src.Visits.OpenVisits(rq.Context())
	if err != nil {
		return fmt.Errorf("open visits: %w", err)
	}
	until := c.now.AddDate(0, 0, 1).UnixMilli()
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
	counter
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
	v := receiveView{counter: *c, Visit: c.visitRow(r.x), Step: step}
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
	now := r.c.now.UnixMilli()
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

func guestField(prefix string, i int) string { return prefix + strconv.Itoa(i+1) }

// identityForm is step 2: of each guest who is here, what kind of document was seen. No number, no copy (VE-5).
func (r *receiving) identityForm() deskForm {
	var fields []deskField
	var kinds []string
	for _, k := range visit.Identities() {
		kinds = append(kinds, string(k))
	}
	list := r.expected()
	for n, i := range list {
		g := r.c.guestRow(r.x, i)
		label := g.Name
		if g.Kana != "" {
			label += "(" + g.Kana + ")"
		}
		if g.Company != "" {
			label += " " + g.Company
		}
		none := choice{Label: r.c.T("receive.not_here")}
		if len(list) == 1 {
			none.Label = r.c.T("receive.choose")
		}
		f := deskField{Name: guestField("guest", i), Kind: "select", Label: label, Optional: len(list) > 1, First: n == 0,
			Options: append([]choice{none}, r.c.choices("identity", string(r.d.identity[i]), kinds...)...)}
		if n == 0 {
			f.Help = r.c.T("receive.identity_help")
		}
		fields = append(fields, f)
	}
	return newDeskForm("two", "/visits/"+r.x.ID+"/receive/identity", "", r.c.T("receive.next"), fields...)
}

// conditionsForm is step 3: the conditions are accepted, what is brought in is declared.
func (r *receiving) conditionsForm(version uint32) deskForm {
	c := r.c
	fields := []deskField{}
	if version != 0 {
		value := ""
		if r.d.accepted {
			value = "yes"
		}
		fields = append(fields, deskField{Name: "version", Kind: "hidden", Value: strconv.FormatUint(uint64(version), 10)},
			deskField{Name: "conditions", Kind: "check", Label: c.T("receive.accepted", "version", strconv.FormatUint(uint64(version), 10)), Value: value, First: true})
	}
	here := r.here()
	if len(here) > 1 {
		f := deskField{Name: "whose", Kind: "select", Label: c.T("receive.whose"), Optional: true}
		for _, i := range here {
			f.Options = append(f.Options, choice{Value: strconv.Itoa(i + 1), Label: r.x.Guests[i].Name, Chosen: i == r.d.whose})
		}
		fields = append(fields, f)
	}
	for n := range declareRows {
		var d visit.Declared
		if n < len(r.d.declared) {
			d = r.d.declared[n]
		}
		yes := func(b bool) string {
			if b {
				return "yes"
			}
			return ""
		}
		row := strconv.Itoa(n + 1)
		help := ""
		if n == 0 {
			help = c.T("receive.declare_help")
		}
		fields = append(fields,
			deskField{Name: guestField("what", n), Kind: "select", Label: c.T("receive.brings", "n", row), Optional: true, Help: help,
				Options: append([]choice{{Label: c.T("receive.nothing")}}, c.choices("declared", d.What, "computer", "medium", "phone", "camera", "other")...)},
			deskField{Name: guestField("serial", n), Kind: "text", Label: c.T("receive.serial", "n", row), Optional: true, Value: d.Serial, Max: 100},
			deskField{Name: guestField("personal", n), Kind: "check", Label: c.T("receive.personal", "n", row), Optional: true, Value: yes(d.Personal)},
			deskField{Name: guestField("outside", n), Kind: "check", Label: c.T("receive.outside", "n", row), Optional: true, Value: yes(d.Outside)},
			deskField{Name: guestField("exception", n), Kind: "text", Label: c.T("receive.exception", "n", row), Optional: true, Value: d.Exception, Max: 64})
	}
	return newDeskForm("three", "/visits/"+r.x.ID+"/receive/conditions", "", c.T("receive.next"), fields...)
}

// badgeForm is step 4: who escorts, and which badge each guest is lent.
func (h *Handler) badgeForm(ctx context.Context, r *receiving) (deskForm, error) {
	c := r.c
	badges, err := h.src.Visits.ListBadges(ctx)
	if err != nil {
		return deskForm{}, fmt.Errorf("badges: %w", err)
	}
	var free []choice
	for _, b := range badges {
		if b.Kind == visit.VisitorBadge && b.Status == visit.BadgeActive && b.Matter == "" && len(free) < 100 {
			look := b.Look
			if !b.HasCard() {
				look += " · " + c.T("receive.plain_badge")
			}
			free = append(free, choice{Value: b.Label, Label: look})
		}
	}
	escort := r.x.Carrier()
	if escort == "" {
		if p := c.people[r.x.Attendee]; p != nil && (c.mayEscort(p) || !c.needsEscort(r.x)) {
			escort = r.x.Attendee
		}
	}
	fit := c.mayEscort
	if !c.needsEscort(r.x) {
		fit = staffOnly
	}
	value := ""
	if escort != "" {
		value = c.numbered(escort)
	}
	person := c.personField("carrier", "receive.escort", value, fit)
	person.Help = c.T("receive.escort_help")
	person.First = value == ""
	fields := []deskField{person}
	pin := c.asksPIN(r.x)
	for n, i := range r.here() {
		f := deskField{Name: guestField("badge", i), Kind: "text", Label: c.T("receive.badge", "name", r.x.Guests[i].Name), Max: 32, Suggest: free, First: n == 0 && value != ""}
		if n == 0 {
			f.Help = c.T("receive.badge_help")
		}
		fields = append(fields, f)
		if pin {
			fields = append(fields, deskField{Name: guestField("pin", i), Kind: "password", Label: c.T("receive.pin", "name", r.x.Guests[i].Name), Max: 8, Optional: true, Help: c.T("receive.pin_help")})
		}
	}
	return newDeskForm("four", "/visits/"+r.x.ID+"/receive/badges", "", c.T("receive.done"), fields...), nil
}

func (c *counter) needsEscort(x *visit.View) bool {
	return slices.ContainsFunc(c.site.Dir.Zones, func(z directory.Zone) bool {
		return z.Escort != directory.EscortNone && slices.Contains(x.Zones, z.ID)
	})
}

func (c *counter) asksPIN(x *visit.View) bool {
	return slices.ContainsFunc(c.site.Dir.Zones, func(z directory.Zone) bool { return z.PINAlways && slices.Contains(x.Zones, z.ID) })
}

// received begins a step's answer.
func (h *Handler) received(rq *request) (*receiving, error) {
	if err := rq.form(); err != nil {
		return nil, err
	}
	return h.receiving(rq)
}

// again shows a step with what was wrong with it; any other error is given back.
func (h *Handler) receiveAgain(w http.ResponseWriter, rq *request, r *receiving, step int, formID string, err error) error {
	t, code, err := h.refusal(rq, r.c, formID, r.x.ID, err)
	if err != nil {
		return err
	}
	return h.showReceive(w, rq, r, step, t, code)
}

func (h *Handler) postReceiveIdentity(w http.ResponseWriter, rq *request) error {
	r, err := h.received(rq)
	if err != nil {
		return err
	}
	seen := map[int]visit.Identity{}
	list := r.expected()
	for _, i := range list {
		k := visit.Identity(rq.post(guestField("guest", i)))
		if k == "" {
			continue
		}
		if !slices.Contains(visit.Identities(), k) {
			return errBadInput
		}
		seen[i] = k
	}
	if len(seen) == 0 {
		field := ""
		if len(list) > 0 {
			field = guestField("guest", list[0])
		}
		return h.receiveAgain(w, rq, r, 2, "two", fieldFault(visit.ErrIdentity, field))
	}
	r.d.identity, r.d.at = seen, rq.now
	if seen[r.d.whose] == "" {
		r.d.whose = r.here()[0]
	}
	h.drafts.put(rq.account.ID, r.d)
	return redirect(w, rq, "/visits/"+r.x.ID+"/receive")
}

func (h *Handler) postReceiveConditions(w http.ResponseWriter, rq *request) error {
	r, err := h.received(rq)
	if err != nil {
		return err
	}
	if r.furthest() < 3 {
		return redirect(w, rq, "/visits/"+r.x.ID+"/receive")
	}
	version := r.c.site.ConditionsOf(r.x.Zones)
	if version != 0 && (rq.post("conditions") == "" || rq.post("version") != strconv.FormatUint(uint64(version), 10)) {
		return h.receiveAgain(w, rq, r, 3, "three", fieldFault(visit.ErrConditions, "conditions"))
	}
	r.d.version, r.d.declared = version, nil
	for n := range declareRows {
		d := visit.Declared{What: rq.post(guestField("what", n)), Serial: strings.TrimSpace(rq.post(guestField("serial", n))), Personal: rq.post(guestField("personal", n)) != "",
			Outside: rq.post(guestField("outside", n)) != "", Exception: strings.TrimSpace(rq.post(guestField("exception", n)))}
		if d.What != "" {
			r.d.declared = append(r.d.declared, d)
		}
	}
	r.d.whose = r.here()[0]
	if i, err := strconv.Atoi(rq.post("whose")); err == nil && slices.Contains(r.here(), i-1) {
		r.d.whose = i - 1
	}
	if field, err := r.tryDeclared(); err != nil {
		return h.receiveAgain(w, rq, r, 3, "three", fieldFault(err, field))
	}
	r.d.accepted, r.d.at = true, rq.now
	h.drafts.put(rq.account.ID, r.d)
	return redirect(w, rq, "/visits/"+r.x.ID+"/receive")
}

// tryDeclared asks what the rules say about what is brought in, while the guest can still carry it to the locker. It changes
// nothing.
func (r *receiving) tryDeclared() (field string, refusal *visit.Error) {
	for n, d := range r.d.declared {
		err := r.x.MayBringIn([]visit.Declared{d}, r.c.now.UnixMilli(), r.c.site)
		if errors.As(err, &refusal) {
			names := map[string]string{"serial": "serial", "exception": "exception"}
			name := names[refusal.Field]
			if name == "" {
				name = "what"
			}
			return guestField(name, n), refusal
		}
	}
	return "", nil
}

// postReceiveBadges makes the step: from here on the badges open the doors. Several guests are several steps in the log, in
// order; should one be refused, those before it are received and the form asks for the rest.
func (h *Handler) postReceiveBadges(w http.ResponseWriter, rq *request) error {
	r, err := h.received(rq)
	if err != nil {
		return err
	}
	if r.furthest() < 4 {
		return redirect(w, rq, "/visits/"+r.x.ID+"/receive")
	}
	fit := r.c.mayEscort
	if !r.c.needsEscort(r.x) {
		fit = staffOnly
	}
	escort, err := r.c.personIn("carrier", fit)
	if err != nil {
		return h.receiveAgain(w, rq, r, 4, "four", err)
	}
	for _, i := range r.here() {
		f := visit.ReceptionForm{Guest: i, Identity: r.d.identity[i], Conditions: r.d.version, Badge: strings.TrimSpace(rq.post(guestField("badge", i))), Carrier: escort, PIN: rq.post(guestField("pin", i))}
		if i == r.d.whose {
			f.Declared = r.d.declared
		}
		if _, err := h.src.Visits.ReceiveGuest(rq.Context(), r.x.ID, f, rq.deskActor()); err != nil {
			return h.receptionRefused(w, rq, i, err)
		}
	}
	h.drafts.drop(rq.account.ID, r.x.ID)
	return redirect(w, rq, "/visits/"+r.x.ID+"?done=received")
}

// receptionRefused shows the step that has to change.
func (h *Handler) receptionRefused(w http.ResponseWriter, rq *request, guest int, err error) error {
	r, rerr := h.receiving(rq) // some may have been received
	if rerr != nil {
		return rerr
	}
	var e *visit.Error
	if !errors.As(err, &e) {
		return err
	}
	step, id, field := 4, "four", ""
	switch e.Field {
	case "badge", "pin":
		field = guestField(e.Field, guest)
	case "carrier":
		field = e.Field
	case "identity":
		step, id, field = 2, "two", guestField("guest", guest)
	case "conditions":
		step, id, field = 3, "three", e.Field
		r.d.accepted = false
	case "declared", "serial", "exception":
		step, id, field = 3, "three", guestField("what", 0)
		r.d.accepted = false
	}
	if step > r.furthest() {
		step = r.furthest()
	}
	if step != 4 {
		rq.PostForm = url.Values{} // what was typed belongs to another step
	}
	return h.receiveAgain(w, rq, r, step, id, &visit.Error{Word: e.Word, Field: field, Text: e.Text})
}
