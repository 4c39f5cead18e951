package app

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/server/attempt"
	"monban/server/casework"
	"monban/server/entrylog"
	"monban/server/store"
	"monban/server/visit"
	"monban/server/web"
)

// found writes a finding about an attempt.
func (c *counter) found(kind string, id [16]byte) string {
	c.t.Helper()
	var idx int64
	c.must(c.site.Store.Write(c.t.Context(), func(tx *store.Tx) (err error) {
		idx, err = tx.AppendFinding(attempt.Finding{
			Kind: kind, Severity: "medium", Gateway: string(c.pub.Site().Door(store1).Gateway), Door: string(store1), Attempt: id, Cause: attempt.NoIndex, AtMS: c.at.UnixMilli(),
		}, &entrylog.Opening{})
		return err
	}))
	return strconv.FormatInt(idx, 10)
}

// VR-2, PR-2: a case about an entry is worked by neither whose entry it is nor who approved it; it is closed with a verdict, opened again
// with a reason, and verify finds nothing. The words stand in openings.
func TestCase(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	v := c.approved(c.application("来訪 一")) // chief, person 1001, approves; section, 1002, attends
	_, err := c.ReceiveGuest(ctx, v.ID, ReceptionForm{Identity: visit.CompanyCard, Badge: "B-1"}, clerk)
	c.must(err)
	c.pass(c.site.Ref(4568), store1, door.EventEntry)
	id := c.found("held_open", [16]byte{0, 0, 0, byte(c.n)})
	p := c.registers()
	do := func(k casework.Kind, by visit.Actor, to, text string, want error) {
		t.Helper()
		err := p.ActOnCase(ctx, id, k, to, web.Action{At: c.at, Actor: by.Account, Reason: text})
		if !errors.Is(err, want) {
			t.Fatalf("%s by %s: %v, want %v", k, by.Account, err, want)
		}
	}
	do(casework.Take, section, "", "", casework.ErrSubject)
	do(casework.Take, chief, "", "", casework.ErrApprover)
	do(casework.Note, section, "", "﨑山です。台車を通していました。", nil)
	do(casework.Take, clerk, "", "", nil)
	do(casework.Assign, clerk, "nobody", "", casework.ErrNobody)
	do(casework.Assign, clerk, section.Account, "", casework.ErrSubject)
	do(casework.Assign, clerk, watchman.Account, "", nil)
	do(casework.Mistake, watchman, "", "搬入のため", nil)
	got, err := p.CaseByID(ctx, id, true, false)
	c.must(err)
	if got.Finding.Open || got.Case.Verdict != casework.Mistake || got.Owner != "watchman" || !slices.Equal(got.Zones, []access.ZoneID{archive}) || len(got.Acts) != 4 || got.Acts[0].Text == "" || got.Acts[2].To != "watchman" {
		t.Errorf("%+v", got)
	}
	do(casework.Reopen, clerk, "", "別の扉", nil)
	if got, err = p.CaseByID(ctx, id, false, false); err != nil || !got.Finding.Open || strings.Contains(fmt.Sprintf("%+v", got), "﨑山") {
		t.Errorf("%+v %v", got, err)
	}
	for _, bad := range []string{"", "x", "007", "999999", "-1"} {
		if _, err := p.CaseByID(ctx, bad, true, true); !errors.Is(err, web.ErrNotFound) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	c.noNames("﨑山", "1001", "1002", "搬入")
}

// AD-13, D10: whoever may not know of duress finds no such case.
func TestDuressCase(t *testing.T) {
	c := newCounter(t)
	id := c.found("duress", [16]byte{})
	p := c.registers()
	if _, err := p.CaseByID(t.Context(), id, true, false); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("shown to anybody: %v", err)
	}
	if _, err := p.CaseByID(t.Context(), id, true, true); err != nil {
		t.Errorf("not shown to the officer: %v", err)
	}
}
