package app

import (
	"slices"
	"testing"
	"time"

	"monban/firmware/door"
	"monban/server/register"
	"monban/server/signoff"
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
