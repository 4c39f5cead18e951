package web_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"monban/server/web"
	"monban/server/web/webtest"
)

// fields makes a form of pairs.
func fields(pairs ...string) url.Values {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return form
}

// PR-3: whoever is signed in sees what is held about them, asks, and takes an own request back before it is decided; another's request is not to be found.
func TestOwnData(t *testing.T) {
	s := newSite(t, nil)
	s.people(map[string]web.Account{"holder": {Person: "1001", Roles: []web.Assignment{{Role: web.RoleApplicant}}}})
	me, other := s.login("holder"), s.login("reception")
	page := text(t, s.get("/me/data", me))
	for _, want := range []string{"台帳", "翌年度から 5 年", "管理区域への入退室を管理するため", "請求を送る"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if page := text(t, s.get("/me/data?from=2001-01-01", me)); !strings.Contains(page, `aria-invalid="true"`) {
		t.Error("a period of 25 years is no fault")
	}
	for what, form := range map[string]url.Values{
		"want": fields("want", "x", "text", "x"), "no words": fields("want", "stop", "text", " "), "another's entry": fields("want", "correction", "entry", webtest.OtherEntryID, "text", "x"),
		"an Individual Number": fields("want", "disclosure", "text", "番号は123456789018"),
	} {
		res := s.post("/me/data", me, form)
		s.status(what, res, http.StatusUnprocessableEntity)
		if doc := text(t, res); !strings.Contains(doc, `aria-invalid="true"`) && !strings.Contains(doc, `class="fault`) {
			t.Errorf("%s: the page says no fault", what)
		}
	}
	s.status("asked", s.post("/me/data", me, fields("want", "disclosure", "text", "昨年の記録を<b>すべて")), http.StatusSeeOther)
	page = text(t, s.get("/me/data", me))
	id := regexp.MustCompile(`data_request-2026-\d{5}`).FindString(page)
	if id == "" || !strings.Contains(page, "昨年の記録を&lt;b&gt;すべて") {
		t.Fatal("the request is not on the page")
	}
	if strings.Contains(text(t, s.get("/me/data", other)), id) {
		t.Error("somebody else sees the request")
	}
	at := "/me/data/" + id + "/withdraw"
	s.status("another's", s.post(at, other, fields("seen", "1")), http.StatusNotFound)
	s.status("paper of somebody", s.post("/me/data/data_request-2026-00001/withdraw", me, fields("seen", "1")), http.StatusNotFound)
	s.status("an older page", s.post(at, me, fields("seen", "0")), http.StatusConflict)
	s.status("withdrawn", s.post(at, me, fields("seen", "1")), http.StatusSeeOther)
	s.status("button back", s.post(at, me, fields("seen", "1")), http.StatusConflict)
	s.status("the desk", s.get("/data-requests", me), http.StatusForbidden)
}

// PR-3: the office takes, extends and decides; nobody works on an own request, no step is made twice, and of two officers on one page one is refused.
func TestDataRequestDesk(t *testing.T) {
	s := newSite(t, nil)
	ciso, chief := s.login("ciso"), s.login("chief_security_officer")
	const late, correction, stop = "/data-requests/data_request-2026-00001", "/data-requests/data_request-2026-00002", "/data-requests/data_request-2026-00003"
	step := func(what, at, who string, want int, pairs ...string) string {
		t.Helper()
		res := s.post(at, who, fields(pairs...))
		s.status(what, res, want)
		return text(t, res)
	}
	if page := text(t, s.get("/data-requests", ciso)); !strings.Contains(page, "overdue") || strings.Index(page, "00001") > strings.Index(page, "00003") {
		t.Error("what is late is not said, or does not stand first")
	}
	step("decided before it was taken", late, ciso, http.StatusConflict, "do", "decide", "seen", "1", "decision", "granted", "text", "x")
	step("taken", late, ciso, http.StatusSeeOther, "do", "take", "seen", "1")
	step("two officers", late, chief, http.StatusConflict, "do", "take", "seen", "1")
	step("too late to extend", late, ciso, http.StatusConflict, "do", "extend", "seen", "2", "text", "量が多い")
	step("no decision", late, ciso, http.StatusUnprocessableEntity, "do", "decide", "seen", "2", "text", "x")
	if doc := step("no words", late, ciso, http.StatusUnprocessableEntity, "do", "decide", "seen", "2", "decision", "granted", "text", ""); !strings.Contains(doc, `aria-invalid="true"`) {
		t.Error("the fault is not at its field")
	}
	step("granted", late, ciso, http.StatusSeeOther, "do", "decide", "seen", "2", "decision", "granted", "text", "すべて開示する")
	step("decided again", late, chief, http.StatusConflict, "do", "decide", "seen", "3", "decision", "refused", "text", "x")
	step("a pack of nobody's", late, ciso, http.StatusUnprocessableEntity, "do", "carry", "seen", "3", "pack", strings.Repeat("0", 64), "text", "手渡し")
	step("carried", late, ciso, http.StatusSeeOther, "do", "carry", "seen", "3", "text", "手渡し")
	step("carried twice", late, ciso, http.StatusConflict, "do", "carry", "seen", "3", "text", "手渡し")
	step("nothing of the kind", late, ciso, http.StatusBadRequest, "do", "burn", "seen", "4")

	step("taken", correction, chief, http.StatusSeeOther, "do", "take", "seen", "1")
	step("extended", correction, chief, http.StatusSeeOther, "do", "extend", "seen", "2", "text", "照会に時間を要する")
	step("extended twice", correction, chief, http.StatusConflict, "do", "extend", "seen", "3", "text", "x")
	step("suspended for a correction", correction, chief, http.StatusConflict, "do", "suspend", "seen", "3", "entry", webtest.DataEntryID, "reason", "x")
	if page := text(t, s.get(correction, chief)); !strings.Contains(page, "点検") || !strings.Contains(page, "照会に時間を要する") {
		t.Error("what stands, or what was told, is not on the page")
	}

	step("taken", stop, ciso, http.StatusSeeOther, "do", "take", "seen", "1")
	step("another's entry", stop, ciso, http.StatusUnprocessableEntity, "do", "suspend", "seen", "2", "entry", webtest.OtherEntryID, "reason", "x")
	step("suspended", stop, ciso, http.StatusSeeOther, "do", "suspend", "seen", "2", "entry", webtest.DataEntryID, "reason", "本人の請求")
	step("erased undecided", stop, chief, http.StatusConflict, "do", "settle", "seen", "3", "held", "request-00001", "how", "erase", "reason", "x")
	step("refused", stop, ciso, http.StatusSeeOther, "do", "decide", "seen", "3", "decision", "refused", "text", "保存の義務がある")
	step("closed while suspended", stop, ciso, http.StatusConflict, "do", "carry", "seen", "4", "text", "通知した")
	step("erased though refused", stop, chief, http.StatusConflict, "do", "settle", "seen", "4", "held", "request-00001", "how", "erase", "reason", "x")
	step("lifted by who suspended", stop, ciso, http.StatusForbidden, "do", "settle", "seen", "4", "held", "request-00001", "how", "lift", "reason", "x")
	step("lifted", stop, chief, http.StatusSeeOther, "do", "settle", "seen", "4", "held", "request-00001", "how", "lift", "reason", "認めない")
	step("closed", stop, ciso, http.StatusSeeOther, "do", "carry", "seen", "5", "text", "書面で通知した")

	s.status("asked by an officer", s.post("/me/data", ciso, fields("want", "disclosure", "text", "自分の記録")), http.StatusSeeOther)
	own := regexp.MustCompile(`data_request-2026-\d{5}`).FindString(text(t, s.get("/me/data", ciso)))
	step("the own request", "/data-requests/"+own, ciso, http.StatusForbidden, "do", "take", "seen", "1")
	if page := text(t, s.get("/data-requests/"+own, ciso)); strings.Contains(page, `name="do"`) {
		t.Error("the own request has forms")
	}
	step("withdrawn by the office", "/data-requests/"+own, chief, http.StatusForbidden, "do", "withdraw", "seen", "1", "text", "x")
	auditor := s.login("auditor")
	s.status("auditor", s.get(stop, auditor), http.StatusOK)
	step("auditor's hand", stop, auditor, http.StatusForbidden, "do", "take", "seen", "5")
}

// PR-3, VE-5: a request on paper says who was recognised by what kind of document, and no number.
func TestDataRequestOnPaper(t *testing.T) {
	s := newSite(t, nil)
	ciso := s.login("ciso")
	good := fields("want", "disclosure", "name", "来訪 太郎", "identity", "driving_licence", "contact", "自宅", "received", time.Now().In(tokyo).Format("2006-01-02"), "text", "来訪の記録")
	for name, value := range map[string]string{"name": "", "identity": "12345", "contact": "", "received": "2001-01-01", "entry": webtest.OtherEntryID, "text": "", "want": "x", "agent": "番号は123456789018"} {
		s.status(name, s.post("/data-requests", ciso, with(good, name, value)), http.StatusUnprocessableEntity)
	}
	res := s.post("/data-requests", ciso, good)
	s.status("received", res, http.StatusSeeOther)
	at := res.Header.Get("Location")
	page := text(t, s.get(at, ciso))
	for _, want := range []string{"来訪 太郎", "運転免許証", "書面"} {
		if !strings.Contains(page, want) {
			t.Errorf("the request does not say %q", want)
		}
	}
	s.status("withdrawn without a word", s.post(at, ciso, fields("do", "withdraw", "seen", "1", "text", "")), http.StatusUnprocessableEntity)
	s.status("withdrawn", s.post(at, ciso, fields("do", "withdraw", "seen", "1", "text", "電話で")), http.StatusSeeOther)
}
