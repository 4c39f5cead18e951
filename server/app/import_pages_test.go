package app

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/japanese"

	"monban/server/directory"
	"monban/server/web"
)

// upload sends files as a browser does: name and content in turn.
func (d *rulesDesk) upload(account, kind string, files ...string) (code int, body, to string) {
	d.Helper()
	d.as(account, "/import", nil) // signs in
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	_ = w.WriteField("kind", kind) // into memory
	for i := 0; i+1 < len(files); i += 2 {
		part, err := w.CreateFormFile("file", files[i])
		if err != nil {
			d.Fatal(err)
		}
		_, _ = part.Write([]byte(files[i+1])) // into memory
	}
	_ = w.Close() // of memory
	r := httptest.NewRequestWithContext(d.Context(), http.MethodPost, "http://monban.test/import", &b)
	r.Header.Set("Content-Type", w.FormDataContentType())
	r.Header.Set("Cookie", d.cookies[account])
	rec := httptest.NewRecorder()
	d.h.ServeHTTP(rec, r)
	return rec.Code, rec.Body.String(), rec.Header().Get("Location")
}

const newPeople = "職員番号,氏名,所属,区分\n1901,𠮷田 誠,総務課,職員\n1902,葛\U000E0100城 蓮,総務課,職員\n"

// VR-9's sibling: a file is looked at before anything is changed, done with a reason, and the second time changes nothing. D27: a grant at
// level 2 or 3 in it waits for a second person, the rest is in force.
func TestImportByPage(t *testing.T) {
	now := noonOfTest()
	d := newRulesDesk(t, &now)
	before := d.dir()
	grants := "person_id,zone_id,schedule_id\n1901,server-room,office\n1902,floor-3,office\n"
	code, body, to := d.upload("a-1", "", "新しい人 people.csv", newPeople, "april.csv", grants)
	if code != http.StatusSeeOther || !strings.HasPrefix(to, "/import/") {
		t.Fatalf("%d %s\n%s", code, to, mainOf(body))
	}
	code, body, _ = d.as("a-1", to, nil)
	d.want("the look", code, body, http.StatusOK, "𠮷田 誠", "葛\U000E0100城 蓮", "Changes: 4", "becomes a proposal", "waits for another person", "UTF-8", "Persons", "Grants", "2 rows")
	if !reflect.DeepEqual(d.dir(), before) {
		t.Error("the look changed something")
	}
	if code, _, _ := d.as("a-2", to, nil); code != http.StatusNotFound {
		t.Errorf("another account sees the draft: %d", code)
	}
	if code, body, _ := d.as("a-1", to, url.Values{"reason": {" "}}); code != http.StatusUnprocessableEntity || !strings.Contains(body, "f-reason-fault") {
		t.Errorf("without a reason: %d", code)
	}
	if code, _, _ := d.as("a-1", to, url.Values{"reason": {"番号 123456789018"}}); code != http.StatusUnprocessableEntity { // VE-5
		t.Errorf("an Individual Number as reason: %d", code)
	}
	if !reflect.DeepEqual(d.dir(), before) {
		t.Error("a refused import changed something")
	}
	code, _, done := d.as("a-1", to, url.Values{"reason": {"新採用"}})
	if code != http.StatusSeeOther || done != "/import?done=rule_proposed" {
		t.Errorf("done: %d %s", code, done)
	}
	after := d.dir()
	if len(after.People) != len(before.People)+2 || len(after.Grants) != len(before.Grants)+1 {
		t.Errorf("%d people and %d grants more, want 2 and 1", len(after.People)-len(before.People), len(after.Grants)-len(before.Grants))
	}
	list := ok(d.registry.Proposals(t.Context(), false, 9))(t)
	if len(list) != 1 {
		t.Fatalf("%d proposals", len(list))
	}
	ok(d.registry.ConfirmProposal(t.Context(), directory.Actor{Account: "a-2", From: "lan"}, list[0].ID))(t)
	if code, _, _ := d.as("a-1", to, nil); code != http.StatusNotFound {
		t.Errorf("the draft is still there: %d", code)
	}
	_, _, to = d.upload("a-1", "", "people.csv", newPeople, "april.csv", grants)
	code, body, _ = d.as("a-1", to, nil)
	d.want("the same again", code, body, http.StatusOK, "There is nothing to change")
	if strings.Contains(mainOf(body), "<form") {
		t.Error("nothing to change, and yet something to press")
	}
	now = now.Add(31 * time.Minute)
	if code, body, _ := d.as("a-1", to, nil); code != http.StatusNotFound || !strings.Contains(body, "30 minutes") {
		t.Errorf("after half an hour: %d", code)
	}
}

// Hostile files: each gives its fault with file, line and column in the reader's language, and nothing is applied.
func TestImportByPageRefuses(t *testing.T) {
	now := noonOfTest()
	d := newRulesDesk(t, &now)
	d.as("a-1", "/zones", nil)
	before := d.dir()
	sjis := ok(japanese.ShiftJIS.NewEncoder().String("職員番号,氏名,所属,区分\n1903,渡邉,総務課,見学\n"))(t)
	people := func(row string) string { return "person_id,name,section,category\n" + row + "\n" }
	for what, c := range map[string]struct {
		kind string
		file []string
		says []string
	}{
		"a formula":           {"", []string{"people.csv", people("1903,\"=HYPERLINK(\"\"http://x\"\")\",総務課,staff")}, []string{"people.csv, line 2", "spreadsheet formula"}},
		"an @ formula":        {"", []string{"people.csv", people("1903,@SUM(A1),総務課,staff")}, []string{"spreadsheet formula"}},
		"an Individual No.":   {"", []string{"people.csv", people("1903,山田 123456789018,総務課,staff")}, []string{"Individual Number"}},
		"NUL":                 {"", []string{"people.csv", people("1903,山\x00田,総務課,staff")}, []string{"control character"}},
		"a right-to-left":     {"", []string{"people.csv", people("1903,山\u202e田,総務課,staff")}, []string{"invisible character"}},
		"10 kB in a cell":     {"", []string{"people.csv", people("1903," + strings.Repeat("長", 3500) + ",総務課,staff")}, []string{"bytes long"}},
		"Shift_JIS":           {"", []string{"people.csv", sjis}, []string{"Shift_JIS", "line 2", "区分", "is not known"}},
		"an end before start": {"", []string{"people.csv", "person_id,name,section,category,valid_from,valid_until\n1903,山田,総務課,staff,2026-05-01,2026-04-01\n"}, []string{"line 2"}},
		"no such day":         {"", []string{"closed_days.csv", "date,name\n2026-02-30,謎の日\n"}, []string{"line 2"}},
		"a circle of zones":   {"", []string{"zones.csv", "zone_id,name,level,parent\nfloor-3,本庁舎3階,1,archive\n"}, []string{"lie in itself", "line 2"}},
		"grants twice":        {"", []string{"grants.csv", "person_id,zone_id,schedule_id\n1001,floor-3,office\n1001,floor-3,office\n"}, []string{"Stands twice", "line 3"}},
		"an unknown person":   {"", []string{"grants.csv", "person_id,zone_id,schedule_id\n9999,floor-3,office\n"}, []string{"not in the directory"}},
		"nothing known":       {"", []string{"x.csv", "apple,pear\n1,2\n"}, []string{"choose the kind"}},
		"the wrong kind":      {"zones", []string{"people.csv", people("1903,山田,総務課,staff")}, []string{"Is not a column of this file"}},
		"not text":            {"people", []string{"people.csv", "\x89PNG\r\n\x1a\n\xff\xd8\x00\x80"}, []string{"people.csv"}},
		"UTF-16":              {"people", []string{"people.csv", "\xff\xfep\x00e\x00"}, []string{"UTF-16"}},
		"open quotes":         {"", []string{"people.csv", people("1903,\"山田,総務課,staff")}, []string{"people.csv"}},
		"one good, one bad":   {"", []string{"people.csv", newPeople, "grants.csv", "person_id,zone_id,schedule_id\n1901,nowhere,office\n"}, []string{"grants.csv, line 2"}},
		"loosened":            {"", []string{"zones.csv", "zone_id,name,level,escort\narchive,保管室,3,none\n"}, []string{"line 2", "exception"}},
		"no file":             {"", nil, []string{"Choose a CSV file"}},
		"too large":           {"people", []string{"people.csv", strings.Repeat("x", 6<<20)}, []string{"More than 5 MB"}},
		"script in the name":  {"people", []string{"<script>alert(1)</script>.csv", people("1903,=1,総務課,staff")}, []string{"spreadsheet formula"}},
	} {
		code, body, to := d.upload("a-1", c.kind, c.file...)
		if code != http.StatusUnprocessableEntity || to != "" || !strings.Contains(body, `role="alert"`) {
			t.Errorf("%s: %d %s", what, code, to)
		}
		for _, s := range c.says {
			if !strings.Contains(body, s) {
				t.Errorf("%s does not say %q\n%.3000s", what, s, mainOf(body))
			}
		}
		if strings.Contains(body, "<script>alert") {
			t.Errorf("%s: a file's name runs as script", what)
		}
	}
	if !reflect.DeepEqual(d.dir(), before) {
		t.Error("a refused file changed something")
	}
	if n := len(ok(d.registry.Proposals(t.Context(), true, 9))(t)); n != 0 {
		t.Errorf("%d proposals", n)
	}
	for _, account := range []string{"auditor", "admin", "manager"} { // RA-1
		if code, _, _ := d.upload(account, "", "people.csv", newPeople); code != http.StatusForbidden {
			t.Errorf("%s may import: %d", account, code)
		}
	}
}

// PR-5's sibling for cards: no page of an import shows a card's number or a PIN, and a draft lies in memory only, two of an
// account at most.
func TestImportOfCardsShowsNoNumber(t *testing.T) {
	now := noonOfTest()
	d := newRulesDesk(t, &now)
	cards := "card_id,person_id,format,facility_code,card_number,assurance,pin\nC-901,1001,H10301,77,54321,card_auth,2580\n"
	code, body, to := d.upload("a-1", "", "cards.csv", cards)
	if code != http.StatusSeeOther {
		t.Fatalf("%d\n%s", code, mainOf(body))
	}
	_, body, _ = d.as("a-1", to, nil)
	_, wrong, _ := d.upload("a-1", "", "cards.csv", strings.Replace(cards, "C-901,1001", "C-901,9999", 1))
	for _, page := range []string{mainOf(body), mainOf(wrong)} {
		for _, secret := range []string{"54321", "2580"} {
			if strings.Contains(page, secret) {
				t.Errorf("a page shows %s\n%s", secret, page)
			}
		}
	}
	p := &importPages{registry: d.registry, now: func() time.Time { return now }}
	var ids []string
	for n := range 4 {
		draft := ok(p.DraftImport(t.Context(), "x", []web.ImportFile{{Name: fmt.Sprint(n, "-people.csv"), Data: []byte(newPeople)}}))(t)
		ids = append(ids, draft.ID)
	}
	for i, id := range ids {
		if _, err := p.find("x", id); (err == nil) != (i >= 2) {
			t.Errorf("draft %d: %v", i, err)
		}
	}
	for n := range 12 {
		_, _ = p.DraftImport(t.Context(), fmt.Sprint("y", n), []web.ImportFile{{Name: "people.csv", Data: []byte(newPeople)}}) // the last ones find no room
	}
	if len(p.drafts) > draftsInAll {
		t.Errorf("%d drafts are kept", len(p.drafts))
	}
}
