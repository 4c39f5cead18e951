package web_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"monban/firmware/calendar"
	"monban/server/web"
)

func ago(days int) string { return time.Now().In(tokyo).AddDate(0, 0, -days).Format("2006-01-02") }

// VR-10 to VR-12, VR-2: the manager signs a day, opens it again with a reason, signs all quiet days at once; an auditor reads and signs
// nothing; nobody signs what they have not seen.
func TestReviewPages(t *testing.T) {
	s := newSite(t, nil)
	cookie := s.login(web.RoleZoneManager.String())
	list := text(t, s.get("/review?zone=server-room", cookie))
	for _, want := range []string{"署名待ち", "入退室なし", "記録の途切れがあります", "これらの日に署名する", "期限超過"} {
		if !strings.Contains(list, want) {
			t.Errorf("the list does not say %q", want)
		}
	}
	day := "/review/server-room/" + ago(1)
	page := text(t, s.get(day, cookie))
	for _, want := range []string{"退室未記録", "署名する", "先に確かめる記録", "前日以前に入室した人の退室"} {
		if !strings.Contains(page, want) {
			t.Errorf("the day does not say %q", want)
		}
	}
	if i, j := strings.Index(page, "退室未記録"), strings.Index(page, "退室済"); i < 0 || j < i {
		t.Error("what is not paired does not come first")
	}
	post := func(act, seen, reason string, want int) string {
		t.Helper()
		res := s.post(day, cookie, url.Values{"act": {act}, "seen": {seen}, "reason": {reason}})
		if res.StatusCode != want {
			t.Errorf("%s seen %s: %d, want %d", act, seen, res.StatusCode, want)
		}
		return text(t, res)
	}
	if page := post("day_signed", "40", "", http.StatusConflict); !strings.Contains(page, "新しい記録が届きました") {
		t.Error("signed unseen")
	}
	post("day_signed", "x", "", http.StatusBadRequest)
	post("month_signed", "41", "", http.StatusBadRequest)
	post("day_deleted", "41", "", http.StatusBadRequest)
	post("day_signed", "41", "", http.StatusSeeOther)
	post("day_signed", "41", "", http.StatusConflict)
	if page := post("day_reopened", "41", " ", http.StatusConflict); !strings.Contains(page, "理由を入力") {
		t.Error("opened again without a reason")
	}
	post("day_reopened", "41", "目的の欄が違う", http.StatusSeeOther)
	if page := text(t, s.get(day, cookie)); !strings.Contains(page, "署名の取消し") || !strings.Contains(page, "目的の欄が違う") {
		t.Error("what was done is not shown")
	}
	// VR-11: the calendar signs the quiet days of a fiscal year, however long ago they are.
	year := calendar.DateOf(time.Now().In(tokyo).AddDate(0, 0, -2)).FiscalYear()
	if page := text(t, s.get("/review/calendar?zone=server-room&year="+strconv.Itoa(int(year)), cookie)); !strings.Contains(page, "これらの日に署名する") || !strings.Contains(page, "この年度に") {
		t.Error("the calendar does not offer the year's quiet days")
	}
	quiet := url.Values{"zone": {"server-room"}, "from": {ago(6)}, "to": {ago(0)}}
	for _, want := range []int{http.StatusSeeOther, http.StatusConflict} {
		if res := s.post("/review", cookie, quiet); res.StatusCode != want {
			t.Errorf("quiet days: %d, want %d", res.StatusCode, want)
		}
	}
	if page := text(t, s.get("/review/calendar?zone=server-room", cookie)); strings.Count(page, ">済<") < 4 {
		t.Error("the calendar does not show the signed days")
	}
	before := time.Now().In(tokyo).AddDate(0, 0, -40).Format("2006-01")
	for month, want := range map[string]int{before: http.StatusSeeOther, time.Now().In(tokyo).Format("2006-01"): http.StatusConflict, "x": http.StatusBadRequest} {
		s.status("month "+month, s.post("/review/month", cookie, url.Values{"zone": {"server-room"}, "month": {month}}), want)
	}
	s.status("month of another zone", s.post("/review/month", cookie, url.Values{"zone": {"elsewhere"}, "month": {before}}), http.StatusNotFound)
	auditor := s.login(web.RoleAuditor.String())
	if page := text(t, s.get(day, auditor)); strings.Contains(page, "<form method=\"post\"><input type=\"hidden\" name=\"act\"") {
		t.Error("an auditor is offered a signature")
	}
	s.status("auditor signs", s.post(day, auditor, url.Values{"act": {"day_signed"}, "seen": {"41"}}), http.StatusForbidden)
	for path, want := range map[string]int{"/review/nowhere/" + ago(1): 404, "/review/server-room/2099-01-01": 404, "/review?zone=nowhere": 422, "/review/calendar?year=x": 422} {
		s.status(path, s.get(path, cookie), want)
	}
}

// VR-4: a month of which a day came to wait again after the month's signature says so, on the calendar and on paper; one that did not change does not.
func TestMonthChangedAfterItsSignature(t *testing.T) {
	const says = "署名の後に変わった日"
	s := newSite(t, nil)
	cookie := s.login(web.RoleZoneManager.String())
	yesterday := calendar.DateOf(time.Now().In(tokyo).AddDate(0, 0, -1))
	path := "/review/calendar?zone=server-room&year=" + strconv.Itoa(int(yesterday.FiscalYear()))
	for month, want := range map[string]int{yesterday.AddDays(-40).String()[:7]: 0, yesterday.String()[:7]: 1} {
		s.mem.SignedMonth = month
		page := text(t, s.get(path, cookie))
		if n := strings.Count(page, says); n != want {
			t.Errorf("%s: the calendar says %d times that a month has changed, want %d", month, n, want)
		}
		if want == 1 && !strings.Contains(page, "署名 髙橋 美咲") {
			t.Error("the signature is gone")
		}
	}
	s.mem.SignedMonth = yesterday.String()[:7]
	auditor := s.login(web.RoleAuditor.String())
	day := yesterday.String()
	if file := text(t, s.get(s.paper(auditor, "report", "monthly", "from", day, "to", day)+"/0", auditor)); !strings.Contains(file, "髙橋 美咲("+says) {
		t.Error("the paper does not say that the month has changed")
	}
}

// RA-1: a zone manager of another zone reads the day and does not sign it.
func TestReviewOfAnotherZone(t *testing.T) {
	s := newSite(t, nil)
	phc, _ := web.HashPassword(goodPassword, cheap)
	s.mem.PutAccount(web.Account{ID: "ELSEWHERE", Name: "elsewhere", FullName: "渡邉 一", PasswordHash: phc, Roles: []web.Assignment{{Role: web.RoleZoneManager, Zone: "media-store"}}})
	cookie := s.login("elsewhere")
	s.status("sign", s.post("/review/server-room/"+ago(1), cookie, url.Values{"act": {"day_signed"}, "seen": {"41"}}), http.StatusForbidden)
	s.status("quiet", s.post("/review", cookie, url.Values{"zone": {"server-room"}, "from": {ago(6)}, "to": {ago(0)}}), http.StatusForbidden)
}
