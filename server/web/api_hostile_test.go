package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"monban/server/web"
	"monban/server/web/webtest"
)

// Parameters: each route refuses one that it does not know, one that stands twice, and one that is not text, by name; what the description
// gives as an example it takes.
func TestAPIParameters(t *testing.T) {
	s := newAPISite(t, nil)
	for _, r := range web.APITable() {
		if !strings.HasPrefix(r.Pattern, "GET ") {
			continue
		}
		o := s.op(r.Pattern)
		path := example(o, "after")
		join := "?"
		if strings.Contains(path, "?") {
			join = "&"
		}
		if code, body := s.checked(o, path, s.tokens["csirt"], ""); code != http.StatusOK {
			t.Errorf("%s: %d %s", path, code, body)
		}
		for bad, field := range map[string]string{"Limit=1": "Limit", "debug=1": "debug", "door%00=1": "door\\u0000", "%": "query", "a;b=1": "query", url.QueryEscape(strings.Repeat("x", 500)): strings.Repeat("x", 64)} {
			if code, body := s.checked(o, path+join+bad, s.tokens["csirt"], ""); code != http.StatusBadRequest || !strings.Contains(body, `"field":"`+field+`"`) {
				t.Errorf("%s%s%s: %d %s", path, join, bad, code, body)
			}
		}
		for name, v := range o.Parameters("query") {
			if name == "after" {
				continue
			}
			for _, bad := range []string{name + "=" + url.QueryEscape(v), name + "=%ff"} {
				with := example(o, "after")
				if strings.HasSuffix(bad, "%ff") {
					with = example(o, "after", name)
				}
				join := "?"
				if strings.Contains(with, "?") {
					join = "&"
				}
				if code, body := s.checked(o, with+join+bad, s.tokens["csirt"], ""); code != http.StatusBadRequest || !strings.Contains(body, `"field":"`+name+`"`) {
					t.Errorf("%s%s%s: %d %s", with, join, bad, code, body)
				}
			}
		}
	}
	// Values of the wrong kind, each with its field.
	for path, field := range map[string]string{
		"/api/1/log?day=2026-13-01": "day", "/api/1/log?day=": "day", "/api/1/log?result=eaten": "result", "/api/1/log?door=nowhere": "door", "/api/1/log?door=": "door",
		"/api/1/findings?show=some": "show", "/api/1/findings?show=": "show", "/api/1/closed-days?from=x": "from", "/api/1/closed-days?until=2026-02-30": "until",
		"/api/1/people?purpose=x&category=king": "category", "/api/1/people?purpose=x&active=yes": "active", "/api/1/people?purpose=x&q=" + strings.Repeat("a", 201): "q",
		"/api/1/grants?zone=a%20b": "zone", "/api/1/grants?purpose=x&person=%27": "person", "/api/1/judge?door=server-room-1": "person", "/api/1/judge?person=1001": "door",
		"/api/1/judge?person=1001&door=server-room-1&side=up": "side", "/api/1/judge?person=1001&door=server-room-1&at=2026-11-24T09:00": "at", "/api/1/judge?person=1001&purpose=x&door=nowhere": "door", "/api/1/judge?person=1001&door=server-room-1": "purpose",
		"/api/1/entrants?door=nowhere": "door", "/api/1/entrants": "door", "/api/1/entrants?door=server-room-1&at=9999-01-01T00:00:00Z": "at",
	} {
		pattern, _, _ := strings.Cut(path, "?")
		if code, body := s.checked(s.op("GET "+pattern), path, s.tokens["csirt"], ""); code != http.StatusBadRequest || !strings.Contains(body, `"field":"`+field+`"`) {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
}

// Bodies: nothing but one flat object of the members that are known does anything.
func TestAPIBodies(t *testing.T) {
	s := newAPISite(t, nil)
	deep := strings.Repeat(`{"reason":`, 20_000) + `"x"` + strings.Repeat("}", 20_000)
	for _, c := range []struct {
		what, body, kind, field string
		want                    int
	}{
		{"nothing", "", "", "", 415},
		{"a form", "reason=x", "application/x-www-form-urlencoded", "", 415},
		{"another charset", `{"reason":"x"}`, "application/json; charset=shift_jis", "", 415},
		{"two types", `{"reason":"x"}`, "application/json, text/plain", "", 415},
		{"empty object", `{}`, "", "reason", 400},
		{"no object", `"x"`, "", "body", 400},
		{"list", `[{"reason":"x"}]`, "", "body", 400},
		{"number", `{"reason":5}`, "", "reason", 400},
		{"null", `{"reason":null}`, "", "reason", 400},
		{"list in it", `{"reason":["x"]}`, "", "reason", 400},
		{"deep", deep[:60_000], "", "reason", 400},
		{"unknown member", `{"reason":"x","force":"yes"}`, "", "force", 400},
		{"another case", `{"Reason":"x"}`, "", "Reason", 400},
		{"twice", `{"reason":"x","reason":"y"}`, "", "reason", 400},
		{"twice, escaped", `{"reason":"x","re\u0061son":"y"}`, "", "reason", 400},
		{"two values", `{"reason":"x"}{"reason":"y"}`, "", "body", 400},
		{"cut", `{"reason":"x"`, "", "body", 400},
		{"comment", `{"reason":"x"/**/}`, "", "body", 400},
		{"not UTF-8", "{\"reason\":\"\xff\"}", "", "body", 400},
		{"NUL in text", `{"reason":"a\u0000b"}`, "", "reason", 400},
		{"blank reason", `{"reason":" \n"}`, "", "reason", 400},
		{"long reason", `{"reason":"` + strings.Repeat("a", 1001) + `"}`, "", "reason", 400},
		{"over 64 KiB", `{"reason":"` + strings.Repeat("a", 70_000) + `"}`, "", "", 413},
		{"blanks over 64 KiB", strings.Repeat(" ", 70_000) + `{"reason":"x"}`, "", "", 413},
	} {
		headers := []string(nil)
		if c.kind != "" {
			headers = []string{"Content-Type", c.kind}
		}
		for _, pattern := range []string{"POST /api/1/cards/{card}/suspend", "POST /api/1/cards/{card}/lost", "POST /api/1/cards/{card}/reactivate"} {
			o, n := s.op(pattern), len(s.mem.Actions())
			code, body := s.checked(o, example(o), s.tokens["csirt"], c.body, headers...)
			if code != c.want || c.field != "" && !strings.Contains(body, `"field":"`+c.field+`"`) || len(s.mem.Actions()) != n {
				t.Errorf("%s, %s: %d %.200s, %d leaves", pattern, c.what, code, body, len(s.mem.Actions())-n)
			}
		}
	}
	for _, body := range []string{`{"reason":"x"}`, `[]`, `null`, `x`} { // where nothing is wanted
		for _, pattern := range []string{"POST /api/1/commands/{id}/agree", "POST /api/1/commands/{id}/withdraw"} {
			if code, _ := s.checked(s.op(pattern), example(s.op(pattern)), s.tokens["csirt"], body); code != http.StatusBadRequest {
				t.Errorf("%s with %s: %d", pattern, body, code)
			}
		}
	}
	for _, at := range []string{"yesterday", "2999-01-01T00:00:00Z", "2026-11-24T09:00:00", ""} {
		o := s.op("POST /api/1/cards/{card}/suspend")
		if code, body := s.checked(o, example(o), s.tokens["csirt"], `{"reason":"x","last_sure":"`+at+`"}`); code != http.StatusBadRequest || !strings.Contains(body, `"field":"last_sure"`) {
			t.Errorf("last_sure %q: %d %s", at, code, body)
		}
	}
	cards, _ := s.mem.RegistryCards(t.Context(), "1001")
	if cards[0].Status.String() != "active" {
		t.Error("a refused body changed a card")
	}
}

// Identifiers and paths: quotes, wildcards, dots and other methods lead nowhere, in the API's own form.
func TestAPIPaths(t *testing.T) {
	s := newAPISite(t, nil)
	n := len(s.mem.Actions())
	for _, id := range []string{"1001'%20OR%20'1'='1", "%25", "*", "1001;--", "%2e%2e", "1001%2f..%2f1002", "%00", "%ff", strings.Repeat("9", 5000), "C-001%20", "1001\\"} {
		for pattern, path := range map[string]string{"GET /api/1/people/{person}": "/api/1/people/" + id + "?purpose=x", "GET /api/1/log/{attempt}": "/api/1/log/" + id, "GET /api/1/commands/{id}": "/api/1/commands/" + id} {
			if code, _ := s.checked(s.op(pattern), path, s.tokens["csirt"], ""); code != http.StatusNotFound {
				t.Errorf("%s: %d, want 404", path, code)
			}
		}
		for _, verb := range []string{"suspend", "lost", "reactivate"} {
			if code, _ := s.checked(s.op("POST /api/1/cards/{card}/"+verb), "/api/1/cards/"+id+"/"+verb, s.tokens["csirt"], `{"reason":"x"}`); code != http.StatusNotFound {
				t.Errorf("%s of %s: %d, want 404", verb, id, code)
			}
		}
	}
	for _, a := range s.mem.Actions()[n:] {
		if a.Kind != web.ActionViewPeople {
			t.Errorf("leaf %+v", a)
		}
	}
	for _, c := range [][2]string{{"GET", "/api"}, {"GET", "/api/"}, {"GET", "/api/1"}, {"GET", "/api/1/"}, {"GET", "/api/2/me"}, {"GET", "/api/1/me/"}, {"GET", "/api/1/ME"}, {"PUT", "/api/1/me"}, {"DELETE", "/api/1/people/1001"},
		{"POST", "/api/1/people"}, {"GET", "/api/1/cards/C-001/suspend"}, {"OPTIONS", "/api/1/me"}, {"PATCH", "/api/1/doors"}, {"GET", "/api/1/log/x/y"}, {"TRACE", "/api/1/me"}} {
		res := s.call(c[0], c[1], s.tokens["csirt"], "")
		kind := res.Header.Get("Content-Type")
		if c[1] == "/api" { // the mux leads to /api/, which is nothing
			if res.StatusCode/100 == 2 {
				t.Errorf("%v: %s", c, res.Status)
			}
			continue
		}
		if res.StatusCode != http.StatusForbidden || kind != "application/problem+json" {
			t.Errorf("%v: %s, %s; want 403 in the API's form", c, res.Status, kind)
		}
	}
	for _, path := range []string{"/api/1/../../me", "/api//1/me", "/api/1/./me", "/x/../api/1/me", "//api/1/me"} {
		if res := s.call(http.MethodGet, path, s.tokens["csirt"], ""); res.StatusCode/100 == 2 {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
}

// What is no token: each gets 401 and nothing else, and does not open a page either.
func TestAPICredentials(t *testing.T) {
	s := newAPISite(t, nil)
	good, csirt := s.tokens["csirt"], s.login("csirt")
	o := s.op("GET /api/1/me")
	for what, head := range map[string]string{
		"none": "", "empty": "Bearer ", "no scheme": good, "basic": "Basic " + good, "two": "Bearer " + good + " " + good, "cut": "Bearer " + good[:len(good)-1], "longer": "Bearer " + good + "A",
		"another": "Bearer mbn_" + strings.Repeat("A", 43), "no prefix": "Bearer " + strings.Repeat("A", 47), "case": "Bearer " + strings.ToUpper(good), "quoted": `Bearer "` + good + `"`,
	} {
		for _, cookie := range []string{"", csirt} {
			if code, body := s.checked(o, "/api/1/me", "", "", "Authorization", head, "Cookie", cookie); code != http.StatusUnauthorized || strings.Contains(body, "mbn_") {
				t.Errorf("%s: %d %s", what, code, body)
			}
		}
	}
	for _, path := range []string{"/api/1/me?access_token=" + good, "/api/1/me?token=" + good, "/api/1/me?" + good, "/api/1/log?q=" + good, "/api/1/me?access_token=x"} {
		for _, token := range []string{"", good} { // even with a good one beside it
			n := len(s.mem.Actions())
			if res := s.call(http.MethodGet, path, token, ""); res.StatusCode != http.StatusUnauthorized {
				t.Errorf("token in the address: %s", res.Status)
			}
			for _, a := range s.mem.Actions()[n:] {
				if a.Kind != web.ActionTokenRefused || strings.Contains(a.Filter+a.Reason+a.Target, "mbn_") {
					t.Errorf("leaf %+v", a)
				}
			}
		}
	}
	// Twice in the head.
	r := request(http.MethodGet, "/api/1/me", "", nil)
	r.Header["Authorization"] = []string{"Bearer " + good, "Bearer " + good}
	s.status("two heads", s.ask(r), http.StatusUnauthorized)
	// Ended, not yet begun to exist, and of nobody.
	put := func(change func(*web.APIToken)) string {
		token, hash := web.NewToken()
		x := web.APIToken{ID: "X" + token[4:10], Hash: hash, Account: accountID(web.RoleCSIRT), Roles: 1 << web.RoleCSIRT, Expires: time.Now().Add(time.Hour)}
		change(&x)
		s.mem.PutToken(x)
		return token
	}
	for what, change := range map[string]func(*web.APIToken){
		"ended": func(x *web.APIToken) { x.Expires = time.Now() }, "never ends": func(x *web.APIToken) { x.Expires = time.Time{} },
		"revoked": func(x *web.APIToken) { x.Revoked = time.Now() }, "of nobody": func(x *web.APIToken) { x.Account = "NOBODY" },
	} {
		n := len(s.mem.Actions())
		s.status(what, s.call(http.MethodGet, "/api/1/me", put(change), ""), http.StatusUnauthorized)
		if k := s.kinds(n); len(k) != 1 || k[0] != web.ActionTokenRefused {
			t.Errorf("%s: leaves %v", what, k)
		}
	}
	if code, _ := s.checked(s.op("GET /api/1/log"), "/api/1/log", put(func(x *web.APIToken) { x.Roles = 0 }), ""); code != http.StatusForbidden {
		t.Errorf("a token without roles: %d", code)
	}
	// A token opens no page.
	res := s.call(http.MethodGet, "/log", good, "")
	s.status("page with a token", res, http.StatusSeeOther)
	if res.Header.Get("Location") == "" || !strings.HasPrefix(res.Header.Get("Location"), "/login") {
		t.Errorf("page with a token: %v", res.Header)
	}
	// From another site's page.
	res = s.call(http.MethodPost, "/api/1/commands", good, `{"door":"server-room-1","action":"self_test","reason":"x"}`, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")
	if res.StatusCode != http.StatusForbidden || res.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("cross-site: %s %v", res.Status, res.Header)
	}
}

// Failures are slowed down for the address they come from, without a leaf for each; a good token from there still works.
func TestAPIThrottle(t *testing.T) {
	s := newAPISite(t, func(c *web.Config) {
		c.Throttle = web.Throttle{AccountBurst: 5, AccountEvery: time.Hour, AddressBurst: 3, AddressEvery: time.Hour}
	})
	n := len(s.mem.Actions())
	for i := range 6 {
		code, _ := s.checked(s.op("GET /api/1/me"), "/api/1/me", "mbn_"+strings.Repeat("B", 43), "")
		if want := map[bool]int{true: 401, false: 429}[i < 3]; code != want {
			t.Errorf("failure %d: %d, want %d", i+1, code, want)
		}
	}
	if got := len(s.mem.Actions()) - n; got != 3 {
		t.Errorf("%d leaves, want 3", got)
	}
	s.status("a good one", s.call(http.MethodGet, "/api/1/me", s.tokens["csirt"], ""), http.StatusOK)
}

// AD-17, D27: taking a card out of use takes one person and a reason; revoked stays; giving back a right at level 2 takes two.
func TestAPICards(t *testing.T) {
	s := newAPISite(t, nil)
	for _, c := range []struct {
		role, card, verb, want string
		code                   int
	}{
		{"reception", "C-001", "suspend", `"status":"suspended"`, 200}, {"reception", "C-001", "reactivate", "forbidden", 403}, {"zone_manager", "C-001", "reactivate", `"status":"suspended"`, 202},
		{"csirt", "C-001", "reactivate", "second_person", 409}, {"csirt", "C-001", "suspend", "wrong_state", 409}, {"section_manager", "C-001", "lost", `"status":"lost"`, 200}, {"csirt", "C-009", "reactivate", "revoked", 409}, {"csirt", "K-012", "reactivate", `"status":"active"`, 200},
		{"auditor", "K-012", "suspend", "forbidden", 403}, {"system_administrator", "K-012", "suspend", "forbidden", 403}, {"csirt", "C-404", "suspend", "not_found", 404},
	} {
		n := len(s.mem.Actions())
		code, body := s.checked(s.op("POST /api/1/cards/{card}/"+c.verb), "/api/1/cards/"+c.card+"/"+c.verb, s.tokens[c.role], `{"reason":"夜間の届け出"}`)
		if code != c.code || !strings.Contains(body, c.want) {
			t.Errorf("%s of %s by %s: %d %s", c.verb, c.card, c.role, code, body)
		}
		acts := s.mem.Actions()[n:]
		if code/100 == 2 && (len(acts) != 1 || acts[0].Reason != "夜間の届け出" || acts[0].Token == "") || code/100 != 2 && len(acts) != 0 {
			t.Errorf("%s of %s by %s: leaves %+v", c.verb, c.card, c.role, acts)
		}
	}
}

// RA-2, D28: an order takes a token that may order, and two accounts.
func TestAPIOrders(t *testing.T) {
	s := newAPISite(t, nil)
	ask := s.op("POST /api/1/commands")
	weak, hash := web.NewToken()
	s.mem.PutToken(web.APIToken{ID: "WEAK", Hash: hash, Account: accountID(web.RoleCSIRT), Roles: 1 << web.RoleCSIRT, Expires: time.Now().Add(time.Hour), UsedDay: today()})
	order := func(action, door string) string {
		return `{"door":"` + door + `","action":"` + action + `","reason":"業者の立会い"}`
	}
	for _, c := range []struct {
		token, body, want string
		code              int
	}{
		{weak, order("remote_unlock", "server-room-1"), "no_orders", 403}, {weak, order("rearm", "server-room-1"), "no_orders", 403}, {weak, order("self_test", "server-room-1"), `"state":"done"`, 201},
		{s.tokens["csirt"], order("remote_unlock", "server-room-1"), `"state":"asked"`, 201}, {s.tokens["csirt"], order("open_sesame", "server-room-1"), `"field":"action"`, 400},
		{s.tokens["csirt"], order("none", "server-room-1"), `"field":"action"`, 400}, {s.tokens["csirt"], order("rearm", "nowhere"), `"field":"door"`, 400}, {s.tokens["csirt"], order("rearm", "media-store"), "not_allowed", 409},
		{s.tokens["system_administrator"], order("remote_unlock", "server-room-1"), "forbidden", 403}, {s.tokens["system_administrator"], order("self_test", "server-room-1"), `"state":"done"`, 201},
	} {
		if code, body := s.checked(ask, "/api/1/commands", c.token, c.body); code != c.code || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d %s", c.body, code, body)
		}
	}
	agree := s.op("POST /api/1/commands/{id}/agree")
	path := "/api/1/commands/" + webtest.AttemptID(7) + "/agree" // reception's
	for _, c := range []struct {
		token, want string
		code        int
	}{{weak, "no_orders", 403}, {s.tokens["reception"], "same_person", 409}, {s.tokens["auditor"], "forbidden", 403}, {s.tokens["ciso"], `"state":"done"`, 200}, {s.tokens["csirt"], "too_late", 409}} {
		if code, body := s.checked(agree, path, c.token, ""); code != c.code || !strings.Contains(body, c.want) {
			t.Errorf("agree: %d %s", code, body)
		}
	}
}

// AD-1: no card number and no PIN in any answer, whoever asks; the store does not know them, and this looks.
func TestAPIShowsNoCardNumber(t *testing.T) {
	s := newAPISite(t, nil)
	for _, r := range web.APITable() {
		if !strings.HasPrefix(r.Pattern, "GET ") || strings.HasSuffix(r.Pattern, ".json") {
			continue
		}
		o := s.op(r.Pattern)
		for _, role := range []string{"csirt", "zone_manager", "auditor", "system_administrator"} {
			_, body := s.checked(o, example(o, "after", "limit", "day", "result"), s.tokens[role], "")
			for _, word := range []string{"card_ref", "pin_ref", "cardRef", `"pin":`, "password", `"hash"`, "12345678"} {
				if strings.Contains(body, word) {
					t.Errorf("%s for %s holds %q", r.Pattern, role, word)
				}
			}
		}
	}
}
