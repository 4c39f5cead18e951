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
	"monban/server/directory"
	"monban/server/visit"
)

// matterPage is what templates see of a page about matters.
type matterPage struct {
	Base
	Form string // what the city's rules call the form of this page, "" = none
}

// counter is a page about matters: its words, and the directory that names are looked up in. Views keep it as a field;
// what they show of it to the template is matterPage.
type counter struct {
	matterPage
	site   *visit.Site
	people map[directory.PersonID]*directory.Person
	rq     *request
	in     Reach                       // what the account sees of the desk's lists (RA-1)
	known  map[directory.PersonID]bool // who may enter what it sees; nil = not looked up yet
}

// counter makes the common part of a page about matters. form is its form's name in the settings, "" = none.
func (h *Handler) counter(rq *request, titleKey, form string) (counter, error) {
	c := counter{matterPage: matterPage{Base: h.base(rq, titleKey)}, rq: rq}
	var err error
	if c.site, err = h.src.Visits.VisitSite(rq.Context()); err != nil {
		return c, fmt.Errorf("site: %w", err)
	}
	if c.in, err = h.reachBy(rq, rq.roles&visitReaders); err != nil {
		return c, err
	}
	c.people = make(map[directory.PersonID]*directory.Person, len(c.site.Dir.People))
	for i := range c.site.Dir.People {
		c.people[c.site.Dir.People[i].ID] = &c.site.Dir.People[i]
	}
	if form != "" {
		c.Form = c.site.Settings.FormName(form)
	}
	return c, nil
}

// name is a person's name; the number of somebody whom the directory no longer knows.
func (c *counter) name(id directory.PersonID) string {
	if p := c.people[id]; p != nil {
		return p.Name
	}
	return string(id)
}

// numbered is how a person is written into a field: the number, which is unique, and the name.
func (c *counter) numbered(id directory.PersonID) string {
	if p := c.people[id]; p != nil {
		return string(id) + " " + p.Name
	}
	return string(id)
}

func (c *counter) zoneName(id access.ZoneID) string {
	for i := range c.site.Dir.Zones {
		if z := &c.site.Dir.Zones[i]; z.ID == id {
			if c.say.lang == English && z.NameEN != "" {
				return z.NameEN
			}
			return z.Name
		}
	}
	return string(id)
}

func (c *counter) zoneNames(ids []access.ZoneID) string {
	var names []string
	for _, z := range ids {
		names = append(names, c.zoneName(z))
	}
	return strings.Join(names, c.T("list.separator"))
}

func (c *counter) doorName(id access.DoorID) string {
	for i := range c.site.Dir.Doors {
		if d := &c.site.Dir.Doors[i]; d.ID == id {
			if c.say.lang == English && d.NameEN != "" {
				return d.NameEN
			}
			return d.Name
		}
	}
	return string(id)
}

// zoneChoices are the zones to choose from.
func (c *counter) zoneChoices() (out []choice) {
	for i := range c.site.Dir.Zones {
		z := &c.site.Dir.Zones[i]
		out = append(out, choice{Value: string(z.ID), Label: c.zoneName(z.ID)})
	}
	return out
}

// words makes the choices of a family of the catalogue.
func (c *counter) choices(family, chosen string, values ...string) (out []choice) {
	for _, v := range values {
		out = append(out, choice{Value: v, Label: c.T(family + "." + v), Chosen: v == chosen})
	}
	return out
}

func (c *counter) ms(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// local writes a moment for a field of type datetime-local.
func (c *counter) local(ms int64) string { return time.UnixMilli(ms).In(c.say.zone).Format(judgeTime) }

// momentIn reads a field of type datetime-local; 0 and a refusal when it cannot be read.
func (c *counter) momentIn(name string) (int64, error) {
	t, err := time.ParseInLocation(judgeTime, c.rq.post(name), c.say.zone)
	if err != nil || t.Year() < 2000 || t.Year() > 2199 {
		return 0, fieldFault(visit.ErrWindow, name)
	}
	return t.UnixMilli(), nil
}

func fieldFault(e *visit.Error, field string) error {
	return &visit.Error{Word: e.Word, Field: field, Text: e.Text}
}

// window writes from–until, the day once when it is the same.
func (c *counter) window(from, until time.Time) string {
	a, b := from.In(c.say.zone), until.In(c.say.zone)
	if a.Format(dayLayout) == b.Format(dayLayout) {
		return c.Long(from) + " " + a.Format("15:04") + "–" + b.Format("15:04")
	}
	return c.Long(from) + " " + a.Format("15:04") + " – " + c.Long(until) + " " + b.Format("15:04")
}

// errWhich says that what was typed for a person fits several.
var errWhich = &visit.Error{Word: "which_person", Text: "fits several people"}

// which is a refusal with the people to choose from.
type which struct {
	refusal *visit.Error
	offers  []choice
}

func (w which) Error() string { return w.refusal.Error() }

func (w which) Unwrap() error { return w.refusal }

// maxOffers bounds the people to choose from.
const maxOffers = 20

// personIn finds the person that a field names: by number, as numbered writes it, or by a part of a name, reduced name, kana
// or romaji that only one has. fits says who may be meant.
func (c *counter) personIn(name string, fits func(p *directory.Person) bool) (directory.PersonID, error) {
	return c.personOf(name, c.rq.post(name), fits)
}

func (c *counter) personOf(name, text string, fits func(p *directory.Person) bool) (directory.PersonID, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", fieldFault(visit.ErrMissing, name)
	}
	if len(text) > 400 {
		return "", fieldFault(visit.ErrText, name)
	}
	if p := c.people[directory.PersonID(text)]; p != nil {
		return p.ID, nil
	}
	if id, _, found := strings.Cut(text, " "); found {
		if p := c.people[directory.PersonID(id)]; p != nil && text == c.numbered(p.ID) {
			return p.ID, nil
		}
	}
	var found []*directory.Person
	for i := range c.site.Dir.People {
		if p := &c.site.Dir.People[i]; fits(p) && p.Matches(text) {
			found = append(found, p)
		}
	}
	switch len(found) {
	case 0:
		return "", fieldFault(visit.ErrUnknown, name)
	case 1:
		return found[0].ID, nil
	}
	w := which{refusal: &visit.Error{Word: errWhich.Word, Field: name, Text: errWhich.Text}}
	for _, p := range found[:min(len(found), maxOffers)] {
		section := p.Section
		if p.Company != "" {
			section = p.Company
		}
		w.offers = append(w.offers, choice{Value: c.numbered(p.ID), Label: section})
	}
	return "", w
}

func staffOnly(p *directory.Person) bool { return p.Active && p.Category == directory.Staff }

func insiders(p *directory.Person) bool { return p.Active && p.Category != directory.Visitor }

func (c *counter) mayEscort(p *directory.Person) bool { return staffOnly(p) && p.MayEscort }

// suggest lists people to choose from while it is a short list; a field without one is typed into.
func (c *counter) suggest(fits func(p *directory.Person) bool) (out []choice) {
	for i := range c.site.Dir.People {
		p := &c.site.Dir.People[i]
		if !fits(p) {
			continue
		}
		if len(out) == 60 {
			return nil
		}
		out = append(out, choice{Value: c.numbered(p.ID), Label: p.Section})
	}
	return out
}

// personField is a field for a person.
func (c *counter) personField(name, label, value string, fits func(p *directory.Person) bool) deskField {
	return deskField{Name: name, Kind: "text", Label: c.T(label), Help: c.T("visit.person_help"), Value: value, Max: 100, Suggest: c.suggest(fits)}
}

// ruled are refusals by a rule, which become leaves: whoever tries what is not allowed leaves a trace. A form that was filled
// in badly does not.
var ruled = []*visit.Error{visit.ErrNotStaff, visit.ErrSamePerson, visit.ErrTooEarly, visit.ErrTooLate, visit.ErrContract, visit.ErrUnnamed, visit.ErrTier, visit.ErrConditions,
	visit.ErrBadgeLent, visit.ErrCarrier, visit.ErrBringIn, visit.ErrInside, visit.ErrOwnCard, visit.ErrLentTwice, visit.ErrEntries, visit.ErrRevoked, visit.ErrUnmatched,
	visit.ErrNotHolder, visit.ErrMyNumber, visit.ErrState}

// refusal turns a refusal of the source, or of a field, into what is shown again, with its status; any other error is given
// back. It writes the leaf of what a rule refused.
func (h *Handler) refusal(rq *request, c *counter, form, target string, err error) (*tried, int, error) {
	var e *visit.Error
	if !errors.As(err, &e) {
		return nil, 0, err
	}
	for _, r := range ruled {
		if errors.Is(e, r) {
			act := rq.action(ActionVisitRefused, target)
			act.Filter = form + ": " + e.Word + " " + e.Field
			if err := h.src.Audit.RecordAction(rq.Context(), act); err != nil {
				return nil, 0, fmt.Errorf("record refusal: %w", err)
			}
			break
		}
	}
	t := &tried{form: form, values: rq.PostForm, field: e.Field, fault: c.sentence(e)}
	var w which
	if errors.As(err, &w) {
		t.offers = w.offers
		var names []string
		for _, o := range w.offers {
			names = append(names, o.Value)
		}
		t.fault += " " + strings.Join(names, c.T("list.separator"))
	}
	code := http.StatusUnprocessableEntity
	switch {
	case errors.Is(e, visit.ErrSamePerson), errors.Is(e, visit.ErrNotHolder):
		code = http.StatusForbidden
	case errors.Is(e, visit.ErrState) && e.Field == "":
		code = http.StatusConflict
	}
	return t, code, nil
}

func (c *counter) sentence(e *visit.Error) string { return c.T("visit_error." + e.Word) }

// guestIn reads the number of a guest from a form, counted from 1.
func guestIn(values url.Values) int {
	n, err := strconv.Atoi(values.Get("guest"))
	if err != nil {
		return -1
	}
	return n - 1
}

// mayDecide reports whether the account may decide about all of these zones: a role for a zone holds for those around it.
func (c *counter) mayDecide(set RoleSet, zones []access.ZoneID) bool {
	covered := map[access.ZoneID]bool{}
	for _, z := range zones {
		if !c.rq.may(set, z) {
			continue
		}
		for n := 0; z != "" && n < access.MaxZoneDepth; n++ {
			covered[z] = true
			i := slices.IndexFunc(c.site.Dir.Zones, func(x directory.Zone) bool { return x.ID == z })
			if i < 0 {
				break
			}
			z = c.site.Dir.Zones[i].Parent
		}
	}
	for _, z := range zones {
		if !covered[z] {
			return false
		}
	}
	return len(zones) > 0
}

// mine reports whether the account that asks took a step, or is the person named.
func (c *counter) mine(s visit.Step, persons ...directory.PersonID) bool {
	own := directory.PersonID(c.rq.account.Person)
	return s.Account == c.rq.account.ID || own != "" && (s.Person == own || slices.Contains(persons, own))
}
