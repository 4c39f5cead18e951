package app

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"monban/firmware/calendar"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/server/attempt"
	"monban/server/casework"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/logcheck"
	"monban/server/review"
	"monban/server/store"
	"monban/server/visit"
)

// PR-3, D17: what cannot be read because a key is missing is not passed over: the readme says so. With every key it does not.
func TestPersonPackTellsOfMissingKeys(t *testing.T) {
	cfg := siteOf2021(t)
	withSite(t, cfg, func(s *Site) { seed(t, s, 3) })
	whole := ok(os.ReadFile(cfg.Path(keyStoreFile)))(t)
	readme := func(key []byte, first int) string {
		t.Helper()
		if err := os.WriteFile(cfg.Path(keyStoreFile), key, 0o600); err != nil {
			t.Fatal(err)
		}
		text := ""
		withSite(t, cfg, func(s *Site) {
			x := &exporter{zone: s.Store.Zone(), version: "1", now: func() time.Time { return time.UnixMilli(seedMS) }}
			from := calendar.Date{Year: first, Month: 4, Day: 1}
			ask := &PackExport{Kind: "person", Person: "old000001", From: from, To: calendar.Date{Year: first + 1, Month: 3, Day: 31}}
			var b bytes.Buffer
			out := logcheck.NewPackWriter(&b, "person", "x", time.UnixMilli(seedMS))
			err := s.Store.Read(t.Context(), func(r *store.ReadTx) error { return x.person(t.Context(), r.Reader, out, ask, nil) })
			if err = errors.Join(err, writeManifest(out)); err != nil {
				t.Fatal(err)
			}
			text = zipped(t, b.Bytes())["README.txt"]
		})
		return text
	}
	const word = "鍵がないため読めない記録"
	if text := readme(whole, 2021); strings.Contains(text, word) {
		t.Errorf("every key is there, and the readme says %q", word)
	}
	lost := withoutKey(t, whole, 2021, entrylog.ClassRegister)
	if text := readme(lost, 2021); !strings.Contains(text, word) || !strings.Contains(text, "key is missing") {
		t.Errorf("a key is missing, and the readme does not say so:\n%s", text)
	}
	if text := readme(lost, 2022); strings.Contains(text, word) {
		t.Error("a key of other days is missing, and the readme tells of it")
	}
}

// PR-3, D10: a pack tells of PINs what its readme says and no more: not that one was set, and of no alarm about one. Of others neither why they lent a
// card nor whose a card was; an account that has the name of a section masks no section.
func TestPersonPackTellsNothingOfPINsAndOthers(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	set := func(id directory.CardID, f func(x *directory.Credential)) {
		t.Helper()
		c.edit(func(s *directory.Snapshot) {
			for i := range s.Credentials {
				if s.Credentials[i].ID == id {
					f(&s.Credentials[i])
				}
			}
		})
	}
	c.clock(25, 9, 0) // the directory was read in the day before
	set("C-002", func(x *directory.Credential) { x.Duress = card.PINRef{} })
	set("C-002", func(x *directory.Credential) { x.PIN, x.Duress = card.PINRef{1}, card.PINRef{2} })
	set("C-001", func(x *directory.Credential) { x.Person = "1002" })
	c.must(c.site.Store.Write(ctx, func(tx *store.Tx) error {
		return tx.InsertAccount(store.Account{ID: "shared", Login: "shared", FullName: "情報政策課", CreatedMS: 1, PasswordHash: "x"})
	}))
	locked := c.pass(c.site.Ref(4568), store1, door.EventEntry)
	c.closed(review.PINLocked, locked, attempt.NoIndex, casework.Mistake)
	c.closed(review.Overstay, locked, attempt.NoIndex, casework.Justified)
	lent, err := c.IssueTemporary(ctx, TemporaryForm{Person: "1002", Identity: visit.KnownInPerson, Badge: "B-5", Reason: "窓口で取り乱していたため"}, clerk)
	c.must(err)

	files := c.handed("1002")
	for list, words := range map[string][]string{
		"person.csv":  {"所属", "情報政策課"},
		"loans.csv":   {lent.Label, "貸出中"},
		"changes.csv": {"C-001", "person_id " + maskedOther + " → 1002"},
	} {
		if !c.has(files, list, words...) {
			t.Errorf("%s has no line with %q:\n%s", list, words, files[list])
		}
	}
	for list, words := range map[string][]string{"loans.csv": {"取り乱して"}, "changes.csv": {"person_id 1001", "C-002"}} {
		for _, w := range words {
			if strings.Contains(files[list], w) {
				t.Errorf("%s says %q:\n%s", list, w, files[list])
			}
		}
	}
	if n := strings.Count(files["findings.csv"], "\n"); n != 2 {
		t.Errorf("%d lines of findings, want the head and the one that is none about a PIN:\n%s", n, files["findings.csv"])
	}
}

// PR-3: a full name is masked also where it has two characters and no blank, and a Latin one in capitals or the other order. A number that is nobody's gets
// no pack that says that nothing is held.
func TestPersonPackMasksNamesHoweverWritten(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	c.clock(24, 9, 0)
	c.edit(func(s *directory.Snapshot) {
		for i := range s.People {
			if s.People[i].ID == "1001" {
				s.People[i].Romaji = "Kanda Yuki"
			}
		}
		other := s.People[0]
		other.ID, other.Name, other.NameReduced, other.Kana, other.Romaji = "9001", "林修", "", "", ""
		s.People = append(s.People, other)
	})
	entry := c.pass(c.site.Ref(4568), store1, door.EventEntry)
	_, err := c.StatePurpose(ctx, entry, "林修さん、KANDA yukiさん、yuki kandaさんと点検", section)
	c.must(err)
	files := c.handed("1002")
	if want := strings.Repeat("、"+maskedOther+"さん", 3) + "と点検"; !c.has(files, "lines.csv", strings.TrimPrefix(want, "、")) {
		t.Errorf("lines.csv does not say %q:\n%s", want, files["lines.csv"])
	}
	if !c.has(files, "person.csv", "Sakiyama Naoko") {
		t.Errorf("the own name is masked:\n%s", files["person.csv"])
	}

	x := &exporter{zone: c.site.Zone, version: "1", now: c.Visits.now}
	day := calendar.DateOf(c.at.In(c.site.Zone))
	err = c.site.Store.Read(ctx, func(r *store.ReadTx) error {
		return x.person(ctx, r.Reader, logcheck.NewPackWriter(io.Discard, "person", "x", c.at), &PackExport{Kind: "person", Person: "1Oo2", From: day, To: day}, nil)
	})
	if err == nil || !strings.Contains(err.Error(), "check the number") {
		t.Errorf("a pack of nobody: %v", err)
	}
}

// PR-3: what began before the days and went on is in the pack: a card that is overdue, one that was brought back late, a correction asked for of an entry
// before; of an exception the change, without who agreed to it and why.
func TestPersonPackHasWhatWentOn(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	c.clock(22, 9, 0)
	before := c.pass(c.site.Ref(4568), store1, door.EventEntry)
	hidden := c.pass(c.site.Ref(4568), store1, door.EventEntry)
	lent, err := c.IssueTemporary(ctx, TemporaryForm{Person: "1002", Identity: visit.KnownInPerson, Badge: "B-5"}, clerk)
	c.must(err)
	c.clock(24, 9, 0)
	c.edit(func(s *directory.Snapshot) {
		until, _ := directory.ParseDate("2027-03-31")
		s.Exceptions = append(s.Exceptions, directory.Exception{ID: "X-1", Subject: "person", SubjectID: "1002", What: "研修", Reason: "申出, 急ぎのため", Approver: "神谷 由紀", From: directory.DateOf(c.at), Until: until})
	})
	c.must(c.AskCorrection(ctx, before, visit.Right{Badge: "B-91"}, "名札が違う", section))
	c.must(c.AskCorrection(ctx, hidden, visit.Right{Badge: "B-92"}, "名札が違う", section))
	retain := &Retainer{store: c.site.Store, keys: c.site.Store.Keys(), zone: c.site.Zone, now: c.Visits.now}
	_, err = retain.Restrict(ctx, hidden, "本人の申出", Operator{Account: "chief"})
	c.must(err)
	want := func(files map[string]string, list string, words ...string) {
		t.Helper()
		if !c.has(files, list, words...) {
			t.Errorf("%s has no line with %q:\n%s", list, words, files[list])
		}
	}
	files := c.handed("1002")
	want(files, "loans.csv", lent.Label, "貸出中")
	want(files, "changes.csv", "例外措置", "X-1", "研修")
	want(files, "matters.csv", "訂正", "B-91")
	for list, words := range map[string][]string{"changes.csv": {"申出", "急ぎ", "神谷"}, "matters.csv": {"B-92"}} {
		for _, w := range words {
			if strings.Contains(files[list], w) {
				t.Errorf("%s says %q:\n%s", list, w, files[list])
			}
		}
	}
	_, err = c.ReturnTemporary(ctx, "B-5", false, "", clerk)
	c.must(err)
	want(c.handed("1002"), "loans.csv", lent.Label, "返却済")
	c.clock(25, 9, 0)
	if files := c.handed("1002"); c.has(files, "loans.csv", lent.Label) {
		t.Errorf("a card that was back before the days:\n%s", files["loans.csv"])
	}
}
