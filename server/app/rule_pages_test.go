package app

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"monban/server/directory"
	"monban/server/policypub/sitetest"
	"monban/server/web"
	"monban/server/web/webtest"
)

// rulesDesk is the pages over the sample site's real directory; accounts and sessions are in memory.
type rulesDesk struct {
	*testing.T
	site     *sitetest.Site
	registry *Registry
	h        http.Handler
	mem      *webtest.Memory
	cookies  map[string]string
}

const deskPassword = "correct horse battery staple"

func newRulesDesk(t *testing.T, at *time.Time) *rulesDesk {
	t.Helper()
	reg, site := registryAt(t, at, true)
	d := &rulesDesk{T: t, site: site, registry: reg, mem: new(webtest.Memory), cookies: map[string]string{}}
	cheap := web.Cost{Time: 1, Memory: 64, Threads: 1}
	phc, err := web.HashPassword(deskPassword, cheap)
	if err != nil {
		t.Fatal(err)
	}
	for id, x := range map[string]struct {
		person string
		role   web.Assignment
	}{
		"a-1": {"1001", web.Assignment{Role: web.RoleCISO}}, "a-2": {"1002", web.Assignment{Role: web.RoleChiefSecurity}}, "auditor": {"", web.Assignment{Role: web.RoleAuditor}},
		"admin": {"", web.Assignment{Role: web.RoleSystemAdmin}}, "manager": {"", web.Assignment{Role: web.RoleZoneManager, Zone: "server-room"}},
		"outer": {"", web.Assignment{Role: web.RoleZoneManager, Zone: "floor-3"}},
	} {
		d.mem.PutAccount(web.Account{ID: id, Name: id, FullName: "髙橋 " + id, Person: x.person, PasswordHash: phc, Roles: []web.Assignment{x.role}, Created: time.Now()})
	}
	d.mem.PutAccount(web.Account{ID: "both", Name: "both", FullName: "渡邉 both", PasswordHash: phc, Roles: []web.Assignment{{Role: web.RoleAuditor}, {Role: web.RoleZoneManager, Zone: "media-store"}}, Created: time.Now()})
	src := d.mem.Sources()
	src.Rules, src.Recertifications = &rulePages{registry: reg}, &rulePages{registry: reg}
	drafts := &importPages{registry: reg, now: func() time.Time { return *at }}
	rehearsals := newRehearsePages(reg, drafts, d.mem, site.Publisher.Site, quiet)
	t.Cleanup(rehearsals.Close)
	src.Imports, src.Rehearsals = drafts, rehearsals
	h, err := web.New(web.Config{Site: "多賀城デモ市役所", Zone: site.Store.Zone(), ZoneName: "Asia/Tokyo", Cost: cheap, PasswordStepUp: true}, src)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	d.h = h
	return d
}

// as asks in the name of an account: a form makes it a POST.
func (d *rulesDesk) as(account, path string, form url.Values) (code int, body, to string) {
	d.Helper()
	if d.cookies[account] == "" {
		r := httptest.NewRequestWithContext(d.Context(), http.MethodPost, "http://monban.test/login", strings.NewReader(url.Values{"name": {account}, "password": {deskPassword}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		d.h.ServeHTTP(w, r)
		for _, c := range w.Result().Cookies() {
			if strings.HasSuffix(c.Name, "monban_session") {
				d.cookies[account] = c.Name + "=" + c.Value + "; monban_language=en"
			}
		}
	}
	method, text := http.MethodGet, io.Reader(nil)
	if form != nil {
		method, text = http.MethodPost, strings.NewReader(form.Encode())
	}
	r := httptest.NewRequestWithContext(d.Context(), method, "http://monban.test"+path, text)
	r.Header.Set("Cookie", d.cookies[account])
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	d.h.ServeHTTP(w, r)
	return w.Code, w.Body.String(), w.Header().Get("Location")
}

// want fails when an answer has another code, or does not say each of the words.
func (d *rulesDesk) want(what string, code int, body string, wantCode int, words ...string) {
	d.Helper()
	if code != wantCode {
		d.Errorf("%s: %d, want %d\n%.1500s", what, code, wantCode, mainOf(body))
	}
	for _, w := range words {
		if !strings.Contains(body, w) {
			d.Errorf("%s does not say %q\n%.3000s", what, w, mainOf(body))
		}
	}
}

func mainOf(body string) string {
	_, rest, _ := strings.Cut(body, `<main id="main"`)
	return rest
}

func (d *rulesDesk) dir() directory.Snapshot { return ok(d.registry.Directory(d.Context()))(d) }

func noonOfTest() time.Time {
	return time.Date(2026, 11, 25, 12, 0, 0, 0, time.FixedZone("JST", 9*3600))
}

// zoneForm is a zone's form as the page has it, to be changed and sent back.
func (d *rulesDesk) zoneForm(id string) url.Values {
	d.Helper()
	rows := ok((&rulePages{registry: d.registry}).RuleRows(d.Context(), web.RuleZones))(d)
	in := url.Values{"do": {"check"}}
	for _, r := range rows {
		if r.ID == id {
			for k, v := range r.Values {
				in.Set(k, v)
			}
		}
	}
	for _, k := range []string{"two_person_within", "escort_within", "escort_grace", "anti_passback_for"} {
		if v, err := time.ParseDuration(in.Get(k)); err == nil {
			in.Set(k, strings.TrimSuffix(v.Truncate(time.Second).String(), "s"))
		}
	}
	return in
}

// AD-3, VR-8: a zone is set below its level only under an exception, which is said at the field before anything is saved. AD-4:
// how many would be refused is said before saving too. D27: what asks for less is a proposal; what asks for more is in force
// at once.
func TestZonePagesFollowTheLevel(t *testing.T) {
	now := noonOfTest()
	d := newRulesDesk(t, &now)
	before := d.dir()
	form := d.zoneForm("archive")
	form.Set("two_person_within", "60")
	form.Set("escort", "visitors")
	code, body, _ := d.as("a-1", "/zones/archive/edit", form)
	d.want("below the level", code, body, http.StatusUnprocessableEntity, "An exception is needed first", `aria-invalid="true"`, "/exceptions/new?subject=zone&amp;subject_id=archive&amp;what=escort")

	form.Set("escort", "outsiders")
	form.Set("min_assurance", "mutual_auth")
	code, body, _ = d.as("a-1", "/zones/archive/edit", form)
	fit := before
	i := slices.IndexFunc(fit.Zones, func(z directory.Zone) bool { return z.ID == "archive" })
	fit.Zones = slices.Clone(fit.Zones)
	fit.Zones[i].MinAssurance = 3
	f := fit.FitOf("archive", d.registry.Today())
	if f.Refused() == 0 || f.Weak == 0 {
		t.Fatalf("nobody would be refused: %+v", f)
	}
	d.want("the check", code, body, http.StatusOK, "will refuse "+strconv.Itoa(f.Refused())+" of the "+strconv.Itoa(f.People)+" people", "in force as soon as you save")
	form.Set("do", "save")
	code, body, _ = d.as("a-1", "/zones/archive/edit", form)
	d.want("no reason", code, body, http.StatusUnprocessableEntity, "Please give a reason", "will refuse")
	form.Set("reason", "番号 123456789018")
	code, body, _ = d.as("a-1", "/zones/archive/edit", form)
	d.want("an Individual Number as reason", code, body, http.StatusUnprocessableEntity, `id="f-reason-fault"`) // VE-5
	if now := d.dir(); !slices.Equal(now.Zones, before.Zones) {
		t.Fatal("something was changed before it was saved")
	}
	form.Set("reason", "規程の改正のため")
	code, _, to := d.as("a-1", "/zones/archive/edit", form)
	if code != http.StatusSeeOther || to != "/zones/archive?done=rule_changed" {
		t.Errorf("saved: %d, %s", code, to)
	}
	if z := d.dir().Zones[i]; z.MinAssurance != 3 {
		t.Errorf("the zone asks for %v", z.MinAssurance)
	}
	// Back again: less is asked, so a second person has to agree.
	form.Set("min_assurance", "uid_only")
	code, _, to = d.as("a-1", "/zones/archive/edit", form)
	if code != http.StatusSeeOther || to != "/zones/archive?done=rule_proposed" {
		t.Errorf("asked for less: %d, %s", code, to)
	}
	if z := d.dir().Zones[i]; z.MinAssurance != 3 {
		t.Error("less is asked before a second person has agreed")
	}
	list := ok(d.registry.Proposals(t.Context(), false, 10))(t)
	if len(list) != 1 || list[0].Proposer != "a-1" || list[0].Reason != "規程の改正のため" {
		t.Errorf("proposals %+v", list)
	}
	if leaf := lastAction(t, d); leaf != "proposal_made" {
		t.Errorf("the last leaf is %q", leaf) // RA-4
	}
}

// RA-1: a zone manager sees the own zone and what lies in it, the auditor and the system administrator all; none of them changes one. No
// name of a person is on these pages.
func TestZonePagesByRole(t *testing.T) {
	now := noonOfTest()
	d := newRulesDesk(t, &now)
	dir := d.dir()
	for account, sees := range map[string][]string{"a-1": {"floor-3", "server-room", "archive", "media-store"}, "auditor": {"floor-3", "server-room", "archive", "media-store"},
		"admin": {"floor-3", "server-room", "archive", "media-store"}, "manager": {"server-room", "archive"}, "outer": {"floor-3", "server-room", "archive", "media-store"}} {
		_, list, _ := d.as(account, "/zones", nil)
		for i := range dir.Zones {
			id := string(dir.Zones[i].ID)
			want, code := slices.Contains(sees, id), http.StatusNotFound
			if want {
				code = http.StatusOK
			}
			got, body, _ := d.as(account, "/zones/"+id, nil)
			if strings.Contains(list, `href="/zones/`+id+`"`) != want || got != code {
				t.Errorf("%s and zone %s: listed %v, page %d", account, id, !want, got)
			}
			for j := range dir.People {
				if strings.Contains(mainOf(body)+mainOf(list), dir.People[j].Name) {
					t.Errorf("%s sees %s on a page of zones", account, dir.People[j].Name)
				}
			}
			if account == "a-1" {
				continue
			}
			if code, _, _ := d.as(account, "/zones/"+id+"/edit", nil); code != http.StatusForbidden {
				t.Errorf("%s opens the form of %s: %d", account, id, code)
			}
			if code, _, _ := d.as(account, "/zones/"+id+"/edit", url.Values{"do": {"save"}, "name": {"x"}, "reason": {"x"}}); code != http.StatusForbidden {
				t.Errorf("%s changes %s: %d", account, id, code)
			}
		}
	}
	if now := d.dir(); !slices.Equal(now.Zones, dir.Zones) {
		t.Error("a zone was changed")
	}
}

// A circle of zones, a level that is none, hostile names: each is said, and nothing is changed.
func TestZonePagesRefuse(t *testing.T) {
	now := noonOfTest()
	d := newRulesDesk(t, &now)
	before := d.dir()
	for what, change := range map[string]map[string]string{
		"a circle": {"parent": "archive"}, "no level": {"level": "9"}, "a control character": {"name": "サーバ\x00室"}, "a right-to-left mark": {"name": "サーバ\u202e室"},
		"too long": {"name": strings.Repeat("長", 4000)}, "not UTF-8": {"name": "\xff\xfe"}, "a formula": {"basis": "=cmd|' /C calc'!A0"}, "an Individual Number": {"basis": "123456789018"},
		"no number": {"max_inside": "many"}, "a negative": {"two_person_within": "-1"}, "too many": {"max_inside": "4000000000"}, "an unknown word": {"escort": "nobody"},
		"a version that is not there": {"conditions": "77"}, "fewer than least": {"max_inside": "2", "min_inside": "3"},
	} {
		form := d.zoneForm("server-room")
		form.Set("do", "save")
		form.Set("reason", "試験")
		for k, v := range change {
			form.Set(k, v)
		}
		code, body, _ := d.as("a-1", "/zones/server-room/edit", form)
		if code != http.StatusUnprocessableEntity || !strings.Contains(body, `role="alert"`) {
			t.Errorf("%s: %d\n%.2000s", what, code, mainOf(body))
		}
	}
	if now := d.dir(); !slices.Equal(now.Zones, before.Zones) {
		t.Error("a zone was changed")
	}
	if len(ok(d.registry.Proposals(t.Context(), true, 10))(t)) != 0 {
		t.Error("a proposal was made")
	}
}

func lastAction(t testing.TB, d *rulesDesk) string {
	t.Helper()
	list := actions(t, d.site.Store)
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1].Verb
}
