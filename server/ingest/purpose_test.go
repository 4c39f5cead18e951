package ingest_test

import (
	"crypto/rand"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/entrylog"
	"monban/server/policypub/sitetest"
	"monban/server/store"
	"monban/server/visit"
)

// keyed appends what the holder of a sample card keyed in.
func (b *box) keyed(number uint64, code, a byte) *box {
	sealed := wire.SealPrivate(b.site.Keys.Gateways[b.gw].Ask, sitetest.Nonce(), wire.Private{Card: b.site.Sealed(b.gw, number), Purpose: code})
	var salt [32]byte
	_, _ = rand.Read(salt[:]) // crypto/rand never fails
	r := wire.Record{
		Gateway: b.gw, Epoch: b.epoch, Seq: uint64(len(b.records) + 1), Door: "server-room-1", Side: access.SideEnter, Event: door.EventPurposeKeyed,
		Attempt: door.Attempt{a, b.epoch[0], b.epoch[1]}, Stamp: b.stamp, Link: "clear", GCommit: wire.Commit(salt, sealed),
	}
	b.push(wire.Carried{Body: wire.AppendRecord(nil, &r), Private: sealed, Salt: salt[:]})
	return b
}

func (h *harness) purposes(labels ...string) {
	h.t.Helper()
	set := visit.DefaultSettings()
	set.PurposeLabels = map[access.ZoneID][]string{"server-room": labels}
	text, err := json.Marshal(set)
	if err == nil {
		err = h.Store.Write(h.t.Context(), func(tx *store.Tx) error { return tx.SetSetting(visit.SettingsKey, string(text)) })
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// RR-7, PR-2: a keyed purpose is in the opening, with the words that its code had when it came; the leaf and the line show only that there
// is one, and the line's decision, person and inputs are those of the card, whichever record came first.
func TestKeyedPurpose(t *testing.T) {
	h := newHarness(t)
	h.purposes("巡回", "障害対応")
	box := newBox(h.Site, "gw-1", 1).keyed(4567, 2, 7).granted("server-room-1", 4567, 7).event(door.EventEntry, 7).keyed(4567, 9, 7)
	h.take(box.batch(1, 3))
	h.purposes("別の意味", "別の意味")
	read := func() (row attempt.Row, o entrylog.Opening, leaf entrylog.Leaf) {
		t.Helper()
		err := h.Store.Read(t.Context(), func(r *store.ReadTx) (err error) {
			if row, err = r.AttemptRow(door.Attempt{7, 1}); err != nil {
				return err
			}
			idx, err := attempt.KeyedLeaf(r, &row)
			if err != nil {
				return err
			}
			if leaf, err = r.Leaf(idx); err != nil {
				return err
			}
			o, err = r.Opening(idx)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return row, o, leaf
	}
	row, o, leaf := read()
	if o.Purpose != "障害対応" || o.Text != "2" || o.Person != "1001" {
		t.Errorf("opening %+v", o)
	}
	body := regexp.MustCompile(`[0-9a-f]{64}`).ReplaceAllString(string(leaf.Body), "") // some commitment holds any four digits now and then
	for _, secret := range []string{"障害", "1001", `"2"`} {
		if strings.Contains(body, secret) {
			t.Errorf("the leaf holds %s: %s", secret, leaf.Body)
		}
	}
	if row.Outcome != "granted" || row.Passage != "entry" || row.PersonRef == nil || row.Flags&attempt.FlagPurpose == 0 {
		t.Errorf("line %+v", row)
	}
	if err := h.Store.Read(t.Context(), func(r *store.ReadTx) error {
		who, err := r.Opening(row.Opening)
		if len(who.Inputs) == 0 || who.Purpose != "" {
			t.Errorf("the line's opening is not the decision's: %+v", who)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	h.take(box.all()) // keyed again: the last counts, and nobody has named 9
	if _, o, _ := read(); o.Purpose != "" || o.Text != "9" {
		t.Errorf("the second: %+v", o)
	}
}
