package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"monban/server/casework"
	"monban/server/web"
)

// VR-2: an officer takes a finding, notes, closes it with a verdict and its cause; the subject is refused; a note stays as it was written.
func TestCasePage(t *testing.T) {
	s := newSite(t, nil)
	officer := s.login(web.RoleCSIRT.String())
	if page := text(t, s.get("/findings", officer)); !strings.Contains(page, `href="/findings/f-2"`) {
		t.Fatal("the list does not lead to the case")
	}
	post := func(cookie string, want int, pairs ...string) string {
		t.Helper()
		form := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		res := s.post("/findings/f-2", cookie, form)
		if res.StatusCode != want {
			t.Errorf("%v: %d, want %d", pairs, res.StatusCode, want)
		}
		return text(t, res)
	}
	post(officer, http.StatusConflict, "act", "finding_violation", "text", "x")
	post(officer, http.StatusBadRequest, "act", "finding_deleted")
	post(officer, http.StatusSeeOther, "act", "finding_taken")
	post(officer, http.StatusConflict, "act", "finding_taken")
	if page := post(officer, http.StatusUnprocessableEntity, "act", "finding_mistake", "text", " "); !strings.Contains(page, "原因や理由を入力") {
		t.Error("closed without a cause")
	}
	post(officer, http.StatusUnprocessableEntity, "act", "finding_mistake", "text", strings.Repeat("長", 1400))
	post(officer, http.StatusSeeOther, "act", "finding_noted", "text", "台車 <b>搬入</b>")
	post(officer, http.StatusUnprocessableEntity, "act", "finding_assigned", "to", accountID(web.RoleApplicant)) // may not work on it
	post(officer, http.StatusSeeOther, "act", "finding_assigned", "to", accountID(web.RoleZoneManager))
	manager := s.login(web.RoleZoneManager.String())
	post(manager, http.StatusSeeOther, "act", "finding_justified", "text", "搬入のため")
	page := text(t, s.get("/findings/f-2", manager))
	for _, want := range []string{"対応済", "正当な理由あり", "搬入のため", "&lt;b&gt;搬入", "対応を再開する"} {
		if !strings.Contains(page, want) {
			t.Errorf("the case does not say %q", want)
		}
	}
	post(manager, http.StatusSeeOther, "act", "finding_reopened", "text", "別の扉だった")

	phc, _ := web.HashPassword(goodPassword, cheap)
	s.mem.PutAccount(web.Account{ID: "SUBJECT", Name: "subject", FullName: "𠮷田 太郎", Person: "1003", PasswordHash: phc, Roles: []web.Assignment{{Role: web.RoleCSIRT}}})
	subject := s.login("subject")
	if page := post(subject, http.StatusForbidden, "act", "finding_taken"); !strings.Contains(page, "別の人が対応します") {
		t.Error("the subject is not told why")
	}
	post(subject, http.StatusSeeOther, "act", "finding_noted", "text", "忘れ物です")
}

// RA-1, VR-2: the manager of a zone works what is not severe there; an auditor and the system administrator read, and the latter sees no words.
func TestCaseRoles(t *testing.T) {
	s := newSite(t, nil)
	manager := s.login(web.RoleZoneManager.String())
	s.status("severe", s.post("/findings/f-3", manager, url.Values{"act": {"finding_taken"}}), http.StatusForbidden)
	officer := s.login(web.RoleCSIRT.String())
	s.status("noted", s.post("/findings/f-2", officer, url.Values{"act": {"finding_noted"}, "text": {"𠮷田さんに電話"}}), http.StatusSeeOther)
	auditor := s.login(web.RoleAuditor.String())
	s.status("auditor", s.post("/findings/f-2", auditor, url.Values{"act": {"finding_taken"}}), http.StatusForbidden)
	if page := text(t, s.get("/findings/f-2", auditor)); !strings.Contains(page, "𠮷田さんに電話") || strings.Contains(page, "finding_taken") {
		t.Error("an auditor does not read, or may act")
	}
	if page := text(t, s.get("/findings/f-2", s.login(web.RoleSystemAdmin.String()))); strings.Contains(page, "電話") {
		t.Error("the system administrator reads a note")
	}
	s.status("no such case", s.get("/findings/nothing", officer), http.StatusNotFound)
}

// VR-3: the CISO office reads what has gone up to it, its cases included, sees on its first page that there is something, and moves nothing; the rest stays
// with who works it, and with a role for one zone it is that zone's. Who has another role beside it sees what that shows, too.
func TestCISOOfficeReadsWhatHasRisen(t *testing.T) {
	s := newSite(t, nil)
	ciso := s.login(web.RoleCISO.String())
	if page := text(t, s.get("/live", ciso)); strings.Contains(page, "上申された要確認") {
		t.Error("nothing has gone up, and the first page says so")
	}
	s.status("not risen", s.get("/findings/f-3", ciso), http.StatusForbidden)
	for i := range s.mem.Items {
		if s.mem.Items[i].ID == "f-3" {
			s.mem.Items[i].Level = casework.CISOOffice
		}
	}
	if page := text(t, s.get("/live", ciso)); !strings.Contains(page, `<a href="/findings">最高責任者の窓口へ上申された要確認が 1 件あります`) {
		t.Error("the first page does not lead to what has gone up")
	}
	page := text(t, s.get("/findings", ciso))
	if !strings.Contains(page, `href="/findings/f-3"`) || strings.Contains(page, `href="/findings/f-2"`) {
		t.Error("the list is not what has gone up")
	}
	if page := text(t, s.get("/findings/f-3", ciso)); strings.Contains(page, `name="act"`) {
		t.Error("the CISO office may move a case")
	}
	s.status("act", s.post("/findings/f-3", ciso, url.Values{"act": {"finding_taken"}}), http.StatusForbidden)
	s.status("not risen", s.get("/findings/f-2", ciso), http.StatusForbidden)

	s.status("another zone's", s.get("/findings/f-3", s.mediaOnly("mediaciso", "", web.RoleCISO)), http.StatusForbidden)
	s.people(map[string]web.Account{"both": {Roles: []web.Assignment{{Role: web.RoleReviewer, Zone: "media-store"}, {Role: web.RoleCISO}}}})
	both := s.login("both")
	for id, want := range map[string]int{"f-1": http.StatusForbidden, "f-2": http.StatusOK, "f-3": http.StatusOK} {
		s.status(id, s.get("/findings/"+id, both), want)
	}
	if page := text(t, s.get("/findings", both)); !strings.Contains(page, "f-2") || !strings.Contains(page, "f-3") || strings.Contains(page, `"/findings/f-1"`) {
		t.Error("the list of both roles")
	}
	if page := text(t, s.get("/live", s.login(web.RoleCSIRT.String()))); strings.Contains(page, "上申された要確認") {
		t.Error("told to others")
	}
}
