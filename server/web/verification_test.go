package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"monban/server/web"
)

// EV-1, EV-4: page 18 says how the log stands, whose the witnesses are and how old, and what a check has shown and what not, in both
// languages; a check runs in the background and is a leaf.
func TestVerificationPage(t *testing.T) {
	s := newSite(t, nil)
	auditor := s.login("auditor")
	pages := func(want map[string][]string) {
		t.Helper()
		for lang, words := range want {
			doc := text(t, s.get("/verification", auditor+"; monban_language="+lang))
			for _, w := range words {
				if !strings.Contains(doc, w) {
					t.Errorf("%s: no %q", lang, w)
				}
			}
		}
	}
	pages(map[string][]string{
		"ja": {"証跡検証", "未署名 3 件", "このサイトのゲートウェイ", "1 日より前", "サーバーの起動後は未検証", "ログ全体を検証する", "タイムスタンプ", "CN=Time 1,O=Example", "10200"},
		"en": {"Verification", "3 not signed yet", "A gateway of this site", "Older than a day", "Not checked since the server began", "Time by the authority", "CN=Time 1,O=Example"},
	})
	before := len(s.mem.Actions())
	s.status("check", s.post("/verification/check", auditor, nil), http.StatusSeeOther)
	s.status("again", s.post("/verification/check", auditor, nil), http.StatusSeeOther)
	if got := s.acts(before); len(got) != 1 || got[0] != web.ActionLogChecked {
		t.Errorf("leaves %v", got)
	}
	pages(map[string][]string{"ja": {"10503 件中 4096 件"}, "en": {"4096 of 10503", `http-equiv="refresh"`}})
	c := &s.mem.Proofs.Log.Check
	c.State, c.Ended, c.Leaves = web.CheckClean, time.Now(), 10_503
	pages(map[string][]string{"ja": {"異常は見つかりませんでした", "証明されないこと"}, "en": {"Nothing was found: 10503 records", "What it does not show"}})
	// ADR 0074: what the database keeps, cosignatures too, is not said to prove anything against who has the log's key.
	for lang, w := range map[string]struct{ not, not2, holds, but, part string }{
		"ja": {"書き換えもありません", "連署したチェックポイント", "ログの鍵を持たない人によって", "その人に対する証拠になりません", "証明されないこと"},
		"en": {"has written nothing anew", "witnesses have cosigned", "nobody without the log", "nor do its cosignatures", "What it does not show"},
	} {
		doc := text(t, s.get("/verification", auditor+"; monban_language="+lang))
		if strings.Contains(doc, w.not) || strings.Contains(doc, w.not2) {
			t.Errorf("%s: the page says that cosignatures in the database show it", lang)
		}
		proven, open, _ := strings.Cut(doc, w.part)
		if !strings.Contains(proven, w.holds) || !strings.Contains(open, w.but) {
			t.Errorf("%s: the page does not say against whom this proves nothing", lang)
		}
	}
	c.State, c.Findings, c.First = web.CheckFound, 3, "log_leaf 320: the body does not have its stored hash"
	pages(map[string][]string{"ja": {"異常 3 件", "log_leaf 320"}, "en": {"3 findings", "log_leaf 320"}})
	s.mem.Proofs.Log.Refused = true
	pages(map[string][]string{"ja": {"署名を停止中", "証拠として保全"}, "en": {"nothing is signed", "keep it as evidence"}})

	res := s.get("/verification/checkpoint", auditor)
	if doc := text(t, res); doc != s.mem.Proofs.Log.Checkpoint || !strings.Contains(res.Header.Get("Content-Disposition"), "checkpoint-10500.txt") {
		t.Errorf("checkpoint %q", doc)
	}
}

// EV-5, RA-4: one record is proved from its line: with a reason, after a fresh check of identity; names only for who sees them.
func TestProofPage(t *testing.T) {
	s := newSite(t, nil)
	auditor := s.login("auditor")
	if doc := text(t, s.get("/verification?leaf=77", auditor)); !strings.Contains(doc, `value="77"`) || !strings.Contains(doc, `name="names"`) {
		t.Error("the record's number is not there, or names cannot be asked for")
	}
	before := len(s.mem.Actions())
	for _, bad := range []url.Values{
		{"leaf": {"77"}, "reason": {" "}}, {"leaf": {""}, "reason": {"x"}}, {"leaf": {"-1"}, "reason": {"x"}}, {"leaf": {"07"}, "reason": {"x"}}, {"leaf": {"99999999"}, "reason": {"x"}},
	} {
		s.status(bad.Encode(), s.post("/verification/proof", auditor, bad), http.StatusUnprocessableEntity)
	}
	if got := s.acts(before); len(got) != 0 {
		t.Errorf("a refused proof left %v", got)
	}
	res := s.post("/verification/proof", auditor, url.Values{"leaf": {"77"}, "names": {"1"}, "reason": {"監査委員の依頼"}})
	if doc := text(t, res); res.StatusCode != http.StatusOK || !strings.Contains(doc, "index 77\nnames true") || !strings.Contains(res.Header.Get("Content-Disposition"), "leaf-77.tlog-proof") {
		t.Errorf("%d %s", res.StatusCode, doc)
	}
	if got := s.acts(before); len(got) != 1 || got[0] != web.ActionProofMade {
		t.Errorf("leaves %v", got)
	}
	admin := s.login("system_administrator")
	if doc := text(t, s.get("/verification", admin)); strings.Contains(doc, "/verification/proof") {
		t.Error("who runs the machines is offered proofs")
	}
	s.status("by who runs the machines", s.post("/verification/proof", admin, url.Values{"leaf": {"7"}, "reason": {"x"}}), http.StatusForbidden)
}
