package app

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/entrylog"
	"monban/server/policypub/sitetest"
	"monban/server/signoff"
	"monban/server/store"
)

// VR-11, VR-1: a zone's day with something on it that nobody has signed is told at the closing time of the next open day, once; a day
// with nothing on it is not.
func TestUnsignedDay(t *testing.T) {
	d := newDesk(t)
	d.decide(1, entrylog.Opening{Person: "1001", Name: "髙橋 健一"}, access.ReasonGranted, sitetest.Now())
	if err := d.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SetSetting(unsignedSwept, "2026-11-22") }); err != nil {
		t.Fatal(err)
	}
	told := func(day, hour, minute int) (out []string) {
		d.now = func() time.Time { return time.Date(2026, 11, day, hour, minute, 0, 0, d.Zone) }
		for range 3 {
			if err := d.tellUnsigned(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		d.Read(func(r *store.ReadTx) error {
			list, _, err := r.Findings(true, 0, 100)
			for _, f := range list {
				if f.Kind == "unsigned_day" {
					out = append(out, f.Detail)
				}
			}
			return err
		})
		return out
	}
	if got := told(25, 17, 14); got != nil {
		t.Errorf("before it is due: %q", got)
	}
	for _, at := range [][3]int{{25, 17, 15}, {30, 9, 0}} {
		if diff := cmp.Diff([]string{"server-room/2026-11-24"}, told(at[0], at[1], at[2])); diff != "" {
			t.Errorf("%v: %s", at, diff)
		}
	}
}

// VR-11: a day that comes to wait after its due time is told then, once for each time: an addition, a signature taken back, and one that waits
// for the second person; a signature in time that only a new rule of two makes wait is not.
func TestUnsignedDayAfterItsDueTime(t *testing.T) {
	c := newCounter(t)
	c.must(c.site.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SetSetting(unsignedSwept, "2026-11-23") }))
	c.pass(c.site.Ref(4568), store1, door.EventEntry) // person 1002, as section
	const day = "2026-11-24"
	p := c.registers()
	told := func(what string, date, want int) {
		t.Helper()
		c.clock(date, 18, 0)
		for range 5 {
			c.must(p.tellUnsigned(t.Context()))
		}
		n := 0
		c.site.Read(func(r *store.ReadTx) error {
			list, err := r.FindingsAfter(-1, 1000)
			for _, f := range list {
				switch {
				case f.Kind != "unsigned_day" || !strings.HasPrefix(f.Detail, string(archive)): // the floor around it is signed by nobody
				case f.Detail == string(archive)+"/"+day:
					n++
				default:
					t.Errorf("%s: told of %s", what, f.Detail)
				}
			}
			return err
		})
		if n != want {
			t.Fatalf("%s: told %d times, want %d", what, n, want)
		}
	}
	c.clock(25, 8, 40)
	c.sign(day, signoff.Sign, section, "", nil)
	c.sign(day, signoff.Countersign, chief, "", nil)
	c.clock(25, 10, 0)
	c.pass(c.site.Ref(4568), store1, door.EventExit)
	told("signed in time", 25, 0)
	c.clock(26, 8, 40)
	c.sign("2026-11-25", signoff.Sign, chief, "", nil)
	c.stands("2026-11-25", signoff.Done)
	c.received = c.clock(26, 9, 0)
	c.clock(24, 17, 0)
	c.record(c.pub.Site().Door(store1).Gateway, wire.Record{Door: store1, Side: access.SideExit, Event: door.EventExitUnattributed, Attempt: door.Attempt{0xbb}})
	c.received = time.Time{}
	told("an addition", 26, 1)
	told("it still waits", 27, 1)
	told("over the weekend", 30, 1)
	c.sign(day, signoff.Add, chief, "", nil)
	told("added", 31, 1)
	c.sign(day, signoff.Reopen, section, "誤って署名", nil)
	told("opened again", 32, 2)
	told("still open", 33, 2)
	c.sign(day, signoff.Sign, section, "", nil)
	told("waits for another", 34, 3)
	told("waits still", 37, 3)
	c.sign(day, signoff.Countersign, chief, "", nil)
	told("done", 38, 3)

	var two signoff.Settings
	two.SetTwoSign(string(archive), true)
	text, err := json.Marshal(two)
	c.must(err)
	c.sign(day, signoff.Reopen, section, "誤って署名", nil)
	c.must(c.site.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SetSetting(signoff.SettingsKey, string(text)) }))
	c.stands("2026-11-25", signoff.Waiting)
	told("opened once more", 39, 4)
}
