package web_test

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"monban/firmware/calendar"
	"monban/server/report"
	"monban/server/web"
	"monban/server/web/webtest"
)

// Papers take part in the checks of all pages and routes.
func init() {
	pagePaths = append(pagePaths, "/reports", "/reports?report=entry_register", "/reports?report=none", "/reports?report=entry_register&zone=nowhere&from=x", "/reports/RUNS", "/reports/DONE", "/reports/LOST", "/reports/NONE", "/reports/DAY-server-room",
		"/reports/forms", "/reports/forms?report=entry_register&zone=server-room", "/reports?report=council", "/reports?report=rights_list", "/reports?report=training_due", "/register?zone=server-room&from=2025-04-01&to=2026-03-31")
	probes = append(probes,
		probe{"GET /reports", "/reports?report=entry_register", nil},
		probe{"POST /reports", "/reports", url.Values{"report": {"entry_register"}, "zone": {"server-room"}}},
		probe{"GET /reports/{job}", "/reports/DONE", nil},
		probe{"GET /reports/{job}/{n}", "/reports/DONE/0", nil},
		probe{"GET /reports/organisation", "/reports/organisation", nil},
		probe{"POST /reports/organisation", "/reports/organisation", url.Values{}},
		probe{"GET /reports/forms", "/reports/forms", nil},
		probe{"POST /reports/forms", "/reports/forms", url.Values{"report": {"entry_register"}}},
	)
}

// paper asks for a report and gives the address of its page.
func (s *site) paper(cookie string, with ...string) string {
	s.Helper()
	form := url.Values{"report": {"entry_register"}, "zone": {"server-room"}, "format": {"html"}, "use": {"entry_control"}, "reason": {"監査のため"}}
	for i := 0; i < len(with); i += 2 {
		form.Set(with[i], with[i+1])
	}
	res := s.post("/reports", cookie, form)
	if res.StatusCode != http.StatusSeeOther {
		s.Fatalf("%v: %s: %s", form, res.Status, text(s, res))
	}
	return res.Header.Get("Location")
}

// RR-1, PR-1, A1: a register leaves the house with a registered purpose and a reason only, each time with a leaf, as HTML for the printer
// and as CSV; nobody else opens the file.
func TestReport(t *testing.T) {
	s := newSite(t, nil)
	cookie := s.login(web.RoleZoneManager.String())
	if page := text(t, s.get("/register?zone=server-room", cookie)); !strings.Contains(page, "/reports?") || !strings.Contains(page, "report=entry_register") {
		t.Error("the register does not lead to its paper")
	}
	base := url.Values{"report": {"entry_register"}, "zone": {"server-room"}, "format": {"csv"}}
	for _, bad := range []url.Values{
		{}, {"use": {"entry_control"}}, {"reason": {"監査"}}, {"use": {"marketing"}, "reason": {"x"}}, {"use": {"entry_control"}, "reason": {strings.Repeat("長", 301)}},
		{"use": {"entry_control"}, "reason": {"x"}, "from": {"2026-11-24"}, "to": {"2026-11-23"}}, {"use": {"entry_control"}, "reason": {"x"}, "from": {"x"}},
		{"use": {"entry_control"}, "reason": {"x"}, "format": {"exe"}}, {"use": {"entry_control"}, "reason": {"x"}, "zone": {"nowhere"}},
	} {
		form := url.Values{}
		for _, v := range []url.Values{base, bad} {
			for k, x := range v {
				form[k] = x
			}
		}
		s.status(bad.Encode(), s.post("/reports", cookie, form), http.StatusUnprocessableEntity)
	}
	before := len(s.mem.Actions())
	at := s.paper(cookie)
	made := s.mem.Actions()[before:]
	if len(made) != 1 || made[0].Kind != web.ActionReportMade || made[0].Target != "entry_register/server-room" || made[0].Reason != "監査のため" {
		t.Errorf("leaves %+v", made)
	}
	if page := text(t, s.get(at, cookie)); !strings.Contains(page, at+"/0") {
		t.Error("the page does not lead to the file")
	}
	res := s.get(at+"/0", cookie)
	file := text(t, res)
	for _, want := range []string{"入退室管理簿", "髙橋 美咲", "渡邉 一郎", "退室未記録", "担当", "係長", "課長", "10500", "監査のため", "令和", "確認欄", "<svg"} {
		if !strings.Contains(file, want) {
			t.Errorf("the paper does not say %q", want)
		}
	}
	if strings.Contains(file, "葛") {
		t.Error("refusals stand on the paper unasked")
	}
	if policy := res.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'; style-src 'sha256-") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	other := s.login(web.RoleAuditor.String())
	s.status("somebody else's", s.get(at, other), http.StatusNotFound)
	s.status("somebody else's file", s.get(at+"/0", other), http.StatusNotFound)
	s.status("no such file", s.get(at+"/1", cookie), http.StatusNotFound)

	at = s.paper(cookie, "format", "csv", "all", "1", "dates", "western")
	res = s.get(at+"/0", cookie)
	file = text(t, res)
	if !strings.HasPrefix(file, "\ufeff番号,年月日,入室,退室,氏名,") || !strings.Contains(file, "𠮷田 太郎") || strings.Count(file, "\r\n") != 11 || !strings.Contains(file, "拒否") || strings.Contains(file, "令和") {
		t.Errorf("the file: %s", file)
	}
	if got := res.Header.Get("Content-Disposition"); !strings.Contains(got, ".csv") || strings.Contains(got, "server") {
		t.Errorf("file name %q", got)
	}
	at = s.paper(cookie, "format", "csv_sjis")
	if page := text(t, s.get(at, cookie)); !strings.Contains(page, "4行目 氏名: 𠮷田 太郎(U&#43;20BB7)") {
		t.Error("the page does not say which letters were lost")
	}
	if list := text(t, s.get(at+"/1", cookie)); !strings.Contains(list, "4,氏名,𠮷田 太郎,U+20BB7") {
		t.Errorf("the list: %s", list)
	}
	one := s.loginOf(t, web.Assignment{Role: web.RoleZoneManager, Zone: "media-store"})
	elsewhere := url.Values{"use": {"entry_control"}, "reason": {"x"}}
	for k, x := range base {
		elsewhere[k] = x
	}
	s.status("another zone's register", s.post("/reports", one, elsewhere), http.StatusUnprocessableEntity)
	for _, r := range []web.Role{web.RoleSystemAdmin, web.RoleCSIRT, web.RoleReception} {
		s.status(r.String(), s.post("/reports", s.login(r.String()), base), http.StatusForbidden)
	}
}

// VR-10, VR-11: beside a row stands who confirmed it; beside one that came after the signature, or that is the signer's own, what it waits for.
func TestReportSaysWhoConfirmedARow(t *testing.T) {
	s := newSite(t, nil)
	cookie := s.login(web.RoleZoneManager.String())
	for _, format := range []string{"html", "csv", "xlsx"} {
		res := s.get(s.paper(cookie, "format", format)+"/0", cookie)
		file := text(t, res)
		if format == "xlsx" {
			z, err := zip.NewReader(strings.NewReader(file), int64(len(file)))
			if err != nil {
				t.Fatal(err)
			}
			file = ""
			for _, f := range z.File {
				r, err := f.Open()
				if err != nil {
					t.Fatal(err)
				}
				part, err := io.ReadAll(r)
				if err != nil {
					t.Fatal(err)
				}
				file += string(part)
			}
		}
		for _, want := range []string{"鷗 花子", "退室未確認", "未確認(追補待ち)", "未確認(副署待ち)"} {
			if strings.Count(file, want) != 1 {
				t.Errorf("%s: %q stands %d times", format, want, strings.Count(file, want))
			}
		}
	}
}

// RR-1: name, number, boxes for seals and the columns with their order are a zone's own.
func TestReportForms(t *testing.T) {
	s := newSite(t, nil)
	cookie := s.login(web.RoleCISO.String())
	form := url.Values{"report": {"entry_register"}, "zone": {"server-room"}, "name": {"電算室入退室記録簿"}, "number": {"様式第2号(第8条関係)"}, "seals": {"係員 室長"}, "reason": {"要綱の改正"},
		"column_name": {"2"}, "column_in": {"3"}, "column_no": {"1"}}
	for key, bad := range map[string]string{"reason": "", "seals": "一 二 三 四 五 六 七", "column_no": "x", "name": strings.Repeat("長", 61), "number": "a\x01"} {
		wrong := url.Values{}
		for k, v := range form {
			wrong[k] = v
		}
		wrong.Set(key, bad)
		s.status(key, s.post("/reports/forms", cookie, wrong), http.StatusUnprocessableEntity)
	}
	if forms, _ := s.mem.Sources().Reports.ReportForms(t.Context()); len(forms) != 0 {
		t.Errorf("a refused form was kept: %v", forms)
	}
	s.status("saved", s.post("/reports/forms", cookie, form), http.StatusSeeOther)
	if page := text(t, s.get("/reports/forms?report=entry_register&zone=server-room", cookie)); !strings.Contains(page, "電算室入退室記録簿") {
		t.Error("the form is not shown")
	}
	file := text(t, s.get(s.paper(cookie)+"/0", cookie))
	for _, want := range []string{"電算室入退室記録簿", "様式第2号(第8条関係)", "係員", "室長", "空欄の理由"} {
		if !strings.Contains(file, want) {
			t.Errorf("the paper does not say %q", want)
		}
	}
	if strings.Contains(file, "対象システム") || strings.Contains(file, "係長") || strings.Index(file, ">番号<") > strings.Index(file, ">氏名<") || strings.Index(file, ">氏名<") > strings.Index(file, ">入室<") {
		t.Error("columns are not those that were chosen, in their order")
	}
	s.status("a zone's manager of all zones", s.post("/reports/forms", s.loginOf(t, web.Assignment{Role: web.RoleZoneManager, Zone: "media-store"}), form), http.StatusForbidden)
}

// loginOf signs in somebody with one role of a kind that the roles' own accounts do not have.
func (s *site) loginOf(t *testing.T, a web.Assignment) string {
	t.Helper()
	phc, err := web.HashPassword(goodPassword, cheap)
	if err != nil {
		t.Fatal(err)
	}
	s.mem.PutAccount(web.Account{ID: "ONEZONE", Name: "onezone", FullName: "﨑山", PasswordHash: phc, Roles: []web.Assignment{a}})
	return s.login("onezone")
}

// RR-1: where no PDF can be made the page says so and offers the browser's print.
func TestReportWithoutPrinter(t *testing.T) {
	s := newSite(t, nil)
	cookie := s.login(web.RoleAuditor.String())
	if page := text(t, s.get("/reports?report=entry_register", cookie)); !strings.Contains(page, `value="pdf"`) {
		t.Error("no PDF is offered")
	}
	s.mem.Papers.NoPDF = report.ErrNoPrinter
	page := text(t, s.get("/reports?report=entry_register", cookie))
	if strings.Contains(page, `value="pdf"`) || !strings.Contains(page, "ブラウザで印刷してください") {
		t.Error("the page does not say that no PDF can be made")
	}
	s.status("asked anyway", s.post("/reports", cookie, url.Values{"report": {"entry_register"}, "zone": {"server-room"}, "format": {"pdf"}, "use": {"entry_control"}, "reason": {"x"}}), http.StatusUnprocessableEntity)
}

// RR-4, PR-2, PR-6: what is told in public names nobody: no name, section, company, door or zone of the sample, in either language; small counts are
// grouped, and none is none.
func TestCouncilReport(t *testing.T) {
	s := newSite(t, nil)
	cookie := s.login(web.RoleCISO.String())
	secret := []string{"渡邉", "東北システム保守", "正面扉", "電池", "A-1042", "基幹系", "サーバ室", "媒体保管庫"}
	for _, p := range webtest.AllPersons {
		secret = append(secret, p.Name, p.Section)
	}
	holds := func(file string) (found []string) {
		body := file[strings.Index(file, "<h2>"):] // who made it stands in the head
		for _, x := range secret {
			if x != "" && strings.Contains(body, x) {
				found = append(found, x)
			}
		}
		return found
	}
	file := text(t, s.get(s.paper(cookie, "report", "council")+"/0", cookie))
	if found := holds(file); len(found) > 0 {
		t.Errorf("the council's paper holds %q", found)
	}
	for _, want := range []string{"3未満", "レベル3の区域"} {
		if !strings.Contains(file, want) {
			t.Errorf("the paper does not say %q", want)
		}
	}
	if found := holds("<h2>" + text(t, s.get(s.paper(cookie)+"/0", cookie))); len(found) < 5 {
		t.Errorf("the scan finds only %q in the register itself: it is dead", found)
	}
	one := s.loginOf(t, web.Assignment{Role: web.RoleZoneManager, Zone: "media-store"})
	s.status("the whole site, by a role for one zone", s.get("/reports?report=council", one), http.StatusForbidden)
	if page := text(t, s.get("/reports", one)); strings.Contains(page, "report=council") {
		t.Error("the council's paper is offered to a role for one zone")
	}
}

// RR-1, VR-4, VE-3, AD-15: each of the other papers is made and says what it is for.
func TestOtherPapers(t *testing.T) {
	s := newSite(t, nil)
	cookie := s.login(web.RoleAuditor.String())
	from, to := ago(3), ago(0)
	for kind, want := range map[string][]string{
		"monthly":        {"月次集計", "未確認", "日別"},
		"visitor_ledger": {"来訪者名簿", "身分確認"},
		"badge_ledger":   {"名札貸出簿"},
		"training_due":   {"研修の有効期限", "髙橋"},
	} {
		file := text(t, s.get(s.paper(cookie, "report", kind, "from", from, "to", to)+"/0", cookie))
		for _, x := range want {
			if !strings.Contains(file, x) {
				t.Errorf("%s does not say %q", kind, x)
			}
		}
		if strings.ContainsAny(file, "⟦⟧") {
			t.Errorf("%s: a word is missing", kind)
		}
	}
}

// RR-1: a long register is shown a month at a time, with addresses that stay; the paper holds all of it.
func TestRegisterByMonth(t *testing.T) {
	s := newSite(t, nil)
	cookie := s.login(web.RoleAuditor.String())
	page := text(t, s.get("/register?zone=server-room&from=2025-04-01&to=2026-03-31&part=2025-06", cookie))
	if strings.Count(page, `" href="/register?from`)+strings.Count(page, `<a href="/register?from`) < 12 || !strings.Contains(page, `part=2025-06&amp;to=2026-03-31&amp;zone=server-room" aria-current="true"`) || !strings.Contains(page, "令和7年6月1日") {
		t.Error("the month that was asked for is not shown")
	}
	page = text(t, s.get("/register?zone=server-room&from=2025-04-01&to=2026-03-31", cookie))
	if !strings.Contains(page, "令和8年3月1日") {
		t.Error("unasked, the last month is not shown")
	}
	if page = text(t, s.get("/register?zone=server-room&from=2025-05-01&to=2025-05-31", cookie)); strings.Contains(page, "part=") {
		t.Error("a month is cut")
	}
}

// RR-8: the list of rights names who asked and who agreed; a sample of it is the same for the same seed, another for another, and stands with the
// leaves that tell of application and consent. Somebody with one zone sees that zone's rights.
func TestRightsList(t *testing.T) {
	s := newSite(t, nil)
	cookie := s.login(web.RoleAuditor.String())
	file := func(c string, with ...string) string {
		at := s.paper(c, append([]string{"report", "rights_list", "zone", ""}, with...)...)
		return text(t, s.get(at+"/0", c))
	}
	one := file(cookie, "sample", "1", "seed", "7")
	for _, want := range []string{"入室権限一覧", "髙橋 美咲", "渡邉 花子", "申請書との突合のための抽出", "サーバ室", "担当替え", "7", "現在の台帳は記録と一致しています"} {
		if !strings.Contains(one, want) {
			t.Errorf("the list does not say %q", want)
		}
	}
	sample := func(file string) string { return file[strings.Index(file, "申請書との突合のための抽出"):] }
	same, other := sample(file(cookie, "sample", "1", "seed", "7")), false
	for seed := 8; seed < 40 && !other; seed++ {
		other = rowOf(sample(file(cookie, "sample", "1", "seed", strconv.Itoa(seed)))) != rowOf(same)
	}
	if rowOf(same) != rowOf(sample(one)) || !other {
		t.Errorf("the same seed draws %q and %q; another seed draws another: %v", rowOf(sample(one)), rowOf(same), other)
	}
	if strings.Contains(file(cookie, "sample", "0"), "申請書との突合のための抽出") {
		t.Error("a sample of none is drawn")
	}
	zoned := s.loginOf(t, web.Assignment{Role: web.RoleZoneManager, Zone: "media-store"})
	if got := file(zoned); strings.Contains(got, "サーバ室") {
		t.Error("rights of a zone that is not the asker's")
	}
}

// rowOf is the first row of the first table body in a file.
func rowOf(file string) string {
	_, rest, _ := strings.Cut(file, "<tbody")
	row, _, _ := strings.Cut(rest, "</tr>")
	return row
}

// RA-1: a paper goes out of sight with the role for it, also for whoever made it.
func TestPaperEndsWithTheRole(t *testing.T) {
	s := newSite(t, nil)
	cookie := s.login(web.RoleZoneManager.String())
	at := s.paper(cookie)
	s.status("its maker", s.get(at+"/0", cookie), http.StatusOK)
	a, err := s.mem.AccountByID(t.Context(), accountID(web.RoleZoneManager))
	if err != nil {
		t.Fatal(err)
	}
	a.Roles = []web.Assignment{{Role: web.RoleZoneManager, Zone: "media-store"}}
	s.mem.PutAccount(a)
	s.status("the page, without the role", s.get(at, cookie), http.StatusNotFound)
	s.status("the file, without the role", s.get(at+"/0", cookie), http.StatusNotFound)
	if page := text(t, s.get("/reports", cookie)); strings.Contains(page, at) {
		t.Error("it is still listed")
	}
}

// RR-1, PR-1, RA-1: papers of days lie in the list of whoever may make reports of the zone and of nobody else; opening one is a leaf before the
// file is given. A PIN under duress stands on none (AD-13).
func TestDayPapers(t *testing.T) {
	s := newSite(t, nil)
	auditor := s.login(web.RoleAuditor.String())
	page := text(t, s.get("/reports", auditor))
	for _, want := range []string{"毎朝作られる日報", "/reports/DAY-server-room", "/reports/DAY-media-store", "日報"} {
		if !strings.Contains(page, want) {
			t.Errorf("the list does not say %q", want)
		}
	}
	media := s.mediaOnly("media", "", web.RoleZoneManager)
	if page := text(t, s.get("/reports", media)); strings.Contains(page, "DAY-server-room") || !strings.Contains(page, "DAY-media-store") {
		t.Error("a manager of one zone sees another's paper, or not the own one")
	}
	s.status("another zone's", s.get("/reports/DAY-server-room/0", media), http.StatusNotFound)
	s.status("its page", s.get("/reports/DAY-media-store", media), http.StatusOK)
	n := len(s.mem.Actions())
	r := s.get("/reports/DAY-media-store/0", media)
	s.status("its file", r, http.StatusOK)
	acts := s.mem.Actions()[n:]
	if got := text(t, r); got != "%PDF-" || len(acts) != 1 || acts[0].Kind != web.ActionViewRegister || acts[0].Target != "media-store" || !strings.Contains(acts[0].Filter, "to=2026-11-23") {
		t.Errorf("%q, leaves %+v", got, acts)
	}
	s.mem.FailAudit = errors.New("full")
	if r := s.get("/reports/DAY-media-store/0", media); r.StatusCode < 500 || strings.Contains(text(t, r), "%PDF") {
		t.Errorf("given without a leaf: %d", r.StatusCode)
	}
	s.mem.FailAudit = nil

	s.mem.LoudDuress = true
	yesterday := calendar.DateOf(noon()).AddDays(-1)
	d, err := s.h.DayPaper(t.Context(), web.ZoneName{ID: "server-room", Name: "サーバ室"}, yesterday, noon())
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Tables) != 2 || len(d.Tables[0].Rows) == 0 || d.Title != "日報" || !strings.Contains(d.Period, "令和") || d.Made == "" {
		t.Fatalf("%+v", d)
	}
	if all := fmt.Sprint(d.Tables[1].Rows); !strings.Contains(all, "扉の長時間開放") || len(d.Tables[1].Rows) != 1 || len(d.Tables[1].Rows[0]) != len(d.Tables[1].Columns) {
		t.Errorf("findings, of which one is of a PIN under duress: %s", all)
	}
}
