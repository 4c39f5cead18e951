package web_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"monban/firmware/access"
	"monban/server/web"
	"monban/server/web/webtest"
)

// void elements have no end tag.
var void = map[string]bool{"meta": true, "link": true, "img": true, "input": true, "br": true, "hr": true}

// checkPage looks at one page as a validator and a screen reader would.
func checkPage(doc string) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if !strings.HasPrefix(doc, "<!doctype html>") {
		fault("no doctype")
	}
	if i := strings.IndexAny(doc, "⟦⟧"); i >= 0 {
		fault("a word is missing: %s", doc[i:min(len(doc), i+60)])
	}
	z := html.NewTokenizer(strings.NewReader(doc))
	var open []string
	ids, labels, described := map[string]int{}, map[string]bool{}, []string{}
	inputs := map[string]bool{}
	h1 := 0
	lang := ""
	heading := 0
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		tok := z.Token()
		switch kind {
		case html.TextToken:
			if len(open) > 0 && open[len(open)-1] != "noscript" && regexp.MustCompile(`\{[a-z_]+\}`).MatchString(tok.Data) {
				fault("an unfilled place: %s", tok.Data)
			}
		case html.EndTagToken:
			if len(open) == 0 || open[len(open)-1] != tok.Data {
				fault("</%s> closes %v", tok.Data, open)
				return faults
			}
			open = open[:len(open)-1]
		case html.StartTagToken:
			if !void[tok.Data] {
				open = append(open, tok.Data)
			}
			at := map[string]string{}
			for _, a := range tok.Attr {
				if _, twice := at[a.Key]; twice {
					fault("<%s> has %s twice", tok.Data, a.Key)
				}
				at[a.Key] = a.Val
				if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
					fault("<%s> has %s, which the content policy drops", tok.Data, a.Key)
				}
			}
			if id, ok := at["id"]; ok {
				if ids[id]++; ids[id] > 1 {
					fault("id %q twice", id)
				}
			}
			if d := at["aria-describedby"]; d != "" {
				described = append(described, strings.Fields(d)...)
			}
			if t, ok := at["tabindex"]; ok && t != "0" && t != "-1" {
				fault("tabindex %s changes the order of the keyboard", t)
			}
			switch tok.Data {
			case "html":
				lang = at["lang"]
			case "label":
				labels[at["for"]] = true
			case "input", "select":
				if at["type"] != "hidden" && at["aria-hidden"] == "" {
					inputs[at["id"]] = true
				}
				if at["autofocus"] != "" {
					fault("autofocus")
				}
			case "th":
				if at["scope"] == "" {
					fault("a th without scope")
				}
			case "form":
				if m := at["method"]; m != "post" && m != "get" {
					fault("form method %q", m)
				}
			case "h1":
				h1++
				heading = 1
			case "h2", "h3":
				level := int(tok.Data[1] - '0')
				if level > heading+1 {
					fault("%s after h%d", tok.Data, heading)
				}
				heading = level
			}
		}
	}
	if len(open) != 0 {
		fault("left open: %v", open)
	}
	if h1 != 1 {
		fault("%d h1", h1)
	}
	if lang != "ja" && lang != "en" {
		fault("lang %q", lang)
	}
	for id := range inputs {
		if !labels[id] {
			fault("input %q has no label", id)
		}
	}
	for _, d := range described {
		if ids[d] == 0 {
			fault("described by %q, which is not there", d)
		}
	}
	return faults
}

var pagePaths = []string{"/login", "/live", "/log", "/log/" + webtest.AttemptID(9), "/log/" + webtest.AttemptID(8), "/log/" + webtest.AttemptID(7),
	"/log/" + webtest.AttemptID(4), "/findings", "/findings?show=all", "/findings?show=closed&kind=tamper&zone=server-room&from=2026-01-01&until=2026-12-31", "/privacy", "/retention", "/judge", "/judge?door=server-room-1", "/judge?door=server-room-1&person=1001&purpose=x", "/judge?door=server-room-1&person=%E9%AB%99&purpose=x", "/judge?door=server-room-1&person=none&purpose=x", "/judge?door=x&person=1001&purpose=x", "/judge?door=server-room-1&person=1001", "/people", "/people?purpose=x", "/people?q=1", "/people?purpose=x&q=none&within=30", "/people/1001", "/people/1001?purpose=x", "/people/K-12?purpose=x", "/people/none?purpose=x", "/people/+new?purpose=x", "/people/+export?purpose=x", "/people/1001/edit?purpose=x", "/people/1001/cards/+new?purpose=x", "/people/1001/cards/C-001/pin?purpose=x", "/judge?door=server-room-1&at=x", "/doors", "/startup", "/updates", "/verification", "/verification?leaf=7", "/verification/packs", "/verification/packs?kind=person&person=%3Cb%3E", "/verification/packs?kind=x", "/verification/packs/RUNS", "/verification/packs/DONE", "/verification/packs/NAMED", "/verification/packs/FAILED", "/doors/server-room-1/papers", "/doors/server-room-1/papers?extension=%3Cb%3E", "/accounts", "/me", "/me/tokens", "/nowhere", "/log/" + strings.Repeat("0", 32),
	"/log?day=x", "/log?result=denied&q=%E9%AB%99", "/log?purpose=x&q=%E9%AB%99", "/log?day=2020-01-01"}

// Every page × both languages × each role: well-formed, all words there, in the right language; for
// the system administrator no name and no section on any page but the own one.
func TestPages(t *testing.T) {
	if underRace {
		t.Skip("one request at a time")
	}
	s := newSite(t, nil)
	n := 0
	for _, r := range append([]web.Role{web.RoleNone}, web.Roles()...) {
		cookie := ""
		if r != web.RoleNone {
			cookie = s.login(r.String())
		}
		for _, l := range []string{"ja", "en"} {
			for _, path := range pagePaths {
				res := s.get(path, cookie+"; monban_language="+l)
				doc := text(t, res)
				if res.StatusCode == http.StatusSeeOther {
					continue
				}
				n++
				for _, f := range checkPage(doc) {
					t.Errorf("%s %s for %s (%d): %s", path, l, r, res.StatusCode, f)
				}
				if !strings.Contains(doc, `<html lang="`+l+`">`) || res.Header.Get("Content-Language") != l {
					t.Errorf("%s for %s is not in %s", path, r, l)
				}
				if r == web.RoleSystemAdmin && path != "/accounts" && !strings.HasPrefix(path, "/me") {
					for _, p := range webtest.AllPersons {
						if strings.Contains(strings.ReplaceAll(doc, ownName(r), ""), p.Name) || strings.Contains(doc, p.Section) {
							t.Errorf("%s %s shows %s to the system administrator", path, l, p.Name) // RA-1
						}
					}
				}
			}
		}
	}
	if n < 200 {
		t.Errorf("only %d pages looked at", n)
	}
	// The check is alive.
	for _, bad := range []string{"<!doctype html><html lang=ja><h1>⟦x⟧</h1></html>", "<!doctype html><html lang=ja><h1>x</h1><p></div></html>",
		"<!doctype html><html lang=ja><h1>x</h1><input id=a></html>", "<!doctype html><html lang=ja><h1>x</h1><p style=x></p></html>"} {
		if len(checkPage(bad)) == 0 {
			t.Errorf("the check does not see %s", bad)
		}
	}
}

// ownName is the name of the account itself, which stands in the heading.
func ownName(r web.Role) string { return webtest.AllPersons[(int(r)-1)%7].Name }

// The same person has the same token everywhere, another one another, and it is not the reference.
func TestTokens(t *testing.T) {
	s := newSite(t, nil)
	cookie := s.login("system_administrator")
	token := regexp.MustCompile(`#[0-9a-f]{6}`)
	all := map[string]bool{}
	for _, id := range []byte{9, 8, 7, 4, 3, 2} {
		doc := text(t, s.get("/log/"+webtest.AttemptID(id), cookie))
		got := token.FindAllString(doc, -1)
		if len(slices.Compact(got)) != 1 || strings.Contains(doc, "p-0") {
			t.Fatalf("attempt %d: tokens %v", id, got)
		}
		all[got[0]] = true
	}
	if len(all) != 6 {
		t.Errorf("%d tokens for six persons", len(all))
	}
	day := token.FindAllString(text(t, s.get("/log", cookie)), -1)
	for tok := range all {
		if !slices.Contains(day, tok) {
			t.Errorf("%s is not in the log", tok)
		}
	}
}

// A masked page cannot be searched by name: the answer would tell what the mask hides.
func TestMaskedSearch(t *testing.T) {
	s := newSite(t, nil)
	line := regexp.MustCompile(`href="/log/[0-9a-f]{32}"`)
	query := "/log?purpose=x&q=" + url.QueryEscape("﨑山")
	if got := len(line.FindAllString(text(t, s.get(query, s.login("auditor"))), -1)); got != 1 {
		t.Errorf("the auditor finds %d lines, want 1", got)
	}
	if got := len(line.FindAllString(text(t, s.get(query, s.login("system_administrator"))), -1)); got != 8 {
		t.Errorf("the system administrator gets %d lines, want all 8", got)
	}
}

// Hostile and long names come through as text, whole, and isolated from what stands around them.
func TestHostileNames(t *testing.T) {
	names := []string{`<script>alert(1)</script>`, `" onmouseover="x`, "{{.Title}}", "ab\u202Egnp.exe", strings.Repeat("長", 10_000), "'); DROP TABLE person;--",
		"𠮷田\u200f太郎", "葛\U000E0100城", "\uFA19谷", "&lt;b&gt;", "]]>", "<!--"}
	for _, name := range names {
		s := newSite(t, nil)
		who := web.Who{Ref: "p-x", Name: name, Section: name}
		for i := range s.mem.Day {
			s.mem.Day[i].Who, s.mem.Day[i].DoorName = who, name
		}
		for k, d := range s.mem.Details {
			d.Who = who
			s.mem.Details[k] = d
		}
		for i := range s.mem.View.Recent {
			s.mem.View.Recent[i].Who, s.mem.View.Recent[i].DoorName = who, name
		}
		for i := range s.mem.Items {
			s.mem.Items[i].Who, s.mem.Items[i].DoorName = who, name
		}
		s.mem.PutAccount(web.Account{ID: "X", Name: "x", FullName: name, SuspendedWhy: name, Suspended: true})
		cookie := s.login("reviewer")
		for _, path := range []string{"/live", "/log", "/findings", "/log/" + webtest.AttemptID(9)} {
			doc := text(t, s.get(path, cookie))
			for _, f := range checkPage(doc) {
				t.Errorf("%.20q on %s: %s", name, path, f)
			}
			if got := texts(doc); !slices.Contains(got, name) {
				t.Errorf("%.20q does not stand whole on %s", name, path)
			}
		}
		doc := text(t, s.get("/accounts", s.login("ciso")))
		if !slices.Contains(texts(doc), name) || len(checkPage(doc)) > 0 {
			t.Errorf("%.20q on /accounts: %v", name, checkPage(doc))
		}
	}
}

// texts lists the text inside bdi elements.
func texts(doc string) (out []string) {
	z := html.NewTokenizer(strings.NewReader(doc))
	in := false
	for {
		switch z.Next() {
		case html.ErrorToken:
			return out
		case html.StartTagToken:
			name, _ := z.TagName()
			in = string(name) == "bdi"
		case html.TextToken:
			if in {
				out = append(out, string(z.Text()))
			}
		case html.EndTagToken:
			in = false
		}
	}
}

// Each reason has its sentence on the log, in both languages.
func TestEveryReasonIsSaid(t *testing.T) {
	s := newSite(t, nil)
	cookie := s.login("auditor")
	day := s.mem.Day[0]
	s.mem.Day = nil
	for i, r := range access.Reasons() {
		day.ID, day.Reason, day.Result = webtest.AttemptID(byte(i)), r, web.ResultDenied
		s.mem.Day = append(s.mem.Day, day)
	}
	for _, l := range []string{"ja", "en"} {
		doc := text(t, s.get("/log", cookie+"; monban_language="+l))
		said := regexp.MustCompile(`<p class="reason">([^<]+)</p>`).FindAllStringSubmatch(doc, -1)
		seen := map[string]bool{}
		for _, m := range said {
			seen[m[1]] = true
		}
		if len(said) != len(access.Reasons()) || len(seen) != len(said) {
			t.Errorf("%s: %d sentences, %d different, for %d reasons", l, len(said), len(seen), len(access.Reasons()))
		}
	}
}

// RA-4: viewing names is a leaf; without the leaf there are no names. Masked pages need none.
func TestViewsAreLeaves(t *testing.T) {
	s := newSite(t, nil)
	cookie := s.login("auditor")
	for path, want := range map[string]web.ActionKind{"/live": web.ActionViewLive, "/log?q=x&purpose=y": web.ActionViewLog,
		"/log/" + webtest.AttemptID(9): web.ActionViewAttempt, "/findings": web.ActionViewFindings} {
		n := len(s.mem.Actions())
		s.status(path, s.get(path, cookie), 200)
		if got := s.kinds(n); !slices.Equal(got, []web.ActionKind{want}) {
			t.Errorf("%s wrote %v, want one %s", path, got, want)
		}
		if a := s.mem.Actions()[n]; a.Actor != accountID(web.RoleAuditor) || a.Address != "192.0.2.7" || a.At.IsZero() {
			t.Errorf("%s: leaf %+v", path, a)
		}
	}
	admin := s.login("system_administrator")
	n := len(s.mem.Actions())
	s.get("/log", admin)
	s.get("/live/fragment", cookie)
	if got := s.kinds(n); len(got) != 0 {
		t.Errorf("masked and passive views wrote %v", got)
	}
	s.mem.FailAudit = errors.New("sqlite: disk I/O error at /var/lib/monban")
	for _, path := range []string{"/live", "/log", "/log/" + webtest.AttemptID(9), "/findings"} {
		res := s.get(path, cookie)
		doc := text(t, res)
		s.status(path+" without a leaf", res, 500)
		if strings.Contains(doc, webtest.Sakiyama.Name) || strings.Contains(doc, "sqlite") || strings.Contains(doc, "/var/lib") {
			t.Errorf("%s shows %s", path, doc)
		}
	}
	if !strings.Contains(s.log.String(), "disk I/O error") || !strings.Contains(s.log.String(), "reference=") {
		t.Error("the cause is not in the machine's log")
	}
}

// The log's filters are in the URL, and what cannot be read is refused.
func TestLogFilters(t *testing.T) {
	s := newSite(t, nil)
	cookie := s.login("zone_manager")
	line := regexp.MustCompile(`href="/log/[0-9a-f]{32}"`)
	for query, want := range map[string]int{
		"": 8, "?result=denied": 2, "?door=media-store": 1, "?door=server-room-1&result=entered": 3, "?purpose=x&q=" + url.QueryEscape("北浜"): 1,
		"?day=2020-02-29": 0, "?day=" + noon().Format("2006-01-02"): 8, "?page=1": 0,
	} {
		res := s.get("/log"+query, cookie)
		if got := len(line.FindAllString(text(t, res), -1)); res.StatusCode != 200 || got != want {
			t.Errorf("%q: %s, %d lines, want %d", query, res.Status, got, want)
		}
	}
	for _, query := range []string{"?day=2026-02-30", "?day=%27", "?door=nowhere", "?result=maybe", "?page=-1", "?page=x", "?page=99999999999999999999"} {
		s.status(query, s.get("/log"+query, cookie), 400)
	}
	doc := text(t, s.get("/log", cookie))
	if strings.Count(doc, `class="gap"`) != 2 || strings.Index(doc, `class="gap"`) < strings.Index(doc, webtest.AttemptID(8)) {
		t.Error("gaps do not stand in line")
	}
}

// No view has a place for a card number, and what is typed at login is nowhere kept.
func TestNoCardNumber(t *testing.T) {
	const number = "0412345678"
	s := newSite(t, nil)
	s.post("/login", "", url.Values{"name": {number}, "password": {"pw-" + number}})
	s.post("/login", "", url.Values{"name": {"csirt"}, "password": {number}})
	leaves, err := json.Marshal(s.mem.Actions())
	if err != nil || strings.Contains(string(leaves), number) || strings.Contains(s.log.String(), number) {
		t.Errorf("typed text is kept: %s, %v; log: %s", leaves, err, s.log)
	}
	views, _ := json.Marshal([]any{web.Attempt{}, web.AttemptDetail{}, web.Event{}, web.Finding{}, web.Overview{}, web.Gateway{}})
	for _, word := range []string{"Card", "PIN", "Number", "Facility", "Digits"} {
		if strings.Contains(string(views), `"`+word) {
			t.Errorf("a view has a field %s", word)
		}
	}
}

// Data that is too old is not shown as the present: no door keeps its state, and the page says so.
func TestStaleOverview(t *testing.T) {
	s := newSite(t, nil)
	v := s.mem.View
	v.UpTo = time.Now().Add(-time.Minute)
	s.mem.SetView(v)
	doc := text(t, s.get("/live", s.login("reception")+"; monban_language=en"))
	if strings.Contains(doc, "Nothing to report") || strings.Count(doc, `door-word">Not known`) != 3 {
		t.Error("old data is shown as the present")
	}
}
