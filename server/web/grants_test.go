package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"monban/server/web"
	"monban/server/web/webtest"
)

func grantForm(change ...string) url.Values {
	f := url.Values{"person": {"1002"}, "zone": {"server-room"}, "schedule": {"office"}, "reason": {"担当替え"}}
	for i := 0; i+1 < len(change); i += 2 {
		f.Set(change[i], change[i+1])
	}
	return f
}

func (s *site) grants() (ids []string) {
	s.Helper()
	list, err := s.mem.RegistryGrants(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	for _, g := range list {
		ids = append(ids, g.ID)
	}
	return ids
}

// RA-1, PR-4: the matrix says who may enter where and when; a manager of one zone sees and changes that zone's grants alone; to look for somebody
// takes a purpose; each view is a leaf.
func TestGrantMatrix(t *testing.T) {
	s := newSite(t, nil)
	chief := s.login("ciso")
	n := len(s.mem.Actions())
	page := shown(t, s.get("/grants", chief))
	for _, want := range []string{"髙橋 健一", "運用班", "グループ(2人)", "サーバ室", "媒体保管庫", "開庁時間", "2027年3月31日", "停止(棚卸)", "/grants/+change?id=1001%2Fserver-room%2Foffice"} {
		if !strings.Contains(page, want) {
			t.Errorf("the matrix has no %q", want)
		}
	}
	if got := s.kinds(n); !slices.Equal(got, []web.ActionKind{web.ActionViewGrants}) {
		t.Errorf("leaves %v", got)
	}
	s.status("without a purpose", s.get("/grants?q=%E9%AB%99", chief), http.StatusBadRequest)
	if page := shown(t, s.get("/grants?q=1001&purpose=x", chief)); !strings.Contains(page, "髙橋 健一") || strings.Contains(page, "運用班") {
		t.Error("the search finds the wrong holders")
	}
	for query, want := range map[string][2]bool{"?zone=server-room": {true, false}, "?zone=media-store": {false, true}, "?schedule=always": {false, true}, "?state=now": {true, false}, "?page=1": {}} {
		page := shown(t, s.get("/grants"+query, chief))
		if got := [2]bool{strings.Contains(page, "髙橋 健一"), strings.Contains(page, "<bdi>運用班")}; got != want {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
	for _, bad := range []string{"?state=x", "?within=0", "?page=x", "?zone=a%20b", "?q=%00&purpose=x"} {
		s.status(bad, s.get("/grants"+bad, chief), http.StatusBadRequest)
	}
	auditor := s.login("auditor")
	if page := shown(t, s.get("/grants", auditor)); !strings.Contains(page, "髙橋 健一") || strings.Contains(page, "+change") || strings.Contains(page, "+new") {
		t.Error("an auditor sees too little, or may change")
	}

	media := s.as("media", web.Assignment{Role: web.RoleZoneManager, Zone: "media-store"})
	page = shown(t, s.get("/grants", media))
	if !strings.Contains(page, "運用班") || strings.Contains(page, "髙橋 健一") || !strings.Contains(page, "担当する区域") || strings.Contains(page, `value="server-room"`) {
		t.Error("a manager of the media store sees the wrong grants")
	}
	s.status("another's zone by filter", s.get("/grants?zone=server-room", media), http.StatusForbidden)
	s.status("another's grant", s.get("/grants/+change?id=1001/server-room/office", media), http.StatusForbidden)
	s.status("another's grant changed", s.post("/grants/+change", media, url.Values{"id": {"1001/server-room/office"}, "schedule": {"always"}, "reason": {"x"}}), http.StatusForbidden)
	s.status("another's grant ended", s.post("/grants/+end", media, url.Values{"id": {"1001/server-room/office"}, "reason": {"x"}}), http.StatusForbidden)
	s.status("a grant for another's zone", s.post("/grants", media, grantForm()), http.StatusForbidden)
	s.status("the own zone's grant", s.get("/grants/+change?id=ops/media-store/always", media), http.StatusOK)
	if page := shown(t, s.get("/grants/+new", media)); strings.Contains(page, `value="server-room"`) || !strings.Contains(page, `value="media-store"`) {
		t.Error("the form offers another's zone")
	}
	s.status("the own zone's ended", s.post("/grants/+end", media, url.Values{"id": {"ops/media-store/always"}, "reason": {"終了"}}), http.StatusSeeOther)
}

// AD-3, AD-6, D27: what cannot be is refused at its field and nothing applied; what adds at level 2 or above waits, and the page says so before the
// press; taking away acts at once.
func TestGrantForm(t *testing.T) {
	s := newSite(t, nil)
	chief := s.login("ciso")
	before := s.grants()
	for what, c := range map[string]struct {
		field string
		form  url.Values
	}{
		"nobody":             {"person", grantForm("person", "9999")},
		"no holder":          {"person", grantForm("person", "")},
		"two holders":        {"group", grantForm("group", "ops")},
		"a path":             {"person", grantForm("person", "../1")},
		"no schedule":        {"schedule", grantForm("schedule", "")},
		"unknown schedule":   {"schedule", grantForm("schedule", "nights")},
		"no zone":            {"zone", grantForm("zone", "")},
		"end before start":   {"valid_until", grantForm("valid_from", "2027-02-01", "valid_until", "2027-01-31")},
		"over":               {"valid_until", grantForm("valid_until", "2020-03-31")},
		"no day":             {"valid_from", grantForm("valid_from", "31.3.")},
		"after the contract": {"valid_until", grantForm("person", "K-12", "valid_until", "2027-04-01")},
		"My Number":          {"basis", grantForm("basis", "123456789018")},
		"NUL":                {"basis", grantForm("basis", "a\x00")},
		"right to left":      {"reason", grantForm("reason", "\u202e")},
		"10 kB":              {"reason", grantForm("reason", strings.Repeat("長", 3500))},
		"no reason":          {"reason", grantForm("reason", "")},
	} {
		for _, sure := range []string{"", "1"} {
			c.form.Set("sure", sure)
			n := len(s.mem.Actions())
			res := s.post("/grants", chief, c.form)
			s.status(what, res, http.StatusUnprocessableEntity)
			if page := shown(t, res); !strings.Contains(page, `id="`+c.field+`-error"`) {
				t.Errorf("%s: no fault at %s", what, c.field)
			}
			if len(s.mem.Actions()) != n {
				t.Errorf("%s: something was written", what)
			}
		}
	}
	if !slices.Equal(s.grants(), before) {
		t.Fatalf("%v", s.grants())
	}
	page := shown(t, s.post("/grants", chief, grantForm()))
	if !strings.Contains(page, "承認待ちになる変更") || !slices.Equal(s.grants(), before) {
		t.Error("the page does not say that it waits, or did it")
	}
	res := s.post("/grants", chief, grantForm("sure", "1"))
	s.status("proposed", res, http.StatusSeeOther)
	if !strings.Contains(res.Header.Get("Location"), "done=waits") || !slices.Equal(s.grants(), before) {
		t.Errorf("%s, %v", res.Header.Get("Location"), s.grants())
	}
	change := url.Values{"id": {"1001/server-room/office"}, "schedule": {"office"}, "valid_from": {"2026-04-01"}, "valid_until": {"2027-01-31"}, "basis": {"申請 12"}, "reason": {"短縮"}}
	if page := shown(t, s.post("/grants/+change", chief, change)); !strings.Contains(page, "直ちに有効になる変更") || !strings.Contains(page, "2027年1月31日") || !strings.Contains(page, "2027年3月31日") {
		t.Error("a shorter grant does not act at once, or is not shown in words")
	}
	change.Set("sure", "1")
	s.status("shortened", s.post("/grants/+change", chief, change), http.StatusSeeOther)
	s.status("the same again", s.post("/grants/+change", chief, change), http.StatusUnprocessableEntity)
	for what, reason := range map[string]string{"no reason": "", "a My Number": "123456789018"} {
		res := s.post("/grants/+end", chief, url.Values{"id": {"1001/server-room/office"}, "reason": {reason}})
		s.status(what, res, http.StatusUnprocessableEntity)
		if !strings.Contains(shown(t, res), `id="end_reason-error"`) {
			t.Errorf("%s: no fault at the reason", what)
		}
	}
	s.status("ended", s.post("/grants/+end", chief, url.Values{"id": {"1001/server-room/office"}, "reason": {"異動"}}), http.StatusSeeOther)
	if slices.Contains(s.grants(), "1001/server-room/office") {
		t.Error("it is still there")
	}
	s.status("ended twice", s.post("/grants/+end", chief, url.Values{"id": {"1001/server-room/office"}, "reason": {"異動"}}), http.StatusNotFound)
	s.status("a grant for somebody without a purpose", s.get("/grants/+new?person=1001", chief), http.StatusBadRequest)
	if page := shown(t, s.get("/grants/+new?person=1001&purpose=x", chief)); !strings.Contains(page, "髙橋 健一") || !strings.Contains(page, "承認が必要") {
		t.Error("the form does not name who, or which zones wait")
	}
}

// RA-2, D27: what waits is said in words with who gains; the proposer cannot confirm it, another can, once, with a fresh proof of identity; whoever
// does not agree ends it with a reason. Each decision is a leaf.
func TestProposalPages(t *testing.T) {
	s := newSite(t, nil)
	manager, chief := s.login("zone_manager"), s.login("ciso")
	id := webtest.AttemptID(0x51)
	page := shown(t, s.get("/proposals", manager))
	for _, want := range []string{"追加:許可 1003 → サーバ室", "異動", "(自分の申請)", "コマンドからの取込", "/proposals/" + id} {
		if !strings.Contains(page, want) {
			t.Errorf("the list has no %q", want)
		}
	}
	page = shown(t, s.get("/proposals/"+id, chief))
	for _, want := range []string{"新しく入れるようになる", "𠮷田 誠 (1003) → サーバ室(レベル3)", "時間帯", "開庁時間", "2027年3月31日", "承認する"} {
		if !strings.Contains(page, want) {
			t.Errorf("the proposal has no %q", want)
		}
	}
	if page := shown(t, s.get("/proposals/"+id, manager)); strings.Contains(page, "/confirm") || !strings.Contains(page, "自分の申請は承認できません") {
		t.Error("the proposer is offered to confirm")
	}
	n := len(s.mem.Actions())
	s.status("the proposer confirms", s.post("/proposals/"+id+"/confirm", manager, nil), http.StatusForbidden)
	s.status("an auditor confirms", s.post("/proposals/"+id+"/confirm", s.login("auditor"), nil), http.StatusForbidden)
	s.status("the counter looks", s.get("/proposals", s.login("reception")), http.StatusForbidden)
	media := s.as("media", web.Assignment{Role: web.RoleZoneManager, Zone: "media-store"})
	if page := shown(t, s.get("/proposals", media)); strings.Contains(page, "1003") || !strings.Contains(page, "担当する区域の申請だけ") || strings.Contains(page, "K-012") {
		t.Error("a manager of another zone sees it")
	}
	s.status("another zone's manager looks", s.get("/proposals/"+id, media), http.StatusForbidden)
	s.status("another zone's manager confirms", s.post("/proposals/"+id+"/confirm", media, nil), http.StatusForbidden)
	s.status("another zone's manager withdraws", s.post("/proposals/"+id+"/withdraw", media, url.Values{"reason": {"x"}}), http.StatusForbidden)
	own := s.as("own", web.Assignment{Role: web.RoleZoneManager, Zone: "server-room"})
	if page := shown(t, s.get("/proposals/"+id, own)); !strings.Contains(page, "承認する") {
		t.Error("the zone's manager may not confirm")
	}
	if slices.Contains(s.grants(), "1003/server-room/office") {
		t.Fatal("in force too soon")
	}
	strict := newSite(t, func(c *web.Config) { c.PasswordStepUp = false })
	if to := strict.post("/proposals/"+id+"/confirm", strict.login("ciso"), nil).Header.Get("Location"); !strings.HasPrefix(to, "/step-up") {
		t.Errorf("without a fresh proof of identity: %q", to)
	}
	s.status("confirmed", s.post("/proposals/"+id+"/confirm", chief, nil), http.StatusSeeOther)
	if !slices.Contains(s.grants(), "1003/server-room/office") {
		t.Error("confirmed and not in force")
	}
	s.status("confirmed twice", s.post("/proposals/"+id+"/confirm", chief, nil), http.StatusConflict)
	var decided int
	for _, a := range s.mem.Actions()[n:] {
		if a.Kind == web.ActionProposalDecided {
			decided++
		}
	}
	if decided != 1 {
		t.Errorf("%d leaves of decisions, want 1", decided)
	}
	other := webtest.AttemptID(0x50)
	for what, reason := range map[string]string{"no reason": " ", "a control character": "a\x07", "a My Number": "123456789018"} {
		res := s.post("/proposals/"+other+"/withdraw", chief, url.Values{"reason": {reason}})
		s.status(what, res, http.StatusUnprocessableEntity)
		if !strings.Contains(shown(t, res), `id="reason-error"`) {
			t.Errorf("%s: no fault at the reason", what)
		}
	}
	s.status("withdrawn", s.post("/proposals/"+other+"/withdraw", chief, url.Values{"reason": {"取り込みの誤り"}}), http.StatusSeeOther)
	s.status("withdrawn twice", s.post("/proposals/"+other+"/withdraw", chief, url.Values{"reason": {"x"}}), http.StatusConflict)
	s.status("nothing there", s.get("/proposals/"+webtest.AttemptID(0x99), chief), http.StatusNotFound)
	s.status("no id", s.get("/proposals/x", chief), http.StatusNotFound)
}

// AD-17: the page of what waits says how many stopped cards wait, and sends to the one page where they are decided.
func TestStoppedCardsWait(t *testing.T) {
	s := newHall(t)
	s.people(map[string]web.Account{"csirt2": {Person: "1004", Roles: roles(web.RoleCSIRT)}})
	clerk, officer := s.login("clerk"), s.login("csirt2")
	s.goes("stop", "/stopped", clerk, url.Values{"card": {"C-2"}, "reason": {"本人から電話"}})
	const waits = "別の人の承認を待っています"
	if page := shown(t, s.get("/proposals", officer)); strings.Contains(page, waits) {
		t.Error("a card waits that nobody asked for")
	}
	list, _ := s.mem.Desk.Suspensions(t.Context())
	s.goes("asked", "/stopped/"+list[0].ID+"/ask", clerk, url.Values{"note": {"見つかった"}})
	if page := shown(t, s.get("/proposals", officer)); !strings.Contains(page, waits) || !strings.Contains(page, `href="/stopped"`) {
		t.Error("the page of what waits does not tell of the card")
	}
	s.proved(officer)
	s.status("the old address", s.post("/proposals/cards/"+list[0].ID+"/resume", officer, nil), http.StatusForbidden)
	if page := shown(t, s.get("/stopped", officer)); !strings.Contains(page, list[0].ID+"/resume") {
		t.Error("another is not offered to agree")
	}
}
