package app

import (
	"errors"
	"slices"
	"testing"
	"time"

	"monban/firmware/door"
	"monban/server/directory"
	"monban/server/register"
	"monban/server/signoff"
	"monban/server/visit"
	"monban/server/web"
)

// VE-9, VR-10, VR-11, RR-2: a stay over midnight is one row, on the day of the entry. Its exit is shown and signed with the day on which it
// happened, so that a day that was signed before it is not waited for by anybody, and no page is empty that is not quiet.
func TestNightIsReviewed(t *testing.T) {
	c := newCounter(t)
	c.clock(23, 22, 0)
	c.pass(c.site.Ref(4568), store1, door.EventEntry) // person 1002, as section
	c.clock(24, 0, 30)
	const friday, saturday = "2026-11-23", "2026-11-24"
	c.sign(friday, signoff.Sign, chief, "", nil) // while somebody is still inside
	if s := c.stands(friday, signoff.Done); len(s.Register.Rows) != 1 || len(s.Ended) != 0 || s.Register.Rows[0].State != register.Inside {
		t.Errorf("%+v", s.Register.Rows)
	}
	c.clock(24, 5, 0)
	c.pass(c.site.Ref(4568), store1, door.EventExit)
	c.clock(25, 8, 40)
	if s := c.stands(friday, signoff.Done); len(s.Late) != 0 || s.Register.Rows[0].State != register.Complete {
		t.Errorf("a row of a signed day waits for nobody who could sign it: late %v, %+v", s.Late, s.Register.Rows)
	}
	s := c.stands(saturday, signoff.Open)
	if s.Rows != 1 || s.Sheet.Quiet || len(s.Register.Rows) != 0 || len(s.Ended) != 1 || s.Ended[0].Day != friday || s.Ended[0].ExitDay != saturday || s.Ended[0].Who.Name != "﨑山 直子" {
		t.Errorf("%d lines and %d rows, %+v", s.Rows, len(s.Register.Rows), s.Ended)
	}
	checked := func(want string) {
		t.Helper()
		if got := c.checkedRows(friday, saturday); !slices.Equal(got, []string{want}) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	checked("complete open exit")
	c.sign(saturday, signoff.Sign, section, "", nil) // the own exit
	c.stands(saturday, signoff.Waiting)
	checked("complete waiting exit")
	c.sign(saturday, signoff.Countersign, chief, "", nil)
	c.stands(saturday, signoff.Done)
	checked("complete done chief section")

	// A gateway that was cut off tells of another night's exit when both days are signed: the day on which it happened is to be signed again.
	c.clock(25, 22, 0)
	id := c.pass(c.site.Ref(4568), store1, door.EventEntry)
	c.clock(27, 8, 0)
	for _, day := range []string{"2026-11-25", "2026-11-26"} {
		c.sign(day, signoff.Sign, chief, "", nil)
	}
	c.received, c.at = c.clock(27, 9, 0), c.clock(26, 5, 0)
	c.pass(c.site.Ref(4568), store1, door.EventExit)
	c.received = time.Time{}
	c.clock(27, 9, 10)
	c.stands("2026-11-25", signoff.Done)
	if s := c.stands("2026-11-26", signoff.Additional); !slices.Equal(s.Late, []string{id}) || len(s.Ended) != 1 {
		t.Errorf("late %v, %+v", s.Late, s.Ended)
	}
	c.sign("2026-11-26", signoff.Add, section, "", signoff.ErrSamePerson)
	c.sign("2026-11-26", signoff.Add, chief, "", nil)
	c.stands("2026-11-26", signoff.Done)
	reg, err := c.registers().Register(t.Context(), web.RegisterQuery{Zone: archive, From: friday, To: "2026-11-27", Names: true})
	c.must(err)
	if len(reg.Rows) != 2 {
		t.Errorf("%d rows of two nights", len(reg.Rows))
	}
}

// VR-12, RR-6, RR-7: what is said of a row after the signature — a correction, an exit, a purpose — opens its day to an addition: no signature
// stands for what its writer has not seen.
func TestWhatIsSaidAfterTheSignature(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	c.edit(func(s *directory.Snapshot) {
		for i := range s.Doors {
			if s.Doors[i].ID == store1 {
				s.Doors[i].Sensing = door.ExitReader // where no exit is read nobody forgets one
			}
		}
	})
	id := c.pass(c.site.Ref(4568), store1, door.EventEntry) // person 1002, as section
	c.clock(25, 8, 0)
	next := c.pass(c.site.Ref(4568), store1, door.EventEntry) // without having left
	const day = "2026-11-24"
	c.clock(25, 8, 40)
	c.sign(day, signoff.Sign, chief, "", nil)
	said := func(what string) {
		t.Helper()
		if s := c.stands(day, signoff.Additional); !slices.Equal(s.Late, []string{id}) {
			t.Errorf("%s: late %v", what, s.Late)
		}
		c.wantChecked(what, "exit_not_recorded additional")
		c.sign(day, signoff.Add, section, "", signoff.ErrSamePerson) // whose row it is
		c.sign(day, signoff.Add, chief, "", nil)
		c.stands(day, signoff.Done)
		c.wantChecked(what, "exit_not_recorded done chief")
	}
	c.stands(day, signoff.Done)
	c.must(c.CorrectRow(ctx, archive, id, visit.Right{Name: "﨑山 奈緒子"}, "字が違う", chief))
	said("a correction by who signed")
	c.must(c.AskCorrection(ctx, id, visit.Right{InMS: c.ms(24, 9, 50)}, "早く入った", section))
	said("asked for")
	asked, err := c.CorrectionsAsked(ctx, archive)
	c.must(err)
	c.must(c.AnswerCorrection(ctx, asked[0].ID, true, "", chief))
	said("answered")
	stated, err := c.StateExit(ctx, id, time.UnixMilli(c.ms(24, 15, 0)), section)
	c.must(err)
	said("an exit is stated")
	_, err = c.ConfirmExit(ctx, stated.ID, chief)
	c.must(err)
	said("and confirmed")
	_, err = c.StatePurpose(ctx, id, "設備の点検", section)
	c.must(err)
	said("a purpose")
	c.noNames("奈緒子", "設備の点検")

	// One that is said between the page and the signature is not signed unseen.
	c.clock(26, 9, 0)
	sheet := c.stands("2026-11-25", signoff.Open)
	slow := *c.registers()
	n := 0
	slow.now = func() time.Time {
		if n++; n == 1 {
			c.must(c.CorrectRow(ctx, archive, next, visit.Right{Badge: "14"}, "番号が違う", chief))
		}
		return c.at
	}
	err = slow.ActOnDay(ctx, archive, "2026-11-25", signoff.Sign, sheet.Size, web.Action{At: c.at, Actor: chief.Account})
	if !errors.Is(err, signoff.ErrUnseen) {
		t.Errorf("signed with a correction unseen: %v", err)
	}
}
