package web

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/visit"
)

// Who does what with doors that are not as always. Paper is typed in where the zone is answered for, and at reception.
const (
	outageReaders  = visitReaders | groupD
	outageRoles    = RoleSet(1<<RoleZoneManager | 1<<RoleCSIRT)
	paperRoles     = outageRoles | groupR | 1<<RoleReviewer
	disasterRoles  = outageRoles | groupR | groupC
	mostBlankPages = 20
)

type outagesView struct {
	matterPage
	desk     counter
	Out      []outageRow
	Papers   []paperRow
	Drills   []drillRow
	Begin    *deskForm
	Type     *deskForm
	Drill    *deskForm
	Disaster *deskForm
	Fault    string
}

type outageRow struct {
	ID, Door, Ticket, Owner, Why string
	State                        Tag
	From, Until                  time.Time
	End                          *deskForm // nil = over, or not by who looks
}

type paperRow struct {
	ID, No, Name, Company, Purpose, Door, Typed string
	In, Out                                     time.Time
	State                                       Tag
	Compare                                     bool
}

type drillRow struct {
	ID, What, Doors, Why string
	From, Until          time.Time
	End                  bool
}

// getOutages shows doors out of service, what was typed in from paper, drills and disasters.
func (h *Handler) getOutages(w http.ResponseWriter, rq *request) error {
	return h.showOutages(w, rq, nil, http.StatusOK)
}

func (h *Handler) showOutages(w http.ResponseWriter, rq *request, t *tried, code int) error {
	c, err := h.counter(rq, "outage.title", "")
	if err != nil {
		return err
	}
	v := &outagesView{matterPage: c.matterPage, desk: c}
	v.Here = "/outages"
	if err := h.viewed(rq, ActionViewMatters, visit.KindOutage); err != nil {
		return err
	}
	in, err := h.reach(rq)
	if err != nil {
		return err
	}
	if err := h.outageLists(rq, v, &in, t); err != nil {
		return err
	}
	v.outageForms(rq, t)
	if t != nil && t.form == "" {
		v.Fault = t.fault
	}
	return h.renderStatus(w, rq, "outages", v, code)
}

func (h *Handler) outageLists(rq *request, v *outagesView, in *Reach, t *tried) error {
	out, err := h.src.Outages.ListOutages(rq.Context())
	if err != nil {
		return fmt.Errorf("outages: %w", err)
	}
	for i := range out {
		x := &out[i]
		if !in.Door(x.Door) {
			continue
		}
		r := outageRow{ID: x.ID, Door: v.desk.doorName(x.Door), Ticket: x.Ticket, Owner: x.Owner, Why: x.Why, From: v.desk.ms(x.FromMS), Until: v.desk.ms(x.Until()), State: Tag{v.T("outage.over"), ToneQuiet, "check"}}
		if !x.Ended.Done() && rq.now.Before(r.Until) {
			r.State = Tag{v.T("outage.now"), ToneWarn, "finding"}
			if rq.may(outageRoles, x.Zone) {
				f := newDeskForm("end-"+x.ID, "/outages/"+x.ID+"/end", v.T("outage.end"), v.T("outage.end_do"), deskField{Name: "note", Kind: "text", Label: v.T("outage.end_note"), Optional: true}).again(t)
				f.Fold, f.Light = true, true
				r.End = &f
			}
		}
		if v.say.masked {
			r.Owner, r.Why = "", ""
		}
		v.Out = append(v.Out, r)
	}
	if !v.say.masked { // paper names people
		papers, err := h.src.Outages.PaperEntries(rq.Context())
		if err != nil {
			return fmt.Errorf("paper entries: %w", err)
		}
		for i := range papers {
			x := &papers[i]
			if !in.Door(x.Door) {
				continue
			}
			r := paperRow{ID: x.ID, No: x.No, Name: x.Name, Company: x.Company, Purpose: x.Purpose, Door: v.desk.doorName(x.Door), In: v.desk.ms(x.InMS), Out: v.desk.ms(x.OutMS), State: Tag{v.T("outage.compared"), ToneGood, "check"}}
			if !x.Second.Done() {
				r.State = Tag{v.T("outage.to_compare"), ToneWarn, "clock"}
				r.Compare = rq.may(paperRoles, x.Zone) && !v.desk.mine(x.Typed)
			}
			v.Papers = append(v.Papers, r)
		}
	}
	drills, err := h.src.Outages.Drills(rq.Context())
	if err != nil {
		return fmt.Errorf("drills: %w", err)
	}
	for i := range drills {
		x := &drills[i]
		r := drillRow{ID: x.ID, What: v.T("outage.drill"), Why: x.Why, From: v.desk.ms(x.FromMS), Until: v.desk.ms(x.UntilMS), End: rq.roles&disasterRoles != 0}
		if x.Disaster {
			r.What, r.Doors = v.T("outage.disaster"), v.T("outage.whole_site")
		}
		var names []string
		for _, d := range x.Doors {
			names = append(names, v.desk.doorName(d))
		}
		if len(names) > 0 {
			r.Doors, r.End = strings.Join(names, v.T("list.separator")), v.desk.mayDrill(rq, x.Doors)
		}
		v.Drills = append(v.Drills, r)
	}
	return nil
}

// mayDrill reports whether the account answers for each of these doors.
func (c *counter) mayDrill(rq *request, doors []access.DoorID) bool {
	for _, id := range doors {
		if !rq.may(outageRoles, c.zoneOf(id)) {
			return false
		}
	}
	return true
}

// zoneOf is the zone behind a door; "" when there is no such door.
func (c *counter) zoneOf(id access.DoorID) access.ZoneID {
	i := slices.IndexFunc(c.site.Dir.Doors, func(d directory.Door) bool { return d.ID == id })
	if i < 0 {
		return ""
	}
	return c.site.Dir.Doors[i].Enter
}

// doorChoices are the doors of the zones for which the account has one of these roles.
func (c *counter) doorChoices(rq *request, set RoleSet) (out []choice) {
	for i := range c.site.Dir.Doors {
		if d := &c.site.Dir.Doors[i]; rq.may(set, d.Enter) {
			out = append(out, choice{Value: string(d.ID), Label: c.doorName(d.ID)})
		}
	}
	return out
}

func (v *outagesView) outageForms(rq *request, t *tried) {
	later := func(d time.Duration) string { return v.say.now.Add(d).Format(judgeTime) }
	fold := func(id, path, key string, fields ...deskField) *deskForm {
		f := newDeskForm(id, path, v.T(key), v.T(key+"_do"), fields...).again(t)
		f.Fold = true
		return &f
	}
	why := deskField{Name: "why", Kind: "text", Label: v.T("review.reason"), Max: 500}
	if doors := v.desk.doorChoices(rq, outageRoles); len(doors) > 0 {
		v.Begin = fold("begin", "/outages", "outage.begin", deskField{Name: "door", Kind: "select", Label: v.T("col.door"), Options: doors},
			deskField{Name: "ticket", Kind: "text", Label: v.T("outage.ticket"), Max: 100}, deskField{Name: "owner", Kind: "text", Label: v.T("outage.owner"), Max: 100},
			deskField{Name: "from", Kind: "datetime-local", Label: v.T("outage.from"), Value: later(0)}, deskField{Name: "until", Kind: "datetime-local", Label: v.T("outage.until"), Value: later(7 * 24 * time.Hour), Help: v.T("outage.until_help")}, why)
		v.Drill = fold("drill", "/outages/drills", "outage.drill_begin", deskField{Name: "doors", Kind: "checks", Label: v.T("col.door"), Options: doors, Optional: true},
			deskField{Name: "from", Kind: "datetime-local", Label: v.T("outage.from"), Value: later(time.Minute)}, deskField{Name: "until", Kind: "datetime-local", Label: v.T("outage.until"), Value: later(2 * time.Hour)}, why)
	}
	if doors := v.desk.doorChoices(rq, paperRoles); len(doors) > 0 {
		v.Type = fold("paper", "/outages/paper", "outage.type", deskField{Name: "no", Kind: "text", Label: v.T("outage.no"), Max: 40}, deskField{Name: "door", Kind: "select", Label: v.T("col.door"), Options: doors},
			deskField{Name: "name", Kind: "text", Label: v.T("register.name_only"), Max: 100}, deskField{Name: "company", Kind: "text", Label: v.T("register.affiliation"), Max: 100, Optional: true},
			deskField{Name: "purpose", Kind: "text", Label: v.T("register.purpose"), Max: 500}, deskField{Name: "in", Kind: "datetime-local", Label: v.T("register.in")}, deskField{Name: "out", Kind: "datetime-local", Label: v.T("register.out"), Optional: true})
		v.Type.Text = v.T("outage.type_text")
	}
	if rq.roles&disasterRoles != 0 {
		v.Disaster = fold("disaster", "/outages/drills", "outage.disaster_begin", deskField{Name: "disaster", Kind: "hidden", Value: "yes"},
			deskField{Name: "until", Kind: "datetime-local", Label: v.T("outage.until"), Value: later(12 * time.Hour)}, why)
		v.Disaster.Text = v.T("outage.disaster_text")
	}
}

// outageAct does one thing and comes back to the page.
func (h *Handler) outageAct(w http.ResponseWriter, rq *request, form, target string, do func(c *counter) error) error {
	if err := rq.form(); err != nil {
		return err
	}
	c, err := h.counter(rq, "outage.title", "")
	if err != nil {
		return err
	}
	if err = do(&c); err == nil {
		return redirect(w, rq, "/outages?done=outage_moved")
	}
	t, code, err := h.refusal(rq, &c, form, target, err)
	if err != nil {
		return err
	}
	if t.field == "" && form == "" {
		t.form = ""
	}
	return h.showOutages(w, rq, t, code)
}

// times reads from and until of a form.
func (c *counter) times(from, until *int64) (err error) {
	if c.rq.post("from") != "" {
		if *from, err = c.momentIn("from"); err != nil {
			return err
		}
	}
	*until, err = c.momentIn("until")
	return err
}

func (rq *request) line(name string) string { return strings.TrimSpace(rq.post(name)) }

// postOutage takes a door out of service.
func (h *Handler) postOutage(w http.ResponseWriter, rq *request) error {
	return h.outageAct(w, rq, "begin", visit.KindOutage, func(c *counter) error {
		x := visit.Outage{Door: access.DoorID(rq.post("door")), Ticket: rq.line("ticket"), Owner: rq.line("owner"), Why: rq.line("why")}
		if err := c.times(&x.FromMS, &x.UntilMS); err != nil {
			return err
		}
		if zone := c.zoneOf(x.Door); zone != "" && !rq.may(outageRoles, zone) {
			return errForbidden
		}
		return h.src.Outages.BeginOutage(rq.Context(), x, rq.deskActor())
	})
}

// postOutageEnd puts a door back into service.
func (h *Handler) postOutageEnd(w http.ResponseWriter, rq *request) error {
	id := rq.PathValue("id")
	return h.outageAct(w, rq, "end-"+id, id, func(*counter) error {
		all, err := h.src.Outages.ListOutages(rq.Context())
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(x visit.Outage) bool { return x.ID == id })
		if i < 0 {
			return ErrNotFound
		}
		if !rq.may(outageRoles, all[i].Zone) {
			return errForbidden
		}
		return h.src.Outages.EndOutage(rq.Context(), id, rq.line("note"), rq.deskActor())
	})
}

// postPaper types a line of a paper register in.
func (h *Handler) postPaper(w http.ResponseWriter, rq *request) error {
	return h.outageAct(w, rq, "paper", visit.KindPaper, func(c *counter) (err error) {
		x := visit.PaperEntry{No: rq.line("no"), Door: access.DoorID(rq.post("door")), Name: rq.line("name"), Company: rq.line("company"), Purpose: rq.line("purpose")}
		if x.InMS, err = c.momentIn("in"); err != nil {
			return err
		}
		if rq.post("out") != "" {
			if x.OutMS, err = c.momentIn("out"); err != nil {
				return err
			}
		}
		if zone := c.zoneOf(x.Door); zone != "" && !rq.may(paperRoles, zone) {
			return errForbidden
		}
		return h.src.Outages.TypePaper(rq.Context(), x, rq.deskActor())
	})
}

// postPaperCompare is the second signature under a typed line.
func (h *Handler) postPaperCompare(w http.ResponseWriter, rq *request) error {
	id := rq.PathValue("id")
	return h.outageAct(w, rq, "", id, func(*counter) error {
		all, err := h.src.Outages.PaperEntries(rq.Context())
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(x visit.PaperEntry) bool { return x.ID == id })
		if i < 0 {
			return ErrNotFound
		}
		if !rq.may(paperRoles, all[i].Zone) {
			return errForbidden
		}
		return h.src.Outages.ComparePaper(rq.Context(), id, rq.deskActor())
	})
}

// postDrill begins a drill at some doors, or the disaster mode of the whole site.
func (h *Handler) postDrill(w http.ResponseWriter, rq *request) error {
	form := "drill"
	if rq.FormValue("disaster") != "" {
		form = "disaster"
	}
	return h.outageAct(w, rq, form, visit.KindDrill, func(c *counter) error {
		x := visit.Drill{Disaster: form == "disaster", Why: rq.line("why")}
		for _, d := range rq.PostForm["doors"] {
			x.Doors = append(x.Doors, access.DoorID(d))
		}
		if err := c.times(&x.FromMS, &x.UntilMS); err != nil {
			return err
		}
		if x.Disaster && rq.roles&disasterRoles == 0 || !x.Disaster && (rq.roles&outageRoles == 0 || len(x.Doors) > 0 && !c.mayDrill(rq, x.Doors)) {
			return errForbidden
		}
		return h.src.Outages.BeginDrill(rq.Context(), x, rq.deskActor())
	})
}

// postDrillEnd ends one before its time.
func (h *Handler) postDrillEnd(w http.ResponseWriter, rq *request) error {
	id := rq.PathValue("id")
	return h.outageAct(w, rq, "", id, func(c *counter) error {
		all, err := h.src.Outages.Drills(rq.Context())
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(x visit.Drill) bool { return x.ID == id })
		if i < 0 {
			return ErrNotFound
		}
		if !all[i].Disaster && !c.mayDrill(rq, all[i].Doors) {
			return errForbidden
		}
		return h.src.Outages.EndDrill(rq.Context(), id, rq.deskActor())
	})
}

type blankView struct {
	Base
	Keys  bool
	Pages [][]string // numbers of the lines of each page
	Heads []string
	From  string
	Count string
	Fault string
}

// blankLines is how many lines a printed sheet has.
const blankLines = 12

// getBlank prints pre-numbered blank registers or key-loan sheets (OP-8): whoever finds a number missing knows that a sheet is.
func (h *Handler) getBlank(w http.ResponseWriter, rq *request) error {
	v := blankView{Base: h.base(rq, "outage.blank"), Keys: rq.URL.Query().Get("kind") == "keys", From: "1", Count: "1"}
	number := func(name string, to *string, most int) (int, error) {
		if text := rq.URL.Query().Get(name); text != "" {
			*to = text
		}
		n, err := strconv.Atoi(*to)
		if err == nil && (n < 1 || n > most) {
			err = errors.New("out of range")
		}
		return n, err
	}
	from, err1 := number("from", &v.From, 99999)
	count, err2 := number("count", &v.Count, mostBlankPages)
	if errors.Join(err1, err2) != nil {
		v.Fault = v.T("outage.blank_fault", "n", strconv.Itoa(mostBlankPages))
		return h.renderStatus(w, rq, "blank", v, http.StatusUnprocessableEntity)
	}
	kind := "register"
	if v.Keys {
		kind = "keys"
	}
	for _, key := range map[string][]string{
		"register": {"register.day", "register.in", "register.out", "register.name_only", "register.affiliation", "register.purpose", "register.attendee", "register.remarks"},
		"keys":     {"register.day", "outage.key", "outage.lent", "register.name_only", "register.purpose", "outage.back", "outage.clerk", "register.remarks"},
	}[kind] {
		v.Heads = append(v.Heads, v.T(key))
	}
	line := map[string]string{"register": "outage.line_register", "keys": "outage.line_keys"}[kind]
	for p := range count {
		var lines []string
		for i := range blankLines {
			lines = append(lines, v.T(line, "no", fmt.Sprintf("%05d-%02d", from+p, i+1)))
		}
		v.Pages = append(v.Pages, lines)
	}
	return h.render(w, rq, "blank", v)
}
