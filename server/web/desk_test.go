package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/visit"
	"monban/server/web"
	"monban/server/web/webtest"
)

// AD-16: a temporary card needs a person, a document and a card; the own card stays shut meanwhile and opens again when it is
// back; nobody lends one to themselves.
func TestTemporaryCard(t *testing.T) {
	s := newHall(t)
	clerk := s.login("clerk")
	form := url.Values{"person": {"ワタナベ メグミ"}, "identity": {"driving_licence"}, "badge": {"仮-1"}}
	for what, change := range map[string][2]string{"nobody": {"person", ""}, "no document": {"identity", ""}, "no card": {"badge", ""}, "a visitor's badge": {"badge", "103"}, "two people": {"person", "タカハシ"}, "a PIN of letters": {"pin", "abc"}} {
		res := s.post("/temporary", clerk, with(form, change[0], change[1]))
		s.status(what, res, http.StatusUnprocessableEntity)
		if doc := text(t, res); !strings.Contains(doc, `id="lend-`+change[0]+`-error"`) {
			t.Errorf("%s: %v, want a fault at %s", what, faults(doc), change[0])
		}
	}
	if doc := text(t, s.post("/temporary", clerk, with(form, "person", "タカハシ"))); !strings.Contains(doc, "1001 髙橋 健一") || !strings.Contains(doc, "1004 髙橋 太郎") {
		t.Error("who is meant by タカハシ is not offered")
	}
	s.status("to oneself", s.post("/temporary", clerk, with(form, "person", "1005")), http.StatusForbidden)
	s.goes("lend", "/temporary", clerk, form)
	list, _ := s.mem.Desk.TemporaryCards(t.Context())
	if len(list) != 1 || list[0].Person != "1003" || len(list[0].Suspended) != 1 || list[0].Suspended[0] != "C-3" || list[0].Identity != visit.DrivingLicence {
		t.Fatalf("lent: %+v", list)
	}
	if doc := text(t, s.get("/temporary", clerk)); !strings.Contains(doc, "渡邉 恵") || strings.Contains(doc, "C-3") {
		t.Error("the list does not show the real person")
	}
	s.status("twice", s.post("/temporary", clerk, with(form, "badge", "仮-2")), http.StatusUnprocessableEntity)
	s.status("lost without a word", s.post("/temporary/return", clerk, url.Values{"badge": {"B-5"}, "lost": {"yes"}}), http.StatusBadRequest)
	s.goes("return", "/temporary/return", clerk, url.Values{"badge": {"B-5"}})
	s.status("return twice", s.post("/temporary/return", clerk, url.Values{"badge": {"B-5"}}), http.StatusConflict)
	s.goes("second", "/temporary", clerk, form)
	s.goes("return", "/temporary/return", clerk, url.Values{"badge": {"B-5"}})
	res := s.post("/temporary", clerk, form)
	if to := res.Header.Get("Location"); to != "/temporary?done=temporary_lent_again" {
		t.Errorf("the third this month leads to %q", to)
	}
}

// AD-17, RA-1, RA-2: a guard stops a card with a reason, and cannot make it good again; the holder answers for its uses; who
// asks does not agree.
func TestStoppedCard(t *testing.T) {
	s := newHall(t)
	s.people(map[string]web.Account{"holder": {Person: "1002", Roles: roles(web.RoleApplicant)}, "csirt2": {Person: "1004", Roles: roles(web.RoleCSIRT)}})
	s.mem.Desk.Own = map[directory.PersonID][]visit.OwnEntry{"1002": {{Attempt: webtest.AttemptID(0x81), AtMS: time.Now().Add(-time.Hour).UnixMilli(), Door: "server-room-1", Granted: true}}}
	clerk, holder, officer := s.login("clerk"), s.login("holder"), s.login("csirt2")
	if doc := text(t, s.get("/stopped?q="+url.QueryEscape("サキヤマ"), clerk)); !strings.Contains(doc, "C-2") {
		t.Error("the card is not found by the holder's kana")
	}
	if a := s.mem.Actions(); a[len(a)-1].Kind != web.ActionViewPeople || a[len(a)-1].Reason == "" {
		t.Errorf("a search for a person left %+v, want its purpose (PR-4)", a[len(a)-1])
	}
	s.status("without a reason", s.post("/stopped", clerk, url.Values{"card": {"C-2"}}), http.StatusUnprocessableEntity)
	s.goes("stop", "/stopped", clerk, url.Values{"card": {"C-2"}, "reason": {"本人から電話"}, "lost": {"yes"}})
	s.status("twice", s.post("/stopped", clerk, url.Values{"card": {"C-2"}, "reason": {"x"}}), http.StatusUnprocessableEntity)
	list, _ := s.mem.Desk.Suspensions(t.Context())
	if len(list) != 1 || !list[0].Lost || len(list[0].Entries) != 1 {
		t.Fatalf("stopped: %+v", list)
	}
	at := "/stopped/" + list[0].ID
	s.goes("asked", at+"/ask", clerk, url.Values{"note": {"見つかった"}})
	s.status("a guard", s.post(at+"/resume", clerk, nil), http.StatusForbidden)
	s.proved(officer)
	s.status("before the holder's word", s.post(at+"/resume", officer, nil), http.StatusUnprocessableEntity)
	answer := url.Values{"id": {list[0].ID}, "entry": {"0"}, "mine": {"yes"}}
	s.status("somebody else", s.post("/me/own/answer", s.login("asker"), nil), http.StatusBadRequest)
	s.status("somebody else's word", s.post("/me/own/answer", officer, answer), http.StatusForbidden)
	if doc := text(t, s.get("/me/own", holder)); !strings.Contains(doc, "自分ではありません") {
		t.Error("the holder is not asked")
	}
	s.goes("the holder's word", "/me/own/answer", holder, answer)
	s.goes("resumed", at+"/resume", officer, nil)
	if list, _ = s.mem.Desk.Suspensions(t.Context()); len(list) != 0 {
		t.Errorf("still open: %+v", list)
	}
	s.status("somebody else's card", s.post("/me/own/stop", holder, url.Values{"card": {"C-1"}, "reason": {"x"}}), http.StatusNotFound)
	s.goes("the own card", "/me/own/stop", holder, url.Values{"card": {"C-2"}, "reason": {"見当たらない"}})
	if list, _ = s.mem.Desk.Suspensions(t.Context()); len(list) != 1 || list[0].Stopped.Account != "HOLDER" {
		t.Errorf("stopped by the holder: %+v", list)
	}
}

// proved gives a session a fresh check of identity (D28).
func (s *site) proved(cookie string) {
	s.Helper()
	s.status("step-up", s.post("/step-up", cookie, url.Values{"password": {goodPassword}, "next": {"/"}}), http.StatusSeeOther)
}

// EQ-1, EQ-3: a session needs attendee, purpose and impact check; serials may follow; what goes out has to match; what stays
// inside is said.
func TestEquipment(t *testing.T) {
	s := newHall(t)
	clerk := s.login("clerk")
	form := url.Values{"direction": {"in"}, "zone": {"server-room"}, "doors": {"server-room-1"}, "purpose": {"ディスク交換"}, "attendee": {"1001"}, "impact": {"none"}, "checker": {"1002"}}
	for _, missing := range []string{"purpose", "attendee", "impact", "checker", "doors"} {
		res := s.post("/equipment", clerk, with(form, missing, ""))
		s.status("without "+missing, res, http.StatusUnprocessableEntity)
		if doc := text(t, res); !strings.Contains(doc, missing+"-error") {
			t.Errorf("without %s: %v", missing, faults(doc))
		}
	}
	s.status("no such thing", s.post("/equipment", clerk, with(form, "direction", "out", "items", "ディスク, SN-1")), http.StatusUnprocessableEntity)
	s.goes("in", "/equipment", clerk, form)
	list, _ := s.mem.Desk.Carries(t.Context())
	if len(list) != 1 || list[0].Attendee != "1001" || list[0].ItemsDueMS == 0 {
		t.Fatalf("session: %+v", list)
	}
	at := "/equipment/" + list[0].ID
	s.goes("shut", at+"/shut", clerk, nil)
	s.status("personal data without protection", s.post(at+"/items", clerk, url.Values{"items": {"USBメモリ, SN-9"}, "personal_data": {"yes"}}), http.StatusUnprocessableEntity)
	s.goes("items", at+"/items", clerk, url.Values{"items": {"交換ディスク, SN-1, A-100, 市\nケーブル, ×3"}})
	if doc := text(t, s.get("/equipment", clerk)); !strings.Contains(doc, "まだ中にあるもの") || !strings.Contains(doc, "SN-1") || !strings.Contains(doc, "× 3") {
		t.Error("what is still inside is not shown")
	}
	s.goes("out", "/equipment", clerk, with(form, "direction", "out", "items", "交換ディスク, SN-1, A-100"))
	s.status("settled without a word", s.post(at+"/settle", clerk, nil), http.StatusUnprocessableEntity)
	s.goes("settled", at+"/settle", clerk, url.Values{"note": {"ケーブルは据え付けた"}})
	s.status("an auditor opens none", s.post("/equipment", s.login("auditor"), form), http.StatusForbidden)
	s.status("of no visit", s.post("/equipment", clerk, with(form, "visit", "visit-2026-99999")), http.StatusUnprocessableEntity)
}

// EQ-4: a key is written out and in, once at a time; one that is lost needs a word; the badge ledger says who has what.
func TestLedgers(t *testing.T) {
	s := newHall(t)
	clerk := s.login("clerk")
	form := url.Values{"key": {"KEY-1"}, "person": {"ワタナベ メグミ"}, "purpose": {"扉の点検"}}
	s.status("without a purpose", s.post("/ledgers/keys", clerk, with(form, "purpose", "")), http.StatusUnprocessableEntity)
	s.goes("lend", "/ledgers/keys", clerk, form)
	s.status("twice", s.post("/ledgers/keys", clerk, form), http.StatusUnprocessableEntity)
	doc := text(t, s.get("/ledgers", clerk))
	for _, want := range []string{"渡邉 恵", "サーバ室 正鍵", "様式第7号 鍵管理簿", "神崎 花", "貸出中"} {
		if !strings.Contains(doc, want) {
			t.Errorf("the ledgers do not say %s", want)
		}
	}
	loans, _ := s.mem.Desk.KeyLoans(t.Context())
	at := "/ledgers/keys/" + loans[0].ID + "/return"
	s.status("lost without a word", s.post(at, clerk, url.Values{"lost": {"yes"}}), http.StatusUnprocessableEntity)
	s.goes("back", at, clerk, nil)
	s.status("back twice", s.post(at, clerk, nil), http.StatusConflict)
}

// The city's own names of the forms stand on their pages once they are set, with a reason.
func TestFormNames(t *testing.T) {
	s := newHall(t)
	office := s.login("office")
	s.status("without a reason", s.post("/ledgers/forms", office, url.Values{"keys": {"別記様式第12号 鍵受払簿"}}), http.StatusUnprocessableEntity)
	s.status("too long", s.post("/ledgers/forms", office, url.Values{"keys": {strings.Repeat("長", 101)}, "reason": {"規程の改正"}}), http.StatusUnprocessableEntity)
	s.goes("set", "/ledgers/forms", office, url.Values{"keys": {"別記様式第12号 鍵受払簿"}, "reason": {"規程の改正"}})
	if doc := text(t, s.get("/ledgers", office)); !strings.Contains(doc, "別記様式第12号 鍵受払簿") || !strings.Contains(doc, "様式第4号 名札貸出簿") {
		t.Error("the ledgers do not carry the city's names")
	}
	s.status("a clerk", s.post("/ledgers/forms", s.login("clerk"), nil), http.StatusForbidden)
}

// AD-14, RA-2: two officers, or one who breaks the glass; a guard may ask and not agree; a report is due until it is given.
func TestEmergencyEntry(t *testing.T) {
	s := newHall(t)
	clerk, manager, office := s.login("clerk"), s.login("manager"), s.login("office")
	form := url.Values{"zones": {"server-room"}, "persons": {"1001\nサキヤマ"}, "hours": {"2"}, "reason": {"地震による漏水"}}
	for _, c := range []string{clerk, manager, office} {
		s.proved(c)
	}
	for field, bad := range map[string]string{"zones": "", "persons": "", "reason": "", "hours": "99"} {
		s.status("without "+field, s.post("/emergency", clerk, with(form, field, bad)), http.StatusUnprocessableEntity)
	}
	s.status("a guard breaks the glass", s.post("/emergency", clerk, with(form, "break_glass", "yes")), http.StatusForbidden)
	s.goes("asked", "/emergency", manager, form)
	list, _ := s.mem.Desk.Emergencies(t.Context())
	if len(list) != 1 || list[0].FromMS != 0 || len(list[0].Persons) != 2 {
		t.Fatalf("asked: %+v", list)
	}
	at := "/emergency/" + list[0].ID
	s.status("the same officer", s.post(at+"/agree", manager, nil), http.StatusForbidden)
	s.status("a guard", s.post(at+"/agree", clerk, nil), http.StatusForbidden)
	s.goes("another officer", at+"/agree", office, nil)
	if doc := text(t, s.get("/emergency", office)); !strings.Contains(doc, "有効") || !strings.Contains(doc, "報告の期限") {
		t.Error("the page does not say that it is in force, or until when the report is due")
	}
	if doc := text(t, s.get("/dues", s.login("auditor"))); !strings.Contains(doc, "災害時入室の報告") {
		t.Error("the report is not among the due items")
	}
	s.goes("ended", at+"/end", clerk, nil)
	s.status("an empty report", s.post(at+"/report", manager, nil), http.StatusUnprocessableEntity)
	s.goes("reported", at+"/report", manager, url.Values{"report": {"11時に入室し、漏水を止めた。"}})
	s.goes("alone", "/emergency", office, with(form, "break_glass", "yes"))
	if list, _ = s.mem.Desk.Emergencies(t.Context()); len(list) != 1 || !list[0].BreakGlass || list[0].FromMS == 0 {
		t.Errorf("by one: %+v", list)
	}
}

// RR-7, RR-6, RA-1: My page asks for the purposes and the forgotten exits of who looks at it, and of nobody else; a stated exit
// waits for the zone manager's word.
func TestOwnPage(t *testing.T) {
	s := newHall(t)
	at := time.Now().Add(-26 * time.Hour)
	id := webtest.AttemptID(0x91)
	s.mem.Desk.Own = map[directory.PersonID][]visit.OwnEntry{"1002": {{Attempt: id, AtMS: at.UnixMilli(), Door: "server-room-1", Zone: "server-room", Side: access.SideEnter, Granted: true, Passed: true, Asks: true, NoExit: true}}}
	asker, manager := s.login("asker"), s.login("manager")
	doc := text(t, s.get("/me/own", asker))
	for _, want := range []string{"﨑山 美咲", "入室目的を書いてください", "退室の記録がありません", "C-2", "サーバ室", "申請 13"} {
		if !strings.Contains(doc, want) {
			t.Errorf("My page does not say %s", want)
		}
	}
	if other := text(t, s.get("/me/own", manager)); strings.Contains(other, "﨑山") && strings.Contains(other, id) {
		t.Error("My page shows somebody else's entry")
	}
	s.status("somebody else's purpose", s.post("/me/own/purpose", manager, url.Values{"attempt": {id}, "purpose": {"x"}}), http.StatusForbidden)
	s.status("no purpose", s.post("/me/own/purpose", asker, url.Values{"attempt": {id}, "purpose": {""}}), http.StatusUnprocessableEntity)
	s.goes("purpose", "/me/own/purpose", asker, url.Values{"attempt": {id}, "purpose": {"機器の確認"}})
	if doc := text(t, s.get("/me/own", asker)); strings.Contains(doc, "入室目的を書いてください") || !strings.Contains(doc, "機器の確認") {
		t.Error("the purpose is asked for again, or not shown")
	}
	left := at.Add(time.Hour).In(tokyo).Format("2006-01-02T15:04")
	s.status("before the entry", s.post("/me/own/exit", asker, url.Values{"attempt": {id}, "left": {at.Add(-time.Hour).In(tokyo).Format("2006-01-02T15:04")}}), http.StatusUnprocessableEntity)
	s.status("somebody else's exit", s.post("/me/own/exit", manager, url.Values{"attempt": {id}, "left": {left}}), http.StatusForbidden)
	s.goes("exit", "/me/own/exit", asker, url.Values{"attempt": {id}, "left": {left}})
	list, _ := s.mem.Desk.ExitStatements(t.Context())
	if len(list) != 1 || list[0].Person != "1002" {
		t.Fatalf("stated: %+v", list)
	}
	confirm := "/dues/exits/" + list[0].ID + "/confirm"
	if doc := text(t, s.get("/dues", manager)); !strings.Contains(doc, confirm) {
		t.Error("the zone manager is not asked to confirm the exit")
	}
	s.status("the person", s.post(confirm, asker, nil), http.StatusForbidden)
	s.goes("the manager", confirm, manager, nil)
	s.status("twice", s.post(confirm, manager, nil), http.StatusNotFound)
	if doc := text(t, s.get("/me/own", s.login("facility_section"))); !strings.Contains(doc, "このアカウントには") {
		t.Error("an account without a person is not told so")
	}
}

// VE-3, EQ-4, RA-1: due items name what is owed, by whom and until when; who runs the machines sees none.
func TestDueItems(t *testing.T) {
	s := newHall(t)
	doc := text(t, s.get("/dues", s.login("manager")))
	for _, want := range []string{"名札が返っていません", "高城 蓮", "口頭承認の確認", "渡邉 恵", "期限超過"} {
		if !strings.Contains(doc, want) {
			t.Errorf("the due items do not say %s", want)
		}
	}
	for _, path := range []string{"/dues", "/temporary", "/stopped", "/equipment", "/ledgers", "/emergency"} {
		s.status(path, s.get(path, s.login("system_administrator")), http.StatusForbidden)
		s.status(path, s.get(path, s.login("asker")), http.StatusForbidden)
	}
}

// VE-3, EQ-4, D9: badges come into the inventory with a look of their own and a reason; the number of a card is in no answer,
// leaf or log; one that is out is not taken out of use.
func TestBadgeInventory(t *testing.T) {
	s := newHall(t)
	office := s.login("office")
	const number = "48213"
	form := url.Values{"id": {"B-20"}, "label": {"120"}, "kind": {"visitor"}, "look": {"赤"}, "format": {"H10301"}, "assurance": {"uid_only"}, "facility": {"77"}, "number": {number}, "reason": {"新規"}}
	before := len(s.mem.Actions())
	for field, bad := range map[string]string{"id": "あ", "label": "", "look": "", "number": number + "x", "facility": "", "reason": "", "format": ""} {
		res := s.post("/ledgers/badges", office, with(form, field, bad))
		s.status("bad "+field, res, http.StatusUnprocessableEntity)
		if doc := text(t, res); strings.Contains(doc, number) {
			t.Errorf("bad %s: the number of the card comes back", field)
		} else if field == "number" && !strings.Contains(doc, `id="badge-number-error"`) {
			t.Errorf("bad %s: %v", field, faults(doc))
		}
	}
	s.status("a label that is there", s.post("/ledgers/badges", office, with(form, "label", "101")), http.StatusUnprocessableEntity)
	s.status("a clerk", s.post("/ledgers/badges", s.login("clerk"), form), http.StatusForbidden)
	s.goes("added", "/ledgers/badges", office, form)
	for _, a := range s.mem.Actions()[before:] {
		if strings.Contains(a.Filter+a.Reason+a.Target, number) {
			t.Errorf("a leaf holds the number: %+v", a)
		}
	}
	if strings.Contains(s.log.String(), number) {
		t.Error("the log holds the number")
	}
	s.goes("a name plate", "/ledgers/badges", office, with(form, "id", "B-21", "label", "121", "format", "", "number", "", "facility", ""))
	s.status("retired without a reason", s.post("/ledgers/badges/B-20/status", office, url.Values{"status": {"retired"}}), http.StatusUnprocessableEntity)
	s.status("one that is out", s.post("/ledgers/badges/B-1/status", office, url.Values{"status": {"retired"}, "reason": {"x"}}), http.StatusUnprocessableEntity)
	s.goes("retired", "/ledgers/badges/B-20/status", office, url.Values{"status": {"retired"}, "reason": {"破損"}})
	if doc := text(t, s.get("/ledgers", office)); !strings.Contains(doc, "廃止") || !strings.Contains(doc, "121") {
		t.Error("the ledger does not show the new badge, or that one is retired")
	}
}
