package app

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"monban/firmware/access"
	"monban/firmware/calendar"
	"monban/firmware/door"
	"monban/server/attempt"
	"monban/server/casework"
	"monban/server/datarequest"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/logcheck"
	"monban/server/review"
	"monban/server/store"
	"monban/server/visit"
	"monban/server/web"
)

// handed makes the files of somebody's pack on 24 November 2026.
func (c *counter) handed(id directory.PersonID) map[string]string {
	c.t.Helper()
	var b bytes.Buffer
	x := &exporter{zone: c.site.Zone, version: "1", now: c.Visits.now}
	out := logcheck.NewPackWriter(&b, "person", "x", c.at)
	day := calendar.DateOf(c.at.In(c.site.Zone))
	ask := &PackExport{Kind: "person", Person: id, From: day, To: day}
	c.must(c.site.Store.Read(c.t.Context(), func(r *store.ReadTx) error { return x.person(c.t.Context(), r.Reader, out, ask, nil) }))
	c.must(writeManifest(out))
	return zipped(c.t, b.Bytes())
}

// writeManifest ends a pack of a site that signs nothing.
func writeManifest(out *logcheck.PackWriter) error {
	_, err := out.Manifest()
	return errors.Join(err, out.Close(&logcheck.Proof{}))
}

// zipped gives the files of a pack.
func zipped(t *testing.T, pack []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(pack), int64(len(pack)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = string(ok(io.ReadAll(r))(t))
	}
	return files
}

// has reports whether a list has a line with all of these words.
func (c *counter) has(files map[string]string, list string, words ...string) bool {
	c.t.Helper()
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(files[list], "\ufeff"))).ReadAll()
	c.must(err)
	return len(rows) > 1 && slices.ContainsFunc(rows[1:], func(row []string) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(strings.Join(row, "|"), w) })
	})
}

// denied has the server refuse a person's card at the media store.
func (c *counter) denied(reason string) {
	c.t.Helper()
	h, _ := c.pub.Site().Holder(c.site.Ref(4568))
	o := h.Opening()
	c.n++
	d := entrylog.Decision{Gateway: "gw-2", Door: string(store1), Side: "enter", Outcome: "denied", Reason: reason, Policy: 1, AtMS: c.at.UnixMilli(), Assurance: "uid_only"}
	d.Ask[3], d.Attempt[3] = byte(c.n), byte(c.n)
	c.must(c.site.Store.Write(c.t.Context(), func(tx *store.Tx) error { _, err := tx.AppendDecision(d, &o); return err }))
}

// closed makes a finding about an entry, or with a cause, and closes it with a verdict.
func (c *counter) closed(kind review.Kind, entry string, cause int64, verdict casework.Kind) {
	c.t.Helper()
	key, _ := attemptKey(entry)
	c.must(c.site.Store.Write(c.t.Context(), func(tx *store.Tx) error {
		idx, err := tx.AppendFinding(attempt.Finding{Kind: string(kind), Severity: "medium", Door: string(store1), Attempt: key, Cause: cause, AtMS: c.at.UnixMilli()}, nil)
		if err == nil && verdict != "" {
			_, err = tx.AppendFindingAct(store.FindingAct{Finding: idx, Kind: string(verdict), Account: "chief", AtMS: c.at.UnixMilli(), Text: "神谷 由紀が確認"}, "lan", "192.0.2.9")
		}
		return err
	}))
}

// PR-3: what a person is handed holds each kind of data that is held about them, and names nobody else: a person of the staff, host and user, and a
// contractor, guest. What is suspended or erased, what is still looked into and what tells of PINs is not in it.
func TestPersonPackIsWhole(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	d := &dataRequests{c.Visits, &Retainer{store: c.site.Store, keys: c.site.Store.Keys(), zone: c.site.Zone, now: c.Visits.now}}
	c.edit(func(s *directory.Snapshot) {
		s.Items = append(s.Items, directory.Item{ID: "ZZ-KEY", Kind: directory.ItemKey, Name: "媒体庫 正鍵", Doors: string(store1), State: directory.ItemPresent})
		for i := range s.People {
			if s.People[i].ID == "1002" {
				s.People[i].Section = "情報管理課"
			}
		}
		until, _ := directory.ParseDate("2027-03-31")
		s.Exceptions = append(s.Exceptions, directory.Exception{ID: "X-1", Subject: "person", SubjectID: "1002", What: "研修", Reason: "髙橋 健一の申出", Approver: "神谷 由紀", From: directory.DateOf(c.at), Until: until})
	})

	c.clock(24, 9, 0) // before the visit, whose purpose would count
	entry := c.pass(c.site.Ref(4568), store1, door.EventEntry)
	c.denied("outside_schedule")
	hidden, gone := c.pass(c.site.Ref(4568), store1, door.EventEntry), c.pass(c.site.Ref(4568), store1, door.EventEntry)
	_, err := c.StatePurpose(ctx, entry, "神谷　由紀さんの依頼で電池の交換", section)
	c.must(err)
	_, err = c.StatePurpose(ctx, hidden, "伏せる目的", section)
	c.must(err)
	c.must(c.CorrectRow(ctx, archive, entry, visit.Right{Name: "髙橋 健一", Badge: "B-77"}, "聞き違い", chief))
	c.must(c.CorrectRow(ctx, archive, hidden, visit.Right{Badge: "B-78"}, "聞き違い", chief))

	c.clock(24, 10, 0)
	app := c.application("渡部 来訪", "三浦花子")
	app.Purpose = "渡部来訪さんと設備の下見"
	app.Guests = append(app.Guests, visit.Guest{Name: "佐藤 翔", Person: "K-2001", Category: directory.Contractor})
	app.Contract = "2026-joho-017"
	v := c.approved(app)
	_, err = c.ReceiveGuest(ctx, v.ID, ReceptionForm{Guest: 2, Identity: visit.CompanyCard, Badge: "B-1", Carrier: "1002", Declared: []visit.Declared{{What: "computer", Serial: "SN-PC-1"}}}, clerk)
	c.must(err)
	_, err = c.LendKey(ctx, visit.KeyLoan{Key: "ZZ-KEY", Person: "1002", Purpose: "電気錠の故障"}, clerk)
	c.must(err)
	_, err = c.SuspendCard(ctx, "C-002", false, c.at, "見当たらない", section)
	c.must(err)
	_, _, err = c.OpenCarry(ctx, visit.Carry{Direction: visit.CarryIn, Zone: "media-store", Doors: []access.DoorID{store1}, Purpose: "機器の更新", Impact: visit.Impact{Result: "none", Checker: "1001"}, Attendee: "1002",
		Items: []visit.Item{{What: "server", Serial: "SN-SRV-9", Owner: "三浦花子"}}}, clerk)
	c.must(err)

	id, err := d.BeginDataRequest(ctx, datarequest.Record{Want: datarequest.Disclosure, Text: "すべての記録（髙橋健一さんの閲覧分も）"}, section)
	c.must(err)
	c.must(errors.Join(d.do(t, id, datarequest.Taken, chief), d.do(t, id, datarequest.Granted, chief)))

	c.closed(review.Overstay, entry, attempt.NoIndex, casework.Mistake)
	c.closed(review.AfterHours, entry, attempt.NoIndex, "")               // is looked into
	c.closed(review.Duress, entry, attempt.NoIndex, casework.Justified)   // D10
	c.closed(review.FirstUse, entry, attempt.NoIndex, casework.Incident)  // goes on elsewhere
	c.closed(review.NoEntry, hidden, attempt.NoIndex, casework.Justified) // of a suspended line
	c.must(c.site.Store.Write(ctx, func(tx *store.Tx) error {
		return errors.Join(
			tx.SetRoles("section", []store.RoleAssignment{{Role: "section_manager", FromMS: 1}}),
			tx.SaveSession(store.Session{TokenHash: "h", Account: "section", CreatedMS: c.at.UnixMilli(), SeenMS: c.at.UnixMilli(), ExpiresMS: c.at.UnixMilli() + 3_600_000, Address: "198.51.100.7", Agent: "Firefox/9"}),
			tx.InsertPasskey(store.Passkey{Credential: []byte{1}, Account: "section", Name: "青い鍵", RP: "monban.example", Data: []byte{1}, CreatedMS: 1}),
			tx.InsertToken(store.APIToken{ID: "t1", Account: "section", Name: "集計用", CreatedMS: 1, ExpiresMS: c.at.UnixMilli() + 1}),
			tx.InsertAccountRequest(store.AccountRequest{ID: "q1", Kind: "role", Account: "section", Role: "reviewer", Why: "神谷 由紀の推薦", AskedBy: "chief", AskedMS: 1, State: "asked"}),
			tx.LinkExternal("https://idp.example", "subject-9", "section", 1),
			act(tx, web.Action{At: c.at, Kind: web.ActionLogin, Actor: "section", Address: "198.51.100.8"}),
			act(tx, web.Action{At: c.at, Kind: web.ActionRoleGranted, Actor: "chief", Target: "section", Address: "203.0.113.9"}))
	}))
	for _, word := range []string{hidden, gone} {
		_, err = d.retain.Restrict(ctx, word, "本人の申出", Operator{Account: "chief"})
		c.must(err)
	}
	c.must(d.retain.Decide(ctx, "request-00002", "R8-1", true, "認容", Operator{Account: "clerk"}))

	files := c.handed("1002")
	for list, lines := range map[string][][]string{
		"person.csv":   {{"﨑山 直子"}, {"情報管理課"}, {"カード番号の末尾", "****68"}, {"Information policy section"}, {"例外措置", "研修"}, {maskedOther}},
		"rights.csv":   {{"保管室", "グループ"}, {"サーバ室", "有効"}},
		"changes.csv":  {{"変更 changed", "section 情報政策課 → 情報管理課", maskedOther}, {"status active → suspended", selfCell}},
		"lines.csv":    {{"許可", "﨑山 直子", maskedOther + "さんの依頼で電池の交換"}, {"拒否 / ", "時間帯"}, {suspendedCell}},
		"visits.csv":   {{v.ID, "立会者", "付添者", "申請者", maskedOther + "さんと設備の下見", maskedOther + " × 3"}},
		"loans.csv":    {{"鍵", "媒体庫 正鍵", "電気錠の故障", maskedOther}},
		"matters.csv":  {{"カードの停止", "C-002", "見当たらない", selfCell}, {"訂正", "B-77", "氏名 name " + maskedOther}, {"持込・持出", "SN-SRV-9", maskedOther}},
		"requests.csv": {{id, "開示", "すべての記録（" + maskedOther + "さんの閲覧分も）"}, {id, "認める", "理由"}},
		"findings.csv": {{"誤操作"}},
		"acts.csv":     {{"login", "198.51.100.8", selfCell}, {"role_granted", maskedOther}, {"purpose_stated", selfCell}},
		"accounts.csv": {{"section"}, {"所属長"}, {"198.51.100.7", "Firefox/9"}, {"青い鍵"}, {"集計用"}, {"role", "点検者"}, {"subject-9"}},
	} {
		for _, words := range lines {
			if !c.has(files, list, words...) {
				t.Errorf("%s has no line with %q:\n%s", list, words, files[list])
			}
		}
	}
	if n := strings.Count(files["findings.csv"], "\n"); n != 2 {
		t.Errorf("%d lines of findings, want the head and one:\n%s", n, files["findings.csv"])
	}
	if n := strings.Count(files["lines.csv"], "\n"); n != 4 {
		t.Errorf("%d lines, want the head, one granted, one denied, one suspended:\n%s", n, files["lines.csv"])
	}
	told := 0 // leaves of findings: their numbers are in no list
	c.must(c.site.Store.Read(ctx, func(r *store.ReadTx) error {
		list, _, err := r.FindingsWithDuress(true, 0, 100)
		for _, f := range list {
			if f.Attempt != ([16]byte{}) {
				told++
				if strings.Contains(strings.ReplaceAll(files["lines.csv"], ",", " "), " "+number(int(f.Idx))+" ") {
					t.Errorf("lines.csv names leaf %d, a finding %s", f.Idx, f.Kind)
				}
			}
		}
		return err
	}))
	if told < 5 {
		t.Errorf("%d findings, want 5 at least", told)
	}
	for _, word := range []string{"開示", "利用目的", "保存期間: 作成した年度の翌年度から", "What is left out", "暗証番号", "third party"} {
		if !strings.Contains(files["README.txt"], word) {
			t.Errorf("the readme does not say %q:\n%s", word, files["README.txt"])
		}
	}

	guest := c.handed("K-2001")
	for list, words := range map[string][]string{
		"visits.csv": {v.ID, "来訪者 visitor", maskedOther + " × 2", "社員証", "100", "SN-PC-1", "東北システム保守株式会社"}, "loans.csv": {"名札", "100", maskedOther}, "person.csv": {"契約", "サーバ等保守業務委託"}, "rights.csv": {"サーバ室"},
	} {
		if !c.has(guest, list, words...) {
			t.Errorf("of the guest: %s has no line with %q:\n%s", list, words, guest[list])
		}
	}

	// No name of anybody else, however it is written, and nothing of what is left out.
	var dir directory.Snapshot
	c.must(c.site.Store.Read(ctx, func(r *store.ReadTx) (err error) { dir, err = r.Directory(); return err }))
	for who, files := range map[directory.PersonID]map[string]string{"1002": files, "K-2001": guest} {
		secret := []string{"渡部 来訪", "渡部来訪", "三浦花子", "203.0.113.9", "伏せる目的", "B-78", "{", "⟦", "聞き違い", "推薦", "duress", "強要時の暗証番号", "chief", "clerk"}
		for i := range dir.People {
			if x := &dir.People[i]; x.ID != who {
				secret = append(secret, x.Name, unspaced(x.Name), x.Kana, x.Romaji)
			}
		}
		for name, text := range files {
			for _, word := range secret {
				if name != "README.txt" && word != "" && strings.Contains(text, word) {
					t.Errorf("%s of %s says %q:\n%s", name, who, word, text)
				}
			}
		}
	}
}
