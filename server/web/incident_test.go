package web_test

import (
	"archive/zip"
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"monban/server/web"
)

// AL-4, AL-5: the security officer records an incident with class and timeline, sees the reports' days, and closes it after both; others
// read or not at all.
func TestIncidentPages(t *testing.T) {
	s := newSite(t, nil)
	officer := s.login(web.RoleCSIRT.String())
	const one = "/incidents/incident-2026-00001"
	page := text(t, s.get(one, officer))
	for _, want := range []string{"区分3", "速報", "確報", "未報告", "棚の空き", "/findings/f-2"} {
		if !strings.Contains(page, want) {
			t.Errorf("the incident does not say %q", want)
		}
	}
	step := func(want int, pairs ...string) string {
		t.Helper()
		form := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		res := s.post(one, officer, form)
		s.status(strings.Join(pairs, " "), res, want)
		return text(t, res)
	}
	now := time.Now().In(tokyo).Format("2006-01-02T15:04")
	step(http.StatusBadRequest, "do", "nothing", "text", "x")
	step(http.StatusUnprocessableEntity, "do", "note", "known", "x", "text", "x")
	if doc := step(http.StatusUnprocessableEntity, "do", "note", "known", now, "text", ""); !strings.Contains(doc, `aria-invalid="true"`) {
		t.Error("the fault is not at its field")
	}
	step(http.StatusSeeOther, "do", "note", "known", now, "text", "台帳を<b>確かめた")
	step(http.StatusConflict, "do", "close", "text", "見つかった")
	step(http.StatusConflict, "do", "final", "text", "x")
	step(http.StatusSeeOther, "do", "first", "text", "電話と書面")
	step(http.StatusSeeOther, "do", "final", "text", "書面")
	step(http.StatusSeeOther, "do", "close", "text", "見つかった")
	step(http.StatusConflict, "do", "note", "known", now, "text", "x")
	if doc := text(t, s.get(one, officer)); !strings.Contains(doc, "報告済") || !strings.Contains(doc, "台帳を&lt;b&gt;確かめた") || strings.Contains(doc, "経過を追加") {
		t.Error("what was done is not shown, or a closed incident can be moved")
	}
	begin := url.Values{"title": {"停電"}, "class": {"1"}, "known": {now}, "findings": {"10430 10402"}}
	s.status("no class", s.post("/incidents", officer, with(begin, "class", "")), http.StatusUnprocessableEntity)
	s.status("no finding", s.post("/incidents", officer, with(begin, "findings", "77")), http.StatusUnprocessableEntity)
	s.status("no number", s.post("/incidents", officer, with(begin, "findings", "f-2")), http.StatusUnprocessableEntity)
	s.status("begun", s.post("/incidents", officer, begin), http.StatusSeeOther)
	s.status("auditor", s.get(one, s.login(web.RoleAuditor.String())), http.StatusOK)
	s.status("auditor's hand", s.post("/incidents", s.login(web.RoleAuditor.String()), begin), http.StatusForbidden)
	s.status("manager", s.get("/incidents", s.login(web.RoleZoneManager.String())), http.StatusForbidden)
}

// AL-4: the bundle names nobody unless names are asked for with a registered purpose and a reason; either way a leaf says so.
func TestIncidentBundle(t *testing.T) {
	s := newSite(t, nil)
	officer := s.login(web.RoleCSIRT.String())
	const at = "/incidents/incident-2026-00001/bundle"
	unzip := func(form url.Values) string {
		t.Helper()
		res := s.post(at, officer, form)
		s.status("bundle", res, http.StatusOK)
		data, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, f := range z.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(r)
			all.WriteString(f.Name + "\n" + string(text) + "\n")
		}
		return all.String()
	}
	n := len(s.mem.Actions())
	plain := unzip(url.Values{})
	for _, want := range []string{"record.json", "record.html", "checkpoint.txt", "leaves/10402.json", "●●さんが棚の空きに", `"with_names": false`} {
		if !strings.Contains(plain, want) {
			t.Errorf("the bundle does not hold %q", want)
		}
	}
	for _, name := range []string{"渡邉", "𠮷田", "サーバ室", "媒体保管庫"} {
		if strings.Contains(plain, name) {
			t.Errorf("the bundle says %q", name)
		}
	}
	if got := s.mem.Actions()[n:]; len(got) != 1 || got[0].Kind != web.ActionIncidentBundle {
		t.Errorf("leaves: %+v", got)
	}
	s.status("names without a purpose", s.post(at, officer, url.Values{"names": {"yes"}, "reason": {"x"}}), http.StatusUnprocessableEntity)
	s.status("names without a reason", s.post(at, officer, url.Values{"names": {"yes"}, "use": {"entry_control"}}), http.StatusUnprocessableEntity)
	s.status("a purpose of no register", s.post(at, officer, url.Values{"names": {"yes"}, "use": {"attendance"}, "reason": {"x"}}), http.StatusUnprocessableEntity)
}
