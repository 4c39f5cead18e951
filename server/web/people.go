package web

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
)

// Who may do what on the pages about people (RA-1). The counter finds a person and stops a card; rights are judged, and
// lines of the log seen, by those who answer for them.
const (
	// rightsRoles see grants, those with a role for one zone that zone's.
	rightsRoles = groupF | groupS | groupA | groupC
	// keepRoles add and change people and cards: a person belongs to no zone, so that the role has to be for all.
	keepRoles = RoleSet(1<<RoleZoneManager | 1<<RoleCISO | 1<<RoleChiefSecurity)
	// exportRoles take the list out of the house, each time with a reason, a purpose of use and a leaf.
	exportRoles = keepRoles | groupA
)

// peopleLimit is how many lines a page of people holds.
const peopleLimit = 50

type peopleView struct {
	Base
	Purpose    string
	Purposes   []string
	Text       string
	Categories []choice
	States     []choice
	Withins    []choice
	Sections   []choice
	Asked      bool // a list stands below
	Lines      []personLineView
	Total      string
	From, To   string
	Prev, Next string
	Filtered   bool
	MayKeep    bool
	Export     string // "" = not for these roles
	NewPerson  string
}

type personLineView struct {
	Name, Reduced, ID string
	Section           string
	Category          string
	State             Tag
	Cards             string
	Next              string
	Href              string
}

// mayKeep: persons and cards belong to no zone.
func (rq *request) mayKeep() bool { return rq.may(keepRoles, "") }

// sees reports whether rights to a zone are shown to who asks.
func (rq *request) sees(zone access.ZoneID) bool { return rq.may(rightsRoles, zone) }

// peopleQuery reads the filters out of the URL.
func (rq *request) peopleQuery() (q PeopleQuery, err error) {
	in := rq.URL.Query()
	q = PeopleQuery{Text: strings.TrimSpace(in.Get("q")), Section: in.Get("section"), Category: in.Get("category"), State: in.Get("state")}
	if len(q.Text) > 200 || len(q.Section) > 400 || !plainText(q.Text+q.Section) ||
		!slices.Contains([]string{"", "staff", "contractor", "visitor"}, q.Category) || !slices.Contains([]string{"", "active", "inactive"}, q.State) {
		return q, errBadInput
	}
	if s := in.Get("within"); s != "" {
		if q.Within, err = strconv.Atoi(s); err != nil || q.Within < 1 || q.Within > 400 {
			return q, errBadInput
		}
	}
	return q, nil
}

// peopleFilters fills the form that shows a query.
func (v *peopleView) filters(q PeopleQuery, sections []string) {
	v.Text = q.Text
	v.Filtered = q.Text != "" || q.Section != "" || q.Category != "" || q.State != "" || q.Within != 0
	v.Categories = []choice{{"", v.T("people.any"), q.Category == ""}}
	for _, c := range []string{"staff", "contractor", "visitor"} {
		v.Categories = append(v.Categories, choice{c, v.T("category." + c), q.Category == c})
	}
	v.States = []choice{{"", v.T("people.any"), q.State == ""}}
	for _, s := range []string{"active", "inactive"} {
		v.States = append(v.States, choice{s, v.T("person_state." + s), q.State == s})
	}
	v.Withins = []choice{{"", v.T("people.any"), q.Within == 0}}
	days := []int{7, 30, 60, 90}
	if q.Within != 0 && !slices.Contains(days, q.Within) {
		days = append(days, q.Within)
	}
	for _, n := range days {
		v.Withins = append(v.Withins, choice{strconv.Itoa(n), v.T("people.within_days", "n", strconv.Itoa(n)), q.Within == n})
	}
	v.Sections = []choice{{"", v.T("people.any"), q.Section == ""}}
	known := q.Section == ""
	for _, s := range sections {
		v.Sections = append(v.Sections, choice{s, s, s == q.Section})
		known = known || s == q.Section
	}
	if !known {
		v.Sections = append(v.Sections, choice{q.Section, q.Section, true})
	}
}

// getPeople lists people. It is a search for persons: without a purpose nothing is shown (PR-4).
func (h *Handler) getPeople(w http.ResponseWriter, rq *request) error {
	in := rq.URL.Query()
	purpose, err := rq.purpose()
	if err != nil {
		code := http.StatusBadRequest
		if !in.Has("purpose") && !in.Has("q") && !in.Has("section") && !in.Has("category") && !in.Has("state") && !in.Has("within") {
			code = http.StatusOK // somebody opens the page: nothing was asked yet
		}
		return h.askPurpose(w, rq, code)
	}
	q, err := rq.peopleQuery()
	if err != nil {
		return err
	}
	page := 0
	if s := in.Get("page"); s != "" {
		if page, err = strconv.Atoi(s); err != nil || page < 0 || page > 10_000 {
			return errBadInput
		}
	}
	if err := h.looked(rq, ActionViewPeople, purpose); err != nil {
		return err
	}
	q.Skip, q.Limit = page*peopleLimit, peopleLimit
	found, err := h.src.People.FindPeople(rq.Context(), q)
	if err != nil {
		return fmt.Errorf("people: %w", err)
	}
	v := peopleView{Base: h.base(rq, "people.title"), Purpose: purpose, Asked: true, MayKeep: rq.mayKeep()}
	v.filters(q, found.Sections)
	if v.Purposes, err = h.purposeNames(rq); err != nil {
		return err
	}
	for _, p := range found.People {
		v.Lines = append(v.Lines, v.say.personLineView(p, purpose))
	}
	v.Total = strconv.Itoa(found.Total)
	v.From, v.To = strconv.Itoa(min(q.Skip+1, found.Total)), strconv.Itoa(min(q.Skip, found.Total)+len(found.People))
	at := func(page int) string {
		n := rq.URL.Query()
		n.Del("done")
		n.Set("page", strconv.Itoa(page))
		return withQuery("/people", n)
	}
	if page > 0 {
		v.Prev = at(page - 1)
	}
	if q.Skip+len(found.People) < found.Total {
		v.Next = at(page + 1)
	}
	if rq.roles&rolesOf("POST /people/+export") != 0 {
		n := rq.URL.Query()
		n.Del("done")
		n.Del("page")
		v.Export = withQuery("/people/+export", n)
	}
	if v.MayKeep {
		v.NewPerson = withQuery("/people/+new", url.Values{"purpose": {purpose}})
	}
	return h.render(w, rq, "people", v)
}

func (b speaker) personLineView(p PersonLine, purpose string) personLineView {
	return personLineView{Name: p.Name, Reduced: p.NameReduced, ID: p.ID, Section: cmp.Or(p.Company, p.Section), Category: b.categoryWords(p.RegPerson),
		State: b.personState(p.RegPerson), Cards: strconv.Itoa(p.Cards), Next: b.ending(p.Next), Href: personHref(p.ID, purpose)}
}

func personHref(id, purpose string) string {
	return withQuery("/people/"+id, url.Values{"purpose": {purpose}})
}

// categoryWords says category and kind (AD-2).
func (b speaker) categoryWords(p RegPerson) string {
	words := b.T("category." + p.Category)
	if p.Kind != "" {
		words = b.T("people.category_kind", "category", words, "kind", b.T("person_kind."+p.Kind))
	}
	return words
}

func (b speaker) personState(p RegPerson) Tag {
	today := b.now.Format(dayLayout)
	switch {
	case !p.Active:
		return Tag{b.T("person_state.inactive"), ToneWarn, "stop"}
	case p.ValidUntil != "" && p.ValidUntil < today:
		return Tag{b.T("person_state.ended"), ToneQuiet, "dash"}
	case p.ValidFrom > today:
		return Tag{b.T("person_state.not_yet"), ToneNote, "clock"}
	}
	return Tag{b.T("person_state.active"), ToneGood, "check"}
}

// ending says what ends, and when; "" for nothing.
func (b speaker) ending(e Ending) string {
	if e.What == "" {
		return ""
	}
	return b.T("people.ending", "what", b.T("ending."+e.What), "day", b.dayWords(e.Day))
}

// dayWords writes a day YYYY-MM-DD as this language does; "" for none.
func (b speaker) dayWords(day string) string {
	t, err := time.ParseInLocation(dayLayout, day, b.zone)
	if err != nil {
		return day
	}
	return b.Long(t)
}
