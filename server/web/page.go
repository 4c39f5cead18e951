package web

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"
)

// page is one parsed page: the frame and the page's own templates.
type page struct{ t *template.Template }

// loadPages parses every templates/*.html that is not a shared part (those begin with "_").
func loadPages(fsys fs.FS) (map[string]*page, error) {
	shared, err := template.New("").Option("missingkey=error").ParseFS(fsys, "templates/_*.html")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	names, err := fs.Glob(fsys, "templates/[a-z]*.html")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	pages := make(map[string]*page)
	for _, name := range names {
		t, err := shared.Clone()
		if err == nil {
			t, err = t.ParseFS(fsys, name)
		}
		if err != nil {
			return nil, fmt.Errorf("template %s: %w", name, err)
		}
		pages[strings.TrimSuffix(path.Base(name), ".html")] = &page{t}
	}
	return pages, nil
}

// ownPages parses the pages of this program once: they are the same for each handler, which only executes them.
var ownPages = sync.OnceValues(func() (map[string]*page, error) { return loadPages(files) })

// Base is what every page's view begins with.
//
// A view has only the methods that templates call: all others are the speaker's. (A type that embeds another one gets a
// function for each of its methods; with everything in Base those were nine of ten functions of this package.)
type Base struct {
	Title     string
	Site      string
	Nav       []navItem
	SubNav    []navItem // pages of the current group, when it has several
	SubTitle  string    // what that group is called
	User      *userView // nil = nobody signed in
	Bare      bool      // no link leads away from this page
	Here      string    // path and query of this page, for forms that come back to it
	ZoneName  string
	Made      string // when this page was made
	Assets    string
	Notice    string // a sentence about what was just done
	Languages []langChoice

	say speaker
}

// speaker says things in the language and zone of one request, with names or without.
type speaker struct {
	lang   Lang
	masked bool // names are replaced by tokens
	words  catalogue
	zone   *time.Location
	mask   []byte
	now    time.Time
}

type navItem struct {
	Href    string
	Label   string
	Icon    string
	Current bool // this page, or one of the group, is shown
	Page    bool // it is this very page
}

type userView struct {
	Name  string
	Roles string
}

type langChoice struct {
	Code    Lang
	Label   string
	Current bool
}

// navigation lists the pages in their groups. The route of a page decides who sees its link; a group with one page
// to see is called by that page's name, one with more shows them in a second row.
var navigation = []navGroup{
	{"nav.live", "live", []navPage{{"/live", "nav.live"}}},
	{"nav.records", "log", []navPage{{"/log", "nav.log"}, {"/register", "nav.register"}, {"/present", "nav.present"}, {"/reports", "nav.reports"}, {"/plots", "nav.plots"}, {"/verification", "nav.verification"}}},
	{"nav.review", "check", []navPage{{"/review", "nav.review"}}},
	{"nav.findings", "finding", []navPage{{"/findings", "nav.findings"}, {"/alerts", "nav.alerts"}, {"/incidents", "nav.incidents"}}},
	visitNav,
	{"nav.people", "people", []navPage{{"/people", "nav.persons"}, {"/grants", "nav.grants"}, {"/proposals", "nav.proposals"}, {"/judge", "nav.judge"}}},
	ruleNav,
	{"nav.machines", "gateway", []navPage{{"/doors", "nav.doors"}, {"/commands", "nav.commands"}, {"/desks", "nav.desks"}, {"/updates", "nav.updates"}, {"/startup", "nav.startup"}}},
	{"nav.accounts", "people", []navPage{{"/accounts", "nav.accounts"}, {"/privacy", "nav.privacy"}, {"/retention", "nav.retention"}, {"/data-requests", "nav.data_requests"}}},
	{"nav.me", "person", []navPage{{"/me", "nav.me"}, {"/me/own", "nav.own"}, {"/me/data", "nav.own_data"}, {"/me/tokens", "nav.tokens"}}},
}

type navGroup struct {
	key, icon string
	pages     []navPage
}

type navPage struct{ path, key string }

// navigate makes the two rows of links for what these roles may see.
func (b *Base) navigate(roles RoleSet, here string) {
	for _, g := range navigation {
		var seen []navItem
		item := navItem{Icon: g.icon, Label: b.T(g.key)}
		for _, p := range g.pages {
			if roles&rolesOf("GET "+p.path) == 0 {
				continue
			}
			current := p.path == g.pageOf(here)
			seen = append(seen, navItem{Href: p.path, Label: b.T(p.key), Current: current, Page: current})
			item.Current = item.Current || current
		}
		if len(seen) == 0 {
			continue
		}
		item.Href, item.Page = seen[0].Href, seen[0].Current
		if len(seen) == 1 {
			item.Label = seen[0].Label
		} else if item.Current {
			b.SubNav, b.SubTitle = seen, item.Label
		}
		b.Nav = append(b.Nav, item)
	}
}

// pageOf finds the page of a group that a path belongs to: the longest one that it begins with; "" = none.
func (g navGroup) pageOf(here string) (found string) {
	for _, p := range g.pages {
		if (here == p.path || strings.HasPrefix(here, p.path+"/")) && len(p.path) > len(found) {
			found = p.path
		}
	}
	return found
}

// base makes the common part of a view.
func (h *Handler) base(rq *request, titleKey string) Base {
	words := h.words[rq.lang]
	b := Base{
		Title: words.say(titleKey), Site: h.cfg.Site, ZoneName: h.cfg.ZoneName, Assets: h.assets, Here: "/",
		say: speaker{lang: rq.lang, words: words, zone: h.cfg.Zone, mask: h.cfg.MaskKey, now: rq.now.In(h.cfg.Zone)},
	}
	b.Made = showDayTime(b.say.now, rq.lang)
	if rq.Method == http.MethodGet {
		b.Here = rq.URL.RequestURI()
	}
	for _, l := range []Lang{Japanese, English} {
		b.Languages = append(b.Languages, langChoice{l, words.say("lang." + string(l)), l == rq.lang})
	}
	if key := rq.URL.Query().Get("done"); key != "" && words.has("done."+key) {
		b.Notice = words.say("done." + key)
	}
	if rq.account == nil {
		return b
	}
	b.say.masked = !rq.names
	var roles []string
	for _, r := range rq.roles.list() {
		roles = append(roles, words.say("role."+r.String()))
	}
	b.User = &userView{Name: rq.account.FullName, Roles: strings.Join(roles, words.say("list.separator"))}
	if rq.account.MustChange || h.mustEnrol(rq) {
		return b
	}
	b.navigate(rq.roles, rq.URL.Path)
	return b
}

// rolesOf finds a route's roles in the one table; none for a pattern that is not in it.
func rolesOf(pattern string) RoleSet {
	rt, _ := routeOf(pattern)
	return rt.roles
}

// Lang is the page's language.
func (b Base) Lang() Lang { return b.say.lang }

// Masked: names are replaced by tokens on this page.
func (b Base) Masked() bool { return b.say.masked }

// T and the following are the speaker's, for templates.
func (b Base) T(key string, pairs ...string) string { return b.say.T(key, pairs...) }
func (b Base) Time(t time.Time) string              { return b.say.Time(t) }
func (b Base) Long(t time.Time) string              { return b.say.Long(t) }
func (b Base) DayTime(t time.Time) string           { return b.say.DayTime(t) }
func (b Base) Brief(t time.Time) string             { return b.say.Brief(t) }
func (b Base) Machine(t time.Time) string           { return b.say.Machine(t) }

// T says a catalogue entry in the page's language.
func (b speaker) T(key string, pairs ...string) string { return b.words.say(key, pairs...) }

// Time writes a moment's time of day in the site's zone; "–" when there is none.
func (b speaker) Time(t time.Time) string {
	return b.when(t, func(t time.Time) string { return showTime(t) })
}

// Long writes a moment's day, e.g. 2026年11月23日(月).
func (b speaker) Long(t time.Time) string {
	return b.when(t, func(t time.Time) string { return showDay(t, b.lang) })
}

// DayTime writes day and time.
func (b speaker) DayTime(t time.Time) string {
	return b.when(t, func(t time.Time) string { return showDayTime(t, b.lang) })
}

// Brief leaves the day out when it is today.
func (b speaker) Brief(t time.Time) string {
	if t.In(b.zone).Format(dayLayout) == b.now.Format(dayLayout) {
		return b.Time(t)
	}
	return b.DayTime(t)
}

// Machine writes a moment for the datetime attribute.
func (b speaker) Machine(t time.Time) string { return t.In(b.zone).Format(time.RFC3339) }

func (b speaker) when(t time.Time, show func(time.Time) string) string {
	if t.IsZero() {
		return "–"
	}
	return show(t.In(b.zone))
}

// Person is a person as a page shows one.
type Person struct {
	Name    string
	Section string
	Token   bool // Name is a token, not a name
}

// person turns a Who into what this page may show. On masked pages the name is gone here, whatever
// the source delivered.
func (b speaker) person(w Who) Person {
	switch {
	case w.Ref == "":
		return Person{Name: b.T("person.unknown"), Token: true}
	case b.masked:
		return Person{Name: b.T("person.token", "token", b.token(w.Ref)), Token: true}
	case w.Name == "" && w.Unreadable:
		return Person{Name: b.T("person.unreadable"), Token: true}
	case w.Name == "":
		return Person{Name: b.T("person.erased"), Token: true}
	}
	return Person{Name: w.Name, Section: w.Section}
}

// token is a person's short name on masked pages: the same person has the same one, and without the
// key nobody can compute it from a list of references.
func (b speaker) token(ref string) string {
	m := hmac.New(sha256.New, b.mask)
	m.Write([]byte(ref))
	return hex.EncodeToString(m.Sum(nil)[:3])
}

// render writes a page with status 200.
func (h *Handler) render(w http.ResponseWriter, rq *request, name string, view any) error {
	return h.renderStatus(w, rq, name, view, http.StatusOK)
}

// renderStatus renders into memory first, so that a fault half-way is a clean 500.
func (h *Handler) renderStatus(w http.ResponseWriter, rq *request, name string, view any, code int) error {
	return h.write(w, rq, name, "frame", view, code)
}

func (h *Handler) write(w http.ResponseWriter, rq *request, name, block string, view any, code int) error {
	p := h.pages[name]
	if p == nil {
		return fmt.Errorf("BUG: no page %q", name)
	}
	var buf bytes.Buffer
	if err := p.t.ExecuteTemplate(&buf, block, view); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", string(rq.lang))
	w.WriteHeader(code)
	if rq.Method == http.MethodHead {
		return nil
	}
	_, _ = buf.WriteTo(w) // the peer went away: nothing to tell it
	return nil
}

// withQuery builds a local link.
func withQuery(to string, q url.Values) string {
	if len(q) == 0 {
		return to
	}
	return to + "?" + q.Encode()
}
