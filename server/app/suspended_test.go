package app

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/server/entrylog"
	"monban/server/logcheck"
	"monban/server/policypub/sitetest"
	"monban/server/store"
	"monban/server/web"
)

// PR-3, ADR 0059: a search by name does not list a line whose use is suspended, and lists the person's other lines.
func TestSuspendedIsNotFoundByName(t *testing.T) {
	for _, n := range []byte{1, 3} { // the older, the newer
		d := filled(t)
		d.decide(3, entrylog.Opening{Person: "1001", Name: "髙橋 健一", Section: "情報政策課", Category: "staff", Masked: "****4567"}, access.ReasonGranted, sitetest.Now().Add(-time.Minute))
		all := d.day(web.LogQuery{Text: "髙橋", Names: true})
		if all.Total != 2 {
			t.Fatalf("%d lines before", all.Total)
		}
		id := all.Attempts[map[byte]int{1: 1, 3: 0}[n]].ID
		keeper := &Retainer{store: d.Site.Store, zone: d.Site.Store.Zone(), now: sitetest.Now}
		twoPersons(t, d.Site.Store)
		if _, err := keeper.Restrict(t.Context(), id, "本人の申出", kato); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"髙橋", "takahashi", "情報政策"} {
			got := d.day(web.LogQuery{Text: text, Names: true})
			found := 0
			for _, a := range got.Attempts {
				if a.ID == id {
					t.Errorf("%q finds the suspended line %d", text, n)
				}
				if a.ID == all.Attempts[0].ID || a.ID == all.Attempts[1].ID {
					found++
				}
			}
			if found != 1 {
				t.Errorf("%q finds %d of the other lines, want 1", text, found)
			}
		}
	}
}

// PR-3, ADR 0059: packs and proofs do not name whose a suspended record is; the record is proved all the same.
func TestSuspendedInPacksAndProofs(t *testing.T) {
	cfg := testSite(t)
	var leaf int64
	withSite(t, cfg, func(s *Site) {
		someEntries(t, s.Store, time.Now())
		id := [16]byte{3}
		twoPersons(t, s.Store)
		if _, err := s.Retainer().Restrict(t.Context(), hex.EncodeToString(id[:]), "本人の申出", kato); err != nil {
			t.Fatal(err)
		}
		if err := s.Store.Read(t.Context(), func(r *store.ReadTx) error {
			row, err := r.AttemptRow(id)
			leaf = row.Opening
			return err
		}); err != nil {
			t.Fatal(err)
		}
	})
	dir := t.TempDir()
	for _, kind := range []string{"day", "audit"} {
		p := PackExport{Kind: kind, Names: true, From: thisDay(cfg).AddDays(-1), To: thisDay(cfg).AddDays(1)}
		path := filepath.Join(dir, kind+".zip")
		if _, err := ExportPack(t.Context(), cfg, p, ExportOptions{Out: path, Reason: "監査", By: "Kato", Now: time.Now()}, quiet); err != nil {
			t.Fatal(err)
		}
		text := shownIn(unzip(t, path))
		for _, n := range []string{"渡邉 一郎", `"person":"p-other"`} {
			if strings.Contains(text, n) {
				t.Errorf("%s pack has %s", kind, n)
			}
		}
		if !strings.Contains(text, "髙橋 花子") || !strings.Contains(text, "利用停止 suspended") {
			t.Errorf("%s pack: nobody is named, or the line does not say why not", kind)
		}
	}
	path := filepath.Join(dir, "one.tlog-proof")
	if _, err := ExportProof(t.Context(), cfg, leaf, true, ExportOptions{Out: path, Reason: "監査", By: "Kato", Now: time.Now()}, quiet); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := logcheck.ParseProof(data)
	if err != nil || p.Shown != logcheck.ShownClosed || len(p.Opening) > 0 {
		t.Errorf("the proof shows %v, %q: %v", p.Shown, p.Opening, err)
	}
}
