package store

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"monban/server/entrylog"
)

// EV-1: a matter is what its newest leaf says; of two who move it from the same state one only does.
func TestMatter(t *testing.T) {
	s := newSite(t)
	st := s.open(t)
	act := entrylog.Action{Account: "a1", Verb: "carry_opened", From: "lan", Result: "ok", AtMS: monday}
	text := MatterText{Kind: "carry", State: "open", Open: true, Zone: "room", FromMS: monday, Doc: []byte(`{"item":"ディスク"}`)}
	var m Matter
	must(t, st.Write(t.Context(), func(tx *Tx) (err error) {
		if text.ID, err = tx.NextMatterID("carry", 2026); err != nil {
			return err
		}
		m, err = tx.PutMatter(Matter{}, text, act, entrylog.Opening{})
		return err
	}))
	if m.ID != "carry-2026-00001" || m.First != m.Idx {
		t.Errorf("%+v", m)
	}
	text.State, text.Open, text.UntilMS = "closed", false, monday+1000
	must(t, st.Write(t.Context(), func(tx *Tx) (err error) { _, err = tx.PutMatter(m, text, act, entrylog.Opening{}); return err }))
	err := st.Write(t.Context(), func(tx *Tx) (err error) { _, err = tx.PutMatter(m, text, act, entrylog.Opening{}); return err })
	if !errors.Is(err, ErrNotFound) {
		t.Errorf("a second move from the same state: %v", err)
	}
	must(t, st.Read(t.Context(), func(r *ReadTx) error {
		got, err := r.Matter(m.ID)
		if err != nil || got.State != "closed" || got.First != m.First || got.Idx == m.Idx {
			t.Errorf("%+v %v", got, err)
		}
		said, err := r.MatterText(got.Idx)
		if err != nil || string(said.Doc) != `{"item":"ディスク"}` {
			t.Errorf("%s %v", said.Doc, err)
		}
		for at, want := range map[int64]int{monday - 1: 0, monday: 1, monday + 999: 1, monday + 1000: 0} {
			if list, err := r.MattersAt("carry", at); err != nil || len(list) != want {
				t.Errorf("at %d: %v %v, want %d", at, list, err, want)
			}
		}
		if leaf, err := r.Leaf(got.Idx); err != nil || containsAny(leaf.Body, "carry-2026", "ディスク") {
			t.Errorf("the leaf tells which matter it is: %s %v", leaf.Body, err) // PR-2
		}
		return nil
	}))
	wantClean(t, s.verify(t, true))
	wantClean(t, s.verify(t, false))
}

func containsAny(b []byte, texts ...string) bool {
	return slices.ContainsFunc(texts, func(x string) bool { return bytes.Contains(b, []byte(x)) })
}

// I8: a row that was put back to an older leaf of its matter, so that a badge looks returned, shows; also when its columns are left
// as they were.
func TestMatterPutBack(t *testing.T) {
	for _, set := range []string{`idx = first_idx`, `idx = first_idx, state = 'applied', open = 1`} {
		s, _ := template(t)
		db := rawDB(t, s.path)
		var id string
		must(t, db.QueryRow(`SELECT id FROM matter WHERE first_idx <> idx LIMIT 1`).Scan(&id))
		_, err := db.Exec(`UPDATE matter SET `+set+` WHERE id = ?`, id)
		must(t, err)
		must(t, db.Close())
		res, err := VerifyFile(context.Background(), s.path, s.verifyOptions(true))
		must(t, err)
		if !namesRow(res, "matter", id, id) {
			t.Errorf("%s: verify says %v", set, firstOf(res))
		}
	}
}
