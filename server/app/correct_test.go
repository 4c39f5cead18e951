package app

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/signoff"
	"monban/server/visit"
	"monban/server/web"
)

// VR-12, PR-2: a correction stands beside what was recorded, and both are shown; the manager's own row is another's to correct; what a person
// asks for is answered by somebody else. No leaf names anybody, and verify finds nothing.
func TestCorrections(t *testing.T) {
	c := newCounter(t)
	c.pass(c.site.Ref(4568), store1, door.EventEntry) // person 1002, as section
	id := fmt.Sprintf("%032x", 0)
	id = id[:6] + fmt.Sprintf("%02x", c.n) + id[8:]
	c.clock(24, 11, 0)
	c.pass(c.site.Ref(4568), store1, door.EventExit)
	right := visit.Right{Purpose: "電池の交換", Badge: "14"}
	refuse := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	ctx := t.Context()
	refuse("the own row", c.CorrectRow(ctx, archive, id, right, "聞き違い", section), visit.ErrSamePerson)
	refuse("no reason", c.CorrectRow(ctx, archive, id, right, "", chief), visit.ErrMissing)
	refuse("nothing", c.CorrectRow(ctx, archive, id, visit.Right{}, "x", chief), visit.ErrMissing)
	refuse("exit before entry", c.CorrectRow(ctx, archive, id, visit.Right{InMS: c.ms(24, 10, 0), OutMS: c.ms(24, 9, 0)}, "x", chief), visit.ErrWindow)
	refuse("in the future", c.CorrectRow(ctx, archive, id, visit.Right{OutMS: c.ms(25, 9, 0)}, "x", chief), visit.ErrWindow)
	refuse("another zone", c.CorrectRow(ctx, "server-room", id, right, "x", chief), web.ErrNotFound)
	refuse("no line", c.CorrectRow(ctx, archive, "zz", right, "x", chief), web.ErrNotFound)
	c.must(c.CorrectRow(ctx, archive, id, right, "﨑山さんと髙橋さんの聞き違い", chief))
	refuse("another's", c.AskCorrection(ctx, id, right, "x", chief), visit.ErrNotHolder)
	c.must(c.AskCorrection(ctx, id, visit.Right{OutMS: c.ms(24, 10, 50)}, "先に出た", section))
	refuse("twice", c.AskCorrection(ctx, id, right, "x", section), visit.ErrState)
	asked, err := c.CorrectionsAsked(ctx, archive)
	c.must(err)
	if len(asked) != 1 || asked[0].Who != "﨑山 直子" || asked[0].Reason != "先に出た" || asked[0].Due.IsZero() {
		t.Fatalf("%+v", asked)
	}
	refuse("own answer", c.AnswerCorrection(ctx, asked[0].ID, true, "", section), visit.ErrSamePerson)
	refuse("refused without a word", c.AnswerCorrection(ctx, asked[0].ID, false, "", chief), visit.ErrMissing)
	c.must(c.AnswerCorrection(ctx, asked[0].ID, true, "", chief))
	refuse("twice", c.AnswerCorrection(ctx, asked[0].ID, true, "", chief), visit.ErrState)
	out, err := c.registers().Register(ctx, web.RegisterQuery{Zone: archive, From: "2026-11-24", To: "2026-11-24", Names: true})
	c.must(err)
	if len(out.Rows) != 1 || len(out.Rows[0].Corrected) != 2 || out.Rows[0].ExitedAt.Hour() == 10 {
		t.Fatalf("%+v", out.Rows)
	}
	if x := out.Rows[0].Corrected[0]; x.Purpose != "電池の交換" || x.By != "chief" || x.Reason == "" || x.Waits {
		t.Errorf("%+v", x)
	}
	masked, err := c.registers().Register(ctx, web.RegisterQuery{Zone: archive, From: "2026-11-24", To: "2026-11-24"})
	c.must(err)
	if text := fmt.Sprintf("%+v", masked); strings.Contains(text, "電池") || strings.Contains(text, "﨑山") {
		t.Errorf("without names: %s", text)
	}
	if own, err := c.OwnCorrections(ctx, "1002"); err != nil || len(own) != 1 || own[0].Waits {
		t.Errorf("%+v %v", own, err)
	}
	c.noNames("﨑山", "電池")
}

// VR-10: with two signatures asked for, one does not finish a day; the rule is a leaf and needs two persons.
func TestTwoSignInLog(t *testing.T) {
	c := newCounter(t)
	c.pass(c.site.Ref(4568), store1, door.EventEntry)
	p := c.registers()
	act := web.Action{At: c.at, Actor: chief.Account, Reason: "規程第8条"}
	if err := p.SetTwoSign(t.Context(), archive, true, []string{section.Account}, act); !errors.Is(err, signoff.ErrTooFew) {
		t.Errorf("one person: %v", err)
	}
	if err := p.SetTwoSign(t.Context(), archive, true, []string{section.Account, chief.Account}, web.Action{At: c.at}); !errors.Is(err, signoff.ErrNoReason) {
		t.Errorf("no reason: %v", err)
	}
	size := c.site.Store.Size()
	c.must(p.SetTwoSign(t.Context(), archive, true, []string{section.Account, chief.Account}, act))
	if c.site.Store.Size() != size+1 {
		t.Error("the rule is no leaf")
	}
	c.clock(25, 9, 0)
	const day = "2026-11-24"
	c.sign(day, signoff.Sign, section, "", nil)
	c.stands(day, signoff.Waiting)
	c.sign(day, signoff.Countersign, chief, "", nil)
	c.stands(day, signoff.Done)
}

// D29, VR-11: a signature is written against what the log holds when it is written: a line that comes while the days are read is not
// signed unseen, whatever doors elsewhere do.
func TestSignedWhileRecordsCome(t *testing.T) {
	c := newCounter(t)
	c.pass(c.site.Ref(4568), store1, door.EventEntry)
	c.clock(25, 9, 0)
	const day = "2026-11-24"
	p := c.registers()
	sheet, err := p.ReviewDay(t.Context(), archive, day, true)
	c.must(err)
	gw := c.pub.Site().Door(store1).Gateway
	n := 0
	slow := *p
	slow.now = func() time.Time { // each reading of the days is followed by a record of that day
		if n++; n < 3 {
			received := c.at
			c.received, c.at = received, c.clock(24, 17, n)
			c.record(gw, wire.Record{Door: store1, Side: access.SideExit, Event: door.EventExitUnattributed, Attempt: door.Attempt{0xcc, byte(n)}})
			c.received, c.at = time.Time{}, received
		}
		return c.at
	}
	err = slow.ActOnDay(t.Context(), archive, day, signoff.Sign, sheet.Size, web.Action{At: c.at, Actor: chief.Account})
	if !errors.Is(err, signoff.ErrUnseen) {
		t.Errorf("signed with a record unseen: %v", err)
	}
	// Somewhere else something happens: it does not hold the signature up, and nothing is read twice.
	sheet, err = p.ReviewDay(t.Context(), archive, day, true)
	c.must(err)
	reads := 0
	slow.now = func() time.Time {
		if reads++; reads == 1 {
			c.record(c.pub.Site().Door("server-room-1").Gateway, wire.Record{Door: "server-room-1", Side: access.SideExit, Event: door.EventExitUnattributed, Attempt: door.Attempt{0xdd}})
		}
		return c.at
	}
	c.must(slow.ActOnDay(t.Context(), archive, day, signoff.Sign, sheet.Size, web.Action{At: c.at, Actor: chief.Account}))
	if reads > 2 { // one for the days, one for the silence of the gateway
		t.Errorf("the days were read again: %d times asked for the time", reads)
	}
	c.stands(day, signoff.Done)
}
