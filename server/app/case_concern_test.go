package app

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"monban/firmware/door"
	"monban/server/attempt"
	"monban/server/casework"
	"monban/server/entrylog"
	"monban/server/review"
	"monban/server/store"
	"monban/server/visit"
	"monban/server/web"
)

// caseworker tries acts on the one finding of a kind.
func (c *counter) caseworker(kind string) func(k casework.Kind, by visit.Actor, to string, want error) {
	id, p := c.only(kind).Finding.ID, c.registers()
	return func(k casework.Kind, by visit.Actor, to string, want error) {
		c.t.Helper()
		err := p.ActOnCase(c.t.Context(), id, k, to, web.Action{At: c.at, Actor: by.Account, Reason: "確認済"})
		if !errors.Is(err, want) {
			c.t.Errorf("%s: %s by %s: %v, want %v", kind, k, by.Account, err, want)
		}
	}
}

// VR-2, VE-12, AD-16, AD-17, EQ-4, RR-7: a finding without an attempt is worked by none of the persons of its matter: not by the holder of a
// temporary card and who lent it, not by the approver who has not confirmed and who recorded it, not by the holder of a stopped card and who
// stopped it, not by who had the key, not by whose purpose is missing, not by who did what its cause says.
func TestNobodyWorksACaseOfTheirOwnMatter(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	c.keyOf(string(store1))
	c.must(c.SetVisitSettings(ctx, func() visit.Settings {
		s := visit.DefaultSettings()
		s.PurposeZones = append(s.PurposeZones, archive)
		return s
	}(), "媒体庫だけ", chief))
	c.pass(c.site.Ref(4567), store1, door.EventEntry) // 1001, chief
	c.clock(24, 10, 30)
	_, _, err := c.UrgentVisit(ctx, c.application("来訪 一"), chief.Person, clerk)
	c.must(err)
	_, err = c.SuspendCard(ctx, "C-001", false, time.Time{}, "見当たらない", watchman)
	c.must(err)
	k, err := c.LendKey(ctx, visit.KeyLoan{Key: "ZZ-KEY", Person: section.Person, Purpose: "点検"}, clerk)
	c.must(err)
	_, err = c.ReturnKey(ctx, k.ID, true, "側溝に落とした", clerk)
	c.must(err)
	_, err = c.IssueTemporary(ctx, TemporaryForm{Person: section.Person, Identity: visit.KnownInPerson, Badge: "B-5"}, clerk)
	c.must(err)
	c.must(c.site.Store.Write(ctx, func(tx *store.Tx) error {
		idx, err := tx.AppendAction(entrylog.Action{Account: section.Account, Verb: "export_refused", Target: "export", ID: "log", From: "lan", Result: "refused", AtMS: c.at.UnixMilli()}, nil)
		if err != nil {
			return err
		}
		_, err = tx.AppendFinding(attempt.Finding{Kind: string(review.ExportNoPurpose), Severity: "medium", Cause: idx, Detail: "log", AtMS: c.at.UnixMilli()}, nil)
		return err
	}))
	c.clock(30, 18, 0)
	for range 40 {
		c.must(c.sweep(ctx))
	}
	no, half := casework.ErrSubject, casework.ErrApprover
	for kind, want := range map[string]map[string]error{
		"temporary_unreturned":   {"section": no, "clerk": no, "chief": nil},
		"oral_unconfirmed":       {"chief": half, "clerk": no, "section": no, "watchman": nil}, // section attends
		"entries_unconfirmed":    {"chief": no, "watchman": no, "section": nil},
		"key_lost":               {"section": no, "clerk": no, "chief": nil},
		"purpose_blank":          {"chief": no, "section": nil},
		"export_without_purpose": {"section": no, "clerk": nil},
	} {
		do := c.caseworker(kind)
		for _, by := range []visit.Actor{chief, clerk, section, watchman} {
			if err, ok := want[by.Account]; ok && err != nil {
				do(casework.Take, by, "", err)
			}
		}
		for _, by := range []visit.Actor{chief, clerk, section, watchman} {
			if err, ok := want[by.Account]; ok && err == nil {
				do(casework.Take, by, "", nil)
				do(casework.Justified, by, "", nil)
			}
		}
	}
}

// VR-2: where it cannot be read any more whom a case concerns, one person does not close it alone.
func TestCaseOfAMatterThatCannotBeRead(t *testing.T) {
	c := newCounter(t)
	c.must(c.site.Store.Write(t.Context(), func(tx *store.Tx) error {
		m, err := tx.PutMatter(store.Matter{}, store.MatterText{ID: "temporary_card-2026-00001", Kind: visit.KindTemporary, State: "lent", Open: true, Doc: []byte("[]")},
			entrylog.Action{Verb: "temporary_card_issued", From: "lan", Result: "ok", AtMS: c.at.UnixMilli()}, entrylog.Opening{})
		if err != nil {
			return err
		}
		_, err = tx.AppendFinding(attempt.Finding{Kind: string(review.TemporaryUnreturned), Severity: "medium", Cause: m.First, AtMS: c.at.UnixMilli()}, nil)
		return err
	}))
	do := c.caseworker("temporary_unreturned")
	do(casework.Take, chief, "", nil)
	do(casework.Mistake, chief, "", casework.ErrHidden)
	do(casework.Mistake, clerk, "", nil)
}

// VR-2, VR-11: who signs a zone's days calls the day that nobody signed justified only when somebody else has given them the case; a manager
// who is alone says that it was a mistake, and an officer may call it justified.
func TestUnsignedDayIsNotExcusedByItsSigners(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	var who []visit.Actor
	c.must(c.site.Store.Write(ctx, func(tx *store.Tx) error {
		for i, as := range []store.RoleAssignment{
			{Role: "zone_manager", Zone: string(archive)}, {Role: "reviewer"}, {Role: "zone_manager", Zone: "server-room"}, {Role: "csirt"},
			{Role: "zone_manager", Zone: string(archive), UntilMS: 1},
		} {
			a := visit.Actor{Account: fmt.Sprintf("M%d", i)}
			who = append(who, a)
			if err := tx.InsertAccount(store.Account{ID: a.Account, Login: a.Account, FullName: a.Account, CreatedMS: 1, PasswordHash: "x", Roles: []store.RoleAssignment{as}}); err != nil {
				return err
			}
		}
		_, err := tx.AppendFinding(attempt.Finding{Kind: string(review.UnsignedDay), Severity: "medium", Cause: review.NoCause, Detail: string(archive) + "/2026-11-23", AtMS: c.at.UnixMilli()}, nil)
		return err
	}))
	manager, reviewer, officer := who[0], who[1], who[3]
	do := c.caseworker("unsigned_day")
	again := func() { t.Helper(); do(casework.Reopen, officer, "", nil) }
	do(casework.Take, manager, "", nil)
	do(casework.Justified, manager, "", casework.ErrAlone)
	do(casework.Mistake, manager, "", nil)
	again()
	do(casework.Take, officer, "", nil)
	do(casework.Justified, reviewer, "", casework.ErrAlone) // a signer of the whole site
	do(casework.Assign, officer, reviewer.Account, nil)
	do(casework.Justified, reviewer, "", nil)
	for _, x := range who[2:] { // signs elsewhere, is an officer, no longer signs
		again()
		do(casework.Take, x, "", nil)
		do(casework.Justified, x, "", nil)
	}
}
