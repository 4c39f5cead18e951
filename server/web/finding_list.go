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
	"monban/server/review"
)

// findingLimit is how many findings a page of the list holds.
const findingLimit = 100

type findingsView struct {
	Base
	Closed  bool
	Lines   []findingLine
	Total   string // of those that wait, "" = all of them are here
	MayRead bool   // may open attempts
	// Disaster says until when alarms of doors are put together, "" = they are not (OP-7).
	Disaster            string
	Kinds, Zones, Doors []choice
	From, Until         string // days, as they were chosen
	Filtered            bool
	Plain               string // this list without filters
	Prev, Next          string
}

// duressRoles are shown that a PIN was given under duress: nobody else, and nothing at the door (AD-13).
var duressRoles = roleSet(RoleCSIRT)

func (h *Handler) getFindings(w http.ResponseWriter, rq *request) error {
	v, q, err := h.findingQuery(rq)
	if err != nil {
		return err
	}
	if rq.names {
		act := rq.action(ActionViewFindings, "")
		act.Filter = clip(rq.URL.RawQuery, 500)
		if err := h.src.Audit.RecordAction(rq.Context(), act); err != nil {
			return fmt.Errorf("record view: %w", err)
		}
	}
	page, err := h.src.Findings.FindingPage(rq.Context(), q)
	if err != nil {
		return fmt.Errorf("findings: %w", err)
	}
	if len(page.List) == 0 && (q.After != nil || q.Before != nil) {
		return redirect(w, rq, v.step("", nil)) // what stood there is closed, or open again, meanwhile
	}
	for _, f := range page.List {
		l := v.say.findingLine(f)
		l.link(rq, &q.In, &f)
		v.Lines = append(v.Lines, l)
	}
	if page.More && q.Before == nil || q.Before != nil {
		v.Next = v.step("after", &page.List[len(page.List)-1])
	}
	if page.More && q.Before != nil || q.After != nil {
		v.Prev = v.step("before", &page.List[0])
	}
	if v.Next != "" || v.Prev != "" {
		v.Total = strconv.Itoa(page.Total)
	}
	disaster, err := h.src.Outages.Disaster(rq.Context())
	if err != nil {
		return fmt.Errorf("disaster mode: %w", err)
	}
	if disaster != nil {
		v.Disaster = v.T("outage.disaster_on", "until", v.DayTime(time.UnixMilli(disaster.UntilMS)))
	}
	v.Lines = queue(v.Lines, disaster != nil)
	return h.render(w, rq, "findings", v)
}

// findingQuery reads the list and its filters out of the address, and prepares the form that shows them.
func (h *Handler) findingQuery(rq *request) (v findingsView, q FindingPageQuery, err error) {
	in := rq.URL.Query()
	v = findingsView{Base: h.base(rq, "findings.title"), MayRead: rq.roles&rolesOf("GET /log/{attempt}") != 0}
	v.Closed = in.Get("show") == "closed" || in.Get("show") == "all" // the list had both once, and people keep addresses
	q = FindingPageQuery{Closed: v.Closed, Names: rq.names, Duress: rq.roles&duressRoles != 0, Limit: findingLimit}
	if q.In, q.Risen, err = h.caseReach(rq); err != nil {
		return v, q, err
	}
	v.Kinds = []choice{{"", v.T("finding_list.all_kinds"), in.Get("kind") == ""}}
	for _, e := range review.Catalogue() {
		if e.Kind != review.Duress || q.Duress {
			v.Kinds = append(v.Kinds, choice{string(e.Kind), v.say.known("finding", string(e.Kind)), in.Get("kind") == string(e.Kind)})
		}
	}
	q.Kind = in.Get("kind")
	zones, err := h.src.Registers.RegisterZones(rq.Context())
	if err != nil {
		return v, q, fmt.Errorf("zones: %w", err)
	}
	v.Zones = []choice{{"", v.T("finding_list.all_zones"), in.Get("zone") == ""}}
	for _, z := range zones {
		if q.In.Zone(z.ID) || q.Risen.Zone(z.ID) {
			v.Zones = append(v.Zones, choice{string(z.ID), z.Name, in.Get("zone") == string(z.ID)})
		}
	}
	doors, err := h.src.Log.DoorNames(rq.Context())
	if err != nil {
		return v, q, fmt.Errorf("names of doors: %w", err)
	}
	v.Doors = []choice{{"", v.T("log.all_doors"), in.Get("door") == ""}}
	for _, d := range doors {
		if q.In.Door(d.Door) || q.Risen.Door(d.Door) {
			v.Doors = append(v.Doors, choice{string(d.Door), d.Name, in.Get("door") == string(d.Door)})
		}
	}
	for _, list := range [][]choice{v.Kinds, v.Zones, v.Doors} {
		if !slices.ContainsFunc(list, func(c choice) bool { return c.Chosen }) {
			return v, q, errBadInput
		}
	}
	q.Door = access.DoorID(in.Get("door"))
	if zone := access.ZoneID(in.Get("zone")); zone != "" {
		only, err := h.src.Registers.ReachOf(rq.Context(), []access.ZoneID{zone})
		if err != nil {
			return v, q, fmt.Errorf("a zone's doors: %w", err)
		}
		q.In, q.Risen = q.In.and(&only), q.Risen.and(&only)
	}
	v.From, v.Until = in.Get("from"), in.Get("until")
	for at, day := range map[*time.Time]string{&q.From: v.From, &q.Until: v.Until} {
		if day == "" {
			continue
		}
		if *at, err = time.ParseInLocation(dayLayout, day, h.cfg.Zone); err != nil {
			return v, q, errBadInput
		}
	}
	if v.Until != "" {
		q.Until = q.Until.AddDate(0, 0, 1) // the day is within
	}
	v.Filtered = q.Kind != "" || in.Get("zone") != "" || q.Door != "" || v.From != "" || v.Until != ""
	v.Plain = "/findings"
	if v.Closed {
		v.Plain = "/findings?show=closed"
	}
	for at, text := range map[**FindingPlace]string{&q.After: in.Get("after"), &q.Before: in.Get("before")} {
		if text == "" {
			continue
		}
		if *at, err = parsePlace(text); err != nil {
			return v, q, errBadInput
		}
	}
	if q.After != nil && q.Before != nil {
		return v, q, errBadInput
	}
	return v, q, nil
}

// step is the address of the page of this list that comes after or before a finding; of the first page when there is none.
func (v *findingsView) step(direction string, f *Finding) string {
	q := url.Values{}
	put := func(key, value string) {
		if value != "" {
			q.Set(key, value)
		}
	}
	if v.Closed {
		q.Set("show", "closed")
	}
	put("from", v.From)
	put("until", v.Until)
	for key, list := range map[string][]choice{"kind": v.Kinds, "zone": v.Zones, "door": v.Doors} {
		for _, c := range list {
			if c.Chosen {
				put(key, c.Value)
			}
		}
	}
	if f != nil {
		p := f.Place()
		q.Set(direction, fmt.Sprintf("%d.%d.%d", p.Rank, p.AtMS, p.Leaf))
	}
	return withQuery("/findings", q)
}

func parsePlace(text string) (*FindingPlace, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, errBadInput
	}
	rank, err := strconv.ParseUint(parts[0], 10, 2)
	at, err2 := strconv.ParseUint(parts[1], 10, 52)
	leaf, err3 := strconv.ParseUint(parts[2], 10, 52)
	if err != nil || err2 != nil || err3 != nil {
		return nil, errBadInput
	}
	return &FindingPlace{int(rank), int64(at), leaf}, nil
}

// and is what two reaches both hold.
func (r *Reach) and(o *Reach) Reach {
	switch {
	case r.All:
		return *o
	case o.All:
		return *r
	}
	out := Reach{}
	for _, z := range o.Zones {
		if r.Zone(z) {
			out.Zones = append(out.Zones, z)
		}
	}
	for _, d := range o.Doors {
		if r.Door(d) {
			out.Doors = append(out.Doors, d)
		}
	}
	for _, g := range o.Gateways {
		if r.Gateway(g) {
			out.Gateways = append(out.Gateways, g)
		}
		if slices.Contains(o.Whole, g) && slices.Contains(r.Whole, g) {
			out.Whole = append(out.Whole, g)
		}
	}
	return out
}
