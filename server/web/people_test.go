package web_test

import (
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"monban/server/web"
)

// role makes an account with roles and signs it in.
func (s *site) as(name string, roles ...web.Assignment) string {
	s.Helper()
	phc, err := web.HashPassword(goodPassword, cheap)
	if err != nil {
		s.Fatal(err)
	}
	s.mem.PutAccount(web.Account{ID: strings.ToUpper(name), Name: name, FullName: "試験 " + name, PasswordHash: phc, Roles: roles, Created: time.Now()})
	return s.login(name)
}

// shown is a page as its reader sees it, without the escapes of HTML.
func shown(t *testing.T, res *http.Response) string { return html.UnescapeString(text(t, res)) }

// PR-4: nobody is looked up without a purpose, on no page; the page asks for one instead, and keeps the question. With a purpose the
// view is a leaf that holds it, written before anything is shown.
func TestPurposeIsAsked(t *testing.T) {
	s := newSite(t, nil)
	chief := s.login("ciso")
	before := len(s.mem.Actions())
	for path, want := range map[string]int{
		"/people": 200, "/people?q=%E9%AB%99": 400, "/people?purpose=": 400, "/people?purpose=%20&q=x": 400, "/people?category=staff": 400, "/people/1001": 400,
		"/people/1001?purpose=%00": 400, "/people/1001?purpose=" + strings.Repeat("x", 201): 400, "/people/1001/edit": 400, "/people/+export": 400, "/people/+new": 400,
		"/judge?door=server-room-1&person=1001": 400, "/people/1001/cards/+new": 400, "/people/1001/cards/C-001/pin": 400,
	} {
		res := s.get(path, chief)
		s.status(path, res, want)
		page := shown(t, res)
		if !strings.Contains(page, `name="purpose"`) || strings.Contains(page, "髙橋 健一") {
			t.Errorf("%s does not ask, or names somebody", path)
		}
	}
	if page := shown(t, s.get("/people?q=abc", chief)); !strings.Contains(page, `name="q" value="abc"`) {
		t.Error("the question is lost")
	}
	auditor := s.login("auditor")
	s.status("the log's search", s.get("/log?q=%E9%AB%99", auditor), http.StatusBadRequest)
	for _, k := range s.kinds(before) {
		if k == web.ActionViewPeople || k == web.ActionViewLog || k == web.ActionJudge {
			t.Errorf("a leaf %s though nothing was shown", k)
		}
	}
	for path, kind := range map[string]web.ActionKind{"/people?q=x&purpose=%E6%A3%9A%E5%8D%B8": web.ActionViewPeople, "/people/1001?purpose=%E6%A3%9A%E5%8D%B8": web.ActionViewPeople,
		"/judge?door=server-room-1&person=1001&purpose=%E6%A3%9A%E5%8D%B8": web.ActionJudge} {
		n := len(s.mem.Actions())
		s.status(path, s.get(path, chief), http.StatusOK)
		got := s.mem.Actions()[n:]
		if len(got) != 1 || got[0].Kind != kind || got[0].Reason != "棚卸" || strings.Contains(got[0].Target, "1001") {
			t.Errorf("%s: leaves %+v", path, got)
		}
	}
	n := len(s.mem.Actions())
	s.status("search of the log", s.get("/log?q=%E9%AB%99&purpose=x", auditor), http.StatusOK)
	if got := s.mem.Actions()[n:]; len(got) != 1 || got[0].Reason != "x" {
		t.Errorf("leaves %+v", got)
	}
	s.mem.FailAudit = http.ErrAbortHandler
	for _, path := range []string{"/people?purpose=x", "/people/1001?purpose=x", "/people/+export?purpose=x"} {
		res := s.get(path, chief)
		s.status(path, res, http.StatusInternalServerError)
		if strings.Contains(shown(t, res), "髙橋 健一") {
			t.Errorf("%s: no leaf, and a name all the same", path)
		}
	}
}

// AD-2: the list shows category and kind, is found by any form of a name, and its filters stand in the URL.
func TestPeopleList(t *testing.T) {
	s := newSite(t, nil)
	chief := s.login("ciso")
	for query, want := range map[string][]string{
		"":                            {"1001", "1002", "1003", "K-12"},
		"&q=" + url.QueryEscape("高橋"): {"1001"},
		"&category=contractor":        {"K-12"},
		"&section=" + url.QueryEscape("総務課"): {"1003"},
		"&state=inactive":                    {"1003"},
		"&within=30":                         {"K-12"},
		"&q=nobody":                          nil,
		"&page=3":                            nil,
	} {
		page := shown(t, s.get("/people?purpose=x"+query, chief))
		for _, id := range []string{"1001", "1002", "1003", "K-12"} {
			if strings.Contains(page, `href="/people/`+id+`?`) != slices.Contains(want, id) {
				t.Errorf("%s: %s listed or not", query, id)
			}
		}
	}
	page := shown(t, s.get("/people?purpose=x&category=contractor", chief))
	for _, want := range []string{"委託(外部委託事業者)", "渡邉 さくら", "株式会社 北浜システムズ", `value="contractor" selected`} {
		if !strings.Contains(page, want) {
			t.Errorf("the list has no %q", want)
		}
	}
	for _, bad := range []string{"&category=x", "&state=x", "&within=0", "&within=x", "&page=-1", "&q=%00", "&q=" + strings.Repeat("x", 201)} {
		s.status(bad, s.get("/people?purpose=x"+bad, chief), http.StatusBadRequest)
	}
}

// RA-1: the counter finds a person and stops a card, and sees neither rights nor the log; an auditor reads all and changes
// nothing; a system administrator gets in nowhere; a zone manager sees the rights to the own zones.
func TestPersonPageByRole(t *testing.T) {
	s := newSite(t, nil)
	const page = "/people/1001?purpose=x"
	sees := func(cookie string, yes bool, what ...string) {
		t.Helper()
		doc := shown(t, s.get(page, cookie))
		for _, w := range what {
			if strings.Contains(doc, w) != yes {
				t.Errorf("%q on the page: %v, want %v", w, !yes, yes)
			}
		}
	}
	counter := s.login("reception")
	sees(counter, true, "髙橋 健一", "****4567", "/cards/C-001/suspend", "/cards/C-001/lost")
	sees(counter, false, "権限とその理由", "最近の入退室", "/edit", "/pin", "開庁時間", "reactivate")
	auditor := s.login("auditor")
	sees(auditor, true, "権限とその理由", "サーバ室", "媒体保管庫", "運用班", "申請 12", "開庁時間", "最近の入退室")
	sees(auditor, false, "<form method=\"post\" action=\"/people", "formaction", "/edit", "/cards/+new")
	s.status("an auditor stops a card", s.post("/people/1001/cards/C-001/suspend", auditor, url.Values{"purpose": {"x"}, "reason": {"x"}}), http.StatusForbidden)
	admin := s.login("system_administrator")
	res := s.get(page, admin)
	s.status("a system administrator", res, http.StatusForbidden)
	if strings.Contains(shown(t, res), "髙橋") {
		t.Error("a system administrator reads a name")
	}
	media := s.as("media", web.Assignment{Role: web.RoleZoneManager, Zone: "media-store"})
	sees(media, true, "媒体保管庫", "担当する区域の許可だけ")
	sees(media, false, "申請 12", "/edit", "/cards/+new")
	for path, form := range map[string]url.Values{"/people": {}, "/people/1001": {}, "/people/1001/stop": {}, "/people/1001/cards": {}, "/people/1001/cards/C-001/pin": {}} {
		s.status("a manager of one zone: "+path, s.post(path, media, form), http.StatusForbidden)
	}
	for _, path := range []string{"/people/1001/edit?purpose=x", "/people/+new?purpose=x", "/people/1001/cards/+new?purpose=x", "/people/1001/cards/C-001/pin?purpose=x"} {
		s.status("a manager of one zone: "+path, s.get(path, media), http.StatusForbidden)
	}
}

// AD-17: one press and a reason stop a card or report it lost, also at the counter; it comes back by approval only. A form of one person's
// page does nothing to another's card.
func TestCardsOnPersonPage(t *testing.T) {
	s := newSite(t, nil)
	guard, officer := s.login("reception"), s.login("csirt")
	act := func(cookie, person, card, what, reason string, more ...string) *http.Response {
		form := url.Values{"purpose": {"落とし物"}, "reason": {reason}}
		for i := 0; i+1 < len(more); i += 2 {
			form.Set(more[i], more[i+1])
		}
		return s.post("/people/"+person+"/cards/"+card+"/"+what, cookie, form)
	}
	for what, reason := range map[string]string{"no reason": " ", "a tab": "a\tb", "NUL": "a\x00b", "right to left": "a\u202eb", "too long": strings.Repeat("長", 301), "a My Number": "番号 123456789018"} {
		res := act(guard, "1001", "C-001", "suspend", reason)
		s.status(what, res, http.StatusUnprocessableEntity)
		if page := shown(t, res); !strings.Contains(page, `aria-describedby="fault-C-001"`) {
			t.Errorf("%s: the fault is not at the field", what)
		}
	}
	s.status("a time to come", act(guard, "1001", "C-001", "suspend", "x", "last_sure", "2999-01-01T00:00"), http.StatusUnprocessableEntity)
	s.status("no purpose", act(guard, "1001", "C-001", "suspend", "x", "purpose", ""), http.StatusBadRequest)
	s.status("another's card", act(guard, "1002", "C-001", "suspend", "x"), http.StatusNotFound)
	s.status("revoked", act(guard, "1002", "C-009", "lost", "x"), http.StatusConflict)
	n := len(s.mem.Actions())
	res := act(guard, "1001", "C-001", "lost", "庁舎前で落とした", "last_sure", "2026-01-01T10:00")
	s.status("lost", res, http.StatusSeeOther)
	if got := s.mem.Actions()[n:]; len(got) != 1 || got[0].Kind != web.ActionCardChanged || got[0].Reason != "庁舎前で落とした" {
		t.Errorf("leaves %+v", got)
	}
	if page := shown(t, s.get(res.Header.Get("Location"), guard)); !strings.Contains(page, "紛失を登録しました") || !strings.Contains(page, "紛失") {
		t.Error("the page does not say so")
	}
	s.status("the counter gives it back", act(guard, "1001", "C-001", "reactivate", "見つかった"), http.StatusForbidden)
	res = act(officer, "1001", "C-001", "reactivate", "見つかった")
	s.status("asked to give it back", res, http.StatusSeeOther)
	if to := res.Header.Get("Location"); !strings.Contains(to, "done=waits") {
		t.Errorf("goes to %s", to)
	}
	s.status("asked twice", act(officer, "1001", "C-001", "reactivate", "見つかった"), http.StatusConflict)
	cards, _ := s.mem.RegistryCards(t.Context(), "1001")
	if cards[0].Status.String() != "lost" {
		t.Errorf("after one person the card is %s", cards[0].Status)
	}
}

func personForm(change ...string) url.Values {
	form := url.Values{"purpose": {"採用"}, "id": {"2001"}, "name": {"葛\U000E0100城 蓮"}, "kana": {"カツラギ レン"}, "section": {"会計課"}, "category": {"staff"}, "kind": {"part_time"}, "reason": {"採用"}}
	for i := 0; i+1 < len(change); i += 2 {
		form.Set(change[i], change[i+1])
	}
	return form
}

// AD-2, AD-6, VE-5: what cannot be is refused at its field, and nothing is applied; what can is looked at once more, with whether it acts at
// once, and then done. Names stay as typed.
func TestPersonForm(t *testing.T) {
	s := newSite(t, nil)
	chief := s.login("ciso")
	for what, c := range map[string]struct {
		field string
		form  url.Values
	}{
		"no name":                {"name", personForm("name", " ")},
		"10 kB name":             {"name", personForm("name", strings.Repeat("長", 3500))},
		"NUL":                    {"name", personForm("name", "髙橋\x00")},
		"control characters":     {"kana", personForm("kana", "タカ\nハシ")},
		"right to left":          {"section", personForm("section", "会計\u202e課")},
		"zero width":             {"name", personForm("name", "髙\u200b橋")},
		"broken UTF-8":           {"name", personForm("name", "\xff\xfe")},
		"My Number":              {"section", personForm("section", "123456789018")},
		"My Number in reason":    {"reason", personForm("reason", "123456789018")},
		"no reason":              {"reason", personForm("reason", "")},
		"a number with blanks":   {"id", personForm("id", "20 01")},
		"a path for a number":    {"id", personForm("id", "../1")},
		"taken":                  {"id", personForm("id", "1001")},
		"end before start":       {"valid_until", personForm("valid_from", "2026-12-01", "valid_until", "2026-11-30")},
		"no day":                 {"valid_from", personForm("valid_from", "1.4.2026")},
		"contractor without end": {"contract_until", personForm("category", "contractor", "kind", "")},
		"another category's":     {"kind", personForm("kind", "school_employee")},
		"no category":            {"category", personForm("category", "boss")},
		"visitor as escort":      {"may_escort", personForm("category", "visitor", "kind", "", "may_escort", "yes")},
	} {
		for _, sure := range []string{"", "1"} {
			n := len(s.mem.Actions())
			c.form.Set("sure", sure)
			res := s.post("/people", chief, c.form)
			s.status(what, res, http.StatusUnprocessableEntity)
			if page := shown(t, res); !strings.Contains(page, `id="`+c.field+`-error"`) || !strings.Contains(page, c.field+"-error\"") || len(page) > 64<<10 {
				t.Errorf("%s: no fault at %s", what, c.field)
			}
			if len(s.mem.Actions()) != n {
				t.Errorf("%s: something was written", what)
			}
		}
	}
	people := func() int { list, _ := s.mem.RegistryPeople(t.Context()); return len(list) }
	before := people()
	res := s.post("/people", chief, personForm())
	s.status("the look before", res, http.StatusOK)
	page := shown(t, res)
	if !strings.Contains(page, "直ちに有効") || !strings.Contains(page, `name="sure"`) || people() != before {
		t.Error("the last look does not say that it acts at once, or did it")
	}
	s.status("back to the form", s.post("/people", chief, personForm("again", "1")), http.StatusOK)
	s.status("done", s.post("/people", chief, personForm("sure", "1")), http.StatusSeeOther)
	if people() != before+1 {
		t.Fatal("nobody was added")
	}
	if page := shown(t, s.get("/people/2001?purpose=x", chief)); !strings.Contains(page, "葛\U000E0100城 蓮") {
		t.Error("the name is not as it was typed")
	}
	s.status("no change", s.post("/people/2001", chief, personForm("sure", "1")), http.StatusUnprocessableEntity)
	s.status("nobody", s.post("/people/none", chief, personForm("sure", "1")), http.StatusNotFound)
	page = shown(t, s.post("/people/1001", chief, personForm("name", "髙橋 健一", "section", "情報政策課", "kind", "regular", "valid_until", "2030-03-31")))
	if !strings.Contains(page, "承認待ちになる変更") || !strings.Contains(page, "申請する") {
		t.Error("a longer validity of somebody with rights does not say that it waits (D27)")
	}
}

// D9, D10: a card's number and PIN are typed once, into fields that hide them, and are in no page, leaf, address or log after that,
// whatever is wrong with the form.
func TestNumbersAreNeverShown(t *testing.T) {
	s := newSite(t, nil)
	chief := s.login("ciso")
	const number, pin, duress = "8271635", "48271", "993104"
	form := func(change ...string) url.Values {
		f := url.Values{"purpose": {"交換"}, "id": {"C-050"}, "format": {"H10301"}, "assurance": {"card_auth"}, "facility": {"12"}, "number": {number}, "pin": {pin}, "reason": {"交換"}}
		for i := 0; i+1 < len(change); i += 2 {
			f.Set(change[i], change[i+1])
		}
		return f
	}
	var pages []string
	see := func(res *http.Response, want int, what string) {
		t.Helper()
		s.status(what, res, want)
		pages = append(pages, shown(t, res), res.Header.Get("Location"))
	}
	page := shown(t, s.get("/people/K-12/cards/+new?purpose=x", chief))
	if strings.Count(page, `type="password"`) != 3 || !strings.Contains(page, "直ちに有効") {
		t.Error("the form shows what is typed, or does not say what it does")
	}
	if !strings.Contains(shown(t, s.get("/people/1001/cards/+new?purpose=x", chief)), "もう一人の承認後") {
		t.Error("the form does not say that a card of 1001 waits (D27)")
	}
	for what, f := range map[string]url.Values{"no id": form("id", ""), "letters": form("number", number+"x"), "no reason": form("reason", ""), "taken": form("id", "C-001"), "short PIN": form("pin", pin+"x"),
		"backwards": form("valid_from", "2026-12-01", "valid_until", "2026-01-01"), "format": form("format", "x"), "proof": form("assurance", "x"), "a My Number": form("reason", "123456789018")} {
		see(s.post("/people/K-12/cards", chief, f), http.StatusUnprocessableEntity, what)
	}
	see(s.post("/people/K-12/cards", chief, form()), http.StatusSeeOther, "added")
	see(s.get("/people/K-12?purpose=x", chief), http.StatusOK, "the page")
	res := s.post("/people/1001/cards", chief, form("id", "C-051"))
	see(res, http.StatusSeeOther, "a card of 1001")
	if !strings.Contains(res.Header.Get("Location"), "done=waits") {
		t.Error("a card of somebody with rights at level 3 did not wait")
	}
	set := func(change ...string) url.Values {
		f := url.Values{"purpose": {"忘れた"}, "pin": {pin}, "repeat": {pin}, "duress": {duress}, "reason": {"忘れた"}}
		for i := 0; i+1 < len(change); i += 2 {
			f.Set(change[i], change[i+1])
		}
		return f
	}
	const to = "/people/1001/cards/C-001/pin"
	for what, f := range map[string]url.Values{"differs": set("repeat", pin+"1"), "letters": set("pin", "abcd"), "long": set("pin", "123456789"), "the same": set("duress", pin), "no reason": set("reason", "")} {
		see(s.post(to, chief, f), http.StatusUnprocessableEntity, what)
	}
	see(s.post(to, chief, set()), http.StatusSeeOther, "set")
	see(s.post("/people/1002/cards/C-001/pin", chief, set()), http.StatusNotFound, "another's card")
	see(s.post(to, chief, url.Values{"purpose": {"x"}, "remove": {"1"}, "reason": {"紛失"}}), http.StatusSeeOther, "taken away")
	all := strings.Join(pages, "\n") + s.log.String()
	for _, a := range s.mem.Actions() {
		all += a.Reason + a.Filter + a.Target + "\n"
	}
	for _, secret := range []string{number, pin, duress} {
		if strings.Contains(all, secret) {
			t.Errorf("%s came back", secret)
		}
	}
}

// PR-1, A1, RR-1: an export takes a fresh proof of identity, a reason and a registered purpose; it says before whose names Shift_JIS would spoil.
func TestPeopleExport(t *testing.T) {
	s := newSite(t, nil)
	auditor := s.login("auditor")
	const to = "/people/+export?purpose=x&category=staff"
	page := shown(t, s.get(to, auditor))
	if !strings.Contains(page, "3人を出力") || !strings.Contains(page, "𠮷田 誠") {
		t.Error("the page does not say how many, or whose name is lost")
	}
	for what, f := range map[string]url.Values{"no reason": {"use": {"entry_control"}}, "no use": {"reason": {"監査"}}, "an unregistered use": {"use": {"marketing"}, "reason": {"監査"}}} {
		n := len(s.mem.Actions())
		res := s.post(to, auditor, f)
		s.status(what, res, http.StatusUnprocessableEntity)
		if len(s.mem.Actions()) != n || res.Header.Get("Content-Disposition") != "" {
			t.Errorf("%s: something went out", what)
		}
	}
	n := len(s.mem.Actions())
	res := s.post(to, auditor, url.Values{"use": {"entry_control"}, "reason": {"監査"}})
	s.status("export", res, http.StatusOK)
	if got := shown(t, res); !strings.HasPrefix(got, "\ufeffid") || !strings.Contains(got, "𠮷田 誠") || strings.Contains(got, "渡邉") {
		t.Errorf("the file: %q", got)
	}
	if h := res.Header; h.Get("Content-Type") != "text/csv; charset=utf-8" || !strings.HasPrefix(h.Get("Content-Disposition"), "attachment") {
		t.Errorf("headers %v", h)
	}
	if got := s.mem.Actions()[n:]; len(got) != 1 || got[0].Reason != "監査" {
		t.Errorf("leaves %+v", got)
	}
	strict := newSite(t, func(c *web.Config) { c.PasswordStepUp = false })
	res = strict.post(to, strict.login("auditor"), url.Values{"use": {"entry_control"}, "reason": {"監査"}})
	s.status("without a fresh proof", res, http.StatusSeeOther)
	if !strings.HasPrefix(res.Header.Get("Location"), "/step-up") {
		t.Errorf("goes to %s", res.Header.Get("Location"))
	}
}

// AD-9, AD-13, RA-1: an officer of the whole site declares somebody outside and lifts a locked PIN, each with a reason and one leaf; the counter and a
// manager of one zone do not.
func TestOfficersActs(t *testing.T) {
	s := newSite(t, nil)
	officer, guard := s.login("csirt"), s.login("reception")
	media := s.as("media", web.Assignment{Role: web.RoleZoneManager, Zone: "media-store"})
	form := url.Values{"purpose": {"退室忘れ"}, "reason": {"17:10に退室と申告"}}
	for path, done := range map[string]string{"/people/1001/forgive": "forgiven", "/people/1001/cards/C-001/lift": "pin_lifted"} {
		s.status("the counter", s.post(path, guard, form), http.StatusForbidden)
		s.status("a manager of one zone", s.post(path, media, form), http.StatusForbidden)
		s.status("no reason", s.post(path, officer, url.Values{"purpose": {"x"}}), http.StatusUnprocessableEntity)
		s.status("a My Number", s.post(path, officer, url.Values{"purpose": {"x"}, "reason": {"123456789018"}}), http.StatusUnprocessableEntity)
		n := len(s.mem.Actions())
		res := s.post(path, officer, form)
		s.status(path, res, http.StatusSeeOther)
		if to := res.Header.Get("Location"); !strings.Contains(to, "done="+done) || len(s.mem.Actions()) != n+1 {
			t.Errorf("%s: %s, %d leaves", path, to, len(s.mem.Actions())-n)
		}
	}
	s.status("another's card", s.post("/people/1002/cards/C-001/lift", officer, form), http.StatusNotFound)
	if page := shown(t, s.get("/people/1001?purpose=x", media)); strings.Contains(page, "/forgive") || strings.Contains(page, "/lift") {
		t.Error("a manager of one zone is offered it")
	}
}
