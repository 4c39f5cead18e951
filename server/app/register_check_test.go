package app

import (
	"slices"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/signoff"
	"monban/server/web"
)

// checkedRows draws who has confirmed each row of the media store's register.
func (c *counter) checkedRows(from, to string) (out []string) {
	c.t.Helper()
	reg, err := c.registers().Register(c.t.Context(), web.RegisterQuery{Zone: archive, From: from, To: to, Names: true, Checks: true})
	c.must(err)
	for i := range reg.Rows {
		x := &reg.Rows[i]
		text := x.State.String() + " " + x.Checked.Status.String()
		if x.Checked.Exit {
			text += " exit"
		}
		for _, name := range x.Checked.By {
			text += " " + name
		}
		out = append(out, text)
	}
	return out
}

func (c *counter) wantChecked(what string, want ...string) {
	c.t.Helper()
	if got := c.checkedRows("2026-11-24", "2026-11-24"); !slices.Equal(got, want) {
		c.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// late has an exit of nobody reach the server at 9:00 on the 25th that happened on the 24th.
func (c *counter) late(n byte, hour int) {
	c.t.Helper()
	gw := c.pub.Site().Door(store1).Gateway
	c.received, c.at = c.clock(25, 9, 0), c.clock(24, hour, 0)
	c.record(gw, wire.Record{Door: store1, Side: access.SideExit, Event: door.EventExitUnattributed, Attempt: door.Attempt{0xbb, n}})
	c.received = time.Time{}
	c.clock(25, 9, 10)
}

// VR-10, VR-11, RR-1: a row of the register is confirmed by whoever signed what covers it: not by the signer of before it came, nor by its own
// person alone.
func TestRowIsConfirmedByWhoSawIt(t *testing.T) {
	c := newCounter(t)
	c.pass(c.site.Ref(4568), store1, door.EventEntry) // person 1002, as section
	c.clock(24, 11, 0)
	c.pass(c.site.Ref(4568), store1, door.EventExit)
	c.clock(24, 12, 0)
	c.record(c.pub.Site().Door(store1).Gateway, wire.Record{Door: store1, Side: access.SideExit, Event: door.EventExitUnattributed, Attempt: door.Attempt{0xaa}})
	const day = "2026-11-24"
	c.clock(25, 8, 40)
	c.wantChecked("nobody has signed", "complete open", "exit_unattributed open")
	c.sign(day, signoff.Sign, section, "", nil)
	c.wantChecked("the own row waits", "complete waiting", "exit_unattributed done section")
	c.sign(day, signoff.Countersign, chief, "", nil)
	c.wantChecked("countersigned", "complete done section chief", "exit_unattributed done section")
	c.late(1, 17)
	c.wantChecked("a late one", "complete done section chief", "exit_unattributed done section", "exit_unattributed additional")
	c.sign(day, signoff.Add, chief, "", nil)
	c.wantChecked("added", "complete done section chief", "exit_unattributed done section", "exit_unattributed done chief")
	c.sign(day, signoff.Reopen, section, "誤って署名", nil)
	c.wantChecked("open again", "complete open", "exit_unattributed open", "exit_unattributed open")
}
